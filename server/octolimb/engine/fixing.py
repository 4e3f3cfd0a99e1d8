"""From a person's targets to proposals: finds the pain, sends a limb, has its solutions judged and, if asked, applied.

A limb never writes; `--apply` writes here, through the guard, and only what the guard has just judged.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from octolimb.core.changes import changes_between
from octolimb.core.errors import BadInput, Cancelled, Stale
from octolimb.core.paths import RelPath
from octolimb.core.proposals import Proposal, Receipt
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, Outcome, TestResult, Verdict
from octolimb.engine.driver import LimbDriver, LimbGoal, LimbProgress
from octolimb.engine.engine import SENSORS, Engine
from octolimb.engine.offline import CODERS
from octolimb.engine.stopping import never, stoppable
from octolimb.engine.targets import Target, parse_target
from octolimb.guard.rulings import Role
from octolimb.guard.secrets import warm_up
from octolimb.limbs.effects import LimbOutcome, LimbState, Retracted
from octolimb.limbs.pain import Pain
from octolimb.limbs.reflex import Budget, reflex
from octolimb.sense.sensing import SenseRequest, sense
from octolimb.sense.tests.impact import select_tests
from octolimb.sense.tests.layout import read_layout
from octolimb.sense.tests.run import TestRun, TestSelection, run_tests
from octolimb.workspace.pinned import PinnedBase

Status = Literal["proposed", "applied", "none", "denied", "ask", "stale"]
_RUN_SHARE = 0.25
"""Of the budget, for one cold run of what the targets name: a test that takes longer is taken to hang."""
_LEAST_RUN_SECONDS = 2.0
_SLOW_RUN_SHARE = 0.5
"""Of the budget, for a second run where the first one's time was up before any test told anything."""
_SUITE_SECONDS = 600.0
_NEVER_REACHED = "not run:"
_TOOLS = ("octolimb", "ruff", "ty")


@dataclass(frozen=True)
class FixRequest:
    """What a person asked for; `budget` is seconds for everything, from now to the proposals.

    `role` is whose change the guard is told that it is.
    """

    targets: tuple[str, ...] = ()
    goal: str | None = None
    coder: Literal["auto", "offline", "model"] = "auto"
    model: str | None = None
    budget: float = 60.0
    proposals: int = 3
    apply: bool = False
    role: Role = "repair"


@dataclass(frozen=True)
class Solution:
    """A proposal with the states that it leads from and to, both of one base that stays as it was when it was read.

    `goal` are the node ids of the tests that it makes pass: `required` when it is sensed again. `pain` is what hurt,
    in at most three lines. `role` is whose change it is to the guard.
    """

    proposal: Proposal
    before: Snapshot
    after: Snapshot
    goal: tuple[str, ...] = ()
    pain: tuple[str, ...] = ()
    role: Role = "repair"


@dataclass(frozen=True)
class FixResult:
    """How it ended, in one line, with what hurt in at most three; `attempts` candidates were tried in `searched` s.

    `state` is the limb's last one. `solutions` are the proposals with their contents, in the same order.
    """

    status: Status
    message: str
    seconds: float
    proposals: tuple[Proposal, ...] = ()
    pain_lines: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    attempts: int = 0
    searched: float = 0.0
    state: LimbState = LimbState.SURRENDERED
    solutions: tuple[Solution, ...] = ()


