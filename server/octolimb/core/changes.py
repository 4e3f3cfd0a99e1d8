"""What turns one snapshot into another, with the digests that bind it to both. Nothing here applies it."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from octolimb.core.diff import file_diff
from octolimb.core.document import Document
from octolimb.core.lines import edited_blocks
from octolimb.core.paths import RelPath
from octolimb.core.positions import Position, Span
from octolimb.core.snapshot import Snapshot

ChangeKind = Literal["create", "modify", "delete", "rename"]


@dataclass(frozen=True)
class Change:
    """One file's change. `old_path` differs from `path` for a rename only, which may change the content too.

    `spelling` and `old_spelling` are the paths as the disk spells them, where that is not in NFC; None elsewhere.
    """

    kind: ChangeKind
    path: RelPath
    old_path: RelPath
    before: Document | None
    after: Document | None
    spelling: str | None = None
    old_spelling: str | None = None

    @property
    def added_lines(self) -> list[tuple[int, str]]:
        """Zero-based line numbers in the new file, and the texts, of the lines that the old one did not have."""
        new = _lines(self.after)
        matcher = difflib.SequenceMatcher(None, _lines(self.before), new, autojunk=False)
        return [
            (line, new[line])
            for tag, _, _, low, high in matcher.get_opcodes()
            if tag != "equal"
            for line in range(low, high)
        ]


@dataclass(frozen=True)
class Hunk:
    """One contiguous edit of a file. `span` is in the old file; `needs` names the hunks without which it is no use."""

    id: str
    path: RelPath
    span: Span
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChangeSet:
    """Changes in path order. Two sets with one digest make the same files out of the same files."""

    changes: tuple[Change, ...] = field(default=())

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def paths(self) -> tuple[RelPath, ...]:
        """Every path that is touched, a rename's old one included."""
        return tuple(sorted({path for change in self for path in (change.path, change.old_path)}))

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of kinds, paths and the digests before and after."""
        total = hashlib.sha256()
        for change in self:
            before = change.before.digest if change.before else "-"
            after = change.after.digest if change.after else "-"
            total.update("\0".join((change.kind, change.old_path, change.path, before, after, "")).encode())
        return total.hexdigest()

    @cached_property
    def diff(self) -> str:
        """A diff that `git apply -p1` turns the old tree into the new one with, paths as the disk spells them.

        Files that are not UTF-8 text are in git's binary form, one way only. Of a mode git knows the executable bit.
        """
        return "".join(file_diff(change) for change in self)

    @cached_property
    def hunks(self) -> tuple[Hunk, ...]:
        """The separate edits, numbered `h1`, `h2` and so on in path order; a create, delete or rename is one hunk."""
        found: list[Hunk] = []
        for change in self:
            for block in edited_blocks(change):
                span = Span(Position(block.old_low, 0), Position(block.old_high, 0))
                found.append(Hunk(f"h{len(found) + 1}", change.path, span))
        return tuple(found)


def changes_between(before: Snapshot, after: Snapshot) -> ChangeSet:
    """The change set from `before` to `after`, which must share one base. O(size of the overlays)."""
    paths = _touched(before, after)
    moved: dict[RelPath, RelPath] = {}
    for overlay in after.overlays:
        moved.update({new: moved.get(old, old) for new, old in overlay.renames.items()})
    changes: list[Change] = []
    renamed_from: set[RelPath] = set()
    for new, old in moved.items():
        was, now = before.at(old), after.at(new)
        moved_away = after.at(old) is None and before.at(new) is None and old not in renamed_from
        if was is not None and now is not None and moved_away:
            changes.append(Change("rename", new, old, was, now))
            renamed_from.add(old)
    done = renamed_from | {change.path for change in changes}
    for path in paths - done:
        was, now = before.at(path), after.at(path)
        if was is None and now is not None:
            changes.append(Change("create", path, path, None, now))
        elif was is not None and now is None:
            changes.append(Change("delete", path, path, was, None))
        elif was is not None and now is not None and was.digest != now.digest:
            changes.append(Change("modify", path, path, was, now))
    spelt = (_spelt(change, after) for change in changes)
    return ChangeSet(tuple(sorted(spelt, key=lambda change: change.path)))


def _spelt(change: Change, snapshot: Snapshot) -> Change:
    new, old = snapshot.spelling(change.path), snapshot.spelling(change.old_path)
    if (new, old) == (change.path, change.old_path):
        return change
    return replace(change, spelling=new, old_spelling=old)


def _touched(before: Snapshot, after: Snapshot) -> set[RelPath]:
    """Paths of files that an overlay of either speaks of; a tombstoned directory is spelt out."""
    touched: set[RelPath] = set()
    for snapshot, other in ((before, after), (after, before)):
        for path, entry in snapshot.effective().items():
            if isinstance(entry, Document):
                touched.add(path)
            # What stood under a tombstone, or under a file that replaced a directory.
            if other.kind_at(path) == "directory":
                touched.update(other.walk(path))
            else:
                touched.add(path)
            # What stood where an overlay's directory now is.
            touched.update(above for above in path.ancestors if other.kind_at(above) in ("file", "link"))
    return touched


def _lines(document: Document | None) -> list[str]:
    """Lines split on LF only, as git does, ends kept; none for what is not text."""
    if document is None or not document.is_text:
        return []
    text = ("\ufeff" if document.bom else "") + document.text
    return [line + "\n" for line in text.split("\n")[:-1]] + ([last] if (last := text.rpartition("\n")[2]) else [])
