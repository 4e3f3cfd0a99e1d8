"""Confirms a limb's solution: cold, in a fresh process, with every sensor and the tests that the change can reach.

Where those are many only what is near is sensed at first, since a wrong solution mostly breaks something there; all
that there is then only if the time is enough, and the verdict says which it was.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from octolimb.core.changes import changes_between
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import SensorRun, Verdict
from octolimb.engine.engine import SENSORS, Engine
from octolimb.sense.memory import BaselineMemory
from octolimb.sense.sensing import SenseRequest, sense
from octolimb.sense.tests.impact import Vicinity, vicinity_of

_NEAR_FILES: Final = 12
_FEW_FILES: Final = 24
"""So many test files all run at once: to run half of them beforehand would save nothing."""
_LEAST_SECONDS: Final = 30.0
"""What late solutions get all the same: a sensing that is cut short refuses what may be right."""
_TESTS: Final = "tests"


class Confirmation:
    """Verdicts on solutions that all start from one snapshot: what that was like is sensed once."""

    def __init__(
        self,
        engine: Engine,
        start: Snapshot,
        *,
        deadline: float = 600.0,
        sensors: frozenset[str] = SENSORS,
        until: float | None = None,
    ) -> None:
        """With `until`, a `time.monotonic()` instant, tests that are not near run only if they should be done by then.

        With None all that a solution can reach run, for at most `deadline` seconds.
        """
        self._engine = engine
        self._start = start
        self._deadline = deadline
        self._sensors = sensors
        self._until = until
        self._memory = BaselineMemory(start)
        self._old_pain: set[str] = set()

    def verdict(self, solution: Snapshot, goal: tuple[str, ...], *, spared: tuple[str, ...] = ()) -> Verdict:
        """The verdict on `solution`: the `goal` tests must pass, and no other may be worse than it was.

        Tests that failed before and are not of the goal are somebody else's pain: they are left out, as are the
        `spared` ones. Raises `CannotSense`.
        """
        request = SenseRequest(
            snapshot=solution,
            baseline=self._start,
            tests="impacted",
            required=goal,
            sensors=self._sensors,
            interpreter=self._engine.interpreter,
            deadline=self._deadline,
        )
        if self._until is None:
            return self._sense(request, spared)
        request = replace(request, deadline=max(_LEAST_SECONDS, self._until - time.monotonic()))
        near = vicinity_of(solution, changes_between(self._start, solution).paths, _NEAR_FILES)
        if near is None or near.total <= _FEW_FILES:
            return self._sense(request, spared)
        verdict = self._sense(replace(request, among=near.tests, paths=near.sources), spared)
        verdict = replace(verdict, sensors=tuple(_limited(run, near) for run in verdict.sensors))
        expected = _expected_seconds(verdict, near)
        if not verdict.green or time.monotonic() + expected > self._until:
            return verdict
        # What takes twice as long as it should hangs, and is refused for it.
        return self._sense(replace(request, deadline=2 * expected), spared)

    def _sense(self, request: SenseRequest, spared: tuple[str, ...]) -> Verdict:
        goal = frozenset(request.required)
        request = request.without((self._old_pain - goal) | frozenset(spared))
        verdict = sense(self._engine.host, request, memory=self._memory)
        failed_before = {finding.test for finding in verdict.findings if finding.test and not finding.new}
        if verdict.green or not failed_before - goal:
            return verdict
        self._old_pain |= failed_before
        return sense(self._engine.host, request.without(failed_before - goal), memory=self._memory)


def _limited(run: SensorRun, near: Vicinity) -> SensorRun:
    """The tests say it themselves."""
    if run.name == _TESTS or run.status != "ran":
        return run
    return replace(run, why=f"only in {', '.join(near.sources)}: what changes and what imports it")


def _expected_seconds(verdict: Verdict, near: Vicinity) -> float:
    """What all tests should take, by the near ones; rather too much, since those paid for the start as well."""
    took = max(sensor.ms for sensor in verdict.sensors if sensor.name == _TESTS) / 1000
    return took * near.total / len(near.tests)
