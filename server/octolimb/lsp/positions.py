"""Places as a client counts them (UTF-8, UTF-16 or UTF-32 columns) to and from places in our text.

A line ends at LF, CRLF or CR and nowhere else: a form feed or a U+2028 is a character like any other. Places past the
end of a line or of the text mean that end, as the protocol says.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from itertools import accumulate

from lsprotocol import types

from octolimb.core.positions import Position, Span, split_lines, utf16_length

Encoding = types.PositionEncodingKind

UTF8, UTF16, UTF32 = Encoding.Utf8, Encoding.Utf16, Encoding.Utf32


def choose_encoding(offered: list[Encoding | str] | None) -> Encoding:
    """The first that the client offers and we speak; UTF-16 where it offers none, since every client has that."""
    for encoding in offered or ():
        if encoding in (UTF8, UTF16, UTF32):
            return Encoding(encoding)
    return UTF16


class LineIndex:
    """Where the lines of one text begin. Made at most once a text, and only when a place is asked for."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0, *accumulate(len(line) for line in split_lines(self.text))]
        # A line that is empty follows a last line end, and nothing follows a last line without one.
        return starts[:-1] if self.text and self.text[-1] not in "\r\n" else starts

    @property
    def last(self) -> int:
        """The number of the last line; it is empty where the text ends with a line end."""
        return len(self._starts) - 1

    def line(self, number: int) -> str:
        """The text of a zero-based line without its end; empty past the last."""
        if number >= len(self._starts):
            return ""
        end = self._starts[number + 1] if number + 1 < len(self._starts) else len(self.text)
        return self.text[self._starts[number] : end].rstrip("\r\n")

    def offset(self, position: types.Position, encoding: Encoding) -> int:
        """The index into `text` of a client's position; inside of a character means its beginning."""
        if position.line >= len(self._starts):
            return len(self.text)
        return self._starts[position.line] + code_points(self.line(position.line), position.character, encoding)

    def position(self, offset: int) -> Position:
        """The zero-based line and UTF-16 column of an index into `text`."""
        line = bisect_right(self._starts, offset) - 1
        return Position(line, utf16_length(self.text[self._starts[line] : offset]))

    def to_client(self, span: Span, encoding: Encoding) -> types.Range:
        """Our span, whose columns are UTF-16, as the client counts."""
        return types.Range(self.to_client_position(span.start, encoding), self.to_client_position(span.end, encoding))

    def from_client(self, wanted: types.Range, encoding: Encoding) -> Span:
        """A client's range as our span, cut to what there is."""
        return Span(
            self.position(self.offset(wanted.start, encoding)), self.position(self.offset(wanted.end, encoding))
        )

    def to_client_position(self, position: Position, encoding: Encoding) -> types.Position:
        """Our position, whose column is UTF-16, as the client counts."""
        if encoding is UTF16:
            return types.Position(position.line, position.character)
        before = self.line(position.line)
        before = before[: code_points(before, position.character, UTF16)]
        column = len(before) if encoding is UTF32 else len(before.encode("utf-8", "surrogatepass"))
        return types.Position(position.line, column)


def code_points(line: str, column: int, encoding: Encoding) -> int:
    """How many characters of `line` lie before a column; at most all of them."""
    if encoding is UTF32 or line.isascii():
        return min(column, len(line))
    width = _utf8_width if encoding is UTF8 else _utf16_width
    passed = 0
    for index, character in enumerate(line):
        passed += width(character)
        if passed > column:
            return index
    return len(line)


def apply_change(
    text: str,
    change: types.TextDocumentContentChangePartial | types.TextDocumentContentChangeWholeDocument,
    encoding: Encoding,
) -> str | None:
    """The text after one of a client's edits; None where it begins on a line that cannot be there.

    A range whose end lies before its start is taken the other way round.
    """
    if isinstance(change, types.TextDocumentContentChangeWholeDocument):
        return change.text
    index = LineIndex(text)
    # The line after the last means the end, with or without a line end there.
    if min(change.range.start.line, change.range.end.line) > index.last + 1:
        return None
    ends = index.offset(change.range.start, encoding), index.offset(change.range.end, encoding)
    return text[: min(ends)] + change.text + text[max(ends) :]


def _utf16_width(character: str) -> int:
    return 2 if character > "\uffff" else 1


def _utf8_width(character: str) -> int:
    return 1 if character < "\x80" else 2 if character < "\u0800" else 3 if character < "\U00010000" else 4
