"""Which hunks of a proposal cannot do without which others: found by trying, so that what it says is so.

It runs for as long as it is let; a front calls it in the background and has the store keep what it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from octolimb.core.errors import BadInput, Cancelled, CannotSense, TimeIsUp
from octolimb.core.hunks import select_hunks
from octolimb.core.minimizing import minimize
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Verdict
from octolimb.engine.confirming import Confirmation
from octolimb.engine.engine import SENSORS, Engine
from octolimb.engine.proposals import StoredProposal
from octolimb.engine.stopping import never, stoppable
from octolimb.workspace.merge import rebase_changes

_TESTS: Final = frozenset({"tests"})
_PATIENCE: Final = 5.0
"""Seconds by which a sensing may outlast the whole: what runs out of time is stopped, and never seen to lose a test."""


def _silent(_: str, __: tuple[str, ...]) -> None:
    return


def find_needs(
    engine: Engine,
    stored: StoredProposal,
    *,
    deadline: float,
    cancelled: Callable[[], bool] = never,
    found: Callable[[str, tuple[str, ...]], None] = _silent,
) -> Mapping[str, tuple[str, ...]]:
    """For each hunk, the fewest others with which it breaks nothing that it breaks alone; () for most.

    Tried on the state that the limb set out from: an error that is new there, or a test that passed there and fails or
    is lost, is something broken. `found` is told of each hunk when it is known. After `deadline` seconds, or when
    `cancelled`, what was not found yet is left out. Raises `CannotSense` and `CannotIsolate`.
    """
    needs: dict[str, tuple[str, ...]] = {}

    def know(hunk: str, others: tuple[str, ...]) -> None:
        needs[hunk] = others
        found(hunk, others)

    hunks = stored.hunks
    if len(hunks) == 1:
        # The whole was confirmed before it was proposed.
        know(hunks[0], ())
        return needs
    try:
        with stoppable(engine, cancelled, deadline=deadline) as own:
            trial = Trial(own, stored, stored.solution.before, deadline=deadline)
            for hunk in hunks:
                know(hunk, trial.fewest_others([hunk], [other for other in hunks if other != hunk]) or ())
    except (Cancelled, TimeIsUp):
        pass
    return needs


class Trial:
    """Tries parts of one proposal on one state, the cheap sensors first; no part is tried twice."""

    def __init__(
        self,
        engine: Engine,
        stored: StoredProposal,
        start: Snapshot,
        *,
        deadline: float,
        known_to_break: Collection[str] = (),
    ) -> None:
        """`deadline` is in seconds for everything, and somebody else's to keep; see `stoppable`.

        `known_to_break` are hunks that were tried together on `start` before.
        """
        self._stored = stored
        self._start = start
        patience = deadline + _PATIENCE
        self._static = Confirmation(engine, start, deadline=patience, sensors=SENSORS - _TESTS)
        self._tests = Confirmation(engine, start, deadline=patience, sensors=_TESTS)
        self._known: dict[frozenset[str], bool] = {frozenset(known_to_break): True} if known_to_break else {}

    def breaks(self, hunks: Collection[str]) -> bool:
        """True where these hunks alone break something that was whole at the start, or cannot be made alone.

        Raises `CannotSense` and `CannotIsolate`.
        """
        key = frozenset(hunks)
        if key not in self._known:
            self._known[key] = bool(key) and self._try(key)
        return self._known[key]

    def fewest_others(self, hunks: Collection[str], others: Sequence[str]) -> tuple[str, ...] | None:
        """The fewest of `others` with which `hunks` break nothing: () where they break nothing alone.

        None where all of them together do not mend it. Raises as `breaks` does.
        """
        if not self.breaks(hunks):
            return ()
        if not others or self.breaks([*hunks, *others]):
            return None
        return minimize(others, lambda some: not self.breaks([*hunks, *some]))

    def _try(self, hunks: frozenset[str]) -> bool:
        try:
            selected = select_hunks(self._stored.proposal.change_set, hunks)
        except BadInput:
            return True
        target, conflicts = rebase_changes(selected, self._stored.solution.before, self._start)
        if conflicts:
            return True
        return any(_regressed(sensing.verdict(target, self._goal(sensing))) for sensing in (self._static, self._tests))

    def _goal(self, sensing: Confirmation) -> tuple[str, ...]:
        return self._stored.solution.goal if sensing is self._tests else ()


def _regressed(verdict: Verdict) -> bool:
    if not verdict.complete and not verdict.regressed:
        crashed = next(run for run in verdict.sensors if run.status == "crashed")
        raise CannotSense(f"{crashed.name} could not be sensed: {crashed.why}", hint=crashed.hint)
    return verdict.regressed
