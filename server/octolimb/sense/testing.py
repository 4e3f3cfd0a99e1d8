"""Runs the tests of a snapshot and just enough of its baseline's to judge them.

The baseline is not run a second time as a whole. What the verdict needs from it is, for each selected test:
- that passes now: nothing, whatever it did before;
- that fails, breaks, is skipped or is expected to fail now: its outcome before;
- that the baseline has and that did not report now: whether it passed before, for then it is lost.
So the snapshot is run whole, the baseline is meanwhile only collected, and then the second and third kind run there.
Both sides select the union of what each of them would select, so that a test which the change deletes is missed.
What this cannot see: a test whose outcome depends on which other tests run with it may do otherwise in the baseline's
smaller run. Such a test is never called green for that, because only a pass now, in the whole selection, is a pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from octolimb.core.changes import changes_between
from octolimb.core.errors import BadPath, CannotIsolate, CannotSense
from octolimb.core.paths import RelPath
from octolimb.core.positions import point
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, Outcome, SensorRun, Severity, TestMode, TestResult
from octolimb.sense.baseline import mark_new, renames_between
from octolimb.sense.judgement import PASSING, Evidence, covers, file_of, is_old_failure, lost_tests, unaccepted_skips
from octolimb.sense.memory import BaselineMemory
from octolimb.sense.tests.impact import select_tests
from octolimb.sense.tests.run import TestRun, TestSelection, findings_of, run_tests
from octolimb.shadow.host import ShadowHost
from octolimb.shadow.interpreter import Interpreter

SOURCE: Final = "tests"
_NOTHING: Final = TestRun({}, (), (), None, 0.0)


@dataclass(frozen=True)
class TestPlan:
    """Which tests to run now, and which to look for in the baseline; `old_paths` maps renamed files back.

    `required` are run beside what is selected and must pass as if a person had named them. What `left_out` names or
    holds is not judged, whatever it does.
    """

    __test__ = False

    after: TestSelection
    before: TestSelection
    old_paths: Mapping[RelPath, RelPath] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()

    @cached_property
    def new_paths(self) -> Mapping[RelPath, RelPath]:
        return {old: new for new, old in self.old_paths.items()}

    @property
    def named(self) -> tuple[str, ...]:
        """What must be found: all that is required, and what a person named and this plan runs.

        `impacted` leaves out named files that the change cannot affect.
        """
        chosen = self.after.ids
        return tuple(name for name in self.after.named if not chosen or name in chosen) + self.required

    def id_now(self, old_id: str) -> str:
        """The node id now of a test with this id in the baseline."""
        return _moved(old_id, self.new_paths)


@dataclass(frozen=True)
class Attempt:
    """A run, or why there is none. `crashed` tells the two apart; a run with nothing to do is a run.

    `hint` says what to do about a crash.
    """

    run: TestRun = _NOTHING
    crashed: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class Attempts:
    """The snapshot's run, the baseline's collection and its partial run; the latter two are empty without one.

    `known` are outcomes of the baseline's tests from earlier runs.
    """

    after: Attempt
    collected: Attempt = Attempt()
    before: Attempt = Attempt()
    known: Mapping[str, TestResult] = field(default_factory=dict)


@dataclass(frozen=True)
class Tested:
    """What the tests sensor said: its run, the evidence for the judge, and findings with `new` set."""

    run: SensorRun
    evidence: Evidence
    findings: tuple[Finding, ...]


def plan_tests(
    snapshot: Snapshot,
    baseline: Snapshot | None,
    mode: TestMode,
    named: tuple[str, ...],
    *,
    among: Sequence[RelPath] | None = None,
    required: tuple[str, ...] = (),
    left_out: frozenset[str] = frozenset(),
) -> TestPlan:
    """The union of what either side selects, and what is required; `left_out` is looked for and not judged.

    Without a baseline nobody knows what changed, and `impacted` runs all. Where `among` is given only these files of
    all that is selected run.
    """
    plan = _select(snapshot, baseline, mode, named)
    if among is not None:
        plan = _limited(plan, snapshot, baseline, mode, among)
    plan = replace(plan, required=required, left_out=left_out)
    if required and not _is_whole(plan.after):
        plan = replace(plan, after=_extended(plan.after, mode, required))
        if baseline is not None and baseline is not snapshot and not _is_whole(plan.before):
            earlier = (_moved(node_id, plan.old_paths) for node_id in required)
            earlier_ids = tuple(node_id for node_id in earlier if _exists(baseline, node_id))
            plan = replace(plan, before=_extended(plan.before, mode, earlier_ids))
    return plan


def _limited(
    plan: TestPlan, snapshot: Snapshot, baseline: Snapshot | None, mode: TestMode, among: Sequence[RelPath]
) -> TestPlan:
    here = [path for path in among if _exists(snapshot, path)]
    there = [old for path in among if (old := _moved(path, plan.old_paths)) and baseline and _exists(baseline, old)]
    after = here if _is_whole(plan.after) else [name for name in plan.after.ids if file_of(name) in here]
    before = there if _is_whole(plan.before) else [name for name in plan.before.ids if file_of(name) in there]
    why = "; ".join(filter(None, (plan.after.why, f"of these only the nearest ran: {len(after)} test files")))
    return replace(
        plan,
        after=_selection(mode, after, why, plan.after.named),
        before=_selection(mode, before, plan.before.why, plan.before.named),
    )


def _extended(selection: TestSelection, mode: TestMode, ids: tuple[str, ...]) -> TestSelection:
    return _selection(mode, [*ids, *selection.ids], selection.why, (*selection.named, *ids))


def _select(snapshot: Snapshot, baseline: Snapshot | None, mode: TestMode, named: tuple[str, ...]) -> TestPlan:
    if baseline is None or baseline is snapshot:
        changed: tuple[RelPath, ...] | None = None if baseline is None else ()
        return TestPlan(select_tests(snapshot, mode, changed, named), TestSelection("none"))
    changed = changes_between(baseline, snapshot).paths
    old_paths = renames_between(baseline, snapshot)
    old_named = tuple(name for name in (_moved(name, old_paths) for name in named) if _exists(baseline, name))
    after = select_tests(snapshot, mode, changed, named)
    before = select_tests(baseline, mode, changed, old_named)
    if _is_whole(after) or _is_whole(before):
        why = after.why if _is_whole(after) else before.why
        whole = TestSelection(mode, (), why, after.named)
        return TestPlan(whole, TestSelection(mode, (), why, before.named), old_paths)
    new_paths = {old: new for new, old in old_paths.items()}
    brought = [node_id for node_id in (_moved(old, new_paths) for old in before.ids) if _exists(snapshot, node_id)]
    sent = [node_id for node_id in (_moved(new, old_paths) for new in after.ids) if _exists(baseline, node_id)]
    return TestPlan(
        _selection(mode, [*after.ids, *brought], after.why, after.named),
        _selection(mode, [*before.ids, *sent], before.why, before.named),
        old_paths,
    )


def attempt_run(
    host: ShadowHost,
    snapshot: Snapshot,
    interpreter: Interpreter,
    selection: TestSelection,
    *,
    deadline: float,
    collect_only: bool = False,
) -> Attempt:
    """Runs or collects a selection in a shadow of its own, for at most `deadline` seconds; a failure is data."""
    if selection.mode == "none":
        return Attempt(replace(_NOTHING, why=selection.why))
    try:
        with host.project(snapshot) as shadow:
            return Attempt(
                run_tests(shadow, snapshot, interpreter, selection, deadline=deadline, collect_only=collect_only)
            )
    except (CannotSense, CannotIsolate) as error:
        return Attempt(crashed=error.message, hint=error.hint)


def needed_before(
    plan: TestPlan, snapshot: Snapshot, memory: BaselineMemory, after: TestRun, collected: TestRun
) -> TestSelection:
    """What must still run in the baseline, with its node ids there; `collected` is the baseline's collection.

    Where collecting broke anew the change has regressed, and what was lost with it needs no further proof.
    """
    broke = any(error.new for error in mark_new(after.errors, collected.errors, memory.baseline, snapshot))
    wanted: list[str] = []
    for old_id in collected.collected:
        node_id = plan.id_now(old_id)
        if old_id in memory.results or _is_left_out(node_id, plan):
            continue
        now = after.results.get(node_id)
        if now is None or now.outcome is Outcome.LOST:
            if not broke:
                wanted.append(old_id)
        elif now.outcome not in PASSING:
            wanted.append(old_id)
    return _selection(plan.before.mode, wanted, None, plan.before.named)


def conclude(plan: TestPlan, snapshot: Snapshot, baseline: Snapshot | None, attempts: Attempts) -> Tested:
    """Puts the runs together."""
    after, collected, before = attempts.after, attempts.collected, attempts.before
    if after.crashed is not None:
        return Tested(SensorRun(SOURCE, "crashed", 0.0, after.crashed, after.hint), Evidence(named=plan.named), ())
    unknown = collected.crashed or (collected.run.why if collected.run.timed_out else None)
    if unknown is not None:
        blind = f"the baseline's tests could not be collected, so none can be known to be lost: {unknown}"
        crash = SensorRun(SOURCE, "crashed", after.run.ms, blind, collected.hint)
        return Tested(crash, Evidence(named=plan.named), ())
    run = _judged_part(after.run, plan)
    old: dict[str, TestResult] | None = None
    if baseline is snapshot:
        old = dict(run.results)
    elif baseline is not None:
        # A module that skips itself is only seen to do so while it is collected.
        skipped = {key: result for key, result in collected.run.results.items() if result.outcome is Outcome.SKIPPED}
        known = {**skipped, **attempts.known, **before.run.results}
        old = {plan.id_now(node_id): result for node_id, result in known.items()}
    evidence = Evidence(
        results=run.results,
        errors=len(run.errors),
        baseline=old,
        collected_before=frozenset(
            node_id for old_id in collected.run.collected if not _is_left_out(node_id := plan.id_now(old_id), plan)
        ),
        named=plan.named,
    )
    findings = marked_findings(run, snapshot, baseline, collected.run, evidence)
    findings += _lost_findings(evidence, run)
    findings += _skip_findings(evidence)
    reasons = [run.why or plan.after.why]
    if before.crashed is not None:
        reasons.append(f"the baseline's tests could not run, so every failure counts as new: {before.crashed}")
    why = "; ".join(reason for reason in reasons if reason) or None
    return Tested(SensorRun(SOURCE, "ran", run.ms, why), evidence, tuple(findings))


def marked_findings(
    run: TestRun, snapshot: Snapshot, baseline: Snapshot | None, collected: TestRun, evidence: Evidence
) -> list[Finding]:
    """The run's findings: a test's is old where that test failed before, any other where the baseline has the like."""
    findings = findings_of(run, snapshot)
    if baseline is None:
        return findings
    if baseline is snapshot:
        return [replace(finding, new=False) for finding in findings]
    others = iter(mark_new((one for one in findings if one.test is None), collected.errors, baseline, snapshot))
    return [
        next(others) if finding.test is None else replace(finding, new=not is_old_failure(finding, evidence))
        for finding in findings
    ]


def _judged_part(run: TestRun, plan: TestPlan) -> TestRun:
    """The run without the tests that are left out."""
    if not plan.left_out:
        return run
    results = {node_id: result for node_id, result in run.results.items() if not _is_left_out(node_id, plan)}
    return replace(run, results=results)


def _is_left_out(node_id: str, plan: TestPlan) -> bool:
    return any(covers(name, node_id) for name in plan.left_out)


def _lost_findings(evidence: Evidence, run: TestRun) -> list[Finding]:
    """One finding for each lost test that the run itself does not speak of."""
    broken = {finding.path for finding in run.errors}
    found: list[Finding] = []
    for node_id in lost_tests(evidence):
        path = file_of(node_id)
        # Where the file or the whole collection broke, that is the finding; the tests are lost with it.
        if node_id in evidence.results or path in broken or (run.errors and not run.collected):
            continue
        message = f"{node_id} was there in the baseline and is not collected any more"
        found.append(Finding(path, point(0), Severity.ERROR, SOURCE, "lost-test", message, test=node_id))
    return found


def _skip_findings(evidence: Evidence) -> list[Finding]:
    """Warnings that say why a verdict without a failure is not green."""
    found: list[Finding] = []
    for node_id in unaccepted_skips(evidence):
        result = evidence.results[node_id]
        word = "is skipped" if result.outcome is Outcome.SKIPPED else "is expected to fail"
        reason = f": {result.message}" if result.message else ""
        message = f"{node_id} {word}, which counts as no pass here{reason}"
        place = point(max(result.place[1] - 1, 0)) if result.place else point(0)
        path = result.place[0] if result.place else file_of(node_id)
        found.append(Finding(path, place, Severity.WARNING, SOURCE, result.outcome, message, test=node_id))
    return found


def _selection(mode: TestMode, ids: Iterable[str], why: str | None, named: tuple[str, ...]) -> TestSelection:
    """Exactly these ids: no ids is nothing to run, not the whole suite."""
    unique = tuple(dict.fromkeys(ids))
    return TestSelection(mode if unique else "none", unique, why, named)


def _is_whole(selection: TestSelection) -> bool:
    return selection.mode != "none" and not selection.ids


def _exists(snapshot: Snapshot, node_id: str) -> bool:
    try:
        return snapshot.kind(file_of(node_id)) is not None
    except BadPath:
        return node_id in ("", ".")


def _moved(node_id: str, moves: Mapping[RelPath, RelPath]) -> str:
    path, separator, names = node_id.partition("::")
    try:
        return f"{moves.get(RelPath(path), path)}{separator}{names}"
    except BadPath:
        return node_id
