"""Which candidates to try next, and how: swapped in or imported afresh, at first or again with more patience.

Pure bookkeeping: it sends nothing. Every candidate that it takes in comes out as exactly one trial, or, where time
ran out before it was tried, not at all. A candidate that changes what ran while the project was imported has a second
chance, since a swap comes too late for that: where it passes after all, it comes out once more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from octolimb.core.paths import RelPath
from octolimb.limbs.candidates import Candidate, Trial
from octolimb.limbs.search.units import BodyPlan, FilePlan, NoPlan, Planner

_FIRST_BATCH: Final = 16
_BATCH: Final = 64
_FRESH_BATCH: Final = 8
_QUICK_BETWEEN: Final = 4
"""How many batches of bodies go out between two of those to be imported afresh, which are slow."""
MOST_PATIENCE: Final = 2

Place = tuple[RelPath, int, str]
"""A function of the project: its file, the one-based line where it begins, decorators included, and its name."""


@dataclass(frozen=True)
class Waiting:
    """A candidate, how to try it, and how often it hung before."""

    candidate: Candidate
    plan: BodyPlan | FilePlan
    patience: int = 0


@dataclass(frozen=True)
class Batch:
    """Candidates that go out together: all to be imported afresh or none, all with the same patience."""

    waiting: list[Waiting]
    afresh: bool
    patience: int


class CandidateQueue:
    """Feeds candidates out in batches and turns answers into trials."""

    def __init__(
        self, candidates: Iterator[Candidate], planner: Planner, *, parked: bool, ran: frozenset[Place] = frozenset()
    ) -> None:
        """`parked`: bodies can be swapped at all. `ran` are the functions that ran while the project was imported."""
        self._candidates = candidates
        self._ran = ran
        self._urgent: deque[Candidate] = deque()
        self._second: set[int] = set()
        self._planner = planner
        self._parked = parked
        self._size = _FIRST_BATCH
        self._dry = False
        self._since_fresh = 0
        self._afresh: deque[Candidate] = deque()
        self._hung: deque[Waiting] = deque()
        self._known: deque[Trial] = deque()

    def take(self, *, last: bool) -> Batch | None:
        """The next batch; None where there is none now, or enough is known already to hear of first.

        `last`: nothing is on its way any more, so those that hung before go out again.
        """
        while not (self._fresh_is_due or self._dry or len(self._known) >= _BATCH):
            bodies = self._pull()
            if bodies:
                self._since_fresh += 1
                return Batch(bodies, afresh=False, patience=0)
            self._since_fresh = _QUICK_BETWEEN
        if (self._fresh_is_due or (self._afresh and self._dry)) and (waiting := self._plan_afresh()):
            return Batch(waiting, afresh=True, patience=0)
        return self._again() if last and self._dry and self._hung else None

    @property
    def _fresh_is_due(self) -> bool:
        return bool(self._urgent) or (len(self._afresh) >= _FRESH_BATCH and self._since_fresh >= _QUICK_BETWEEN)

    @property
    def exhausted(self) -> bool:
        """True where no candidate waits, but for those on their way."""
        return self._dry and not (self._urgent or self._afresh or self._hung or self._known)

    def known(self) -> Iterator[Trial]:
        """The trials that needed no trying."""
        while self._known:
            yield self._known.popleft()

    def settle(self, waiting: Waiting, answer: dict[str, Any]) -> Iterator[Trial]:
        """Takes the worker's answer: a trial, unless the candidate is to be tried again in another way or later."""
        status = answer["s"]
        if isinstance(waiting.plan, BodyPlan) and any(unit.place in self._ran for unit in waiting.plan.units):
            if status == "passed":
                # A swap that came too late tells little: only what passes afresh is worth confirming.
                self._urgent.append(waiting.candidate)
                return
            if status in ("failed", "crashed"):
                self._second.add(id(waiting.candidate))
                self._afresh.append(waiting.candidate)
        elif isinstance(waiting.plan, FilePlan) and id(waiting.candidate) in self._second:
            self._second.discard(id(waiting.candidate))
            if status != "passed":
                return
        if status == "unsupported" and isinstance(waiting.plan, BodyPlan):
            self._afresh.append(waiting.candidate)
        elif status == "hung" and waiting.patience < MOST_PATIENCE:
            self._hung.append(replace(waiting, patience=waiting.patience + 1))
        else:
            yield Trial(waiting.candidate, status, answer.get("passed", 0), answer.get("why", ""))

    def take_back(self, unanswered: Iterable[Waiting]) -> None:
        """With no time left: those that were being tried again still count as hung; of the others nothing is known."""
        self._hung += [waiting for waiting in unanswered if waiting.patience]

    def given_up(self) -> Iterator[Trial]:
        """With no time left: those that hung before and that nobody will wait for any more."""
        while self._hung:
            waiting = self._hung.popleft()
            yield Trial(waiting.candidate, "hung", why=f"hung {waiting.patience} times, each time given longer")

    def _pull(self) -> list[Waiting]:
        pulled = list(islice(self._candidates, self._size))
        self._dry = len(pulled) < self._size
        self._size = _BATCH
        bodies = []
        for candidate in pulled:
            plan = self._planner.plan(candidate) if self._parked else None
            if isinstance(plan, BodyPlan):
                bodies.append(Waiting(candidate, plan))
            elif isinstance(plan, NoPlan):
                self._reject(candidate, plan)
            else:
                self._afresh.append(candidate)
        return bodies

    def _plan_afresh(self) -> list[Waiting]:
        """The next ones to be imported afresh. Planned only now: it parses whole files, and few get their turn."""
        waiting: list[Waiting] = []
        queue = self._urgent or self._afresh
        self._since_fresh = self._since_fresh if self._urgent else 0
        while queue and len(waiting) < _FRESH_BATCH:
            candidate = queue.popleft()
            plan = self._planner.file_plan(candidate)
            if isinstance(plan, FilePlan):
                waiting.append(Waiting(candidate, plan))
            else:
                self._reject(candidate, plan)
        return waiting

    def _reject(self, candidate: Candidate, plan: NoPlan) -> None:
        self._known.append(Trial(candidate, "failed" if plan.broken else "unsupported", why=plan.why))

    def _again(self) -> Batch:
        """The least patient first, so that nobody waits long while others have not been tried twice."""
        patience = min(waiting.patience for waiting in self._hung)
        afresh = next(isinstance(one.plan, FilePlan) for one in self._hung if one.patience == patience)
        chosen = [one for one in self._hung if one.patience == patience and isinstance(one.plan, FilePlan) is afresh]
        chosen = chosen[:_FRESH_BATCH]
        for one in chosen:
            self._hung.remove(one)
        return Batch(chosen, afresh=afresh, patience=patience)
