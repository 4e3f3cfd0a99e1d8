"""From a person's yes to the change set that may be made: hunks chosen, merged, sensed and judged again.

It writes nothing. What it returns is for the snapshot that is current then, and a front turns it into a workspace edit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from octolimb.core.changes import ChangeSet
from octolimb.core.paths import RelPath
from octolimb.core.proposals import Decision
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Verdict
from octolimb.engine.engine import Engine
from octolimb.engine.proposals import ProposalStore
from octolimb.engine.stopping import never

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
    was chosen breaks something; `needs` are the hunks that would mend it. `conflict`: `conflicts` cannot be merged.
    `stale`: the files moved on twice meanwhile. `failed`: it could not be sensed.
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
        raise NotImplementedError

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
        raise NotImplementedError
