"""Carries out what a limb asks: the one place where its wishes meet processes. It decides nothing about repair."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from octolimb.core.changes import changes_between
from octolimb.core.errors import NotFound, NotText
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, Outcome, Verdict
from octolimb.engine.confirming import Confirmation
from octolimb.engine.engine import SENSORS, Engine
from octolimb.engine.offline import Ground, candidates_of, hints_of
from octolimb.engine.stopping import never
from octolimb.guard.rulings import Role
from octolimb.limbs.candidates import Candidate, CandidateBatch, Suspicion, Trial, TrialStatus
from octolimb.limbs.coders.ranking import rank, spread
from octolimb.limbs.effects import (
    Confirm,
    Effect,
    Generate,
    Judge,
    LimbOutcome,
    LimbState,
    Rank,
    Reply,
    Sense,
    Stage,
    Twitch,
)
from octolimb.limbs.pain import Pain
from octolimb.limbs.reflex import Reflex
from octolimb.limbs.search.session import SearchSession
from octolimb.sense.sensing import SenseRequest, sense
from octolimb.sense.tests.run import TestSelection, run_tests

_BATCH: Final = {"tactics": 16, "search": 4096}
"""Large for the search: candidates that hang are tried again, with more patience, only when their batch is through."""
_MOST_TOLD_APART: Final = 32
_TELLING_SECONDS: Final = 1.0
_FEW: Final = 48
_MORE_GRACE: Final = 3
_STATE: Final = {
    Sense: LimbState.SENSING,
    Generate: LimbState.GENERATING,
    Twitch: LimbState.TWITCHING,
    Rank: LimbState.STAGING,
    Stage: LimbState.STAGING,
    Confirm: LimbState.CONFIRMING,
    Judge: LimbState.JUDGING,
}


@dataclass(frozen=True)
class LimbProgress:
    """What a limb is at, for whoever watches: `attempts` candidates tried in `seconds`."""

    state: LimbState
    attempts: int
    seconds: float
    detail: str = ""

    @property
    def line(self) -> str:
        """One line for a person."""
        if self.state is LimbState.TWITCHING:
            return f"limb: twitch {self.attempts}"
        return f"limb: {self.state.value}" + (f", {self.detail}" if self.detail else "")


@dataclass(frozen=True)
class LimbGoal:
    """The tests that must pass; for pain that no test shows, the files whose errors must go; and what hurts now.

    `found` counts the tests that were looked at. `run_seconds` bounds a cold run of these tests.
    """

    tests: tuple[str, ...]
    files: tuple[RelPath, ...] = ()
    pain: Pain = field(default_factory=Pain)
    found: int = 0
    run_seconds: float = 600.0


class _Patience:
    """How long a batch goes on after something passed, in the hope of something simpler.

    For `grace` seconds; where few can be tried in that, up to three times as long.
    """

    def __init__(self, grace: float, cancelled: Callable[[], bool]) -> None:
        self._grace = grace
        self._cancelled = cancelled
        self._passed_at = math.inf
        self._since = 0

    def saw(self, trial: Trial) -> None:
        if trial.status == "passed":
            self._passed_at = min(self._passed_at, time.monotonic())
        if self._passed_at < math.inf:
            self._since += 1

    def is_over(self) -> bool:
        grace = self._grace * (1 if self._since >= _FEW else _MORE_GRACE)
        return time.monotonic() > self._passed_at + grace or self._cancelled()


def _noted(candidates: Iterable[Candidate], taken: list[Candidate]) -> Iterator[Candidate]:
    for candidate in candidates:
        taken.append(candidate)
        yield candidate


def _silent(_: LimbProgress) -> None:
    return


class LimbDriver:
    """Drives one limb to its end. A context manager: leaving it ends the limb's processes."""

    def __init__(
        self,
        engine: Engine,
        start: Snapshot,
        goal: LimbGoal,
        *,
        search_until: float,
        until: float,
        role: Role = "repair",
        cancelled: Callable[[], bool] = never,
    ) -> None:
        """No candidate is tried after the instant `search_until`, and solutions should be confirmed by `until`.

        `role` is whose change the guard is told that it is; `cancelled` is asked between candidates.
        """
        self._engine = engine
        self._start = start
        self._goal = goal
        self._search_until = search_until
        self._role = role
        self._cancelled = cancelled
        self._confirmation = Confirmation(engine, start, until=until)
        self._streams: dict[tuple[str, int], Iterator[Candidate]] = {}
        self._at = ("", 0)
        self._sessions: dict[int, SearchSession] = {}
        self._suspicions: dict[int, Suspicion] = {}
        self._stack = ExitStack()
        self._began = time.monotonic()
        self._progress: Callable[[LimbProgress], None] = _silent
        self.attempts = 0
        self.searched = 0.0
        """Seconds spent trying candidates."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def drive(self, limb: Reflex, progress: Callable[[LimbProgress], None]) -> LimbOutcome:
        """Runs the generator to its end and returns what it says."""
        self._began = time.monotonic()
        self._progress = progress
        try:
            effect = next(limb)
            while True:
                self._tell(_STATE[type(effect)])
                effect = limb.send(self._carry_out(effect))
        except StopIteration as end:
            outcome: LimbOutcome = end.value
            self._tell(outcome.state, outcome.why)
            return outcome

    def _tell(self, state: LimbState, detail: str = "") -> None:
        self._progress(LimbProgress(state, self.attempts, time.monotonic() - self._began, detail))

    def _carry_out(self, effect: Effect) -> Reply:
        match effect:
            case Sense(snapshot):
                return self._goal.pain if snapshot is self._start else self._feel(snapshot)
            case Generate(coder, snapshot, pain):
                return self._generate(coder, snapshot, pain)
            case Twitch(snapshot, pain, candidates, grace):
                return self._twitch(snapshot, pain, candidates, _Patience(grace, self._cancelled))
            case Rank(snapshot, pain, candidates):
                return self._rank(snapshot, pain, candidates)
            case Stage(snapshot, candidate):
                return candidate.apply(snapshot)
            case Confirm(snapshot, spared):
                return self._confirm(snapshot, spared)
            case Judge(snapshot):
                return self._engine.judge(changes_between(self._start, snapshot), role=self._role)

    # -- sensing -----------------------------------------------------------------------------------------------

    def _feel(self, snapshot: Snapshot) -> Pain:
        """The goal's pain on `snapshot`, by a cold run of its tests and the sensors of its files."""
        findings = self._static_pains(snapshot)
        if not self._goal.tests:
            return Pain((), findings)
        selection = TestSelection("full", self._goal.tests, None, self._goal.tests)
        with self._engine.host.project(snapshot) as shadow:
            run = run_tests(shadow, snapshot, self._engine.interpreter, selection, deadline=self._goal.run_seconds)
        tests = tuple(result for result in run.results.values() if result.outcome is not Outcome.PASSED)
        return Pain(tests, (*run.errors, *findings))

    def _static_pains(self, snapshot: Snapshot) -> tuple[Finding, ...]:
        if not self._goal.files:
            return ()
        request = SenseRequest(
            snapshot=snapshot,
            sensors=SENSORS - {"tests"},
            paths=self._goal.files,
            interpreter=self._engine.interpreter,
        )
        return sense(self._engine.host, request).pains

    def _confirm(self, snapshot: Snapshot, spared: tuple[str, ...]) -> Verdict:
        goal = tuple(test for test in self._goal.tests if test not in spared)
        return self._confirmation.verdict(snapshot, goal, spared=spared)

    def _rank(self, snapshot: Snapshot, pain: Pain, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        ranked = rank(candidates, snapshot, pain=hints_of(Ground(snapshot, pain, {})))
        session = self._sessions.get(id(snapshot))
        if session is None or len(ranked) < 2:
            return tuple(ranked)
        told_apart = ranked[:_MOST_TOLD_APART]
        behaviours = session.behaviours(told_apart, seconds=_TELLING_SECONDS)
        return (*spread(told_apart, behaviours), *ranked[_MOST_TOLD_APART:])

    # -- generating and trying ---------------------------------------------------------------------------------

    def _generate(self, coder: str, snapshot: Snapshot, pain: Pain) -> CandidateBatch:
        key = (coder, id(snapshot))
        if key not in self._streams:
            ground = Ground(snapshot, pain, self._suspicion(snapshot, pain))
            self._streams[key] = candidates_of(coder, self._engine, ground)
        self._at = key
        return CandidateBatch(self._streams[key], _BATCH[coder])

    def _suspicion(self, snapshot: Snapshot, pain: Pain) -> Suspicion:
        if id(snapshot) not in self._suspicions:
            session = self._session(snapshot, pain)
            self._suspicions[id(snapshot)] = session.localise().suspicion if session else {}
        return self._suspicions[id(snapshot)]

    def _session(self, snapshot: Snapshot, pain: Pain) -> SearchSession | None:
        """The warm process for `snapshot` and its first pain, started at the first need; None where no test hurts."""
        hurting = [result.node_id for result in pain.tests]
        hurting += [finding.path for finding in pain.findings if finding.source == "tests"]
        if not hurting:
            return None
        if id(snapshot) not in self._sessions:
            companions = list(dict.fromkeys(test.partition("::")[0] for test in (*hurting, *self._goal.tests)))
            shadow = self._stack.enter_context(self._engine.host.project(snapshot))
            session = SearchSession(
                shadow,
                snapshot,
                self._engine.interpreter,
                hurting[:1],
                companions,
                deadline=max(self._search_until - time.monotonic(), 0.1) + 5.0,
            )
            self._sessions[id(snapshot)] = self._stack.enter_context(session)
        return self._sessions[id(snapshot)]

    def _twitch(
        self, snapshot: Snapshot, pain: Pain, candidates: Iterable[Candidate], patience: _Patience
    ) -> tuple[Trial, ...]:
        began = time.monotonic()
        trials: list[Trial] = []
        taken: list[Candidate] = []
        for trial in self._try(snapshot, pain, _noted(candidates, taken), patience):
            trials.append(trial)
            self.attempts += 1
            self._tell(LimbState.TWITCHING)
        self.searched += time.monotonic() - began
        answered = {id(trial.candidate) for trial in trials}
        # Their turn comes when what passed does not hold.
        untried = [candidate for candidate in taken if id(candidate) not in answered]
        self._streams[self._at] = itertools.chain(untried, self._streams[self._at])
        return tuple(trials)

    def _try(
        self, snapshot: Snapshot, pain: Pain, candidates: Iterable[Candidate], patience: _Patience
    ) -> Iterator[Trial]:
        session = self._session(snapshot, pain)
        if session is None:
            for candidate in candidates:
                if patience.is_over() or time.monotonic() >= self._search_until:
                    return
                trial = self._try_cold(snapshot, pain, candidate)
                patience.saw(trial)
                yield trial
            return
        for trial in session.try_candidates(candidates, until=self._search_until, stop=patience.is_over):
            patience.saw(trial)
            yield trial

    def _try_cold(self, snapshot: Snapshot, pain: Pain, candidate: Candidate) -> Trial:
        """For pain that no test shows: the same sensors again, in full."""
        try:
            left = self._feel(candidate.apply(snapshot))
        except (NotFound, NotText) as error:
            return Trial(candidate, "unsupported", why=error.message)
        status: TrialStatus = "passed" if left.count < pain.count else "failed"
        return Trial(candidate, status, passed=max(pain.count - left.count, 0))
