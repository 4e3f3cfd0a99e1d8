"""What the editor's buffers held when all was green, and what has to change for them to hold that again.

It shares documents with the snapshots that it saw and copies none. It senses nothing, and changes nothing itself.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from octolimb.core.changes import ChangeSet
from octolimb.core.document import Document
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot

Colour = Literal["green", "red", "unknown"]

_MOST_STATES: Final = 200
_MOST_BYTES: Final = 64 << 20


@dataclass(frozen=True)
class WayBack:
    """`changes` lead from the current snapshot to the green one of `generation`; empty where nothing differs.

    `green` is that state as a snapshot, as far as it is known. `unknown` are files that changed on disk since then and
    whose content at that time nobody saw: they stay as they are.
    """

    generation: int
    changes: ChangeSet
    green: Snapshot
    unknown: tuple[RelPath, ...] = ()


class VerdictHistory:
    """The colours of past generations of one repository, with the buffers of each. Safe to share between threads."""

    def __init__(self, *, most_states: int = _MOST_STATES, most_bytes: int = _MOST_BYTES) -> None:
        """Older states are forgotten beyond either bound; of documents, those shared by states count once.

        The last green one is kept longest, and forgotten only where it is too large by itself.
        """

    def settled(self, snapshot: Snapshot, colour: Colour) -> None:
        """Records a generation that was sensed through. `unknown` is for a verdict that is not complete."""
        raise NotImplementedError

    def opened(self, document: Document) -> None:
        """A buffer was opened, with this content, which is the disk's at this moment."""
        raise NotImplementedError

    def disk_changed(self, paths: Collection[RelPath]) -> None:
        """These files changed on disk: by a save as well as from outside. Tell it before `opened` of what is read."""
        raise NotImplementedError

    def colours(self) -> tuple[tuple[int, Colour], ...]:
        """Generation and colour of what is remembered, oldest first."""
        raise NotImplementedError

    def way_back(self, current: Snapshot) -> WayBack | None:
        """From `current` to the last green state; None where there was none or it is forgotten.

        A buffer that was open then gets what it held, also where it was saved or closed since. A file that was opened
        later gets what it held when it was opened, if it had not changed on disk since the green state.
        """
        raise NotImplementedError

    def back_to_last_green(self, current: Snapshot) -> ChangeSet | None:
        """The changes of `way_back` alone; None where there is no way or nothing to change."""
        raise NotImplementedError
