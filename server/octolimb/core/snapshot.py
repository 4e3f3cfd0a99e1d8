"""An immutable view of a whole repository: a base under overlays, at a generation.

Sensors, guard and previews all take a snapshot and cannot tell hypothesis from truth. It reads its base only when
asked, so a snapshot of a disk is as fresh as the disk; what must not move is held by digests (see `changes`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal, Protocol

from octolimb.core.document import Document
from octolimb.core.errors import BadPath, NotFound
from octolimb.core.overlay import GONE, Entry, Overlay
from octolimb.core.paths import RelPath, join

Kind = Literal["file", "link", "directory"]
_MOST_LINKS: Final = 40
"""As many symbolic links as Linux follows in one look-up."""


class Base(Protocol):
    """What lies at the bottom. Directories are canonical (`""` is the root); nothing outside the root is reachable.

    It follows no symbolic link: what one leads to is for the layers above it to say.
    """

    def kind(self, path: str) -> Kind | None: ...

    def read(self, path: RelPath) -> Document | None:
        """The file or link at `path`; None where there is none or it is a directory."""
        ...

    def names(self, directory: str) -> Mapping[str, Kind]:
        """The entries of a directory; empty where it does not exist."""
        ...

    def spelling(self, path: RelPath) -> str:
        """`path` with every name that is there in the Unicode form that it has there."""
        ...

    def inside(self, target: str) -> str | None:
        """What an absolute path names relative to the root (`""` for the root); None where it is outside."""
        ...


@dataclass(frozen=True)
class Snapshot:
    """`overlays` lie bottom to top: the editor's buffers first, a limb's edits above them.

    As on a disk, links on the way to a path are followed, through all layers and never out of the root, and a link at
    its end is not. `at` and `kind_at` follow none at all.
    """

    base: Base
    overlays: tuple[Overlay, ...] = (Overlay(),)
    generation: int = 0

    # -- reading -----------------------------------------------------------------------------------------------

    def get(self, path: RelPath) -> Document | None:
        """The file or link at `path`, or None. Where links led there, the document has its real path."""
        real = self._real(path)
        return self.at(real) if isinstance(real, RelPath) else None

    def at(self, path: RelPath) -> Document | None:
        """The file or link at this very path; None below a link."""
        entry = self._edits.get(path)
        if entry is not None:
            return entry if isinstance(entry, Document) else None
        return None if path in self._edits.directories else self.base.read(path)

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
        real = self._real(RelPath(path))
        return "directory" if real == "" else self.kind_at(real) if isinstance(real, RelPath) else None

    def kind_at(self, rel: RelPath) -> Kind | None:
        """What is at this very path; None below a link."""
        if rel in self._edits.directories:
            return "directory"
        entry = self._edits.get(rel)
        if entry is GONE:
            return None
        if isinstance(entry, Document):
            return "link" if entry.link else "file"
        return self.base.kind(rel)

    def names(self, directory: str) -> dict[str, Kind]:
        """The entries of a directory in name order; empty where it does not exist."""
        real = self._real(RelPath(directory)) if directory else ""
        if real is None:
            return {}
        directory = real
        if directory and self.kind_at(RelPath(directory)) != "directory":
            return {}
        found: dict[str, Kind] = {}
        if not directory or self._reaches_base(RelPath(directory)):
            found.update(self.base.names(directory))
        touched = {
            (path[len(directory) + 1 :] if directory else path).split("/", 1)[0]
            for path in self._edits.entries
            if path.is_below(directory)
        }
        for name in touched:
            kind = self.kind_at(join(directory, name))
            if kind is None:
                found.pop(name, None)
            else:
                found[name] = kind
        return dict(sorted(found.items()))

    def resolve(self, path: str, *, last: bool = True) -> str | None:
        """Where `path` leads once links are followed (`""` is the root), the one at its end too if `last`.

        None where that is outside the root, a loop, or a name that is, or would be, spelt otherwise than the link has
        it. What is not there yet is taken as it stands, so that a file can be made at the end of a dangling link.
        """
        here, links = "", 0
        pending = [(name, False) for name in reversed(path.split("/"))]
        while pending:
            name, by_link = pending.pop()
            if name in ("", "."):
                continue
            if name == "..":
                if not here or self.kind_at(RelPath(here)) != "directory":
                    return None
                here = here.rpartition("/")[0]
                continue
            try:
                step = join(here, name)
            except BadPath:
                return None
            kind = self.kind_at(step)
            if by_link and self.spelling(step).rpartition("/")[2] != name:
                return None
            if kind != "link" or not (pending or last):
                here = step
                continue
            target = self._target(step)
            links += 1
            if target is None or links > _MOST_LINKS:
                return None
            if target.startswith("/"):
                here = ""
                target = self.base.inside(target)
                if target is None:
                    return None
            pending += [(part, True) for part in reversed(target.split("/"))]
        return RelPath(here) if here else ""

    def spelling(self, path: RelPath) -> str:
        """`path` as processes see it: the base's own spelling of names that it holds in another form than NFC."""
        return path if path.isascii() else self.base.spelling(path)

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
        return dict(sorted(self._edits.entries.items()))

    @cached_property
    def _edits(self) -> Overlay:
        """All layers as one: what an upper one removes does not even imply a directory any more."""
        layers = [overlay for overlay in self.overlays if overlay.entries]
        merged = layers[0] if layers else Overlay()
        for overlay in layers[1:]:
            merged = merged.with_entries(dict(sorted(overlay.entries.items())))
        return merged

    def _real(self, path: RelPath) -> str | None:
        """`path` with the links on its way followed; the path itself, cheaply, where there are none."""
        for above in path.ancestors:
            kind = self.kind_at(above)
            if kind == "directory":
                break
            if kind == "link":
                return self.resolve(path, last=False)
        return path

    def _target(self, link: RelPath) -> str | None:
        document = self.at(link)
        if document is None:
            return None
        try:
            return document.data.decode("utf-8")
        except UnicodeDecodeError:
            return None

    def _reaches_base(self, directory: RelPath) -> bool:
        return not any(step in self._edits.entries for step in (directory, *directory.ancestors))
