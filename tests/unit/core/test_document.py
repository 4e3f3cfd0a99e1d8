"""Bytes, and how they are text: nothing outside an edit may change."""

from __future__ import annotations

import codecs

import pytest

from octolimb.core.document import Document, text_document
from octolimb.core.errors import NotText
from octolimb.core.paths import RelPath

PATH = RelPath("a.py")


@pytest.mark.parametrize(
    "data",
    [
        b"x = 1\n",
        b"x = 1\r\ny = 2\r\n",
        b"x = 1\ry = 2\r",
        b"a\r\nb\nc\rd",
        b"no end",
        b"",
        codecs.BOM_UTF8 + b"x = 'bom'\n",
        "x = '😀é'\n".encode(),
        b"# -*- coding: latin-1 -*-\nx = '\xe9'\n",
        b"x = 1\x0c\ny = '\xe2\x80\xa8'\n",
    ],
)
def test_text_written_back_is_the_same_bytes(data: bytes) -> None:
    document = Document(PATH, data)
    assert document.with_text(document.text).data == data


def test_a_byte_order_mark_is_kept_and_is_no_text() -> None:
    document = Document(PATH, codecs.BOM_UTF8 + b"x\n")
    assert document.text == "x\n"
    assert document.with_text("y\n").data == codecs.BOM_UTF8 + b"y\n"
    assert document.with_text("\ufeffy\n").data == codecs.BOM_UTF8 + b"y\n"


def test_a_declared_encoding_is_kept() -> None:
    document = Document(PATH, b"# coding: latin-1\nx = '\xe9'\n")
    assert document.encoding == "iso-8859-1"
    assert document.with_text("# coding: latin-1\nx = '\xfc'\n").data == b"# coding: latin-1\nx = '\xfc'\n"


def test_what_the_encoding_cannot_hold_is_refused() -> None:
    with pytest.raises(NotText):
        Document(PATH, b"# coding: latin-1\n").with_text("# coding: latin-1\n'€'\n")


@pytest.mark.parametrize("data", [b"a\0b", b"\xff\xfe", b"# coding: no-such-codec\n\xff"])
def test_what_is_no_text_is_read_only(data: bytes) -> None:
    document = Document(PATH, data)
    assert not document.is_text
    with pytest.raises(NotText):
        document.with_text("x")


def test_a_link_is_no_text() -> None:
    assert not Document(PATH, b"target", link=True).is_text


@pytest.mark.parametrize(
    ("data", "newline"), [(b"", "\n"), (b"a\n", "\n"), (b"a\r\nb\r\nc\n", "\r\n"), (b"a\rb\r", "\r")]
)
def test_the_line_end_is_what_most_lines_have(data: bytes, newline: str) -> None:
    assert Document(PATH, data).newline == newline


def test_the_digest_tells_bytes_mode_and_kind_apart() -> None:
    variants = [
        Document(PATH, b"x"),
        Document(PATH, b"y"),
        Document(PATH, b"x", 0o755),
        Document(PATH, b"x", link=True),
    ]
    assert len({variant.digest for variant in variants}) == len(variants)
    assert Document(RelPath("b.py"), b"x").digest == variants[0].digest


def test_lone_surrogates_are_refused() -> None:
    with pytest.raises(NotText):
        text_document(PATH, "x = '\ud800'")
