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
import tarfile
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

PROJECT = "boltons==26.2.0"
SHA256 = "d39cfd15c1a1c3bd4d705c82252fa9edb8e4f5e8cc039f8e39afac7b1b47e92c"
TOOLS = "pytest==9.0.3"
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
    say(f"1. {PROJECT}, a real project with its tests, from the package registry")
    root = prepare(directory)
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


def prepare(directory: Path) -> Path:
    """The unpacked project with an environment of its own; what is there already is used again."""
    archive = download(directory)
    with tarfile.open(archive) as tar:
        tar.extractall(directory, filter="data")
    root = directory / archive.name.removesuffix(".tar.gz")
    python = root / ".venv" / "bin" / "python"
    if not python.exists():
        venv.create(root / ".venv", with_pip=True)
        quietly([python, "-m", "pip", "install", TOOLS])
    return root


def download(directory: Path) -> Path:
    pinned = directory / "pinned.txt"
    pinned.write_text(f"{PROJECT} --hash=sha256:{SHA256}\n")
    name, _, release = PROJECT.partition("==")
    archive = directory / f"{name}-{release}.tar.gz"
    if not archive.exists():
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--require-hashes"]
        quietly([*command, "--dest", directory, "--requirement", pinned])
    if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
        sys.exit(f"{archive} is not the release that was pinned")
    return archive


def break_line(root: Path) -> None:
    source = (root / FILE).read_text()
    assert source.count(RIGHT) == 1, "the line to break is not there"
    (root / FILE).write_text(source.replace(RIGHT, WRONG))


def first_failing_test(root: Path) -> str:
    python = root / ".venv" / "bin" / "python"
    command = [
        str(python),
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


def quietly(command: Sequence[str | Path]) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"failed: {' '.join(map(str, command))}\n{done.stdout[-1000:]}{done.stderr[-2000:]}")


def say(line: str) -> None:
    print(f"\n\033[1m{line}\033[0m" if sys.stdout.isatty() else f"\n{line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
