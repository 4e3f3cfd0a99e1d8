"""From a person's yes to the change set that may be made: hunks chosen, merged, sensed and judged again.

It writes nothing. What it returns is for the snapshot that is current then, and a front turns it into a workspace edit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final, Literal

from octolimb.core.changes import ChangeSet, changes_between
from octolimb.core.errors import BadInput, CannotSense, TimeIsUp
from octolimb.core.hunks import select_hunks
from octolimb.core.paths import RelPath
from octolimb.core.proposals import Decision
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Verdict
from octolimb.engine.confirming import Confirmation
from octolimb.engine.engine import Engine
from octolimb.engine.needs import Trial
from octolimb.engine.proposals import ProposalStore, StoredProposal
from octolimb.engine.stopping import never, stoppable
from octolimb.workspace.merge import rebase_changes
from octolimb.workspace.pinned import PinnedBase

_ATTEMPTS: Final = 2
_FINAL: Final = ("conflict", "ask", "denied", "failed")
"""Ends that hold though the files moved on: nothing comes of them."""

AcceptStatus = Literal["ready", "tried", "ask", "denied", "regressed", "conflict", "stale", "failed"]


@dataclass(frozen=True)
class Truth:
    """What is true now: the disk under the editor's buffers. `epoch` rises whenever the disk may have changed."""

    snapshot: Snapshot
    epoch: int


@dataclass(frozen=True)
class Acceptance:
    """How accepting ended; `message` is one line for a person, and with everything but `ready` nothing may be applied.

    `ready`: `change_set` leads from `truth.snapshot` to what was chosen; it is empty where that is so already.
    `tried`: sensed as was wished, whatever came out. `ask`: the guard wants a person's explicit yes. `regressed`: what
    was chosen breaks something. `conflict`: `conflicts` cannot be merged. `stale`: the files moved on twice meanwhile.
    `failed`: it could not be sensed. Where `verdict` is regressed, `needs` are the hunks that would mend it, as far as
    that was found in time.
    """

    status: AcceptStatus
    message: str
    hunks: tuple[str, ...] = ()
    change_set: ChangeSet | None = None
    truth: Truth | None = None
    verdict: Verdict | None = None
    decision: Decision | None = None
    needs: tuple[str, ...] = ()
    conflicts: tuple[RelPath, ...] = ()


