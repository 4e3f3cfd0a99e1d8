"""Cuts a stream of bytes into messages by their `Content-Length`.

It holds no transport and knows no JSON: bytes go in, message bodies come out. It does NOT resynchronise: once a header
is wrong, where the next message starts would be a guess, so the stream ends there.
"""

from __future__ import annotations

import re

MESSAGE_LIMIT = 64 << 20  # Bytes of one message: far above any real document, far below what hurts the machine.
HEADER_LIMIT = 8 << 10  # Bytes of one message's header lines together.

_LENGTH = re.compile(rb"content-length:[ \t]*([0-9]{1,18})[ \t]*", re.IGNORECASE)


class FrameError(Exception):
    """The header cannot be right; the stream is of no further use. The text says what is wrong, in one line."""


class Framer:
    """Collects bytes until a message is whole. At most `limit` bytes of one message are ever held."""

    def __init__(self, limit: int = MESSAGE_LIMIT) -> None:
        self.limit = limit
        self._buffer = bytearray()
        self._scanned = 0  # Where to go on looking for the end of the header.
        self._body_length: int | None = None

    @property
    def between_messages(self) -> bool:
        """Whether the stream may end here without cutting a message short."""
        return not self._buffer and self._body_length is None

    def feed(self, chunk: bytes) -> None:
        """Takes what the transport read; call `next_body` until it has no more."""
        self._buffer += chunk

    def next_body(self) -> bytes | None:
        """The next whole message's body, or None when more bytes are needed. Raises `FrameError`."""
        if self._body_length is None:
            header = self._take_header()
            if header is None:
                return None
            self._body_length = self._read_length(header)
        if len(self._buffer) < self._body_length:
            return None
        body = bytes(memoryview(self._buffer)[: self._body_length])
        del self._buffer[: self._body_length]
        self._body_length = None
        return body

    def _take_header(self) -> bytes | None:
        end = self._buffer.find(b"\r\n\r\n", max(0, self._scanned - 3))
        if end > HEADER_LIMIT or (end < 0 and len(self._buffer) > HEADER_LIMIT):
            raise FrameError(f"a message header is longer than {HEADER_LIMIT} bytes")
        if end < 0:
            self._scanned = len(self._buffer)
            return None
        header = bytes(self._buffer[:end])
        del self._buffer[: end + 4]
        self._scanned = 0
        return header

    def _read_length(self, header: bytes) -> int:
        lengths = []
        for line in header.split(b"\r\n"):
            if b":" not in line:
                raise FrameError("a message header has a line without a colon")
            if line.lower().startswith(b"content-length"):
                match = _LENGTH.fullmatch(line)
                if match is None:
                    raise FrameError("a message's Content-Length is not a number of bytes")
                lengths.append(int(match[1]))
        if len(lengths) != 1:
            raise FrameError(f"a message header has {len(lengths)} Content-Length lines in place of one")
        if lengths[0] > self.limit:
            raise FrameError(f"a message of {lengths[0]} bytes is over the limit of {self.limit}")
        return lengths[0]
