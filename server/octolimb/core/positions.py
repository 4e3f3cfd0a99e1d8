"""Places in a text: zero-based lines and UTF-16 columns, as the language server protocol counts them."""

from __future__ import annotations

from dataclasses import dataclass


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
    lines: list[str] = []
    start = 0
    while start < len(text):
        ends = [found for found in (text.find("\n", start), text.find("\r", start)) if found >= 0]
        if not ends:
            lines.append(text[start:])
            break
        end = min(ends) + 1
        if text[end - 1] == "\r" and text[end : end + 1] == "\n":
            end += 1
        lines.append(text[start:end])
        start = end
    return lines


def utf16_length(text: str) -> int:
    """How many UTF-16 code units `text` takes."""
    return len(text) + sum(character > "\uffff" for character in text)


def utf16_column(line: str, code_points: int) -> int:
    """The UTF-16 column of the character at index `code_points` of `line`; past the end means the end."""
    return utf16_length(line[:code_points])
