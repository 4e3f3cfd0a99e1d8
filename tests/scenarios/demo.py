"""The main job on a real project: one line is broken, a limb repairs it in the shadow, and the tree stays as it is.

usage: demo.py [--keep DIR]

Takes a released source distribution from the package registry, pinned by hash, makes a virtual environment for it,
breaks one line the way people do, shows the failing test, sends the limb, and compares every file with what it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from released import BOLTONS, python_of

FILE = "boltons/iterutils.py"
TESTS = "tests/test_iterutils.py"
RIGHT = "        if i + chunk_size >= input_stop:\n"
WRONG = "        if i + chunk_size > input_stop:\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="put the project here and keep it, instead of a temporary directory")
    keep: Path | None = parser.parse_args().keep
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        return demonstrate(keep)
    with tempfile.TemporaryDirectory(prefix="octolimb-demo-") as directory:
        return demonstrate(Path(directory))


def demonstrate(directory: Path) -> int:
    say(f"1. {BOLTONS.name} {BOLTONS.release}, a real project with its tests, from the package registry")
    root = BOLTONS.prepare(directory)
    say(f"2. One line of {FILE} is broken, the way people do it")
    break_line(root)
    print(f"   -{RIGHT.rstrip()}\n   +{WRONG.rstrip()}")
    failing = first_failing_test(root)
    say(f"3. {failing} fails")
    before = fingerprint(root)
    say(f"4. A limb is sent: octolimb fix {failing}")
    done = subprocess.run([*octolimb(root), "fix", failing], check=False)
    if done.returncode != 0:
        print(f"the limb found nothing (exit {done.returncode})", file=sys.stderr)
        return 1
    say("5. The same, for programs: octolimb --json fix")
    answer = json.loads(
        subprocess.run([*octolimb(root), "--json", "fix", failing], capture_output=True, check=True).stdout
    )
    best = answer["proposals"][0]
    green, decision = best["verdict"]["green"], best["decision"]["decision"]
    print(f"   {answer['status']}: {', '.join(best['files'])}, green: {green}, guard: {decision}")
    after = fingerprint(root)
    if after != before:
        print(f"the tree changed: {sorted(before.keys() ^ after.keys())}", file=sys.stderr)
        return 1
    say(f"6. All {len(before)} files of the project are as they were: bytes, modes and times")
    return 0


def break_line(root: Path) -> None:
    source = (root / FILE).read_text()
    assert source.count(RIGHT) == 1, "the line to break is not there"
    (root / FILE).write_text(source.replace(RIGHT, WRONG))


def first_failing_test(root: Path) -> str:
    command = [
        str(python_of(root)),
        "-m",
        "pytest",
        "-q",
        "-x",
        "--tb=short",
        "-p",
        "no:cacheprovider",
        "tests/test_iterutils.py",
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    failed: list[str] = [line.split(" ")[1] for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    if not failed:
        sys.exit(f"no test fails:\n{done.stdout[-2000:]}")
    print("\n".join("   " + line for line in done.stdout.splitlines() if line.startswith("E "))[:400].rstrip())
    return failed[0]


def octolimb(root: Path) -> list[str]:
    return [sys.executable, "-m", "octolimb", "--root", str(root)]


def fingerprint(root: Path) -> dict[str, tuple[int, int, str]]:
    """Mode, modification time in nanoseconds and content of every file below `root`."""
    found: dict[str, tuple[int, int, str]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(root))] = (status.st_mode, status.st_mtime_ns, content)
    return found


def say(line: str) -> None:
    print(f"\n\033[1m{line}\033[0m" if sys.stdout.isatty() else f"\n{line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
