"""An immutable view of a whole repository: a base under overlays, at a generation.

Sensors, guard and previews all take a snapshot and cannot tell hypothesis from truth. It reads its base only when
asked, so a snapshot of a disk is as fresh as the disk; what must not move is held by digests (see `changes`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from octolimb.core.document import Document
from octolimb.core.errors import NotFound
from octolimb.core.overlay import GONE, Entry, Overlay
from octolimb.core.paths import RelPath, join

Kind = Literal["file", "link", "directory"]


class Base(Protocol):
    """What lies at the bottom. Directories are canonical (`""` is the root); nothing outside the root is reachable."""

    def kind(self, path: str) -> Kind | None: ...

    def read(self, path: RelPath) -> Document | None:
        """The file or link at `path`; None where there is none or it is a directory."""
        ...

    def names(self, directory: str) -> Mapping[str, Kind]:
        """The entries of a directory; empty where it does not exist."""
        ...


@dataclass(frozen=True)
class Snapshot:
    """`overlays` lie bottom to top: the editor's buffers first, a limb's edits above them."""

    base: Base
    overlays: tuple[Overlay, ...] = (Overlay(),)
    generation: int = 0

    # -- reading -----------------------------------------------------------------------------------------------

    def get(self, path: RelPath) -> Document | None:
        """The file or link at `path`, or None."""
        for overlay in reversed(self.overlays):
            entry = overlay.get(path)
            if entry is not None:
                return entry if isinstance(entry, Document) else None
            if path in overlay.directories:
                return None
        return self.base.read(path)

    def document(self, path: RelPath) -> Document:
        """The file or link at `path`. Raises `NotFound`."""
        document = self.get(path)
        if document is None:
            raise NotFound(f"no file {path} here", path=path)
        return document

    def kind(self, path: str) -> Kind | None:
        """What `path` ("" for the root) is; None where there is nothing."""
        if not path:
            return "directory"
        rel = RelPath(path)
        for overlay in reversed(self.overlays):
            if rel in overlay.directories:
                return "directory"
            entry = overlay.get(rel)
            if entry is GONE:
                return None
            if isinstance(entry, Document):
                return "link" if entry.link else "file"
        return self.base.kind(rel)

    def names(self, directory: str) -> dict[str, Kind]:
        """The entries of a directory in name order; empty where it does not exist."""
        if self.kind(directory) != "directory":
            return {}
        found: dict[str, Kind] = {}
        if not directory or self._reaches_base(RelPath(directory)):
            found.update(self.base.names(directory))
        touched = {
            (path[len(directory) + 1 :] if directory else path).split("/", 1)[0]
            for overlay in self.overlays
            for path in overlay.entries
            if path.is_below(directory)
        }
        for name in touched:
            kind = self.kind(join(directory, name))
            if kind is None:
                found.pop(name, None)
            else:
                found[name] = kind
        return dict(sorted(found.items()))

    def walk(self, directory: str = "", *, prune: frozenset[str] = frozenset()) -> Iterator[RelPath]:
        """Every file and link below `directory`, sorted within each directory; directories named in `prune` skipped."""
        for name, kind in self.names(directory).items():
            if kind != "directory":
                yield join(directory, name)
            elif name not in prune:
                yield from self.walk(join(directory, name), prune=prune)

    # -- deriving ----------------------------------------------------------------------------------------------

    def with_edits(
        self, entries: Mapping[RelPath, Entry], renames: Mapping[RelPath, RelPath] | None = None
    ) -> Snapshot:
        """A new snapshot with these documents and tombstones in the topmost layer."""
        top = self.overlays[-1].with_entries(entries, renames)
        return replace(self, overlays=(*self.overlays[:-1], top), generation=self.generation + 1)

    def fork(self) -> Snapshot:
        """This snapshot with a new, empty layer on top. O(1), whatever the size of repository and layers."""
        return replace(self, overlays=(*self.overlays, Overlay()))

    def effective(self) -> dict[RelPath, Entry]:
        """All layers as one map over the base, tombstones of directories before what stands beneath them."""
        merged = Overlay()
        for overlay in self.overlays:
            merged = merged.with_entries(overlay.entries)
        return dict(sorted(merged.entries.items()))

    def _reaches_base(self, directory: RelPath) -> bool:
        chain = (directory, *directory.ancestors)
        return not any(step in overlay.entries for overlay in self.overlays for step in chain)
