"""Confirms a limb's solution: cold, in a fresh process, with every sensor and all tests that the change can reach."""

from __future__ import annotations

from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Verdict
from octolimb.engine.engine import SENSORS, Engine
from octolimb.sense.memory import BaselineMemory
from octolimb.sense.sensing import SenseRequest, sense


class Confirmation:
    """Verdicts on solutions that all start from one snapshot: what that was like is sensed once."""

    def __init__(self, engine: Engine, start: Snapshot, *, deadline: float, sensors: frozenset[str] = SENSORS) -> None:
        """`deadline` is in seconds, for each confirmation."""
        self._engine = engine
        self._start = start
        self._deadline = deadline
        self._sensors = sensors
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
            left_out=frozenset(spared) | (self._old_pain - set(goal)),
            sensors=self._sensors,
            interpreter=self._engine.interpreter,
            deadline=self._deadline,
        )
        verdict = sense(self._engine.host, request, memory=self._memory)
        failed_before = {finding.test for finding in verdict.findings if finding.test and not finding.new}
        if verdict.green or not failed_before - set(goal):
            return verdict
        self._old_pain |= failed_before
        return sense(self._engine.host, request.without(failed_before - set(goal)), memory=self._memory)
