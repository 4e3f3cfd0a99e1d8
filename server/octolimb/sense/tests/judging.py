"""Turns the reports of one pytest run into results: what passed, what failed, and what never said anything.

Pure: reports, the way the process ended and the snapshot in, a `TestRun` out. The rule behind all of it: a test passed
only if every phase of it reported so and the run came to its end in agreement with that.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from octolimb.core.errors import BadPath
from octolimb.core.paths import RelPath, parse_directory
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, Outcome, TestResult
from octolimb.sense.tests.findings import error_finding
from octolimb.sense.tests.stream import Facts, Phase, Place, Reports
from octolimb.sense.tests.values import FAILING, Site, TestRun

_NO_TESTS_COLLECTED = 5
_CLOSE_MATCHES = 3
_CANDIDATES = 2000


@dataclass(frozen=True)
class Ending:
    """How the process ended. `ms` is its wall time, `deadline` is in seconds, `last_words` its last line of errors."""

    returncode: int | None
    timed_out: bool
    ms: float
    deadline: float
    stop_first: bool = False
    collect_only: bool = False
    last_words: str = ""
    started: bool = True


def judge(reports: Reports, ending: Ending, snapshot: Snapshot, wanted: Sequence[str]) -> TestRun:
    """`wanted` are ids (node ids, files or directories) of which at least one test must have been collected."""
    collected = reports.collected or ()
    broken_off = _broken_off(reports, ending)
    results: dict[str, TestResult] = {}
    sites: dict[str, Site] = {}
    if not ending.collect_only:
        for node_id in collected:
            results[node_id], site = _judge_test(node_id, reports, ending, broken_off)
            if site is not None:
                sites[node_id] = site
    for node_id, reason in reports.skipped.items():
        results[node_id] = TestResult(node_id, Outcome.SKIPPED, 0.0, reason)
        sites[node_id] = Site("skipped", _path_of(node_id, reports), 1)
    for node_id in wanted:
        if not _is_found(node_id, collected, reports):
            message = _not_found(node_id, reports, snapshot, ending, broken_off)
            results[node_id] = TestResult(node_id, Outcome.LOST, 0.0, message)
            sites[node_id] = Site("lost", _path_of(node_id, reports), 1)
    errors = _errors(reports, ending, snapshot, results, broken_off)
    why = broken_off
    if why is None and not collected:
        why = _why_empty(reports, ending, errors)
    return TestRun(results, collected, errors, ending.returncode, ending.ms, why, ending.timed_out, sites)


# -- one test --------------------------------------------------------------------------------------------------


def _judge_test(
    node_id: str, reports: Reports, ending: Ending, broken_off: str | None
) -> tuple[TestResult, Site | None]:
    phases = _last_attempt(reports.phases.get(node_id, []))
    ms = sum(phase.seconds for phase in reports.phases.get(node_id, [])) * 1000
    outcome, culprit = _outcome(phases)
    defined = (reports.files.get(node_id), reports.lines.get(node_id, 1))
    if outcome is Outcome.PASSED:
        reran = len(phases) < len(reports.phases[node_id])
        return TestResult(node_id, outcome, ms, "passed only when it was run again" if reran else ""), None
    if outcome is Outcome.LOST:
        message = _why_lost(node_id, reports, ending, broken_off)
        return TestResult(node_id, outcome, ms, message), Site("lost", *defined)
    assert culprit is not None
    facts = culprit.facts
    if outcome in FAILING:
        message = facts.message or "failed"
        if culprit.raised is not None and culprit.outcome != "failed":
            message = f"it raised {culprit.raised}, and something reported it as {culprit.outcome}"
        strict = message.removeprefix("[XPASS(strict)]")
        if strict != message:
            message = f"passed, but is strictly expected to fail: {strict.strip()}".rstrip(": ")
        if outcome is Outcome.ERROR:
            message = f"{culprit.when}: {message}"
        if culprit.subtest:
            message = f"{message} {culprit.subtest}"
        place = facts.deepest or facts.crash
        path, line = facts.test or place or defined
        result = TestResult(node_id, outcome, ms, message, facts.detail, place)
        return result, Site(facts.kind or "failed", path, line)
    message = facts.message or culprit.xfail or ""
    return TestResult(node_id, outcome, ms, message), Site(str(outcome), *defined)


def _last_attempt(phases: list[Phase]) -> list[Phase]:
    """The phases since a plugin last said that it runs the test again."""
    for number in range(len(phases) - 1, -1, -1):
        if phases[number].outcome == "rerun":
            return phases[number + 1 :]
    return phases


def _outcome(phases: list[Phase]) -> tuple[Outcome, Phase | None]:
    """The outcome, and the phase that settled it where it is neither a pass nor a loss."""
    failed = [phase for phase in phases if phase.outcome == "failed" or phase.raised is not None]
    # A subtest's own failure says more than the sentence about it that its test ends with.
    failed.sort(key=lambda phase: phase.subtest is None)
    for phase in failed:
        if phase.when not in ("setup", "teardown"):
            return Outcome.FAILED, phase
    if failed:
        return Outcome.ERROR, failed[0]
    whole = {phase.when: phase for phase in phases if phase.subtest is None}
    setup, call, teardown = whole.get("setup"), whole.get("call"), whole.get("teardown")
    if setup is None or teardown is None or (call is None and setup.outcome == "passed"):
        return Outcome.LOST, None
    said = [setup, teardown] if call is None else [setup, call, teardown]
    for phase in said:
        if phase.xfail is not None:
            return Outcome.XPASSED if phase.outcome == "passed" else Outcome.XFAILED, phase
    for phase in said:
        if phase.outcome == "skipped":
            return Outcome.SKIPPED, phase
    passed = len(said) == 3 and all(phase.outcome == "passed" for phase in said)
    return (Outcome.PASSED if passed else Outcome.LOST), None


# -- what is missing -------------------------------------------------------------------------------------------


def _broken_off(reports: Reports, ending: Ending) -> str | None:
    """Why the run did not come to its end, in words; None where it did."""
    if not ending.started:
        return None
    if ending.timed_out:
        return f"killed at the deadline of {ending.deadline:g} s"
    internal = [trouble for trouble in reports.troubles if trouble.stage == "internal"]
    if internal:
        return f"pytest broke: {internal[0].facts.message}"
    if reports.garbled:
        return "the reports were garbled: something else wrote to the descriptor that carries them"
    if reports.finish is None:
        status = ending.returncode
        if status is not None and status < 0:
            return f"the process was killed by signal {-status}"
        return f"the process ended early, with exit status {status}"
    if reports.stopped is not None and reports.stopped[0] not in ("Interrupted", "Failed"):
        kind, message = reports.stopped
        return f"the run was stopped: {kind}: {message}" if message else f"the run was stopped: {kind}"
    return None


def _why_lost(node_id: str, reports: Reports, ending: Ending, broken_off: str | None) -> str:
    if broken_off is not None:
        if reports.running == node_id:
            return f"{broken_off} while this test ran"
        return f"not run to its end: {broken_off}"
    if ending.stop_first:
        return "not run: stopped at the first failure"
    if reports.stopped is not None:
        return f"not run: {reports.stopped[1] or reports.stopped[0]}"
    return "collected, but it never reported all of its phases"


def _is_found(wanted: str, collected: Iterable[str], reports: Reports) -> bool:
    if _matches_any(wanted, collected):
        return True
    # A whole file may skip itself or break; then the skip or the error speaks for the file, but not for one test of it.
    if "::" in wanted:
        return False
    broken = {trouble.path for trouble in reports.troubles if trouble.path is not None}
    return _matches_any(wanted, (*reports.skipped, *broken))


def _matches_any(wanted: str, node_ids: Iterable[str]) -> bool:
    path, separator, names = wanted.partition("::")
    path = "/".join(part for part in path.split("/") if part not in ("", "."))
    wanted = path + separator + names
    if not wanted:
        return any(True for _ in node_ids)
    longer = tuple(wanted + more for more in (("::", "[") if separator else ("::", "/")))
    return any(node_id == wanted or node_id.startswith(longer) for node_id in node_ids)


def _not_found(wanted: str, reports: Reports, snapshot: Snapshot, ending: Ending, broken_off: str | None) -> str:
    path = wanted.partition("::")[0]
    if ending.started and reports.collected is None:
        reason = broken_off or (reports.troubles[0].facts.message if reports.troubles else "nothing was collected")
        return f"not run: {reason}"
    if _matches_any(wanted, reports.deselected):
        return "deselected by the project's own configuration"
    for node_id, reason in reports.skipped.items():
        if wanted.startswith(node_id):
            return f"its module skips itself: {reason}"
    for trouble in reports.troubles:
        if trouble.path is not None and trouble.path == path:
            return f"not collected: {trouble.facts.message}"
    exists = _exists(wanted, snapshot)
    if exists and ending.started:
        return f"no tests in {wanted}"
    known = [*(reports.collected or ()), *reports.near, *reports.deselected]
    same_file = [node_id for node_id in known if node_id.startswith(path + "::")]
    if not _exists(path, snapshot):
        wanted, directory = path, path.rpartition("/")[0]
        if not directory or _exists(directory, snapshot):
            same_file = [f"{directory}/{name}" if directory else name for name in snapshot.names(directory)]
    close = difflib.get_close_matches(wanted, (same_file or known)[:_CANDIDATES], _CLOSE_MATCHES)
    hint = f"; close to it: {', '.join(close)}" if close else ""
    return f"not found: there is no {wanted}{hint}"


def _exists(path: str, snapshot: Snapshot) -> bool:
    try:
        return snapshot.kind(parse_directory(path)) is not None
    except BadPath:
        return False


def _path_of(node_id: str, reports: Reports) -> RelPath | None:
    if node_id in reports.files:
        return reports.files[node_id]
    try:
        return RelPath(node_id.partition("::")[0])
    except BadPath:
        return None


# -- the run as a whole ----------------------------------------------------------------------------------------


def _errors(
    reports: Reports, ending: Ending, snapshot: Snapshot, results: dict[str, TestResult], broken_off: str | None
) -> tuple[Finding, ...]:
    found = []
    for trouble in reports.troubles:
        facts = trouble.facts
        place = facts.deepest if facts.deepest is not None else _at(trouble.path) or _at(reports.inifile)
        where = {
            "collect": "cannot collect",
            "conftest": "cannot import conftest",
            "usage": "pytest cannot start",
            "tampered": "the run cannot be believed",
        }
        opening = where.get(trouble.stage, "pytest broke")
        found.append(_finding(snapshot, facts, place, f"{opening}: {facts.message or 'no reason given'}"))
    for path, digest in reports.sources.items():
        document = snapshot.get(path) if snapshot.kind(path) == "file" else None
        if document is not None and hashlib.sha256(document.data).hexdigest() != digest:
            # Something that ran before wrote it: what was tested is not what the snapshot holds.
            message = f"{path} was rewritten before it was imported, so its tests are not the snapshot's"
            found.append(_finding(snapshot, Facts(kind="run"), _at(path), message))
    if not ending.started:
        return ()
    outcomes = {result.outcome for result in results.values()}
    failed = bool(found) or not outcomes.isdisjoint((Outcome.FAILED, Outcome.ERROR))
    pain = failed or not outcomes.isdisjoint(FAILING)
    contradiction = _contradiction(reports, ending, failed, pain)
    if contradiction is None and broken_off is not None and not pain:
        contradiction = broken_off + (f" ({ending.last_words})" if ending.last_words else "")
    if contradiction is not None:
        # Nothing points at a line, so: the test that ran last, else the configuration, else any file of tests.
        running = _path_of(reports.running, reports) if reports.running else None
        place = _at(running or reports.inifile or next(filter(None, reports.files.values()), None))
        found.append(_finding(snapshot, Facts(kind="run"), place, contradiction))
    return tuple(found)


def _contradiction(reports: Reports, ending: Ending, failed: bool, pain: bool) -> str | None:
    """Where the way that the run ended does not go with what the tests said; None where it does."""
    finish, status = reports.finish, ending.returncode
    if finish is None:
        return None
    if ending.timed_out:
        return f"the tests finished, but the process did not end within {ending.deadline:g} s: something keeps it alive"
    if finish == 0 and failed:
        return "pytest ended with exit status 0 although tests failed"
    if finish not in (0, _NO_TESTS_COLLECTED) and not pain:
        stopped = f": {' '.join(part for part in reports.stopped if part)}" if reports.stopped else ""
        return f"pytest ended with exit status {finish} although no test failed{stopped}"
    if finish == _NO_TESTS_COLLECTED and reports.collected:
        return "pytest ended as if it had collected no tests, although it had"
    if status is not None and status != finish:
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return f"pytest finished with exit status {finish}, then the process {how}"
    return None


def _why_empty(reports: Reports, ending: Ending, errors: Sequence[Finding]) -> str | None:
    if not ending.started:
        return "no tests were run: none of those named exists"
    if errors:
        return f"no tests collected: {errors[0].message}"
    if reports.skipped:
        return "no tests collected: " + "; ".join(f"{node_id} skips itself" for node_id in list(reports.skipped)[:3])
    if reports.deselected:
        return f"no tests collected: the project's configuration deselects all of them ({len(reports.deselected)})"
    return "no tests collected"


def _at(path: RelPath | None) -> Place | None:
    return None if path is None else (path, 1)


def _finding(snapshot: Snapshot, facts: Facts, place: Place | None, message: str) -> Finding:
    return error_finding(snapshot, place, code=facts.kind or "collection", message=message, detail=facts.detail)
