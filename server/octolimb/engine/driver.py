"""Carries out what a limb asks: the one place where its wishes meet processes. It decides nothing about repair."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self

from octolimb.core.changes import changes_between
from octolimb.core.errors import CannotSense, NotFound, NotText
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Outcome, TestResult, Verdict
from octolimb.engine.engine import SENSORS, Engine
from octolimb.limbs.candidates import Candidate, Suspicion, Trial
from octolimb.limbs.coders.mutations import generate, two_edits
from octolimb.limbs.coders.pain import PainHints, hints_from
from octolimb.limbs.coders.tactics import tactics
from octolimb.limbs.effects import (
    Confirm,
    Effect,
    Generate,
    Judge,
    LimbOutcome,
    LimbState,
    Reply,
    Sense,
    Stage,
    Twitch,
)
from octolimb.limbs.pain import Pain
from octolimb.limbs.reflex import Reflex
from octolimb.limbs.search.session import SearchSession
from octolimb.sense.lint import lint_fixes
from octolimb.sense.sensing import SenseRequest, sense
from octolimb.sense.tests.impact import is_test_file
from octolimb.sense.tests.run import TestSelection, findings_of, run_tests

CODERS: Final = ("tactics", "search")
_BATCH: Final = {"tactics": 8, "search": 256}
_STATE: Final = {
    Sense: LimbState.SENSING,
    Generate: LimbState.GENERATING,
    Twitch: LimbState.TWITCHING,
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


@dataclass(frozen=True)
class LimbGoal:
    """The tests that must pass and, for pain that no test shows, the files whose errors must go."""

    tests: tuple[str, ...]
    files: tuple[RelPath, ...] = ()
    pain: Pain = Pain()
    deadline: float = 600.0


class LimbDriver:
    """Drives one limb to its end. A context manager: leaving it ends the limb's processes."""

    def __init__(self, engine: Engine, start: Snapshot, goal: LimbGoal, *, until: float) -> None:
        """`until` is a `time.monotonic()` instant after which no more candidates are tried."""
        self._engine = engine
        self._start = start
        self._goal = goal
        self._until = until
        self._coders: dict[tuple[str, int], Iterator[Candidate]] = {}
        self._sessions: dict[int, SearchSession] = {}
        self._stack = ExitStack()
        self.attempts = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def drive(self, limb: Reflex, progress: Callable[[LimbProgress], None]) -> LimbOutcome:
        """Runs the generator to its end and returns what it says."""
        began = time.monotonic()
        try:
            effect = next(limb)
            while True:
                progress(LimbProgress(_STATE[type(effect)], self.attempts, time.monotonic() - began))
                effect = limb.send(self._carry_out(effect))
        except StopIteration as end:
            outcome: LimbOutcome = end.value
            progress(LimbProgress(outcome.state, outcome.attempts, time.monotonic() - began, outcome.why))
            return outcome

    def _carry_out(self, effect: Effect) -> Reply:
        match effect:
            case Sense(snapshot):
                return self._goal.pain if snapshot is self._start else self._feel(snapshot)
            case Generate(coder, snapshot, pain):
                return self._generate(coder, snapshot, pain)
            case Twitch(snapshot, pain, candidates):
                return self._twitch(snapshot, pain, candidates)
            case Stage(snapshot, candidate):
                return candidate.apply(snapshot)
            case Confirm(snapshot):
                return self._confirm(snapshot)
            case Judge(snapshot):
                return self._engine.judge(changes_between(self._start, snapshot), role="repair")

    # -- sensing -----------------------------------------------------------------------------------------------

    def _feel(self, snapshot: Snapshot) -> Pain:
        tests: list[TestResult] = []
        if self._goal.tests:
            selection = TestSelection("full", self._goal.tests, None, self._goal.tests)
            with self._engine.host.project(snapshot) as shadow:
                run = run_tests(
                    shadow, snapshot, self._engine.interpreter, selection, deadline=self._goal.deadline
                )
            tests = [
                result
                for name in self._goal.tests
                if (result := run.results.get(name)) and result.outcome is not Outcome.PASSED
            ]
            broken = run.errors
        else:
            broken = ()
        findings = self._static_pains(snapshot) if self._goal.files else ()
        return Pain(tuple(tests), (*broken, *findings))

    def _static_pains(self, snapshot: Snapshot) -> tuple[()] | tuple:
        request = SenseRequest(
            snapshot=snapshot,
            baseline=None,
            tests="none",
            sensors=SENSORS - {"tests"},
            paths=self._goal.files,
            named=(),
            interpreter=self._engine.interpreter,
        )
        return sense(self._engine.host, request).pains

    def _confirm(self, snapshot: Snapshot) -> Verdict:
        return self._engine.confirm(self._start, snapshot, self._goal.tests, deadline=self._goal.deadline)