def fix(
    engine: Engine,
    request: FixRequest,
    *,
    progress: Callable[[LimbProgress], None],
    snapshot: Snapshot | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> FixResult:
    """Sends one limb. Raises `BadInput` for a target that is not there and `CannotSense` where nothing can run.

    It sets out from `snapshot` (of the engine's root), None for the disk. Where `cancelled` is given the limb has
    children of its own, and within about a second of its saying so they are gone and the result's state is `cancelled`.
    """
    began = time.monotonic()
    if request.coder == "model" or request.model:
        raise BadInput("no language model is set up here", hint="use --coder offline, which needs none")
    if request.apply and snapshot is not None:
        raise BadInput("what starts from unsaved text cannot be written to the disk")
    # Pinned, so that what a person types while the limb works makes its proposals stale and is not overwritten.
    start = engine.disk() if snapshot is None else snapshot
    start = replace(start, base=PinnedBase(start.base))
    if cancelled is None:
        return _fix(engine, request, start, began, progress, never)
    reached = LimbProgress(LimbState.QUEUED, 0, 0.0)

    def tell(at: LimbProgress) -> None:
        nonlocal reached
        reached = at
        progress(at)

    try:
        with stoppable(engine, cancelled) as own:
            return _fix(own, request, start, began, tell, cancelled)
    except Cancelled:
        seconds = time.monotonic() - began
        why = f"stopped after {reached.attempts} candidate{'' if reached.attempts == 1 else 's'}"
        if reached.state is not LimbState.CANCELLED:
            progress(LimbProgress(LimbState.CANCELLED, reached.attempts, seconds, why))
        return FixResult("none", why, seconds, attempts=reached.attempts, state=LimbState.CANCELLED)


def _fix(
    engine: Engine,
    request: FixRequest,
    snapshot: Snapshot,
    began: float,
    progress: Callable[[LimbProgress], None],
    cancelled: Callable[[], bool],
) -> FixResult:
    # The scanner's rules take a while to load; the search hides that.
    threading.Thread(target=warm_up, name="octolimb-scanner", daemon=True).start()
    targets = [parse_target(text, snapshot) for text in request.targets]
    if any(target.path == "" for target in targets):
        targets = []  # The root itself stands for everything in it.
    progress(LimbProgress(LimbState.SENSING, 0, 0.0, "looking for the pain"))
    goal = _find_pain(engine, snapshot, targets, request.budget)
    if not goal.pain.hurts:
        return FixResult("none", _nothing_hurts(targets, found=goal.found), time.monotonic() - began)
    left = max(request.budget - (time.monotonic() - began), 1.0)
    budget = Budget(left, reserve=min(1.5, left / 3), grace=min(1.0, left / 6), proposals=request.proposals)
    end = time.monotonic() + left
    with LimbDriver(
        engine,
        snapshot,
        goal,
        search_until=end - budget.reserve,
        until=end,
        role=request.role,
        cancelled=cancelled,
    ) as driver:
        limb = reflex(snapshot, CODERS, budget, clock=time.monotonic, cancelled=cancelled)
        outcome = driver.drive(limb, progress)
    if cancelled():
        raise Cancelled(outcome.why)
    proposals = [
        _proposal(snapshot, solution, rank, outcome) for rank, solution in enumerate(outcome.retracted, start=1)
    ]
    status, message, proposals = _conclude(engine, request, outcome, proposals)
    pain_lines = _pain_lines(goal.pain)
    solutions = [
        Solution(proposal, snapshot, found.snapshot, _stopped(goal, found), pain_lines, request.role)
        for proposal, found in zip(proposals, outcome.retracted, strict=True)
    ]
    return FixResult(
        status,
        message,
        time.monotonic() - began,
        tuple(proposals),
        pain_lines,
        tuple(outcome.refused),
        outcome.attempts,
        driver.searched,
        outcome.state,
        tuple(solutions),
    )


def _stopped(goal: LimbGoal, solution: Retracted) -> tuple[str, ...]:
    """The goal's tests that the solution makes pass."""
    return tuple(test for test in goal.tests if test not in solution.spared)


def _conclude(
    engine: Engine, request: FixRequest, outcome: LimbOutcome, proposals: list[Proposal]
) -> tuple[Status, str, list[Proposal]]:
    if not proposals:
        return "none", outcome.why, proposals
    if request.apply:
        return _apply_best(engine, proposals, request.role)
    decisions = {proposal.decision.decision for proposal in proposals}
    if "allow" in decisions:
        return "proposed", outcome.why, proposals
    if "ask" in decisions:
        return "ask", "the guard asks for a person's yes", proposals
    return "denied", "the guard denied what the limb found", proposals


def _find_pain(engine: Engine, snapshot: Snapshot, targets: Sequence[Target], budget: float) -> LimbGoal:
    """Runs what the targets name, once and cold, and gathers what fails; a test that hangs hurts too."""
    deadline = max(_LEAST_RUN_SECONDS, budget * _RUN_SHARE) if targets else _SUITE_SECONDS
    sources = tuple(RelPath(target.path) for target in targets if target.path and not _names_tests(target, snapshot))
    named = tuple(
        target.node_id or target.file for target in targets if target.node_id or _names_tests(target, snapshot)
    )
    tests: tuple[TestResult, ...] = ()
    broken: tuple[Finding, ...] = ()
    found = 0
    for selection in _selections(snapshot, named, sources, everything=not targets):
        run = _run_cold(engine, snapshot, selection, deadline)
        if run.timed_out and not any(_fails(result, named) for result in run.results.values()):
            # Nothing was seen to hang or to fail: the machine is slow, and the run says nothing yet.
            run = _run_cold(engine, snapshot, selection, max(2 * deadline, budget * _SLOW_RUN_SHARE))
        _refuse_unknown(run, targets)
        found += len(run.collected)
        tests += tuple(result for result in run.results.values() if _fails(result, named))
        broken += run.errors
    findings = broken + _errors_in(engine, snapshot, sources, targets)
    names = dict.fromkeys([result.node_id for result in tests])
    names.update(dict.fromkeys(test for finding in broken for test in _kept_from_running(finding, snapshot)))
    return LimbGoal(tuple(names), sources if findings else (), Pain(tests, findings), found, deadline)


def _run_cold(engine: Engine, snapshot: Snapshot, selection: TestSelection, deadline: float) -> TestRun:
    with engine.host.project(snapshot) as shadow:
        return run_tests(shadow, snapshot, engine.interpreter, selection, deadline=deadline)


def _selections(
    snapshot: Snapshot, named: tuple[str, ...], sources: tuple[RelPath, ...], *, everything: bool
) -> list[TestSelection]:
    if everything:
        return [TestSelection("full", (), None, ())]
    selections = [TestSelection("full", named, None, named)] if named else []
    if sources:
        impacted = select_tests(snapshot, "impacted", sources, ())
        if impacted.mode != "none":
            selections.append(impacted)
    return selections


def _kept_from_running(finding: Finding, snapshot: Snapshot) -> Sequence[str]:
    """The tests that an error outside of any test is in the way of: its file's, or those that import its file."""
    layout = read_layout(snapshot)
    if finding.test or layout.is_test_file(finding.path):
        return [finding.test or finding.path]
    reached = select_tests(snapshot, "impacted", [finding.path], ()).ids
    return reached or [path for path in snapshot.walk() if layout.is_test_file(path)]


def _names_tests(target: Target, snapshot: Snapshot) -> bool:
    path = target.file
    if not path or target.line is not None:
        return False
    if snapshot.kind(path) == "directory":
        return any(read_layout(snapshot).is_test_file(file) for file in snapshot.walk(path))
    return read_layout(snapshot).is_test_file(RelPath(path))


def _fails(result: TestResult, named: Sequence[str]) -> bool:
    """A skip or an expected failure hurts only where a person named that very test."""
    if result.outcome is Outcome.LOST and result.message.startswith(_NEVER_REACHED):
        return False
    if result.outcome in (Outcome.FAILED, Outcome.ERROR, Outcome.LOST, Outcome.XPASSED):
        return True
    return result.outcome is not Outcome.PASSED and result.node_id in named


def _refuse_unknown(run: TestRun, targets: Sequence[Target]) -> None:
    for target in targets:
        result = run.results.get(target.node_id or "")
        if result and result.outcome is Outcome.LOST and result.node_id not in run.collected and not run.errors:
            raise BadInput(f"{target.text}: {result.message}", hint="list the tests with: pytest --collect-only -q")


def _errors_in(
    engine: Engine, snapshot: Snapshot, sources: tuple[RelPath, ...], targets: Sequence[Target]
) -> tuple[Finding, ...]:
    if not sources:
        return ()
    request = SenseRequest(
        snapshot=snapshot,
        baseline=None,
        tests="none",
        sensors=SENSORS - {"tests"},
        paths=sources,
        named=(),
        interpreter=engine.interpreter,
    )
    lines = {(target.path, target.line - 1) for target in targets if target.path and target.line}
    whole = {target.path for target in targets if target.path and not target.line}
    return tuple(
        finding
        for finding in sense(engine.host, request).pains
        if finding.path in whole
        or (finding.path, finding.span.start.line) in lines
        or any(finding.path.is_below(d) for d in whole if d)
    )


def _proposal(start: Snapshot, solution: Retracted, rank: int, outcome: LimbOutcome) -> Proposal:
    change_set = changes_between(start, solution.snapshot)
    base = hashlib.sha256("".join(change.before.digest if change.before else "-" for change in change_set).encode())
    receipt = Receipt(
        base=base.hexdigest(),
        change_set=change_set.digest,
        policies=solution.decision.policies,
        tools=",".join(f"{tool}={_version(tool)}" for tool in _TOOLS),
        results=_results_digest(solution.verdict),
    )
    why = "; then ".join(candidate.note for candidate in solution.candidates)
    if solution.spared:
        why += f" (still failing: {', '.join(solution.spared)})"
    return Proposal(
        id=f"p{rank}-{receipt.id[:12]}",
        rank=rank,
        change_set=change_set,
        verdict=solution.verdict,
        decision=solution.decision,
        why=why,
        coder=f"offline/{solution.coder}",
        attempts=outcome.attempts,
        tokens=0,
        receipt=receipt,
    )


def _apply_best(engine: Engine, proposals: list[Proposal], role: Role) -> tuple[Status, str, list[Proposal]]:
    """Judges the best proposal anew, on the bytes that stand on disk now, and applies it if it is allowed."""
    order = {"allow": 0, "ask": 1, "deny": 2}
    best = min(proposals, key=lambda proposal: (order[proposal.decision.decision], proposal.rank))
    decision = engine.judge(best.change_set, role=role)
    shown = [replace(best, decision=decision) if proposal is best else proposal for proposal in proposals]
    if decision.decision == "deny":
        return "denied", "the guard denied it; nothing was written", shown
    if decision.decision == "ask":
        return "ask", "the guard asks for a person's yes; nothing was written", shown
    try:
        engine.apply(best.change_set, decision)
    except Stale as stale:
        what_to_do = f"; {stale.hint}" if stale.hint else ""
        return "stale", f"{stale.message}; nothing was written{what_to_do}", shown
    files = ", ".join(best.change_set.paths)
    return "applied", f"proposal {best.rank} was written to {files}", shown


def _results_digest(verdict: Verdict) -> str:
    """Everything that the verdict says but for how long it took."""
    still = replace(verdict, ms=0.0, sensors=tuple(replace(sensor, ms=0.0) for sensor in verdict.sensors))
    return hashlib.sha256(repr(still).encode()).hexdigest()


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"


def _pain_lines(pain: Pain) -> tuple[str, ...]:
    lines = [f"{result.node_id}: {result.message}" for result in pain.tests]
    lines += [f"{finding.path}:{finding.span.start.line + 1}: {finding.message}" for finding in pain.findings]
    return tuple(lines if len(lines) <= 3 else [*lines[:2], f"… and {len(lines) - 2} more"])


def _nothing_hurts(targets: Sequence[Target], *, found: int) -> str:
    if targets:
        names = ", ".join(target.text for target in targets)
        return f"{names} {'does' if len(targets) == 1 else 'do'} not fail: there is nothing to fix"
    return "every test passes: there is nothing to fix" if found else "no test was found: there is nothing to fix"
