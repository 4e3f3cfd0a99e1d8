"""How many one-line bugs of real projects the offline coder repairs: one `octolimb fix` each, then a table.

usage: bug_table.py [--budget 60] [--only TEXT] [--keep DIR]

The bugs stand in `real_bugs.json`; `make_real_bugs.py` tells how they came about. Each is put into a whole project as
released, and the limb is sent to the first test that fails. A bug counts as passing when the limb proposes anything,
which is then green, confirmed cold; and as found when one of the first three proposals is the file as it was released.
"""

from __future__ import annotations

import argparse
import ast
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from released import BOLTONS, CLICK, NETWORKX, TOOLZ, python_of

PROJECTS = {project.name: project for project in (TOOLZ, BOLTONS, CLICK, NETWORKX)}
BUGS = Path(__file__).with_name("real_bugs.json")
SAMPLE_SECONDS = 0.1


@dataclass(frozen=True)
class Row:
    """One bug's result; `rank` is the original's among the proposals, 0 where it is none of them."""

    bug: dict[str, Any]
    status: str
    rank: int
    seconds: float
    attempts: int
    rate: float
    megabytes: float
    note: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=float, default=60.0, help="seconds for each bug")
    parser.add_argument("--only", default="", help="only bugs whose project, kind, path or test holds this text")
    parser.add_argument("--keep", type=Path, help="put the projects here and keep them")
    options = parser.parse_args()
    bugs = [bug for bug in json.loads(BUGS.read_text()) if options.only in " ".join(map(str, bug.values()))]
    with tempfile.TemporaryDirectory(prefix="octolimb-bugs-") as scratch:
        directory: Path = options.keep or Path(scratch)
        directory.mkdir(parents=True, exist_ok=True)
        rows: list[Row] = []
        for bug in bugs:
            row = repair(bug, PROJECTS[bug["project"]].prepare(directory), options.budget)
            rows.append(row)
            print(shown(row), flush=True)
    print_summary(rows)
    return 0


def repair(bug: dict[str, Any], root: Path, budget: float) -> Row:
    """Puts the bug in, sends a limb, and puts the original back."""
    path = root / bug["path"]
    original = path.read_bytes()
    lines = original.decode().splitlines(keepends=True)
    assert lines[bug["line"] - 1].rstrip("\r\n") == bug["was"], f"{bug['path']} is not as it was released"
    lines[bug["line"] - 1] = lines[bug["line"] - 1].replace(bug["was"], bug["now"])
    path.write_bytes("".join(lines).encode())
    try:
        command = [sys.executable, "-m", "octolimb", "--root", str(root), "--json", "fix", bug["test"]]
        with subprocess.Popen(
            [*command, "--budget", str(budget)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as limb:
            meter = MemoryMeter(limb.pid, python_of(root))
            stdout, stderr = limb.communicate()
            megabytes = meter.stop()
        answer = json.loads(stdout or b"{}")
        if "status" not in answer:
            return Row(bug, "error", 0, 0.0, 0, 0.0, megabytes, str(answer.get("error") or stderr[-200:]))
        ranks = [one["rank"] for one in answer["proposals"] if is_original(path, original, one["diff"])]
    finally:
        path.write_bytes(original)
    rate = answer["attempts"] / answer["searched"] if answer["searched"] else 0.0
    first = answer["proposals"][0]["why"] if answer["proposals"] else answer["message"]
    return Row(
        bug,
        answer["status"],
        min(ranks, default=0),
        answer["seconds"],
        answer["attempts"],
        rate,
        megabytes,
        first,
    )


def is_original(path: Path, original: bytes, diff: str) -> bool:
    """Whether the diff makes the broken file the same program as the original; layout does not count."""
    with tempfile.TemporaryDirectory() as scratch:
        names = [line.removeprefix("+++ b/").split("\t")[0] for line in diff.splitlines() if line.startswith("+++ b/")]
        if len(names) != 1 or not str(path).endswith(names[0]):
            return False
        copy = Path(scratch) / names[0]
        copy.parent.mkdir(parents=True)
        copy.write_bytes(path.read_bytes())
        subprocess.run(["git", "apply", "-p1"], cwd=scratch, input=diff.encode(), check=True, capture_output=True)
        return ast.dump(ast.parse(copy.read_bytes())) == ast.dump(ast.parse(original))


class MemoryMeter:
    """Samples what a process and its descendants hold, shared pages by their share; not the project's own Python."""

    def __init__(self, pid: int, python: Path) -> None:
        self._pid = pid
        self._python = str(python).encode()
        self._most = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """The most that was seen at once, in megabytes."""
        self._done.set()
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            held = 0
            for pid in self._family():
                with suppress(OSError, StopIteration, ValueError):
                    place = Path(f"/proc/{pid}")
                    if (place / "cmdline").read_bytes().split(b"\0")[0] != self._python:
                        lines = (place / "smaps_rollup").read_text().splitlines()
                        held += int(next(line for line in lines if line.startswith("Pss:")).split()[1])
            self._most = max(self._most, held / 1024)

    def _family(self) -> list[int]:
        found = [self._pid]
        for pid in found:
            with suppress(OSError):
                for children in Path(f"/proc/{pid}/task").glob("*/children"):
                    found += map(int, children.read_text().split())
        return found


def shown(row: Row) -> str:
    rank = f"original {row.rank}" if row.rank else "-"
    place = f"{row.bug['path']}:{row.bug['line']}"
    return (
        f"{row.bug['project']:9} {row.bug['kind']:26} {row.status:9} {rank:11} {row.seconds:5.1f} s"
        f" {row.attempts:6} tried {row.rate:5.0f}/s {row.megabytes:4.0f} MB  {place}"
        f"\n{'':10}{row.bug['was'].strip()[:90]}\n{'':10}{row.bug['now'].strip()[:90]}\n{'':10}{row.note[:200]}"
    )


def print_summary(rows: list[Row]) -> None:
    print()
    for name in PROJECTS:
        print_counts(name, [row for row in rows if row.bug["project"] == name])
    print_counts("all", rows)
    searched = [row.rate for row in rows if row.rate]
    if searched:
        print(f"candidates a second, median: {statistics.median(searched):.0f}")
    print(f"most memory besides the project's own: {max((row.megabytes for row in rows), default=0):.0f} MB")


def print_counts(name: str, rows: list[Row]) -> None:
    passing = sum(row.status == "proposed" for row in rows)
    first = sum(row.rank == 1 for row in rows)
    three = sum(0 < row.rank <= 3 for row in rows)
    seconds = statistics.median([row.seconds for row in rows]) if rows else 0.0
    print(
        f"{name:10} {len(rows):3} bugs  {passing:3} with a passing proposal  original first {first:3},"
        f" among three {three:3}  median {seconds:.1f} s"
    )


if __name__ == "__main__":
    started = time.monotonic()
    code = main()
    print(f"{time.monotonic() - started:.0f} s")
    sys.exit(code)
