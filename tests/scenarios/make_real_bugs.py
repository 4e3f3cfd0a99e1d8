"""Breaks one line of a real project at a time, with a third-party mutation tool, and keeps the bugs that a test sees.

usage: make_real_bugs.py DIRECTORY > real_bugs.json       in a Python that has cosmic-ray 8.7 installed

For each project, ten kinds of operator are drawn, and for each of them a mutant of the package's own code; a mutant
that no test of its module notices is drawn again. Nothing else is looked at, Octolimb least of all: whether a bug can
be repaired has no say in whether it is kept. The draw depends on SEED alone.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from released import BOLTONS, CLICK, NETWORKX, TOOLZ, Released, python_of

SEED = 2026
BUGS_EACH = 10
SUITE_SECONDS = 30
# The first raises an exception of the tool's own, the others need to be told a variable.
LEFT_OUT = ("ExceptionReplacer", "VariableInserter", "VariableReplacer")


@dataclass(frozen=True)
class Bug:
    """`line` is one-based; `was` and `now` are that line before and after, without its end."""

    project: str
    kind: str
    operator: str
    path: str
    line: int
    was: str
    now: str
    test: str


def main() -> int:
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    bugs: list[Bug] = []
    for project in (TOOLZ, BOLTONS, CLICK, NETWORKX):
        root = project.prepare(directory)
        chance = random.Random(f"{SEED} {project.name}")
        kinds = sorted({name.removeprefix("core/").partition("_")[0] for name in plugins.operator_names()})
        order = [kind for kind in kinds if kind not in LEFT_OUT]
        chance.shuffle(order)
        found = 0
        for kind in order:
            if found == BUGS_EACH:
                break
            bug = next(seen_bugs(project, root, kind, chance), None)
            if bug is not None:
                bugs.append(bug)
                found += 1
                print(f"{project.name} {kind}: {bug.path}:{bug.line} {bug.test}", file=sys.stderr, flush=True)
    print(json.dumps([asdict(bug) for bug in bugs], indent=1))
    return 0


def seen_bugs(project: Released, root: Path, kind: str, chance: random.Random) -> Iterator[Bug]:
    """One mutant of this kind from each file, in a random order, where it makes a test fail that passes without it."""
    names = [name for name in sorted(plugins.operator_names()) if name.removeprefix("core/").partition("_")[0] == kind]
    operators = {name: plugins.get_operator(name)() for name in names}
    files = [path for path in sorted((root / project.package).rglob("*.py")) if "tests" not in path.parts]
    chance.shuffle(files)
    for path in files:
        source = path.read_text(encoding="utf-8")
        nodes = list(ast_nodes(get_ast(source)))
        counts = {
            name: sum(len(list(one.mutation_positions(node))) for node in nodes) for name, one in operators.items()
        }
        places = [(name, number) for name, count in counts.items() for number in range(count)]
        if not places:
            continue
        name, occurrence = chance.choice(places)
        mutated = mutate_code(source, operators[name], occurrence)
        before, after = source.splitlines(), mutated.splitlines()
        changed = [number for number, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]]
        if len(before) != len(after) or len(changed) != 1:
            continue
        test = first_failure(project, root, path, mutated)
        if test is not None:
            number = changed[0]
            where = path.relative_to(root).as_posix()
            yield Bug(project.name, kind, name, where, number + 1, before[number], after[number], test)


def first_failure(project: Released, root: Path, path: Path, mutated: str) -> str | None:
    """The first test of the module that fails with the mutant and passes without; None where there is none."""
    tests = tests_of(project, root, path)
    if not tests or not passes_whole(root, tuple(tests)):
        return None
    original = path.read_bytes()
    path.write_text(mutated)
    try:
        return first_failing(root, tests)
    finally:
        path.write_bytes(original)


@cache
def passes_whole(root: Path, tests: tuple[str, ...]) -> bool:
    return first_failing(root, tests) is None


def tests_of(project: Released, root: Path, path: Path) -> list[str]:
    """The test files that are named for the module, else, in a project with all tests in one place, all of them."""
    name = path.stem.removeprefix("_")
    named = [file for file in (root / project.tests).rglob(f"test_{name}.py") if file.parent.parent == path.parent]
    if project.tests != project.package:
        named = list((root / project.tests).glob(f"test_{name}.py")) or [root / project.tests]
    return [str(file.relative_to(root)) for file in named]


def first_failing(root: Path, tests: Sequence[str]) -> str | None:
    """None too where the tests hang: a person would not wait for them."""
    command = [str(python_of(root)), "-m", "pytest", "-q", "-x", "--tb=no", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command,
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
            timeout=SUITE_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return None
    for line in done.stdout.splitlines():
        word, _, rest = line.partition(" ")
        if word in ("FAILED", "ERROR"):
            return rest.split(" - ")[0]
    return None


if __name__ == "__main__":
    sys.exit(main())
