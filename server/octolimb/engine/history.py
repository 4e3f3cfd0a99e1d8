"""What the editor's buffers held when all was green, and what has to change for them to hold that again.

It shares documents with the snapshots that it saw and copies none. It senses nothing, and changes nothing itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from octolimb.core.changes import ChangeSet, changes_between
from octolimb.core.document import Document
from octolimb.core.overlay import Entry
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


@dataclass(frozen=True)
class _State:
    generation: int
    colour: Colour
    buffers: Mapping[RelPath, Entry]


@dataclass(frozen=True)
class _Event:
    """From `generation` on a buffer was open, `opened` with this content; None where the file changed on disk."""

    generation: int
    opened: Document | None


class VerdictHistory:
    """The colours of past generations of one repository, with the buffers of each. Safe to share between threads."""

    def __init__(self, *, most_states: int = _MOST_STATES, most_bytes: int = _MOST_BYTES) -> None:
        """Older states are forgotten beyond either bound; of documents, those shared by states count once.

        The last green one is kept longest, and forgotten only where it is too large by itself.
        """
        self._most_states = most_states
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._states: deque[_State] = deque()
        self._green: _State | None = None
        self._events: dict[RelPath, list[_Event]] = {}
        """What came over each file since the last green state, oldest first; of equals in a row only the last."""

    # -- recording ---------------------------------------------------------------------------------------------

    def settled(self, snapshot: Snapshot, colour: Colour, opened: Iterable[Document] = ()) -> None:
        """Records a generation that was sensed through. `unknown` is for a verdict that is not complete.

        `opened` are the open buffers of that generation, those that say what the disk says too. It may come late, when
        there are newer generations already.
        """
        buffers: dict[RelPath, Entry] = {document.path: document for document in opened}
        state = _State(snapshot.generation, colour, {**buffers, **snapshot.effective()})
        with self._lock:
            self._states.append(state)
            if colour == "green" and (self._green is None or self._green.generation <= state.generation):
                self._green = state
                later = {
                    path: [event for event in events if event.generation > state.generation]
                    for path, events in self._events.items()
                }
                self._events = {path: events for path, events in later.items() if events}
            self._forget()

    def opened(self, document: Document, generation: int) -> None:
        """A buffer was opened, with this content, which is the disk's; `generation` is the first that has it."""
        with self._lock:
            self._add(document.path, _Event(generation, document))
            self._forget()

    def disk_changed(self, paths: Collection[RelPath], generation: int) -> None:
        """These files changed on disk, by a save as well as from outside; `generation` is the first after that.

        A file that changed before it was opened is to be told first.
        """
        with self._lock:
            for path in paths:
                self._add(path, _Event(generation, None))

    # -- asking ------------------------------------------------------------------------------------------------

    def colours(self) -> tuple[tuple[int, Colour], ...]:
        """Generation and colour of what is remembered, oldest first."""
        with self._lock:
            return tuple((state.generation, state.colour) for state in self._states)

    def way_back(self, current: Snapshot) -> WayBack | None:
        """From `current` to the last green state; None where there was none or it is forgotten.

        A buffer that was open then gets what it held, also where it was saved or closed since. A file that was opened
        later gets what it held when it was opened, if it had not changed on disk since the green state.
        """
        with self._lock:
            if self._green is None:
                return None
            state = self._green
            first = {path: events[0].opened for path, events in self._events.items()}
            seen: dict[RelPath, Entry] = {path: document for path, document in first.items() if document is not None}
            wanted = {**seen, **state.buffers}
            unknown = tuple(sorted(first.keys() - wanted.keys()))
        green = current.fork().with_edits(dict(sorted(wanted.items())))
        return WayBack(state.generation, changes_between(current, green), green, unknown)

    def back_to_last_green(self, current: Snapshot) -> ChangeSet | None:
        """The changes of `way_back` alone; None where there is no way or nothing to change."""
        way = self.way_back(current)
        return way.changes if way is not None and way.changes else None

    # -- private -----------------------------------------------------------------------------------------------

    def _add(self, path: RelPath, event: _Event) -> None:
        events = self._events.setdefault(path, [])
        if events and (events[-1].opened is None) == (event.opened is None):
            events.pop()
        events.append(event)

    def _forget(self) -> None:
        """The oldest first, but for the last green state; that one last of all."""
        while len(self._states) > self._most_states:
            self._drop_oldest()
        while self._bytes() > self._most_bytes and self._drop_oldest():
            pass
        if self._bytes() > self._most_bytes:
            self._states.clear()
            self._green = None
            self._events.clear()

    def _drop_oldest(self) -> bool:
        for state in self._states:
            if state is not self._green:
                self._states.remove(state)
                return True
        return False

    def _bytes(self) -> int:
        held = {id(document): len(document.data) for document in self._documents()}
        return sum(held.values())

    def _documents(self) -> Iterable[Document]:
        for state in self._states:
            yield from (entry for entry in state.buffers.values() if isinstance(entry, Document))
        for events in self._events.values():
            yield from (event.opened for event in events if event.opened is not None)
