"""Three-way merge of a change set onto a base that moved.

Text merges by line; anything else moves whole or conflicts. It reads both bases and writes to neither.
"""

from __future__ import annotations

from merge3 import Merge3

from octolimb.core.changes import Change, ChangeSet
from octolimb.core.document import Document
from octolimb.core.overlay import GONE, Entry
from octolimb.core.paths import RelPath
from octolimb.core.positions import split_lines
from octolimb.core.snapshot import Snapshot


def rebase_changes(changes: ChangeSet, old_base: Snapshot, new_base: Snapshot) -> tuple[Snapshot, list[RelPath]]:
    """`new_base` with the changes that were made to `old_base`, and the paths in conflict, left as they are there."""
    entries: dict[RelPath, Entry] = {}
    renames: dict[RelPath, RelPath] = {}
    conflicts: list[RelPath] = []
    for change in changes:
        merged = _merge(change, old_base, new_base)
        if merged is None:
            conflicts.append(change.path)
            continue
        entries[change.path] = merged
        if change.kind == "rename":
            entries[change.old_path] = GONE
            renames[change.path] = change.old_path
    return new_base.fork().with_edits(entries, renames), conflicts


def _merge(change: Change, old_base: Snapshot, new_base: Snapshot) -> Entry | None:
    theirs = new_base.get(change.old_path)
    base = old_base.get(change.old_path)
    unmoved = (theirs.digest if theirs else None) == (base.digest if base else None)
    if change.kind == "rename" and new_base.kind(change.path) is not None:
        return None
    if change.after is None:
        return GONE if unmoved else None
    if unmoved or (theirs is not None and theirs.digest == change.after.digest):
        return change.after
    if change.before is None or theirs is None:
        return None
    return _merge_text(change.before, change.after, theirs)


def _merge_text(base: Document, ours: Document, theirs: Document) -> Document | None:
    if not (base.is_text and ours.is_text and theirs.is_text):
        return None
    merge = Merge3(split_lines(base.text), split_lines(ours.text), split_lines(theirs.text))
    if any(group[0] == "conflict" for group in merge.merge_groups()):
        return None
    mode = theirs.mode if ours.mode == base.mode else ours.mode
    return Document(ours.path, theirs.with_text("".join(merge.merge_lines())).data, mode)
