"""The reflex loop: Generate, Stage, Sense, Pain, Twitch, Retract.

A plain generator that yields effects and receives their results. It does no input or output, starts nothing and
never waits: whoever drives it does that, and a test drives it with canned replies and a clock of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import cast

from octolimb.core.proposals import Decision
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Verdict
from octolimb.limbs.candidates import Candidate, CandidateBatch, Trial
from octolimb.limbs.effects import (
    Confirm,
    Effect,
    Generate,
    Judge,
    LimbOutcome,
    LimbState,
    Rank,
    Reply,
    Retracted,
    Sense,
    Stage,
    Twitch,
)
from octolimb.limbs.pain import Pain

_LOOKS = 3
"""At how many more winners to look for one that stops all pain, when one was found that stops some of it.

As many as are confirmed after the time was up, when none has held so far.
"""

Reflex = Generator[Effect, Reply, LimbOutcome]


@dataclass(frozen=True)
class Budget:
    """`seconds` for the whole limb, of which `reserve` is kept for confirming; at most `attempts` candidates.

    After the first candidate that passes, the limb looks `grace` seconds further for simpler ones.
    """

    seconds: float
    reserve: float = 1.5
    grace: float = 1.0
    attempts: int = 200_000
    proposals: int = 3
    rounds: int = 12


@dataclass
class _Limb:
    """What one limb knows so far."""

    start: Snapshot
    snapshot: Snapshot
    pain: Pain
    staged: tuple[_Step, ...] = ()
    attempts: int = 0
    refused: list[str] = field(default_factory=list)

    def advance(self, step: _Step, snapshot: Snapshot, pain: Pain) -> None:
        self.snapshot, self.pain, self.staged = snapshot, pain, (*self.staged, step)


@dataclass(frozen=True)
class _Step:
    """A candidate, which coder made it, and how many had been tried by then."""

    candidate: Candidate
    coder: str
    attempt: int


def reflex(
    start: Snapshot,
    coders: Sequence[str],
    budget: Budget,
    *,
    clock: Callable[[], float],
    cancelled: Callable[[], bool] = lambda: False,
) -> Reflex:
    """One limb's life on `start`. Returns how it ended, with at most `budget.proposals` solutions, best first.

    Each round attends to the first pain and takes the coders in order, cheapest first. Where what stops that leaves
    others, it is staged and becomes the ground of the next round; one in which nothing passes ends the limb.
    """
    began = clock()
    pain = cast("Pain", (yield Sense(start)))
    if not pain.hurts:
        return LimbOutcome(LimbState.SURRENDERED, "nothing hurts: there is nothing to fix")
    limb = _Limb(start, start, pain)
    search_until = began + budget.seconds - budget.reserve

    def over() -> bool:
        return cancelled() or clock() >= search_until or limb.attempts >= budget.attempts

    retracted: list[Retracted] = []
    for _ in range(budget.rounds):
        winners = yield from _round(limb, coders, budget, over)
        retracted, partial = yield from _retract(limb, winners, budget, began, clock, cancelled)
        if retracted or cancelled() or not winners:
            break
        # Where nothing of what passed held, the coders go on from where they were.
        if partial:
            limb.advance(*partial)
        if over():
            break
    if not retracted and limb.staged and not cancelled():
        # Less pain than before is worth showing, as long as it says what it leaves undone.
        kept = yield from _confirm(limb, limb.snapshot, limb.staged, _spared(limb))
        retracted = [kept] if kept else []
    refused = tuple(limb.refused)
    if retracted:
        why = "the pain stopped" if not retracted[0].spared else "the pain grew less"
        return LimbOutcome(LimbState.PROPOSED, why, retracted, limb.attempts, pain, refused)
    state = LimbState.CANCELLED if cancelled() else LimbState.SURRENDERED
    return LimbOutcome(state, _why_not(limb, cancelled(), clock() >= search_until), (), limb.attempts, pain, refused)


def _round(
    limb: _Limb, coders: Sequence[str], budget: Budget, over: Callable[[], bool]
) -> Generator[Effect, Reply, list[_Step]]:
    """Lets each coder try until something makes the first pain stop; all that did."""
    winners: list[_Step] = []
    for coder in coders:
        while not over() and not winners:
            batch = cast("CandidateBatch", (yield Generate(coder, limb.snapshot, limb.pain)))
            if not batch:
                break
            grace = budget.grace / limb.pain.count
            trials = cast("tuple[Trial, ...]", (yield Twitch(limb.snapshot, limb.pain, batch, grace)))
            for trial in trials:
                limb.attempts += 1
                if trial.status == "passed":
                    winners.append(_Step(trial.candidate, coder, limb.attempts))
        if winners:
            break
    return winners


_Partial = tuple[_Step, Snapshot, Pain]


def _retract(
    limb: _Limb,
    winners: Sequence[_Step],
    budget: Budget,
    began: float,
    clock: Callable[[], float],
    cancelled: Callable[[], bool],
) -> Generator[Effect, Reply, tuple[list[Retracted], _Partial | None]]:
    """Confirms winners cold, best first, and has the guard judge those that hold.

    Also the winner that left the least pain, where more hurt than the first and none stopped all of it.
    """
    retracted: list[Retracted] = []
    partial: _Partial | None = None
    steps = {id(step.candidate): step for step in winners}
    passed = tuple(step.candidate for step in winners)
    ranked = cast("tuple[Candidate, ...]", (yield Rank(limb.snapshot, limb.pain, passed))) if passed else ()
    for looked_at, candidate in enumerate(ranked):
        out_of_time = clock() - began >= budget.seconds
        is_late = out_of_time and bool(retracted or partial or looked_at >= _LOOKS)
        if len(retracted) >= budget.proposals or cancelled() or is_late:
            break
        step = steps[id(candidate)]
        staged = cast("Snapshot", (yield Stage(limb.snapshot, candidate)))
        if limb.pain.count > 1:
            felt = cast("Pain", (yield Sense(staged)))
            if felt.hurts:
                if felt.count < (partial[2] if partial else limb.pain).count:
                    partial = (step, staged, felt)
                if partial and looked_at >= _LOOKS:
                    break
                continue
        solution = yield from _confirm(limb, staged, (*limb.staged, step), ())
        if solution:
            retracted.append(solution)
    return retracted, partial


def _confirm(
    limb: _Limb, snapshot: Snapshot, steps: Sequence[_Step], spared: tuple[str, ...]
) -> Generator[Effect, Reply, Retracted | None]:
    verdict = cast("Verdict", (yield Confirm(snapshot, spared)))
    if not verdict.green:
        limb.refused.append(f"{steps[-1].candidate.note}: {_what_failed(verdict)}")
        return None
    decision = cast("Decision", (yield Judge(snapshot)))
    candidates = tuple(step.candidate for step in steps)
    return Retracted(snapshot, verdict, decision, candidates, steps[-1].coder, steps[-1].attempt, spared)


def _spared(limb: _Limb) -> tuple[str, ...]:
    return tuple(result.node_id for result in limb.pain.tests)


def _what_failed(verdict: Verdict) -> str:
    if verdict.pains:
        return verdict.pains[0].message
    crashed = [sensor.name for sensor in verdict.sensors if sensor.status == "crashed"]
    return f"{', '.join(crashed)} crashed" if crashed else "it did not hold in a fresh process"


def _why_not(limb: _Limb, cancelled: bool, late: bool) -> str:
    tried = f"{limb.attempts} candidate{'' if limb.attempts == 1 else 's'}"
    if cancelled:
        return f"stopped after {tried}"
    if limb.refused:
        return f"tried {tried}; {len(limb.refused)} passed at first and did not hold when confirmed ({limb.refused[0]})"
    return f"tried {tried} and the pain stayed" + ("; the time was up, a larger --budget may help" if late else "")
