from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octolimb.lsp.framing import HEADER_LIMIT, MESSAGE_LIMIT, FrameError, Framer


def bodies(*chunks: bytes, limit: int = MESSAGE_LIMIT) -> list[bytes]:
    framer, found = Framer(limit), []
    for chunk in chunks:
        framer.feed(chunk)
        while (body := framer.next_body()) is not None:
            found.append(body)
    return found


def test_a_body_is_as_long_as_its_header_says() -> None:
    assert bodies(b"Content-Length: 2\r\n\r\n{}") == [b"{}"]


def test_other_headers_are_passed_over_and_case_does_not_matter() -> None:
    assert bodies(b"Content-Type: x; charset=utf-8\r\ncontent-length:2 \r\n\r\n{}") == [b"{}"]


def test_an_empty_body_is_a_message() -> None:
    assert bodies(b"Content-Length: 0\r\n\r\nContent-Length: 1\r\n\r\nx") == [b"", b"x"]


@given(st.lists(st.binary(max_size=40), max_size=6), st.lists(st.integers(1, 9), min_size=1))
def test_however_the_stream_is_cut_the_messages_are_the_same(wanted: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in wanted)
    chunks, position, turn = [], 0, 0
    while position < len(stream):
        chunks.append(stream[position : position + cuts[turn % len(cuts)]])
        position += len(chunks[-1])
        turn += 1
    assert bodies(*chunks) == wanted


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Type: x",
        b"Content-Length: -1",
        b"Content-Length: 2x",
        b"Content-Length: ",
        b"Content-Length: " + b"9" * 30,
        b"Content-Length: 1\r\nContent-Length: 2",
        b"Content-Length: 1\r\nContent-Length: 1",
        b"GET / HTTP/1.1",
        b"",
    ],
)
def test_a_header_that_gives_no_one_length_ends_the_stream(header: bytes) -> None:
    with pytest.raises(FrameError):
        bodies(header + b"\r\n\r\n{}")


def test_a_message_over_the_limit_is_refused_before_its_body_is_read() -> None:
    with pytest.raises(FrameError, match="over the limit"):
        bodies(b"Content-Length: %d\r\n\r\n" % (MESSAGE_LIMIT + 1))


def test_a_header_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(FrameError, match="header is longer"):
        bodies(b"x" * (HEADER_LIMIT + 1))


@pytest.mark.parametrize(
    ("stream", "whole"), [(b"", True), (b"Content", False), (b"Content-Length: 2\r\n\r\n{", False)]
)
def test_it_knows_whether_a_message_was_cut_short(stream: bytes, whole: bool) -> None:
    framer = Framer()
    framer.feed(stream)
    assert framer.next_body() is None
    assert framer.between_messages is whole


def test_after_a_whole_message_the_stream_may_end() -> None:
    framer = Framer()
    framer.feed(b"Content-Length: 0\r\n\r\n")
    assert framer.next_body() == b""
    assert framer.between_messages
