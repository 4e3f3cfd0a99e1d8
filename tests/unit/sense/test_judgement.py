"""The definitions of green, regressed and complete, case by case."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from octolimb.core.paths import RelPath
from octolimb.core.positions import point
from octolimb.core.verdicts import Finding, Outcome, SensorRun, SensorStatus, Severity, TestResult
from octolimb.sense.judgement import (
    Evidence,
    failed_since,
    is_complete,
    is_green,
    is_named_test,
    is_regressed,
    lost_tests,
    names_not_found,
    summarize,
    unaccepted_skips,
)

LETTERS: Final = {
    "P": Outcome.PASSED,
    "F": Outcome.FAILED,
    "E": Outcome.ERROR,
    "S": Outcome.SKIPPED,
    "x": Outcome.XFAILED,
    "X": Outcome.XPASSED,
    "L": Outcome.LOST,
}


def results(**outcomes: str) -> dict[str, TestResult]:
    """`results(a="P")`: the test `t.py::a` passed. `-` leaves the test out."""
    ids = {f"t.py::{name}": LETTERS[letter] for name, letter in outcomes.items() if letter != "-"}
    return {node_id: TestResult(node_id, outcome, 1.0) for node_id, outcome in ids.items()}


def one(now: str, before: str | None = None, *, named: str | None = None) -> Evidence:
    """One test's outcome now and in the baseline; None: no baseline; `-`: not there; `?`: there, outcome not known."""
    collected = frozenset({"t.py::a"}) if before and before != "-" else frozenset[str]()
    return Evidence(
        results=results(a=now),
        baseline=None if before is None else results(a="-" if before == "?" else before),
        collected_before=collected,
        named=(named,) if named else (),
    )


def found(severity: Severity = Severity.ERROR, *, new: bool = True) -> Finding:
    return Finding(RelPath("a.py"), point(0), severity, "types", "c", "m", new=new)


GREEN, NOT_GREEN, REGRESSED = (True, False), (False, False), (False, True)


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        # Without a baseline.
        ("P", None, GREEN),
        ("X", None, GREEN),
        ("S", None, GREEN),
        ("x", None, GREEN),
        ("F", None, NOT_GREEN),
        ("E", None, NOT_GREEN),
        ("L", None, NOT_GREEN),
        # With one. A test that passes needs no outcome there.
        ("P", "P", GREEN),
        ("P", "F", GREEN),
        ("P", "?", GREEN),
        ("P", "-", GREEN),
        ("F", "P", REGRESSED),
        ("F", "X", REGRESSED),
        ("E", "P", REGRESSED),
        ("F", "F", NOT_GREEN),
        ("F", "E", NOT_GREEN),
        ("F", "S", NOT_GREEN),
        ("F", "-", NOT_GREEN),
        ("S", "S", GREEN),
        ("x", "x", GREEN),
        ("S", "P", NOT_GREEN),
        ("x", "P", NOT_GREEN),
        ("S", "x", NOT_GREEN),
        ("S", "F", NOT_GREEN),
        ("S", "-", NOT_GREEN),
        ("S", "?", NOT_GREEN),
        ("-", "P", REGRESSED),
        ("-", "?", REGRESSED),
        ("-", "F", GREEN),
        ("-", "S", GREEN),
        ("-", "x", GREEN),
        ("-", "-", GREEN),
        ("L", "P", REGRESSED),
        ("L", "L", REGRESSED),
        ("L", "F", NOT_GREEN),
    ],
)
def test_one_test_before_and_after(now: str, before: str | None, expected: tuple[bool, bool]) -> None:
    evidence = one(now, before)
    assert (is_green(evidence, [], complete=True), is_regressed(evidence, [])) == expected


