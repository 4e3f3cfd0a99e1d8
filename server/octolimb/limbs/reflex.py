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
from octolimb.limbs.candidates import Candidate, Trial
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
    rounds: int = 4


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

    Each round takes the coders in order, cheapest first. Where nothing passes everything, the best partial candidate
    is staged and becomes the ground of the next round; a round that gained nothing ends the limb.
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
        winners, partial = yield from _round(limb, coders, budget, over, _after(clock, (clock() + search_until) / 2))
        retracted = yield from _retract(limb, winners, budget, began, clock, cancelled)
        if retracted or cancelled() or partial is None:
            break
        staged = cast("Snapshot", (yield Stage(limb.snapshot, partial.candidate)))
        felt = cast("Pain", (yield Sense(staged)))
        if felt.count >= limb.pain.count:
            break
        limb.advance(partial, staged, felt)
        if not felt.hurts or over():
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


def _after(clock: Callable[[], float], instant: float) -> Callable[[], bool]:
    return lambda: clock() >= instant


def _round(
    limb: _Limb,
    coders: Sequence[str],
    budget: Budget,
    over: Callable[[], bool],
    half_over: Callable[[], bool],
) -> Generator[Effect, Reply, tuple[list[_Step], _Step | None]]:
    """Lets each coder try; the candidates that passed, and the best of those that helped only in part.

    What a cheap coder mended in part is kept before a dearer one is asked, and a dearer one's after half of the time.
    """
    winners: list[_Step] = []
    best: _Step | None = None
    most = 0
    for coder in coders:
        while not over() and not winners and not (best and half_over()):
            batch = cast("tuple[Candidate, ...]", (yield Generate(coder, limb.snapshot, limb.pain)))
            if not batch:
                break
            trials = cast("tuple[Trial, ...]", (yield Twitch(limb.snapshot, limb.pain, batch, budget.grace)))
            for trial in trials:
                limb.attempts += 1
                if trial.status == "passed":
                    winners.append(_Step(trial.candidate, coder, limb.attempts))
                elif trial.passed > most:
                    best, most = _Step(trial.candidate, coder, limb.attempts), trial.passed
        if winners or best:
            break
    return winners, best


def _retract(
    limb: _Limb,
    winners: Sequence[_Step],
    budget: Budget,
    began: float,
    clock: Callable[[], float],
    cancelled: Callable[[], bool],
) -> Generator[Effect, Reply, list[Retracted]]:
    """Confirms winners cold, best first, and has the guard judge those that hold."""
    retracted: list[Retracted] = []
    steps = {id(step.candidate): step for step in winners}
    passed = tuple(step.candidate for step in winners)
    ranked = cast("tuple[Candidate, ...]", (yield Rank(limb.snapshot, limb.pain, passed))) if passed else ()
    for candidate in ranked:
        out_of_time = clock() - began >= budget.seconds
        if len(retracted) >= budget.proposals or cancelled() or (retracted and out_of_time):
            break
        staged = cast("Snapshot", (yield Stage(limb.snapshot, candidate)))
        solution = yield from _confirm(limb, staged, (*limb.staged, steps[id(candidate)]), ())
        if solution:
            retracted.append(solution)
    return retracted


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
