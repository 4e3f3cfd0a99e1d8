"""Senses a snapshot: runs the requested sensors on it and on its baseline, and judges what they said.

A sensor that cannot run is reported as crashed and never as clean. Nothing here reads a tool's output, decides what
may run (the caller does, by the interpreter that it passes) or writes anything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from octolimb.core.changes import changes_between
from octolimb.core.errors import CannotIsolate, CannotSense
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, SensorRun, SensorStatus, TestMode, Verdict
from octolimb.sense import lint, syntax, types
from octolimb.sense.baseline import mark_new, renames_between
from octolimb.sense.judgement import Evidence, is_complete, is_green, is_regressed, summarize
from octolimb.sense.memory import BaselineMemory
from octolimb.sense.sources import is_within
from octolimb.sense.testing import Attempt, Attempts, Tested, TestPlan, attempt_run, conclude, needed_before, plan_tests
from octolimb.sense.tests.values import TestSelection
from octolimb.shadow.host import ShadowHost
from octolimb.shadow.interpreter import Interpreter
from octolimb.shadow.shadow import Shadow

SENSORS: Final = ("syntax", "lint", "types", "tests")
ALL_SENSORS: Final = frozenset(SENSORS)
_STATIC: Final = ("types", "lint", "syntax")
"""The slowest first, so that the quick ones fill the gaps."""
_NO_TRUST: Final = "the root is not trusted, so none of its code runs; run `octolimb trust` to let it"


@dataclass(frozen=True)
class SenseRequest:
    """What to sense. `paths` (files or directories) limits the findings of the static sensors.

    `baseline` is what `new` and `regressed` are measured against; it must share the snapshot's base. `named`: test
    files and node ids that a person named. `interpreter` is the project's, None where the root is not trusted: then no
    test runs and nothing of the project's environment is read. `deadline` is in seconds, for all of it.
    `why_no_tests` tells people why tests were not requested.

    `among` limits what `tests` and `named` select to these test files; the verdict says so. None is no limit.
    `required` are node ids that run beside what is selected and must pass as named tests must.
    `left_out` are node ids, files or directories whose tests count for nothing: somebody else's pain.
    """

    snapshot: Snapshot
    baseline: Snapshot | None = None
    tests: TestMode = "none"
    sensors: frozenset[str] = ALL_SENSORS
    paths: tuple[RelPath, ...] = ()
    named: tuple[str, ...] = ()
    interpreter: Interpreter | None = None
    deadline: float = 600.0
    why_no_tests: str | None = None
    among: tuple[RelPath, ...] | None = None
    required: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()

    @property
    def requested(self) -> frozenset[str]:
        """The sensors that must run for the verdict to be complete."""
        return self.sensors if self.tests != "none" else self.sensors - {"tests"}

    def without(self, tests: Collection[str]) -> SenseRequest:
        """The same request with further tests left out."""
        return replace(self, left_out=self.left_out | frozenset(tests))


@dataclass(frozen=True)
class _Sensed:
    """What one static sensor said of one snapshot."""

    run: SensorRun
    findings: tuple[Finding, ...] = ()


def _silent(_: str) -> None:
    return None


def sense(
    host: ShadowHost,
    request: SenseRequest,
    *,
    progress: Callable[[str], None] = _silent,
    memory: BaselineMemory | None = None,
) -> Verdict:
    """The verdict on `request.snapshot`; `host` must be of the same root.

    `progress` is told in words what goes on, in the caller's thread. With a `memory` of the same baseline, only what
    was not sensed of it before is sensed; see there how long it holds. A sensor that fails is data in the verdict. When
    the wait is interrupted the exception passes at once; the children end when the caller closes `host`.

    Raises `ValueError` for a sensor that does not exist and a memory of another baseline, and `BadInput` where the root
    itself cannot be read.
    """
    if unknown := request.sensors - ALL_SENSORS:
        raise ValueError(f"no such sensor: {', '.join(sorted(unknown))}")
    if memory is not None and memory.baseline != request.baseline:
        raise ValueError("the memory is of another baseline")
    # Two threads: they mostly wait for children, and the tests' two runs overlap with the static sensors.
    pool = ThreadPoolExecutor(2, thread_name_prefix="octolimb-sense")
    try:
        return _Sensing(host, request, pool, progress, memory).verdict()
    finally:
        # Not waiting: after an interrupt the children only end when the caller closes the host.
        pool.shutdown(wait=False, cancel_futures=True)


class _Sensing:
    """One call of `sense`. Work goes to the pool in the order in which it is needed; only `verdict` waits for it."""

    def __init__(
        self,
        host: ShadowHost,
        request: SenseRequest,
        pool: ThreadPoolExecutor,
        progress: Callable[[str], None],
        memory: BaselineMemory | None,
    ) -> None:
        self._host = host
        self._request = request
        self._pool = pool
        self._progress = progress
        self._started = time.monotonic()
        self._runs: dict[str, SensorRun] = {}
        baseline = request.baseline
        if baseline is not None and not changes_between(baseline, request.snapshot):
            # The same files say the same: all that is found is old, and no test can have been lost.
            baseline = request.snapshot
        self._baseline = baseline
        self._changed = baseline is not None and baseline is not request.snapshot
        self._memory = memory or BaselineMemory(request.baseline or request.snapshot)
        self._shadows = _SharedShadows(host)

    def verdict(self) -> Verdict:
        try:
            return self._verdict()
        finally:
            self._shadows.close()

    def _verdict(self) -> Verdict:
        request = self._request
        self._progress(f"sensing {', '.join(name for name in SENSORS if name in request.requested) or 'nothing'}")
        statics = [name for name in _STATIC if name in request.requested]
        plan = self._plan()
        testing = self._submit_tests(plan, request.snapshot) if plan else None
        after = {name: self._submit_static(name, request.snapshot) for name in statics}
        collecting = None
        before: dict[str, Future[_Sensed]] = {}
        if self._changed and request.baseline is not None:
            if plan:
                collecting = self._submit_tests(plan, request.baseline)
            before = {name: self._submit_static(name, request.baseline) for name in statics}
        findings: list[Finding] = []
        for name in reversed(statics):
            findings += self._compare(after[name].result(), before[name].result() if name in before else None)
        findings = without_echoes(findings)
        evidence = Evidence()
        if plan and testing:
            tested = self._conclude_tests(plan, testing, collecting)
            evidence = tested.evidence
            self._settle(tested.run, len(tested.findings))
            findings += tested.findings
        runs = [self._runs.get(name) or self._skipped(name) for name in SENSORS]
        complete = is_complete(request.requested, runs)
        return Verdict(
            root=str(self._host.root),
            generation=request.snapshot.generation,
            green=is_green(evidence, findings, complete=complete),
            regressed=is_regressed(evidence, findings),
            complete=complete,
            level="cold",
            isolation=self._host.isolation,
            sensors=tuple(runs),
            findings=tuple(findings),
            tests=summarize(request.tests if plan else "none", evidence),
            ms=(time.monotonic() - self._started) * 1000,
        )

    # -- the static sensors ------------------------------------------------------------------------------------

    def _submit_static(self, name: str, snapshot: Snapshot) -> Future[_Sensed]:
        return self._pool.submit(self._sense_static, name, snapshot)

    def _sense_static(self, name: str, snapshot: Snapshot) -> _Sensed:
        started = time.monotonic()
        why = hint = None
        findings: tuple[Finding, ...] = ()
        status: SensorStatus = "ran"
        try:
            findings = self._recalled(name, snapshot)
            if name == "types" and self._request.interpreter is None:
                why = types.NO_INTERPRETER
        except (CannotSense, CannotIsolate) as error:
            status, why, hint = "crashed", error.message, error.hint
        return _Sensed(SensorRun(name, status, (time.monotonic() - started) * 1000, why, hint), findings)

    def _recalled(self, name: str, snapshot: Snapshot) -> tuple[Finding, ...]:
        """The findings, for the baseline from memory if it has them."""
        paths = self._paths_in(snapshot)
        if snapshot is self._request.snapshot:
            return tuple(self._findings(name, snapshot, paths))
        known = self._memory.findings(name, paths)
        if known is None:
            known = tuple(self._findings(name, snapshot, paths))
            self._memory.keep_findings(name, paths, known)
        return known

    def _findings(self, name: str, snapshot: Snapshot, paths: tuple[RelPath, ...]) -> list[Finding]:
        if name == "syntax":
            opinion: syntax.SecondOpinion = lambda doubtful: self._newer_syntax(snapshot, doubtful)  # noqa: E731
            return syntax.check_syntax(snapshot, paths, second_opinion=opinion)
        shadow = self._shadows.of(snapshot)
        if name == "lint":
            return lint.check_lint(shadow, snapshot, paths, deadline=self._remaining())
        return types.check_types(shadow, snapshot, self._request.interpreter, paths, deadline=self._remaining())

    def _newer_syntax(self, snapshot: Snapshot, doubtful: Sequence[RelPath]) -> frozenset[RelPath]:
        try:
            return lint.newer_syntax(self._shadows.of(snapshot), doubtful, deadline=self._remaining())
        except (CannotSense, CannotIsolate):
            # Without a second opinion the first one stands.
            return frozenset()

    def _paths_in(self, snapshot: Snapshot) -> tuple[RelPath, ...]:
        """The paths to which findings are limited; in the baseline also the ones that renamed files had there."""
        paths = self._request.paths
        if not paths or not self._changed or snapshot is self._request.snapshot or self._baseline is None:
            return paths
        moves = renames_between(self._baseline, self._request.snapshot)
        return tuple(dict.fromkeys([*paths, *(old for new, old in moves.items() if is_within(new, paths))]))

    def _compare(self, sensed: _Sensed, before: _Sensed | None) -> list[Finding]:
        """The findings with `new` set. Where the baseline could not be sensed all of them count as new."""
        run, snapshot = sensed.run, self._request.snapshot
        findings = [finding for finding in sensed.findings if is_within(finding.path, self._request.paths)]
        if before is not None and before.run.status == "crashed":
            reason = f"the baseline could not be sensed, so every finding counts as new: {before.run.why}"
            run = replace(run, why=f"{run.why}; {reason}" if run.why else reason)
        elif self._changed and self._baseline is not None:
            findings = mark_new(findings, before.findings if before else (), self._baseline, snapshot)
        elif self._baseline is not None:
            findings = [replace(finding, new=False) for finding in findings]
        self._settle(run, len(findings))
        return findings

    # -- the tests ---------------------------------------------------------------------------------------------

    def _plan(self) -> TestPlan | None:
        request = self._request
        if "tests" not in request.requested or request.interpreter is None:
            return None
        return plan_tests(
            request.snapshot,
            self._baseline,
            request.tests,
            request.named,
            among=request.among,
            required=request.required,
            left_out=request.left_out,
        )

    def _submit_tests(self, plan: TestPlan, snapshot: Snapshot) -> Future[Attempt]:
        """Runs the tests of the snapshot itself; only collects those of its baseline."""
        is_baseline = snapshot is not self._request.snapshot
        selection = plan.before if is_baseline else plan.after
        return self._pool.submit(self._attempt, snapshot, selection, collect_only=is_baseline)

    def _attempt(self, snapshot: Snapshot, selection: TestSelection, *, collect_only: bool = False) -> Attempt:
        interpreter = self._request.interpreter
        assert interpreter is not None
        known = self._memory.collected(selection) if collect_only else None
        if known is not None:
            return Attempt(known)
        deadline = self._remaining()
        attempt = attempt_run(
            self._host, snapshot, interpreter, selection, deadline=deadline, collect_only=collect_only
        )
        if collect_only and attempt.crashed is None:
            self._memory.keep_collected(selection, attempt.run)
        return attempt

    def _conclude_tests(self, plan: TestPlan, testing: Future[Attempt], collecting: Future[Attempt] | None) -> Tested:
        snapshot, baseline = self._request.snapshot, self._baseline
        after = testing.result()
        collected, before = Attempt(), Attempt()
        if collecting is not None and baseline is not None:
            collected = collecting.result()
            needed = needed_before(plan, snapshot, self._memory, after.run, collected.run)
            if needed.ids:
                self._progress(f"running {len(needed.ids)} tests in the baseline")
                before = self._pool.submit(self._attempt, baseline, needed).result()
                self._memory.keep_results(before.run)
        return conclude(plan, snapshot, baseline, Attempts(after, collected, before, self._memory.results))

    # -- both --------------------------------------------------------------------------------------------------

    def _settle(self, run: SensorRun, found: int) -> None:
        self._runs[run.name] = run
        said = f"{found} findings" if run.status == "ran" else f"{run.status}: {run.why}"
        self._progress(f"{run.name}: {said} ({run.ms:.0f} ms)")

    def _skipped(self, name: str) -> SensorRun:
        request = self._request
        why = "not requested"
        if name == "tests":
            if request.why_no_tests:
                why = request.why_no_tests
            elif request.interpreter is None:
                why = _NO_TRUST
            elif request.tests == "none":
                why = "no tests were asked for"
        return SensorRun(name, "skipped", 0.0, why)

    def _remaining(self) -> float:
        """Seconds that are left of the whole; a little above zero where none are."""
        return max(0.001, self._started + self._request.deadline - time.monotonic())


class _SharedShadows:
    """One shadow for all static sensors of a snapshot: where a shadow is a copy, making it is what costs.

    They only read, so that none sees another's traces; tests do write and get shadows of their own.
    """

    def __init__(self, host: ShadowHost) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._made: list[tuple[Snapshot, Shadow]] = []

    def of(self, snapshot: Snapshot) -> Shadow:
        """Raises `CannotIsolate`."""
        with self._lock:
            for known, shadow in self._made:
                if known is snapshot:
                    return shadow
            shadow = self._host.project(snapshot)
            self._made.append((snapshot, shadow))
            return shadow

    def close(self) -> None:
        """Does not wait for a shadow that is just being made after an interrupt; the host's own end takes that one."""
        for _, shadow in list(self._made):
            shadow.close()


def without_echoes(findings: Sequence[Finding]) -> list[Finding]:
    """The findings without the syntax errors that a later sensor repeats for a file that an earlier one reports.

    All three static sensors parse. An echo is dropped only if what it echoes is at least as new, so no error that the
    baseline lacks is lost.
    """
    reported: dict[tuple[str, bool], str] = {}
    kept: list[Finding] = []
    for finding in findings:
        is_syntax = finding.source == syntax.SOURCE or finding.code in lint.SYNTAX_CODES
        if is_syntax:
            earlier = [reported.get((finding.path, True))]
            if not finding.new:
                earlier.append(reported.get((finding.path, False)))
            if any(source is not None and source != finding.source for source in earlier):
                continue
            reported.setdefault((finding.path, finding.new), finding.source)
        kept.append(finding)
    return kept
