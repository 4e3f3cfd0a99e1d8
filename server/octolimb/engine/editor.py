"""The editor's side of the shadow: unsaved buffers over the disk, as a snapshot at a generation.

It holds texts and reads the disk; it senses nothing and knows no protocol. One thread changes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from octolimb.core.document import Document, text_document
from octolimb.core.errors import BadInput, NotText
from octolimb.core.overlay import Entry, Overlay
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.workspace.disk import DiskBase


class EditorCrate:
    """What the editor has open. A buffer that says what the disk says is no edit, and is left out of the overlay."""

    def __init__(self, base: DiskBase) -> None:
        self._base = base
        self._texts: dict[RelPath, str] = {}
        self._disk: dict[RelPath, Document | None] = {}
        self._dirty: dict[RelPath, Document] = {}
        self.generation = 1
        """Rises with every change of what the shadow holds."""
        self.epoch = 0
        """Rises with every change of the disk that was told of."""

    @property
    def open(self) -> tuple[RelPath, ...]:
        """The paths that have a buffer, dirty or not."""
        return tuple(self._texts)

    @property
    def dirty(self) -> Mapping[RelPath, Document]:
        """The buffers whose bytes are not those on the disk."""
        return MappingProxyType(self._dirty)

    @property
    def documents(self) -> dict[RelPath, Document]:
        """Every open buffer as the file that saving it would make."""
        found = {path: self.document(path) for path in self._texts}
        return {path: document for path, document in found.items() if document is not None}

    def document(self, path: RelPath) -> Document | None:
        """An open buffer as the file that saving it would make, whatever happened on the disk meanwhile; else None."""
        return (self._dirty.get(path) or self._disk[path]) if path in self._texts else None

    def put(self, path: RelPath, text: str) -> bool:
        """A buffer was opened or changed. True where that changed the shadow."""
        self._texts[path] = text
        if path not in self._disk:
            self._disk[path] = self._read(path)
        return self._weigh(path)

    def drop(self, path: RelPath) -> bool:
        """A buffer was closed: the disk is the truth again. True where that changed the shadow."""
        self._texts.pop(path, None)
        self._disk.pop(path, None)
        changed = self._dirty.pop(path, None) is not None
        self.generation += changed
        return changed

    def disk_changed(self, paths: Iterable[RelPath] | None) -> None:
        """Files or directories changed on the disk; None where it is not known which."""
        self.epoch += 1
        self.generation += 1
        told = None if paths is None else list(paths)
        for path in self._texts:
            if told is None or any(path == changed or path.is_below(changed) for changed in told):
                self._disk[path] = self._read(path)
                self._weigh(path)

    def begin_generation(self) -> None:
        """What was said of the shadow counts no more, though it holds what it held."""
        self.generation += 1

    def snapshot(self) -> Snapshot:
        """The shadow as it is now. O(dirty buffers); from any thread."""
        entries: dict[RelPath, Entry] = {**self._dirty}
        overlay = Overlay().with_entries(entries)
        return Snapshot(self._base, (overlay,), self.generation)

    def disk(self) -> Snapshot:
        """The disk alone, at the same generation."""
        return replace(Snapshot(self._base), generation=self.generation)

    def _weigh(self, path: RelPath) -> bool:
        document = _as_file(path, self._texts[path], self._disk[path])
        before = self._dirty.get(path)
        disk = self._disk[path]
        if disk is not None and disk.data == document.data:
            self._dirty.pop(path, None)
            changed = before is not None
        else:
            self._dirty[path] = document
            changed = before is None or before.data != document.data
        self.generation += changed
        return changed

    def _read(self, path: RelPath) -> Document | None:
        try:
            document = self._base.read(path)
        except BadInput:
            return None
        return None if document is None or document.link else document


def _as_file(path: RelPath, text: str, disk: Document | None) -> Document:
    """What saving the text would write; where its encoding cannot hold it, UTF-8, so that it is sensed all the same."""
    try:
        return disk.with_text(text) if disk is not None and disk.is_text else text_document(path, text)
    except NotText:
        return Document(path, text.encode("utf-8", "replace"), disk.mode if disk else 0o644)
