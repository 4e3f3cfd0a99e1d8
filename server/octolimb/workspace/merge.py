"""Three-way merge of a change set onto a base that moved.

Text merges by line where `git merge-file` merges it, to the same bytes, and nowhere else. What is not text moves whole
or conflicts. It reads both bases and writes to neither.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from octolimb.core.changes import Change, ChangeSet
from octolimb.core.document import Document
from octolimb.core.overlay import GONE, Entry
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.workspace.alignment import Edit, Lines, TooDifferent, align

T = TypeVar("T")


def rebase_changes(changes: ChangeSet, old_base: Snapshot, new_base: Snapshot) -> tuple[Snapshot, list[RelPath]]:
    """`new_base` with the changes that were made to `old_base`, and the paths in conflict, left as they are there."""
    removed: dict[RelPath, Entry] = {}
    written: dict[RelPath, Entry] = {}
    renames: dict[RelPath, RelPath] = {}
    conflicts: list[RelPath] = []
    leaving = {change.old_path for change in changes if change.kind in ("delete", "rename")}
    for change in changes:
        if _is_done(change, new_base):
            continue
        merged = None if _is_blocked(change, new_base, leaving) else _merge(change, old_base, new_base)
        if merged is None:
            conflicts.append(change.path)
        elif merged is GONE:
            removed[change.path] = GONE
        else:
            written[change.path] = merged
            if change.kind == "rename":
                removed[change.old_path] = GONE
                renames[change.path] = change.old_path
    # What leaves does so first, so that a directory can take the place of a file and a file that of a directory.
    return new_base.fork().with_edits({**removed, **written}, renames), conflicts


def merge_bytes(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """What both sides made of `base`, or None where they conflict; lines end at LF only, as for git.

    Edits that touch conflict even where they do not overlap, unless both sides made the very same one.
    """
    if ours in (base, theirs):
        return theirs
    if theirs == base:
        return ours
    base_lines, our_lines, their_lines = _lines(base), _lines(ours), _lines(theirs)
    try:
        regions = _regions(align(base_lines, our_lines), align(base_lines, their_lines), our_lines, their_lines)
    except TooDifferent:
        return None
    merged: list[bytes] = []
    at = 0
    for region in regions:
        mine = our_lines[region.our_start : region.our_end]
        other = their_lines[region.their_start : region.their_end]
        if region.by == "both" and mine != other:
            return None
        merged += our_lines[at : region.our_start]
        merged += other if region.by == "theirs" else mine
        at = region.our_end
    return b"".join([*merged, *our_lines[at:]])


@dataclass
class _Region:
    """Lines of both sides that stand for each other, and who changed them."""

    by: Literal["ours", "theirs", "both"]
    our_start: int
    our_end: int
    their_start: int
    their_end: int


def _regions(ours: list[Edit], theirs: list[Edit], our_lines: Lines, their_lines: Lines) -> list[_Region]:
    """The changed regions in order; those that touch are one. What both sides changed alike is none."""
    found: list[_Region] = []
    mine, other = ours[::-1], theirs[::-1]
    # How much longer each side is than the base, up to the edits that come next.
    our_shift = their_shift = 0
    while mine or other:
        a, b = (mine[-1] if mine else None), (other[-1] if other else None)
        if a is not None and (b is None or a.old_end < b.old_start):
            _add(found, "ours", (a.new_start, a.new_end), (a.old_start + their_shift, a.old_end + their_shift))
            our_shift = mine.pop().shift
            continue
        if b is not None and (a is None or b.old_end < a.old_start):
            _add(found, "theirs", (b.old_start + our_shift, b.old_end + our_shift), (b.new_start, b.new_end))
            their_shift = other.pop().shift
            continue
        assert a is not None
        assert b is not None
        if not _is_same(a, b, our_lines, their_lines):
            start, end = min(a.old_start, b.old_start), max(a.old_end, b.old_end)
            our_range = start + a.new_start - a.old_start, end + a.shift
            their_range = start + b.new_start - b.old_start, end + b.shift
            _add(found, "both", our_range, their_range)
        if a.old_end >= b.old_end:
            their_shift = other.pop().shift
        if b.old_end >= a.old_end:
            our_shift = mine.pop().shift
    return found


def _is_same(a: Edit, b: Edit, our_lines: Lines, their_lines: Lines) -> bool:
    made, also_made = our_lines[a.new_start : a.new_end], their_lines[b.new_start : b.new_end]
    return (a.old_start, a.old_end) == (b.old_start, b.old_end) and made == also_made


def _add(
    found: list[_Region], by: Literal["ours", "theirs", "both"], ours: tuple[int, int], theirs: tuple[int, int]
) -> None:
    last = found[-1] if found else None
    if last is not None and (ours[0] <= last.our_end or theirs[0] <= last.their_end):
        last.by = last.by if last.by == by else "both"
        last.our_end, last.their_end = ours[1], theirs[1]
    else:
        found.append(_Region(by, *ours, *theirs))


def _lines(data: bytes) -> list[bytes]:
    return io.BytesIO(data).readlines()


def _is_done(change: Change, new_base: Snapshot) -> bool:
    """True where the new base has it already: the same deletion, or the same move to the same content."""
    there = new_base.at(change.old_path)
    if change.after is None:
        return there is None and new_base.kind_at(change.old_path) is None
    moved = new_base.at(change.path)
    return change.kind == "rename" and there is None and moved is not None and moved.digest == change.after.digest


def _is_blocked(change: Change, new_base: Snapshot, leaving: set[RelPath]) -> bool:
    """True where something else has come to stand in the place or on the way."""
    if change.after is None:
        return new_base.kind_at(change.path) == "directory"
    if any(new_base.kind_at(above) in ("file", "link") and above not in leaving for above in change.path.ancestors):
        return True
    kind = new_base.kind_at(change.path)
    if kind == "directory":
        return any(path not in leaving for path in new_base.walk(change.path))
    return change.kind == "rename" and kind is not None and change.path not in leaving


def _merge(change: Change, old_base: Snapshot, new_base: Snapshot) -> Entry | None:
    theirs = new_base.at(change.old_path)
    base = old_base.at(change.old_path)
    unmoved = (theirs.digest if theirs else None) == (base.digest if base else None)
    if change.after is None:
        return GONE if unmoved else None
    if unmoved or (theirs is not None and theirs.digest == change.after.digest):
        return change.after
    if change.before is None or theirs is None:
        return None
    return _merge_documents(change.before, change.after, theirs)


def _merge_documents(base: Document, ours: Document, theirs: Document) -> Document | None:
    """Content and mode are merged each for itself; of links, and of a file and a link, only one side may differ."""
    if base.link or ours.link or theirs.link:
        return None
    mode = _one_side(base.mode, ours.mode, theirs.mode)
    data = _one_side(base.data, ours.data, theirs.data)
    if data is None and base.is_text and ours.is_text and theirs.is_text:
        data = merge_bytes(base.data, ours.data, theirs.data)
        # Both sides may declare an encoding, and each its own lines in it.
        if data is not None and not replace(ours, data=data).is_text:
            return None
    return None if mode is None or data is None else replace(ours, data=data, mode=mode)


def _one_side(base: T, ours: T, theirs: T) -> T | None:
    """What the side that changed made of it; None where both changed, and not alike."""
    if theirs in (ours, base):
        return ours
    return theirs if ours == base else None
