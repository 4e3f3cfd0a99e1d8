"""What limbs propose in one repository, until a person has decided: held, rejected by hunk, had back, gone stale.

It holds and tells; it senses, judges and writes nothing (see `accepting`).
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Final, Literal

from octolimb.core.errors import BadInput, NotFound
from octolimb.core.hunks import Edit, edits_of
from octolimb.core.proposals import Proposal
from octolimb.core.snapshot import Snapshot
from octolimb.engine.fixing import FixResult, Solution
from octolimb.guard.rulings import Role

_log = logging.getLogger(__name__)

ProposalState = Literal["open", "stale", "accepted", "rejected"]
ProposalNews = Literal["new", "changed", "gone"]
Listener = Callable[[ProposalNews, "StoredProposal"], None]

_NUMBERS: Final = itertools.count(1)
"""One count for all stores, so that an id is never given twice in a daemon's life."""
_MOST_PROPOSALS: Final = 100


@dataclass(frozen=True)
class StoredProposal:
    """A proposal and what became of it so far; an immutable value, replaced with a higher `revision` at each change.

    `solution` has the proposal with its contents before and after. `needs` maps each hunk that was tried to the hunks
    without which it breaks something; a hunk that it does not have was not tried yet. `epoch` is the disk's when the
    limb set out. `is_stale`: a file that it still would change no longer has the bytes that it had then.
    """

    id: str
    limb: str
    solution: Solution
    epoch: int
    revision: int = 1
    rejected: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()
    is_stale: bool = False
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def proposal(self) -> Proposal:
        return self.solution.proposal

    @property
    def role(self) -> Role:
        """Whose change it is to the guard."""
        return self.solution.role

    @property
    def generation(self) -> int:
        """Of the state that the limb set out from."""
        return self.solution.before.generation

    @cached_property
    def edits(self) -> tuple[Edit, ...]:
        """Its hunks with texts, in path order; also those that are rejected or accepted."""
        return edits_of(self.proposal.change_set)

    @property
    def hunks(self) -> tuple[str, ...]:
        """The ids of all hunks, in path order."""
        return tuple(edit.id for edit in self.edits)

    @property
    def remaining(self) -> tuple[str, ...]:
        """The ids of the hunks about which nobody has decided, in path order."""
        return tuple(hunk for hunk in self.hunks if hunk not in self.rejected and hunk not in self.accepted)

    @property
    def state(self) -> ProposalState:
        """`accepted` or `rejected` once nothing remains: the former if anything was accepted at all."""
        if not self.remaining:
            return "accepted" if self.accepted else "rejected"
        return "stale" if self.is_stale else "open"


