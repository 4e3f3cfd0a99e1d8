"""Which lines of a file a change replaces, exact in bytes. Lines end with LF only, as git has them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from octolimb.core.changes import Change

_MOST_LINE_PAIRS: Final = 25_000_000
"""Above this many pairs of lines a diff may take seconds; all that lies between equal ends is then one block."""


@dataclass(frozen=True)
class Block:
    """Lines `old_low` up to `old_high` of the old file give way to `new_low` up to `new_high` of the new one."""

    old_low: int
    old_high: int
    new_low: int
    new_high: int


def edited_blocks(change: Change) -> list[Block]:
    """The blocks in order; one that holds everything unless the change modifies a text."""
    before, after = change.before, change.after
    old = byte_lines(before.data) if before is not None and before.is_text else []
    new = byte_lines(after.data) if after is not None and after.is_text else []
    whole = [Block(0, len(old), 0, len(new))]
    if change.kind != "modify" or before is None or after is None or not (before.is_text and after.is_text):
        return whole
    return _blocks(old, new) or whole


def byte_lines(data: bytes) -> list[bytes]:
    """The lines with their ends; joined they are `data` again."""
    lines = data.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _blocks(old: list[bytes], new: list[bytes]) -> list[Block]:
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    old, new = old[head : len(old) - tail], new[head : len(new) - tail]
    if not old and not new:
        return []
    if len(old) * len(new) > _MOST_LINE_PAIRS:
        return [Block(head, head + len(old), head, head + len(new))]
    return [
        Block(head + old_low, head + old_high, head + new_low, head + new_high)
        for tag, old_low, old_high, new_low, new_high in difflib.SequenceMatcher(
            None, old, new, autojunk=False
        ).get_opcodes()
        if tag != "equal"
    ]
