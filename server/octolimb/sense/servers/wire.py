"""JSON-RPC with a child over its pipes: requests, notifications, and answers to what the child asks. No LSP in here."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

_HEADER_END: Final = b"\r\n\r\n"
_TAIL_BYTES: Final = 16 << 10


class RequestFailed(Exception):
    """The child answered with an error; the text is its own."""


class Gone(Exception):
    """The child's output ended."""


class Connection:
    """One child's wire, in the event loop in which it was opened. Messages go out in the order of the calls."""

    def __init__(self, on_request: Callable[[str, Any], Any], on_notification: Callable[[str, Any], None]) -> None:
        """`on_request` returns the result for what the child asks; both get the method and the raw params."""
        self._on_request = on_request
        self._on_notification = on_notification
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._buffer = bytearray()
        self._tail = bytearray()
        self._transports: list[asyncio.BaseTransport] = []
        self._writer: asyncio.WriteTransport | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the child's output has ended."""

    async def open(self, stdin: int, stdout: int, stderr: int) -> None:
        """Takes over the descriptors."""
        loop = asyncio.get_running_loop()
        files = [os.fdopen(stdin, "wb", 0), os.fdopen(stdout, "rb", 0), os.fdopen(stderr, "rb", 0)]
        self._writer, _ = await loop.connect_write_pipe(asyncio.Protocol, files[0])
        reader, _ = await loop.connect_read_pipe(lambda: _Reader(self._take, self._end), files[1])
        errors, _ = await loop.connect_read_pipe(lambda: _Reader(self._keep, lambda: None), files[2])
        self._transports = [self._writer, reader, errors]

    def close(self) -> None:
        """Closes every pipe, which ends the child too. Idempotent."""
        for transport in self._transports:
            transport.close()
        self._end()

    @property
    def tail(self) -> str:
        """The end of the child's standard error."""
        return self._tail.decode("utf-8", "replace")

    def notify(self, method: str, params: Any) -> None:
        """Sends a notification; nothing happens where the child is gone."""
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    async def request(self, method: str, params: Any) -> Any:
        """The raw result. A cancelled call is cancelled in the child too. Raises `RequestFailed` and `Gone`."""
        if self.ended.done():
            raise Gone
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        try:
            return await answer
        except asyncio.CancelledError:
            self.notify("$/cancelRequest", {"id": number})
            raise
        finally:
            del self._waiting[number]

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._writer is None or self._writer.is_closing() or self.ended.done():
            return
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        self._writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def _take(self, block: bytes) -> None:
        self._buffer += block
        while (end := self._buffer.find(_HEADER_END)) >= 0:
            lengths = [
                int(value)
                for name, _, value in (line.partition(b":") for line in bytes(self._buffer[:end]).split(b"\r\n"))
                if name.strip().lower() == b"content-length"
            ]
            start = end + len(_HEADER_END)
            if len(self._buffer) < start + lengths[0]:
                return
            body = bytes(self._buffer[start : start + lengths[0]])
            del self._buffer[: start + lengths[0]]
            self._handle(json.loads(body))

    def _handle(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method is None:
            answer = self._waiting.get(message.get("id", -1))
            if answer is None or answer.done():
                return
            if "error" in message:
                answer.set_exception(RequestFailed(str(message["error"].get("message"))))
            else:
                answer.set_result(message.get("result"))
        elif "id" in message:
            result = self._on_request(method, message.get("params"))
            self._send({"jsonrpc": "2.0", "id": message["id"], "result": result})
        else:
            self._on_notification(method, message.get("params"))

    def _keep(self, block: bytes) -> None:
        self._tail += block
        del self._tail[:-_TAIL_BYTES]

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(Gone())
        for transport in self._transports:
            with contextlib.suppress(OSError):
                transport.close()


class _Reader(asyncio.Protocol):
    def __init__(self, take: Callable[[bytes], None], end: Callable[[], None]) -> None:
        self._take = take
        self._end = end

    def data_received(self, data: bytes) -> None:
        self._take(data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._end()
