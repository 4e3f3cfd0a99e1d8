"""How many small broken programs the offline coder repairs: one project and one `octolimb fix` each, then a table.

usage: repair_table.py DATA.jsonl [--budget 6] [--only TEXT] [--python PATH]

Each line of DATA is a JSON object with `task_id`, `entry_point`, `bug_type`, `declaration`, `buggy_solution`,
`canonical_solution` and `test`, which defines `check(candidate)`. A program counts as passing when the first proposal
makes its test pass, and as correct when it also agrees with the reference on fresh inputs, made by varying the
arguments that its test uses.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FRESH_INPUTS = 60

COMPARE = """
import json, math, sys
request = json.load(sys.stdin)
def load(source):
    space = {"__name__": "program"}
    exec(compile(source, "program", "exec"), space)
    return space[request["entry"]]
def same(a, b):
    if isinstance(a, float) or isinstance(b, float):
        try:
            return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)
        except TypeError:
            return False
    if isinstance(a, (list, tuple)) and type(a) is type(b):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b
reference, fixed = load(request["reference"]), load(request["fixed"])
compared = 0
for text in request["inputs"]:
    try:
        wanted = reference(*eval(text))
    except Exception:
        continue
    compared += 1
    try:
        got = fixed(*eval(text))
    except Exception as error:
        print("differs", text, repr(error)); break
    if not same(wanted, got):
        print("differs", text, repr(wanted)[:80], repr(got)[:80]); break
else:
    print("agrees" if compared else "nothing to compare", compared)
"""


@dataclass(frozen=True)
class Row:
    """One program's result; `rate` is candidates a second, 0 where nothing was searched."""

    task: str
    kind: str
    passes: bool
    correct: bool
    correct_in_three: bool
    seconds: float
    attempts: int
    rate: float
    note: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--budget", type=float, default=6.0, help="seconds for each program")
    parser.add_argument("--only", default="", help="only tasks whose id or kind holds this text")
    parser.add_argument("--python", type=Path, help="the projects' interpreter; it needs pytest")
    options = parser.parse_args()
    if not options.data.is_file():
        print(f"there is no {options.data}; say DATA=path/to/problems.jsonl", file=sys.stderr)
        return 2
    problems = [json.loads(line) for line in options.data.read_text("utf-8").splitlines() if line.strip()]
    rows: list[Row] = []
    for problem in problems:
        if options.only in problem["task_id"] or options.only in problem["bug_type"]:
            row = repair(problem, options.budget, options.python)
            rows.append(row)
            mark = "correct" if row.correct else "passes" if row.passes else "-"
            print(f"{row.task:12} {row.kind:16} {mark:8} {row.seconds:5.1f} s {row.attempts:6} {row.note}", flush=True)
    if not rows:
        print("no problem was selected", file=sys.stderr)
        return 2
    print_table(rows)
    return 0


def repair(problem: dict[str, str], budget: float, python: Path | None) -> Row:
    with tempfile.TemporaryDirectory(prefix="repair-") as directory:
        root = Path(directory)
        entry = problem["entry_point"]
        body = problem["test"].rstrip().removesuffix(f"check({entry})")
        (root / "solution.py").write_text(problem["declaration"] + problem["buggy_solution"])
        (root / "test_solution.py").write_text(
            f"from solution import *\nfrom solution import {entry}\n{body}\n\ndef test_{entry}():\n    check({entry})\n"
        )
        command = [sys.executable, "-m", "octolimb", "--root", directory, "--json"]
        command += ["--python", str(python)] if python else []
        began = time.monotonic()
        done = subprocess.run(
            [*command, "fix", f"test_solution.py::test_{entry}", "--budget", str(budget)],
            capture_output=True,
            text=True,
            check=False,
            timeout=budget * 5 + 60,
        )
        seconds = time.monotonic() - began
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            return Row(problem["task_id"], problem["bug_type"], False, False, False, seconds, 0, 0, done.stderr[-200:])
        if answer.get("status") != "proposed":
            note = answer.get("message") or answer.get("error", {}).get("message", "")
            return _row(problem, answer, seconds, [], note)
        fixed = [_patched(root, proposal["diff"]) for proposal in answer["proposals"]]
        agreements = [_agreement(problem, source) for source in fixed]
        return _row(problem, answer, seconds, agreements, f"{answer['proposals'][0]['why']}  {agreements[0]}")


