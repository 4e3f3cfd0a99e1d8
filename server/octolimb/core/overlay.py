"""Edits that lie over a base: an immutable map from path to document or tombstone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from types import MappingProxyType
from typing import Final

from octolimb.core.document import Document
from octolimb.core.paths import RelPath


class Tombstone(Enum):
    """Marks a path as gone; over a directory, everything beneath it that lies lower."""

    GONE = "gone"


GONE: Final = Tombstone.GONE
Entry = Document | Tombstone


@dataclass(frozen=True)
class Overlay:
    """One layer. `renames` maps a new path to the one that it had in the layer below; entries tell the rest."""

    entries: Mapping[RelPath, Entry] = field(default_factory=lambda: MappingProxyType({}))
    renames: Mapping[RelPath, RelPath] = field(default_factory=lambda: MappingProxyType({}))

    def with_entries(
        self, entries: Mapping[RelPath, Entry], renames: Mapping[RelPath, RelPath] | None = None
    ) -> Overlay:
        """A new layer with these on top; what a new tombstone or file covers is dropped. O(size of the layer)."""
        kept = dict(self.entries)
        for path, entry in entries.items():
            covered = [old for old in kept if old.is_below(path)]
            for old in covered:
                del kept[old]
            if isinstance(entry, Document):
                # A file that this layer had where a directory is needed now is gone, and what it hid stays hidden.
                kept.update({above: GONE for above in path.ancestors if isinstance(kept.get(above), Document)})
            kept[path] = entry
        # What moved here before and moves on is told from where it lay below.
        moves = {**self.renames, **{new: self.renames.get(old, old) for new, old in (renames or {}).items()}}
        alive = {new: old for new, old in moves.items() if isinstance(kept.get(new), Document)}
        return Overlay(MappingProxyType(kept), MappingProxyType(alive))

    def get(self, path: RelPath) -> Entry | None:
        """What this layer says of `path`: its document, `GONE`, or None where a lower layer decides."""
        entry = self.entries.get(path)
        if entry is not None or not self.entries:
            return entry
        if path in self.directories:
            return None
        # A tombstone or a file higher up leaves nothing of the lower layers here.
        return GONE if any(above in self.entries for above in path.ancestors) else None

    @cached_property
    def directories(self) -> frozenset[str]:
        """Directories that this layer's documents imply, the root excluded."""
        return frozenset(
            above for path, entry in self.entries.items() if isinstance(entry, Document) for above in path.ancestors
        )
