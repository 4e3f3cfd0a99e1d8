"""The built-in rule `test-weakened`: no repair makes a test pass by touching the test, or by fooling the runner.

A repair limb may not change tests, their configuration or their snapshots, nor bring into production code what forges
verdicts. A person may weaken a test, but is asked. It compares syntax trees; it does not run or understand tests.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Final

from octolimb.core.changes import Change, ChangeSet
from octolimb.core.paths import RelPath
from octolimb.core.positions import Span, point
from octolimb.core.proposals import Outcome, Reason
from octolimb.guard.assertions import TestFunction, examples_in, tests_in
from octolimb.guard.forgery import forgeries_in
from octolimb.guard.rulings import TEST_WEAKENED, Role, Ruling
from octolimb.guard.sources import is_python, parse_python

VERSION: Final = 1

_TEST_FILE: Final = re.compile(
    r"(test_.*|.*_test|tests?)\.py|.*\.(snap|ambr|approved\.\w+)|test.*\.(txt|rst)", re.IGNORECASE
)
_TEST_DIRECTORIES: Final = frozenset({"test", "tests", "__snapshots__", "snapshots", "__tests__"})
_TEST_SETTINGS: Final = frozenset(
    {
        *("conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg"),
        *("pyproject.toml", ".coveragerc", "noxfile.py", "sitecustomize.py", "usercustomize.py"),
    }
)
_OPAQUE: Final = frozenset({".pyc", ".pyo", ".so", ".pyd", ".dll", ".dylib", ".pth", ".egg-link"})
_RUNNER_MODULES: Final = frozenset(
    {"pytest", "_pytest", "pluggy", "py", "iniconfig", "hypothesis", "coverage", "xdist"}
)


def is_test_path(path: RelPath) -> bool:
    """True for tests, what they are compared with and what configures them, by name alone."""
    return (
        path.name.lower() in _TEST_SETTINGS
        or bool(_TEST_FILE.fullmatch(path.name))
        or any(above.name.lower() in _TEST_DIRECTORIES for above in path.ancestors)
    )


def judge_weakening(change_set: ChangeSet, role: Role) -> list[Ruling]:
    """The rule `test-weakened`."""
    judge = _judge_repair if role == "repair" else _judge_person
    return list(judge(change_set))


def _judge_repair(change_set: ChangeSet) -> Iterator[Ruling]:
    for change in change_set:
        touched = next((path for path in (change.path, change.old_path) if is_test_path(path)), None)
        if touched is not None:
            yield _ruling("deny", change, "a repair may not change tests or what configures them", "repair the code")
            continue
        if change.path.suffix.lower() in _OPAQUE and change.after is not None:
            yield _ruling("deny", change, "a repair may not add what nobody can read", "leave it out")
        if (change.before is None or change.path != change.old_path) and (module := _shadowed(change.path)):
            yield _ruling("deny", change, f"it would take the place of the module {module}", "choose another name")
        yield from _judge_production(change)


def _judge_production(change: Change) -> Iterator[Ruling]:
    if change.after is None or not is_python(change.after):
        return
    old, new = parse_python(change.before), parse_python(change.after)
    if new is None:
        # The project's interpreter may read what ours cannot (newer syntax, another encoding), so nobody has judged it.
        outcome: Outcome = "ask" if old is None and change.before is not None else "deny"
        yield _ruling(outcome, change, "the guard cannot read it as Python", "mend the syntax")
        return
    before = Counter(forgery.what for forgery in forgeries_in(old)) if old is not None else Counter[str]()
    for forgery in forgeries_in(new):
        before[forgery.what] -= 1
        if before[forgery.what] < 0:
            message = f"line {forgery.line + 1} newly uses {forgery.what}, by which code can fake a test's outcome"
            yield _ruling("deny", change, message, "repair the behaviour itself", point(forgery.line))
    if old is not None:
        if examples_in(old) - examples_in(new):
            yield _ruling("deny", change, "a repair may not change doctest examples", "repair the code")
        kept = {test.name: test.dump for test in tests_in(new)}
        if any(kept.get(test.name) != test.dump for test in tests_in(old)):
            yield _ruling("deny", change, "a repair may not change the tests in this file", "repair the code")


def _judge_person(change_set: ChangeSet) -> Iterator[Ruling]:
    # A test that moved to another file of the same change is not lost.
    moved = Counter(
        test.name for change in change_set if _holds_tests(change.path) for test in tests_in(parse_python(change.after))
    )
    for change in change_set:
        if not _holds_tests(change.old_path):
            continue
        old, new = parse_python(change.before), parse_python(change.after)
        if old is None:
            continue
        if change.after is not None and is_python(change.after) and new is None:
            yield _ruling("ask", change, "its tests can no longer be read: it does not parse", "mend the syntax")
            continue
        here = {test.name: test for test in tests_in(new)} if _holds_tests(change.path) else {}
        for test in tests_in(old):
            now = here.get(test.name)
            if now is None:
                if moved[test.name] <= 0:
                    yield _ruling("ask", change, f"the test {test.name} is gone", "keep it, or say why it may go")
                moved[test.name] -= 1
            elif why := _weaker(test, now):
                yield _ruling("ask", change, f"the test {test.name} {why}", "keep it as strict", point(now.line))


def _weaker(old: TestFunction, new: TestFunction) -> str | None:
    if new.excuses > old.excuses:
        return "is newly skipped or expected to fail"
    if new.strength < old.strength:
        return "asserts less than before"
    if new.cases < old.cases:
        return "is parametrized with fewer cases"
    return None


def _holds_tests(path: RelPath) -> bool:
    return path.suffix == ".py" and is_test_path(path)


def _shadowed(path: RelPath) -> str | None:
    """The standard or runner module that a new file at the top of an import path would hide."""
    top = path.removeprefix("src/").split("/", 1)[0].removesuffix(".py")
    return top if top in _RUNNER_MODULES or top in sys.stdlib_module_names else None


def _ruling(outcome: Outcome, change: Change, message: str, fix: str, span: Span | None = None) -> Ruling:
    return Ruling(outcome, Reason(TEST_WEAKENED, change.path, f"{change.path}: {message}", span, fix))
