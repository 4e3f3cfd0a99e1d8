"""What `green`, `regressed` and `complete` mean, as pure functions over what the sensors said. It runs nothing.

The definitions are the product's contract with its users; the table of tests beside this file is their long form.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from octolimb.core.paths import RelPath
from octolimb.core.verdicts import Finding, Outcome, SensorRun, Severity, TestMode, TestResult, TestSummary

PASSING: Final = frozenset({Outcome.PASSED, Outcome.XPASSED})
EXCUSED: Final = frozenset({Outcome.SKIPPED, Outcome.XFAILED})
_BROKEN: Final = frozenset({Outcome.FAILED, Outcome.ERROR, Outcome.LOST})


@dataclass(frozen=True)
class Evidence:
    """What the tests said, before and after. All node ids are those of the state that is judged.

    `results`: each selected test's outcome. `errors`: how many imports, collections or set-ups of the run broke without
    being one test's. `baseline`: the same tests' outcomes before the change, as far as they matter (a test that passes
    now needs none); None without a baseline. `collected_before`: the selected tests that the baseline has. `named`:
    test files and node ids that a person named.
    """

    results: Mapping[str, TestResult] = field(default_factory=dict)
    errors: int = 0
    baseline: Mapping[str, TestResult] | None = None
    collected_before: frozenset[str] = frozenset()
    named: tuple[str, ...] = ()


def is_complete(requested: Collection[str], runs: Iterable[SensorRun]) -> bool:
    """Every requested sensor ran."""
    return frozenset(requested) <= {run.name for run in runs if run.status == "ran"}


def is_regressed(evidence: Evidence, findings: Iterable[Finding]) -> bool:
    """A test that passed in the baseline fails or is lost, or an error is new."""
    if any(finding.new and finding.severity is Severity.ERROR for finding in findings):
        return True
    return bool(lost_tests(evidence) or failed_since(evidence))


def is_green(evidence: Evidence, findings: Sequence[Finding], *, complete: bool) -> bool:
    """Complete, not regressed, and every test that ran passed or did not run for a reason that is accepted.

    A test that was named and not found, one that was collected and never reported, and a broken import or collection
    are no passes, whatever the baseline says of them.
    """
    if not complete or is_regressed(evidence, findings) or evidence.errors:
        return False
    if any(result.outcome in _BROKEN for result in evidence.results.values()):
        return False
    return not unaccepted_skips(evidence) and not names_not_found(evidence)


def lost_tests(evidence: Evidence) -> list[str]:
    """Tests that the baseline has and that did not report, in order.

    One is left out only where the baseline's outcome is known and was no pass: what is not known counts as lost.
    """
    before = evidence.baseline or {}
    lost: list[str] = []
    for node_id in sorted(evidence.collected_before):
        now = evidence.results.get(node_id)
        if now is not None and now.outcome is not Outcome.LOST:
            continue
        old = before.get(node_id)
        if old is None or old.outcome in PASSING or old.outcome is Outcome.LOST:
            lost.append(node_id)
    return lost


def failed_since(evidence: Evidence) -> list[str]:
    """Tests that passed in the baseline and fail now, in order."""
    before = evidence.baseline or {}
    return sorted(
        node_id
        for node_id, result in evidence.results.items()
        if result.outcome in (Outcome.FAILED, Outcome.ERROR)
        and (old := before.get(node_id)) is not None
        and old.outcome in PASSING
    )


def unaccepted_skips(evidence: Evidence) -> list[str]:
    """Skips and expected failures that stand in the way of green, in order.

    One is accepted where the baseline has the very same, or where there is no baseline; never for a test that was named
    by its node id.
    """
    return sorted(
        node_id
        for node_id, result in evidence.results.items()
        if result.outcome in EXCUSED and not _is_accepted(evidence, node_id, result.outcome)
    )


def names_not_found(evidence: Evidence) -> list[str]:
    """Named files and node ids for which no test reported."""
    reported = [node_id for node_id, result in evidence.results.items() if result.outcome is not Outcome.LOST]
    return [name for name in evidence.named if not any(covers(name, node_id) for node_id in reported)]


def is_named_test(node_id: str, named: Iterable[str]) -> bool:
    """True where a person named this very test, or the function that it is a parametrisation of."""
    return any("::" in name and (node_id == name or node_id.startswith(f"{name}[")) for name in named)


def covers(name: str, node_id: str) -> bool:
    """True where `name` (a directory, file, class, function or test) is or holds the test `node_id`."""
    return node_id == name or node_id.startswith((f"{name}::", f"{name}[", f"{name}/"))


def is_old_failure(finding: Finding, evidence: Evidence) -> bool:
    """True for a failing test's finding where that test is known to have failed in the baseline too."""
    before = (evidence.baseline or {}).get(finding.test or "")
    return before is not None and before.outcome in (Outcome.FAILED, Outcome.ERROR)


def summarize(mode: TestMode, evidence: Evidence) -> TestSummary:
    """Counts over the selected tests. A test that never reported counts as an error; an expected failure as a skip."""
    outcomes = [result.outcome for result in evidence.results.values()]
    broken = sum(outcome in (Outcome.ERROR, Outcome.LOST) for outcome in outcomes)
    return TestSummary(
        mode=mode,
        selected=len(outcomes),
        passed=sum(outcome in PASSING for outcome in outcomes),
        failed=outcomes.count(Outcome.FAILED),
        errors=broken + evidence.errors,
        skipped=sum(outcome in EXCUSED for outcome in outcomes),
        failures=tuple(sorted(node_id for node_id, result in evidence.results.items() if result.outcome in _BROKEN)),
    )


def file_of(node_id: str) -> RelPath:
    """The test file of a node id. Raises `BadPath` for one that is not below the root."""
    return RelPath(node_id.partition("::")[0])


def _is_accepted(evidence: Evidence, node_id: str, outcome: Outcome) -> bool:
    if is_named_test(node_id, evidence.named):
        return False
    if evidence.baseline is None:
        return True
    before = evidence.baseline.get(node_id)
    return before is not None and before.outcome is outcome