def _row(problem: dict[str, str], answer: dict[str, Any], seconds: float, agreements: list[str], note: str) -> Row:
    right = [agreement.startswith("agrees") for agreement in agreements]
    searched = answer.get("searched") or 0
    attempts = answer.get("attempts") or 0
    rate = attempts / searched if searched > 0.05 else 0.0
    kind = problem["bug_type"]
    return Row(
        problem["task_id"], kind, bool(right), right[:1] == [True], any(right), seconds, attempts, rate, note[:110]
    )


def _patched(root: Path, diff: str) -> str:
    """The program after the proposal, made with git on a copy: the project itself stays as it is."""
    with tempfile.TemporaryDirectory() as copy:
        source = Path(copy) / "solution.py"
        source.write_bytes((root / "solution.py").read_bytes())
        subprocess.run(["git", "apply", "-p1", "-"], cwd=copy, input=diff.encode(), check=True)
        return source.read_text()


def _agreement(problem: dict[str, str], fixed: str) -> str:
    request = {
        "entry": problem["entry_point"],
        "reference": problem["declaration"] + problem["canonical_solution"],
        "fixed": fixed,
        "inputs": fresh_inputs(problem["test"], problem["entry_point"]),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-c", COMPARE],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
    except subprocess.TimeoutExpired:
        return "hangs on fresh inputs"
    return done.stdout.strip() or done.stderr.strip()[-80:]


def fresh_inputs(test: str, entry: str) -> list[str]:
    """Source texts of argument tuples: those of the test's own calls, then variations on them."""
    calls = [
        node.args
        for node in ast.walk(ast.parse(test))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("candidate", entry)
    ]
    seeds: list[tuple[Any, ...]] = []
    for arguments in calls:
        try:
            seeds.append(tuple(ast.literal_eval(argument) for argument in arguments))
        except ValueError:
            continue
    chance = random.Random(7)
    found = [repr(seed) for seed in seeds]
    while seeds and len(found) < FRESH_INPUTS + len(seeds):
        found.append(repr(tuple(_varied(value, chance) for value in chance.choice(seeds))))
    return found


def _varied(value: Any, chance: random.Random) -> Any:
    if isinstance(value, bool):
        return chance.random() < 0.5
    if isinstance(value, int):
        return max(0, value + chance.choice([-2, -1, 0, 1, 2, 5])) if value >= 0 else value + chance.choice([-1, 0, 1])
    if isinstance(value, float):
        return round(value * chance.choice([1, 0.5, 2, 1.1]) + chance.choice([0, 0, 0.5]), 3)
    if isinstance(value, str):
        return "".join(_shuffled(value, chance))
    if isinstance(value, list | tuple):
        return type(value)(_varied(item, chance) for item in _shuffled(value, chance))
    if isinstance(value, dict):
        return {key: _varied(item, chance) for key, item in value.items()}
    return value


def _shuffled(items: Any, chance: random.Random) -> list[Any]:
    kept = [item for item in items if chance.random() > 0.15]
    if kept and chance.random() < 0.4:
        kept.append(chance.choice(kept))
    if chance.random() < 0.4:
        chance.shuffle(kept)
    return kept


def print_table(rows: list[Row]) -> None:
    columns = ("kind of bug", "programs", "pass", "correct", "in top 3", "median s", "cand./s")
    lines = [columns]
    for kind, group in _groups(rows):
        rates = [row.rate for row in group if row.rate]
        lines.append(
            (
                kind,
                str(len(group)),
                str(sum(row.passes for row in group)),
                str(sum(row.correct for row in group)),
                str(sum(row.correct_in_three for row in group)),
                f"{statistics.median(row.seconds for row in group):.1f}",
                f"{statistics.median(rates):.0f}" if rates else "-",
            )
        )
    print()
    for first, *rest in lines:
        print(f"{first:18}" + "".join(f"{cell:>10}" for cell in rest))


def _groups(rows: list[Row]) -> Iterator[tuple[str, list[Row]]]:
    for kind in sorted({row.kind for row in rows}):
        yield kind, [row for row in rows if row.kind == kind]
    yield "all", rows


if __name__ == "__main__":
    sys.exit(main())