class Accepting:
    """Accepts and tries proposals of one repository. Safe to share between threads; each call waits for its sensing."""

    def __init__(self, engine: Engine, store: ProposalStore, current: Callable[[], Truth]) -> None:
        """`current` gives what is true at the moment, and may give another answer each time."""
        self._engine = engine
        self._store = store
        self._current = current

    def accept(
        self,
        identifier: str,
        hunks: Collection[str] | None = None,
        *,
        confirmed: bool = False,
        deadline: float = 120.0,
        cancelled: Callable[[], bool] = never,
    ) -> Acceptance:
        """What may be made of these hunks, None for all about which nobody decided.

        `confirmed`: the person has read what the guard asks and said yes. `deadline` is in seconds for everything. The
        store is not told: `ProposalStore.accept` records what was really applied. Raises `NotFound` for a proposal that
        is gone, `BadInput` for an unknown hunk, `Cancelled` and `TimeIsUp`.
        """
        return self._end(identifier, hunks, confirmed, deadline, cancelled, judge=True)

    def try_hunks(
        self,
        identifier: str,
        hunks: Collection[str],
        *,
        deadline: float = 120.0,
        cancelled: Callable[[], bool] = never,
    ) -> Acceptance:
        """Senses these hunks on what is true now, accepting nothing: ends `tried`, or as `accept` before the guard.

        Raises as `accept` does.
        """
        return self._end(identifier, hunks, False, deadline, cancelled, judge=False)

    # -- private -----------------------------------------------------------------------------------------------

    def _end(
        self,
        identifier: str,
        hunks: Collection[str] | None,
        confirmed: bool,
        deadline: float,
        cancelled: Callable[[], bool],
        *,
        judge: bool,
    ) -> Acceptance:
        began = time.monotonic()
        stored = self._store.get(identifier)
        chosen = _in_order(stored, stored.remaining if hunks is None else hunks)
        with stoppable(self._engine, cancelled, deadline=deadline) as own:
            for _ in range(_ATTEMPTS):
                truth = self._current()
                # Pinned, so that what is sensed, judged and returned are the same bytes.
                truth = replace(truth, snapshot=replace(truth.snapshot, base=PinnedBase(truth.snapshot.base)))
                acceptance = self._attempt(own, stored, chosen, truth, confirmed, deadline, judge=judge)
                if acceptance.status in _FINAL or is_same(truth, self._current()):
                    break
            else:
                return Acceptance("stale", "the files changed again while this was checked: try once more", chosen)
        if acceptance.verdict is None or not acceptance.verdict.regressed or acceptance.truth is None:
            return acceptance
        left = deadline - (time.monotonic() - began)
        needs = self._needs(stored, chosen, acceptance.truth.snapshot, left, cancelled)
        told = f"{acceptance.message}; {_advice(needs)}"
        return replace(acceptance, needs=needs, message=told)

    def _attempt(
        self,
        engine: Engine,
        stored: StoredProposal,
        chosen: tuple[str, ...],
        truth: Truth,
        confirmed: bool,
        deadline: float,
        *,
        judge: bool,
    ) -> Acceptance:
        selected = select_hunks(stored.proposal.change_set, chosen)
        target, conflicts = rebase_changes(selected, stored.solution.before, truth.snapshot)
        changes = changes_between(truth.snapshot, target)
        # Nothing may go that nobody chose.
        conflicts += sorted(set(changes.paths) - set(selected.paths))
        if conflicts:
            names = ", ".join(dict.fromkeys(conflicts))
            message = f"{names} cannot be merged with what changed since it was proposed: send a limb again"
            return Acceptance("conflict", message, chosen, truth=truth, conflicts=tuple(dict.fromkeys(conflicts)))
        stands = set(chosen) == set(stored.hunks) and is_same(Truth(stored.solution.before, stored.epoch), truth)
        verdict = stored.proposal.verdict
        if not stands:
            # It outlasts the whole: what runs out of time is stopped, and never seen to lose a test.
            confirmation = Confirmation(engine, truth.snapshot, deadline=deadline + 5.0)
            verdict = confirmation.verdict(target, stored.solution.goal)
        reached = Acceptance("tried", _said(verdict, stands=stands), chosen, changes, truth, verdict)
        if not verdict.complete:
            return replace(reached, status="failed", change_set=None)
        if verdict.regressed and judge:
            return replace(reached, status="regressed", change_set=None)
        return self._judged(engine, stored, reached, changes, confirmed=confirmed) if judge else reached

    def _judged(
        self, engine: Engine, stored: StoredProposal, reached: Acceptance, changes: ChangeSet, *, confirmed: bool
    ) -> Acceptance:
        """The guard's word on exactly what would be made."""
        decision = engine.judge(changes, role=stored.role)
        reached = replace(reached, decision=decision)
        reason = decision.reasons[0].message if decision.reasons else decision.decision
        if decision.decision == "deny":
            return replace(reached, status="denied", message=f"the guard denies it: {reason}", change_set=None)
        if decision.decision == "ask" and not confirmed:
            message = f"the guard asks for a person's yes: {reason}"
            return replace(reached, status="ask", message=message, change_set=None)
        return replace(reached, status="ready")

    def _needs(
        self,
        stored: StoredProposal,
        chosen: tuple[str, ...],
        start: Snapshot,
        left: float,
        cancelled: Callable[[], bool],
    ) -> tuple[str, ...]:
        """What would mend it: known from before, or tried for as long as there is time."""
        known = {other for hunk in chosen for other in stored.needs.get(hunk, ())} - {*chosen, *stored.accepted}
        if known:
            return _in_order(stored, known)
        others = [hunk for hunk in stored.hunks if hunk not in chosen and hunk not in stored.accepted]
        try:
            with stoppable(self._engine, cancelled, deadline=left) as own:
                trial = Trial(own, stored, start, deadline=left, known_to_break=chosen)
                return trial.fewest_others(chosen, others) or ()
        except (TimeIsUp, CannotSense):
            pass
        return ()


def is_same(before: Truth, now: Truth) -> bool:
    """True where every file is as it was, as far as buffers and the disk's epoch tell."""
    snapshot = replace(before.snapshot, base=now.snapshot.base)
    return before.epoch == now.epoch and not changes_between(snapshot, now.snapshot)


def _in_order(stored: StoredProposal, hunks: Collection[str]) -> tuple[str, ...]:
    """Raises `BadInput` for an unknown hunk, and for none at all."""
    if unknown := sorted(set(hunks) - set(stored.hunks)):
        raise BadInput(f"proposal {stored.id} has no hunk {unknown[0]!r}", hint="list the proposals again")
    if not hunks:
        raise BadInput(f"nothing of proposal {stored.id} is left to choose", hint="restore a hunk first")
    return tuple(hunk for hunk in stored.hunks if hunk in hunks)


def _said(verdict: Verdict, *, stands: bool) -> str:
    """One line on what sensing said."""
    if stands:
        return "it is just what was sensed"
    if not verdict.complete:
        crashed = ", ".join(f"{run.name} ({run.why})" for run in verdict.sensors if run.status == "crashed")
        return f"it could not be checked: {crashed or 'a sensor did not run'}"
    failing = [*verdict.tests.failures, *(pain.message for pain in verdict.pains if pain.test is None)]
    more = f" and {len(failing) - 1} more" if len(failing) > 1 else ""
    if verdict.regressed:
        return f"it breaks {failing[0] if failing else 'a test'}{more}"
    if verdict.green:
        return "checked again, and green"
    still = f": {failing[0]}{more}" if failing else ""
    return f"checked again: it breaks nothing, and not everything passes yet{still}"


def _advice(needs: tuple[str, ...]) -> str:
    return f"choose {', '.join(needs)} too" if needs else "nothing else of it is known to mend that"