@pytest.mark.parametrize(
    ("now", "before", "named", "green"),
    [
        ("P", None, "t.py::a", True),
        ("S", None, "t.py::a", False),
        ("x", None, "t.py::a", False),
        ("S", "S", "t.py::a", False),
        ("S", None, "t.py", True),
        ("-", None, "t.py::a", False),
        ("-", None, "t.py", False),
        ("L", None, "t.py", False),
        ("P", None, "t.py::b", False),
        ("P", None, "t.p", False),
    ],
)
def test_a_named_test_must_run_and_pass(now: str, before: str | None, named: str, green: bool) -> None:
    assert is_green(one(now, before, named=named), [], complete=True) is green


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (found(), REGRESSED),
        (found(new=False), GREEN),
        (found(Severity.WARNING), GREEN),
        (found(Severity.INFORMATION), GREEN),
    ],
)
def test_a_new_error_is_red(finding: Finding, expected: tuple[bool, bool]) -> None:
    assert (is_green(Evidence(), [finding], complete=True), is_regressed(Evidence(), [finding])) == expected


def test_broken_collection_is_no_pass_even_where_the_baseline_has_it() -> None:
    evidence = replace(one("P", "P"), errors=1)
    assert not is_green(evidence, [found(new=False)], complete=True)
    assert not is_regressed(evidence, [found(new=False)])


def test_incomplete_is_never_green() -> None:
    assert not is_green(one("P"), [], complete=False)


@pytest.mark.parametrize(
    ("requested", "status", "complete"),
    [
        ({"lint"}, "ran", True),
        ({"lint"}, "skipped", False),
        ({"lint"}, "crashed", False),
        ({"lint", "types"}, "ran", False),
        (set[str](), "crashed", True),
    ],
)
def test_complete_means_that_every_requested_sensor_ran(
    requested: set[str], status: SensorStatus, complete: bool
) -> None:
    assert is_complete(requested, [SensorRun("lint", status, 1.0)]) is complete


def test_many_tests_are_told_apart() -> None:
    evidence = Evidence(
        results=results(ok="P", broke="F", still="F", skip="S", gone="L"),
        baseline=results(ok="P", broke="P", still="F", deleted="P", unloved="F"),
        collected_before=frozenset(f"t.py::{name}" for name in ("ok", "broke", "still", "gone", "deleted", "unloved")),
    )
    assert lost_tests(evidence) == ["t.py::deleted", "t.py::gone"]
    assert failed_since(evidence) == ["t.py::broke"]
    assert unaccepted_skips(evidence) == ["t.py::skip"]


@pytest.mark.parametrize(
    ("named", "node_id", "expected"),
    [
        ("t.py::a", "t.py::a", True),
        ("t.py::a", "t.py::a[1-x]", True),
        ("t.py::a[1]", "t.py::a[2]", False),
        ("t.py::a", "t.py::ab", False),
        ("t.py::T", "t.py::T::a", False),
        ("t.py", "t.py::a", False),
    ],
)
def test_who_is_named_by_a_node_id(named: str, node_id: str, expected: bool) -> None:
    assert is_named_test(node_id, [named]) is expected


@pytest.mark.parametrize(
    ("name", "is_found"),
    [("t.py", True), ("t.py::a", True), ("t.py::T", True), ("t.py::p", True), ("t.py::q", False), ("u.py", False)],
)
def test_which_names_stand_for_a_test_that_reported(name: str, is_found: bool) -> None:
    reported = results(a="P", **{"T::b": "F", "p[1]": "S"})
    assert names_not_found(Evidence(results=reported, named=(name,))) == ([] if is_found else [name])


def test_the_summary_counts_every_selected_test_once() -> None:
    evidence = Evidence(results=results(a="P", b="X", c="F", d="E", e="L", f="S", g="x"), errors=2)
    summary = summarize("full", evidence)
    assert (summary.mode, summary.selected) == ("full", 7)
    assert (summary.passed, summary.failed, summary.errors, summary.skipped) == (2, 1, 4, 2)
    assert summary.failures == ("t.py::c", "t.py::d", "t.py::e")
