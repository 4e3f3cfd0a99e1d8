"""Confirms a limb's solution: cold, in a fresh process, with every sensor and all tests that the change can reach."""

from __future__ import annotations

from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Verdict
from octolimb.engine.engine import SENSORS, Engine
from octolimb.sense.sensing import SenseRequest, sense


def confirm(
    engine: Engine,
    start: Snapshot,
    solution: Snapshot,
    goal: tuple[str, ...],
    *,
    spared: tuple[str, ...] = (),
    deadline: float,
) -> Verdict:
    """The verdict on `solution` against `start`: the `goal` tests must pass, and no other may be worse than it was.

    Tests that failed before and are not of the goal are somebody else's pain: they are left out of the run, as are
    the `spared` ones. Raises `CannotSense`.
    """
    request = SenseRequest(
        snapshot=solution,
        baseline=start,
        tests="impacted",
        sensors=SENSORS,
        named=goal,
        interpreter=engine.interpreter,
        deadline=deadline,
    )
    verdict = sense(engine.host, request)
    old_pain = {finding.test for finding in verdict.findings if finding.test and not finding.new} - set(goal)
    if verdict.green or not old_pain:
        return verdict
    return verdict
