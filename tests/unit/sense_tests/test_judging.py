"""From records to results, without any process: the rule that only what reported every phase has passed."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Outcome
from octolimb.sense.tests.judging import Ending, judge
from octolimb.sense.tests.stream import read_reports
from octolimb.sense.tests.values import TestRun

HELLO = ["hello", [3, 11, 0], "/python"]
ONE = ["collected", [["/root/test_a.py", ["test_a.py::test_a"]]]]
START = ["start", 0, 3]
FINISHED = Ending(returncode=0, timed_out=False, ms=1.0, deadline=9.0)


class Nothing:
    """A base without files."""

    def kind(self, path: str) -> None: ...

    def read(self, path: str) -> None: ...

    def names(self, directory: str) -> dict[str, str]:
        return {}


NO_FILES = Snapshot(Nothing())  # type: ignore[arg-type]


def phases(*outcomes: str) -> list[list[object]]:
    return [
        ["phase", 0, when, outcome, 0.01]
        for when, outcome in zip(("setup", "call", "teardown"), outcomes, strict=False)
    ]


def judged(records: Sequence[object], ending: Ending = FINISHED, wanted: Sequence[str] = ()) -> TestRun:
    stream = "".join(json.dumps(record) + "\n" for record in records)
    return judge(read_reports(stream.encode(), "/root"), ending, NO_FILES, wanted)


def outcome_of(records: Sequence[object]) -> Outcome:
    return judged([HELLO, ONE, START, *records, ["finish", 0]]).results["test_a.py::test_a"].outcome


def test_three_passed_phases_pass() -> None:
    run = judged([HELLO, ONE, START, *phases("passed", "passed", "passed"), ["finish", 0]])
    result = run.results["test_a.py::test_a"]
    assert (result.outcome, run.errors, run.why) == (Outcome.PASSED, (), None)
    assert result.ms == pytest.approx(30.0)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_without_one_of_its_phases_a_test_is_lost(missing: int) -> None:
    said = phases("passed", "passed", "passed")
    del said[missing]
    assert outcome_of(said) is Outcome.LOST


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ([], Outcome.LOST),
        (phases("passed", "failed", "passed"), Outcome.FAILED),
        (phases("passed", "failed"), Outcome.FAILED),
        (phases("passed", "failed", "failed"), Outcome.FAILED),
        (phases("passed", "passed", "failed"), Outcome.ERROR),
        ([["phase", 0, "setup", "failed", 0.0], ["phase", 0, "teardown", "passed", 0.0]], Outcome.ERROR),
        ([["phase", 0, "setup", "skipped", 0.0], ["phase", 0, "teardown", "passed", 0.0]], Outcome.SKIPPED),
        ([["phase", 0, "???", "failed", 0.0]], Outcome.FAILED),
        (phases("passed", "unheard of", "passed"), Outcome.LOST),
        ([*phases("passed", "rerun"), *phases("passed", "passed", "passed")], Outcome.PASSED),
        ([*phases("passed", "rerun"), *phases("passed", "passed")], Outcome.LOST),
        ([*phases("passed", "rerun"), *phases("passed", "failed", "passed")], Outcome.FAILED),
        (
            [["phase", 0, "call", "failed", 0.0, {"sub": "(i=1)"}], *phases("passed", "passed", "passed")],
            Outcome.FAILED,
        ),
        (
            [["phase", 0, "call", "skipped", 0.0, {"sub": "(i=1)"}], *phases("passed", "passed", "passed")],
            Outcome.PASSED,
        ),
    ],
)
def test_outcomes(said: list[list[object]], outcome: Outcome) -> None:
    assert outcome_of(said) is outcome


@given(st.data())
def test_a_stream_cut_anywhere_never_passes_what_it_did_not_report(data: st.DataObject) -> None:
    records = [HELLO, ONE, START, *phases("passed", "passed", "passed"), ["finish", 0]]
    stream = "".join(json.dumps(record) + "\n" for record in records).encode()
    cut = data.draw(st.integers(0, len(stream) - 1))
    run = judge(read_reports(stream[:cut], "/root"), FINISHED, NO_FILES, ["test_a.py::test_a"])
    assert run.why is not None
    passed = run.results["test_a.py::test_a"].outcome is Outcome.PASSED
    assert passed == (b'"teardown"' in stream[:cut].rpartition(b"\n")[0])
    if passed:
        assert run.errors


@given(
    st.binary()
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda value: json.dumps(value).encode())
)
def test_garbage_ends_the_stream(garbage: bytes) -> None:
    stream = b"".join(json.dumps(record).encode() + b"\n" for record in (HELLO, ONE)) + garbage + b"\n"
    run = judge(read_reports(stream, "/root"), FINISHED, NO_FILES, ())
    assert run.results["test_a.py::test_a"].outcome is Outcome.LOST
    assert run.why is not None


@pytest.mark.parametrize("path", ["/elsewhere/a.py", "/root/../a.py", "/root", "", "/root2/a.py", "/root/a\\b.py"])
def test_a_place_outside_the_root_is_none(path: str) -> None:
    failed = [
        "phase",
        0,
        "call",
        "failed",
        0.0,
        {"type": "E", "message": "m", "deepest": [path, 3], "crash": [path, 3]},
    ]
    run = judged([HELLO, ONE, START, failed, ["finish", 1]])
    assert run.results["test_a.py::test_a"].place is None
    assert run.sites["test_a.py::test_a"].path == "test_a.py"


def test_lone_surrogates_are_spelt_out() -> None:
    collected = ["collected", [["/root/test_a.py", ["test_a.py::test[\ud800]"]]]]
    run = judged([HELLO, collected, START, *phases("passed", "passed", "passed"), ["finish", 0]])
    [node_id] = run.results
    assert node_id == "test_a.py::test[\\ud800]"
    assert node_id.encode()


def test_a_process_that_lives_on_after_the_tests_is_an_error() -> None:
    records = [HELLO, ONE, START, *phases("passed", "passed", "passed"), ["finish", 0]]
    run = judged(records, Ending(returncode=None, timed_out=True, ms=9000.0, deadline=9.0))
    assert [error.message for error in run.errors] == [
        "the tests finished, but the process did not end within 9 s: something keeps it alive"
    ]


def test_a_failure_does_not_name_the_copy_that_it_was_seen_in() -> None:
    facts = {"type": "OSError", "message": "no /copy/x and no /scratch/y", "detail": "/copy/x"}
    stream = json.dumps(["error", "collect", "/copy/t.py", facts]) + "\n"
    (trouble,) = read_reports(stream.encode(), "/copy", {"/copy": "/root", "/scratch": "/tmp"}).troubles
    assert (trouble.path, trouble.facts.message, trouble.facts.detail) == (
        "t.py",
        "no /root/x and no /tmp/y",
        "/root/x",
    )