class ProposalStore:
    """The proposals of one repository. Safe to share between threads.

    Listeners are told of each change after it was made, in the thread that made it and with no lock held: of two that
    arrive out of order the one with the higher revision counts.
    """

    def __init__(self, *, most: int = _MOST_PROPOSALS) -> None:
        """`most`: how many are kept; of more, those that are decided go first, then the oldest."""
        self._most = most
        self._lock = threading.Lock()
        self._stored: dict[str, StoredProposal] = {}
        self._listeners: list[Listener] = []

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Has `listener` told what became of which proposal; returns what ends that. It must not wait for anything."""
        with self._lock:
            self._listeners.append(listener)

        def stop() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return stop

    # -- reading -----------------------------------------------------------------------------------------------

    def listed(self) -> tuple[StoredProposal, ...]:
        """All of them: the newest limb's first, each limb's in its order."""
        with self._lock:
            stored = list(self._stored.values())
        limbs = list(dict.fromkeys(one.limb for one in reversed(stored)))
        return tuple(sorted(stored, key=lambda one: (limbs.index(one.limb), one.proposal.rank)))

    def get(self, identifier: str) -> StoredProposal:
        """Raises `NotFound`, also for one that is gone."""
        with self._lock:
            return self._get(identifier)

    # -- changing ----------------------------------------------------------------------------------------------

    def add(self, limb: str, result: FixResult, *, epoch: int) -> tuple[StoredProposal, ...]:
        """Takes in what a limb proposes, each under a new id, best first. `epoch` is the disk's when it set out."""
        added = []
        for solution in result.solutions:
            proposal = solution.proposal
            identifier = f"p{next(_NUMBERS)}-{proposal.receipt.id[:12]}"
            named = replace(solution, proposal=replace(proposal, id=identifier))
            added.append(StoredProposal(identifier, limb, named, epoch))
        with self._lock:
            self._stored.update({one.id: one for one in added})
            gone = self._crowded_out(keep={one.id for one in added})
        for one in gone:
            self._tell("gone", one)
        for one in added:
            self._tell("new", one)
        return tuple(added)

    def reject(self, identifier: str, hunks: Collection[str] | None = None) -> StoredProposal:
        """Rejects these hunks, None for all that remain. Raises `NotFound`, and `BadInput` for an unknown hunk."""
        return self._decide(
            identifier, hunks, lambda one, chosen: replace(one, rejected=one.rejected | (chosen - one.accepted))
        )

    def restore(self, identifier: str, hunks: Collection[str] | None = None) -> StoredProposal:
        """Has rejected hunks back, None for all of them. Raises `NotFound`, and `BadInput` for an unknown hunk."""
        every = () if hunks is None else hunks
        return self._decide(
            identifier,
            every,
            lambda one, chosen: replace(one, rejected=frozenset() if hunks is None else one.rejected - chosen),
        )

    def accept(self, identifier: str, hunks: Collection[str]) -> StoredProposal:
        """Records that these hunks were applied. Raises `NotFound`, and `BadInput` for an unknown hunk."""
        return self._decide(
            identifier,
            hunks,
            lambda one, chosen: replace(one, accepted=one.accepted | chosen, rejected=one.rejected - chosen),
        )

    def keep_needs(self, identifier: str, needs: Mapping[str, tuple[str, ...]]) -> StoredProposal:
        """Adds what was found by trying. Raises `NotFound`, and `BadInput` for an unknown hunk."""
        mentioned = {*needs, *itertools.chain.from_iterable(needs.values())}
        return self._decide(
            identifier, mentioned, lambda one, _: replace(one, needs=MappingProxyType({**one.needs, **needs}))
        )

    def drop(self, identifier: str) -> None:
        """Forgets a proposal; one that is gone already is no error."""
        with self._lock:
            gone = self._stored.pop(identifier, None)
        if gone:
            self._tell("gone", replace(gone, revision=gone.revision + 1))

    def mark_stale(self, current: Snapshot) -> tuple[StoredProposal, ...]:
        """Compares what is left of each proposal with the bytes that its files have now; those whose answer changed.

        One becomes fresh again when the bytes are back. Reads one document for each file that a proposal touches.
        """
        verdicts = {one.id: is_stale(one, current) for one in self.listed() if one.remaining}
        changed = []
        with self._lock:
            for identifier, stale in verdicts.items():
                one = self._stored.get(identifier)
                if one is not None and one.is_stale != stale:
                    changed.append(self._put(replace(one, is_stale=stale)))
        for one in changed:
            self._tell("changed", one)
        return tuple(changed)

    # -- private -----------------------------------------------------------------------------------------------

    def _get(self, identifier: str) -> StoredProposal:
        stored = self._stored.get(identifier)
        if stored is None:
            raise NotFound(f"there is no proposal {identifier} any more", hint="list the proposals again")
        return stored

    def _put(self, stored: StoredProposal) -> StoredProposal:
        raised = replace(stored, revision=stored.revision + 1)
        self._stored[stored.id] = raised
        return raised

    def _decide(
        self,
        identifier: str,
        hunks: Collection[str] | None,
        change: Callable[[StoredProposal, frozenset[str]], StoredProposal],
    ) -> StoredProposal:
        with self._lock:
            before = self._get(identifier)
            after = change(before, _known(before, before.remaining if hunks is None else hunks))
            if after == before:
                return before
            after = self._put(after)
        self._tell("changed", after)
        return after

    def _crowded_out(self, keep: Collection[str]) -> list[StoredProposal]:
        others = [one for one in self._stored.values() if one.id not in keep]
        others.sort(key=lambda one: bool(one.remaining))  # Stable: the oldest first among their like.
        gone = others[: max(len(self._stored) - self._most, 0)]
        for one in gone:
            del self._stored[one.id]
        return gone

    def _tell(self, news: ProposalNews, stored: StoredProposal) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            try:
                listener(news, stored)
            except Exception:  # noqa: BLE001 - What a listener dies of must not undo what it is told of.
                _log.exception("a listener failed when proposal %s was %s", stored.id, news)


def is_stale(stored: StoredProposal, current: Snapshot) -> bool:
    """True where a file that a remaining hunk changes no longer has the bytes that the limb saw."""
    remaining = frozenset(stored.remaining)
    touched = {edit.path for edit in stored.edits if edit.id in remaining}
    for change in stored.proposal.change_set:
        if change.path not in touched:
            continue
        now = current.get(change.old_path)
        if (now.digest if now else None) != (change.before.digest if change.before else None):
            return True
        if change.kind == "rename" and current.kind(change.path) is not None:
            return True
    return False


def _known(stored: StoredProposal, hunks: Collection[str]) -> frozenset[str]:
    if unknown := sorted(frozenset(hunks) - frozenset(stored.hunks)):
        raise BadInput(f"proposal {stored.id} has no hunk {unknown[0]!r}", hint="list the proposals again")
    return frozenset(hunks)
