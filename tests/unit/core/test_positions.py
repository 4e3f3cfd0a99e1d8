"""UTF-16 columns, and lines split as the protocol splits them."""

from __future__ import annotations

import pytest

from octolimb.core.positions import split_lines, utf16_column


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("a", ["a"]),
        ("a\nb", ["a\n", "b"]),
        ("a\r\nb\r\n", ["a\r\n", "b\r\n"]),
        ("a\rb", ["a\r", "b"]),
        ("a\n\r\nb\r", ["a\n", "\r\n", "b\r"]),
        ("a\x0cb\x0bc\x85d\u2028e\n", ["a\x0cb\x0bc\x85d\u2028e\n"]),
    ],
)
def test_only_protocol_line_ends_split(text: str, lines: list[str]) -> None:
    assert split_lines(text) == lines


@pytest.mark.parametrize(("line", "index", "column"), [("abc", 2, 2), ("😀b", 1, 2), ("é😀", 2, 3), ("ab", 9, 2)])
def test_astral_characters_take_two_columns(line: str, index: int, column: int) -> None:
    assert utf16_column(line, index) == column
