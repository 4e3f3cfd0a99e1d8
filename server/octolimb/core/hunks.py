"""The separate edits of a change set, shown from both sides, and the change set that only some of them make.

Ids are those of `ChangeSet.hunks`. Everything is exact in bytes: line ends, a missing last one, a byte-order mark and
whatever the encoding is. It finds no edits itself (see `lines`) and does not know which hunks belong together.
"""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from octolimb.core.changes import Change, ChangeKind, ChangeSet
from octolimb.core.document import Document
from octolimb.core.errors import BadInput
from octolimb.core.lines import Block, byte_lines, edited_blocks
from octolimb.core.overlay import GONE, Entry
from octolimb.core.paths import RelPath
from octolimb.core.positions import Position, Span, split_lines, utf16_length
from octolimb.core.snapshot import Snapshot


@dataclass(frozen=True)
class Edit:
    """One hunk from both sides. `path` is the new file's, `old_path` differs for a rename only.

    `before` is in the old file and `after` in the new one, byte-order marks not counted; the texts are what the spans
    hold. A create, a delete and a rename (with whatever it changes in the content) are one edit each, and so is any
    change of what is not text or of the mode alone; the texts of what is not text are empty.
    """

    id: str
    kind: ChangeKind
    path: RelPath
    old_path: RelPath
    before: Span
    after: Span
    old_text: str
    new_text: str


def edits_of(change_set: ChangeSet) -> tuple[Edit, ...]:
    """Every hunk, in path order, with the ids of `change_set.hunks`."""
    return tuple(
        _edit(identifier, change, block) for change, blocks in _numbered(change_set) for identifier, block in blocks
    )


def select_hunks(change_set: ChangeSet, ids: Collection[str]) -> ChangeSet:
    """The change set with only these hunks; what the others would change keeps the old bytes exactly.

    All ids give the whole, none the empty one. A mode that changes along with the content goes with the file's first
    hunk. Raises `BadInput` for an id that is not there, and for a hunk that cannot be made without another one: a file
    below a path that is a file until that one is deleted, or the reverse.
    """
    chosen = frozenset(ids)
    known = {identifier for _, blocks in _numbered(change_set) for identifier, _ in blocks}
    if unknown := sorted(chosen - known):
        raise BadInput(f"there is no hunk {unknown[0]!r} in this proposal", hint="list it again to see its hunks")
    changes: list[Change] = []
    for change, blocks in _numbered(change_set):
        wanted = [identifier in chosen for identifier, _ in blocks]
        if all(wanted):
            changes.append(change)
        elif any(wanted):
            changes.append(_partial(change, [block for _, block in blocks], wanted))
    selected = ChangeSet(tuple(changes))
    _refuse_blocked(change_set, selected)
    return selected


def with_changes(snapshot: Snapshot, change_set: ChangeSet) -> Snapshot:
    """`snapshot` with the changes in a layer of their own, whatever stands there; `workspace/merge` minds that."""
    entries: dict[RelPath, Entry] = {change.old_path: GONE for change in change_set}
    entries |= {change.path: change.after for change in change_set if change.after is not None}
    renames = {change.path: change.old_path for change in change_set if change.kind == "rename"}
    return snapshot.fork().with_edits(entries, renames)


def _numbered(change_set: ChangeSet) -> Iterator[tuple[Change, list[tuple[str, Block]]]]:
    numbers = itertools.count(1)
    for change in change_set:
        yield change, [(f"h{next(numbers)}", block) for block in edited_blocks(change)]


def _partial(change: Change, blocks: list[Block], wanted: list[bool]) -> Change:
    assert change.before is not None
    assert change.after is not None
    old, new = byte_lines(change.before.data), byte_lines(change.after.data)
    pieces: list[bytes] = []
    position = 0
    for block, is_wanted in zip(blocks, wanted, strict=True):
        pieces += old[position : block.old_low]
        pieces += new[block.new_low : block.new_high] if is_wanted else old[block.old_low : block.old_high]
        position = block.old_high
    pieces += old[position:]
    mode = change.after.mode if wanted[0] else change.before.mode
    return replace(change, after=Document(change.path, b"".join(pieces), mode))


def _refuse_blocked(whole: ChangeSet, selected: ChangeSet) -> None:
    """A file cannot be made where a file stands above it, nor in the place of a directory that still holds one."""
    made = {change.path for change in selected if change.before is None or change.kind == "rename"}
    cleared = {change.old_path for change in selected if change.after is None or change.kind == "rename"}
    for change in whole:
        if change.after is not None and change.kind != "rename":
            continue
        path = change.old_path
        if path in cleared:
            continue
        blocked = next((new for new in made if new.is_below(path) or path.is_below(new)), None)
        if blocked:
            raise BadInput(f"{blocked} cannot be made while there is {path}", hint="choose both", path=blocked)


def _edit(identifier: str, change: Change, block: Block) -> Edit:
    old = _Side(change.before, block.old_low, block.old_high)
    new = _Side(change.after, block.new_low, block.new_high)
    return Edit(identifier, change.kind, change.path, change.old_path, old.span, new.span, old.text, new.text)


class _Side:
    """The lines from `low` up to `high` of a document as a text and a span."""

    def __init__(self, document: Document | None, low: int, high: int) -> None:
        self.text = ""
        self.span = Span(Position(0, 0), Position(0, 0))
        if document is None or not document.is_text:
            return
        lines = byte_lines(document.data)
        start = len(_decoded(document, b"".join(lines[:low])))
        end = len(_decoded(document, b"".join(lines[:high])))
        text = document.text
        self.text = text[start:end]
        self.span = Span(_position(text[:start]), _position(text[:end]))


def _decoded(document: Document, data: bytes) -> str:
    """The text of the document's first bytes; a byte-order mark is none of it."""
    return data.removeprefix(codecs.BOM_UTF8).decode(document.encoding, "replace")


def _position(text: str) -> Position:
    """Where the text ends. A carriage return alone ends a line too, in the protocol."""
    lines = split_lines(text)
    if not lines or lines[-1].endswith(("\n", "\r")):
        return Position(len(lines), 0)
    return Position(len(lines) - 1, utf16_length(lines[-1]))
