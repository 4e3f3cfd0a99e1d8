"""Places in a text: zero-based lines and UTF-16 columns, as the language server protocol counts them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")


@dataclass(frozen=True, order=True)
class Position:
    """`line` is zero-based; `character` is a zero-based column in UTF-16 code units."""

    line: int
    character: int


@dataclass(frozen=True, order=True)
class Span:
    """From `start` up to, not including, `end`."""

    start: Position
    end: Position


def point(line: int, character: int = 0) -> Span:
    """The empty span at a zero-based line and UTF-16 column."""
    position = Position(line, character)
    return Span(position, position)


def split_lines(text: str) -> list[str]:
    """The lines of `text` with their ends kept, split on LF, CRLF and CR only, as the protocol does."""
    if "\r" in text:
        return _LINE.findall(text)
    lines = [line + "\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def utf16_length(text: str) -> int:
    """How many UTF-16 code units `text` takes."""
    return len(text) + sum(character > "\uffff" for character in text)


def utf16_column(line: str, code_points: int) -> int:
    """The UTF-16 column of the character at index `code_points` of `line`; past the end means the end."""
    return utf16_length(line[:code_points])
