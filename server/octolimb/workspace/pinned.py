"""A base that stays as it was when it was first read, for work that takes longer than a person takes to type.

It remembers content only: what exists is still asked of the base below. It is not for sensing what is there now.
"""

from __future__ import annotations

from collections.abc import Mapping

from octolimb.core.document import Document
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Base, Kind


class PinnedBase:
    """Each file is read once. A change set over it is measured against what its author saw. Safe between threads."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._read: dict[RelPath, Document | None] = {}

    def kind(self, path: str) -> Kind | None:
        return self._base.kind(path)

    def names(self, directory: str) -> Mapping[str, Kind]:
        return self._base.names(directory)

    def spelling(self, path: RelPath) -> str:
        return self._base.spelling(path)

    def inside(self, target: str) -> str | None:
        return self._base.inside(target)

    def read(self, path: RelPath) -> Document | None:
        if path not in self._read:
            # Of two threads that read at once the first one's content stays.
            self._read.setdefault(path, self._base.read(path))
        return self._read[path]
