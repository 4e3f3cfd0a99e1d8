"""Carries bytes between one client and one `Protocol`, over standard input and output or over a loopback connection.

It knows no method. It does NOT listen beyond this machine, and serves one client: over TCP the first that shows
the token has the server to itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pygls.exceptions import JsonRpcParseError

from octolimb.core.errors import BadInput
from octolimb.lsp.framing import MESSAGE_LIMIT, FrameError, Framer
from octolimb.lsp.protocol import Protocol

if TYPE_CHECKING:
    from pygls.io_ import AsyncWriter, Writer

CHUNK = 64 << 10
STRANGER_LIMIT = 1 << 20  # Bytes of one message of a client that has not shown the token yet.
STRANGERS = 8  # Connections at a time that have not shown the token yet.
STRANGER_SECONDS = 10.0
LEAVING_SECONDS = 8.0  # For children and threads to end, once the client has left.
FLUSH_SECONDS = 2.0  # For the last answer to a client that reads slowly.

ReadChunk = Callable[[], Awaitable[bytes]]

logger = logging.getLogger(__name__)


def run_stdio(make_protocol: Callable[[], Protocol]) -> int:
    """Serves the client on our standard input and output until it leaves; gives the exit code.

    From here on descriptor 1 is standard error: a stray print, ours or a library's, cannot break the protocol.
    Descriptor 0 is empty, so that no child can eat messages.
    """
    sys.stdout.flush()
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)

    async def main() -> int:
        ending = _ending_on_signals()
        protocol = make_protocol()
        await serve_connection(protocol, _StdinReader(source).read, _DescriptorWriter(sink, ending.set), ending)
        return protocol.exit_code or 0

    return asyncio.run(main())


def run_tcp(make_protocol: Callable[[], Protocol], host: str, port: int, announce: Callable[[str, int], None]) -> int:
    """Serves the one client that shows the token, on loopback; gives the exit code.

    `announce` is called with the host and port once clients can connect. A wrong token costs a client its connection,
    never the server.
    """
    return asyncio.run(_TcpDoor(make_protocol).run(host, port, announce))


def parse_loopback(address: str) -> tuple[str, int]:
    """`HOST:PORT` as host and port; port 0 asks for a free one. Raises `BadInput` for anything beyond this machine."""
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise BadInput(f"not an address: {address!r}", hint="write HOST:PORT, such as 127.0.0.1:0")
    if host == "localhost":
        host = "127.0.0.1"
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise BadInput(f"{host!r} is not a loopback address", hint="the server listens on this machine only: 127.0.0.1")
    return host, int(port)


async def serve_connection(
    protocol: Protocol,
    read: ReadChunk,
    writer: AsyncWriter | Writer,
    ending: asyncio.Event,
    *,
    framer: Framer | None = None,
) -> None:
    """Feeds the protocol until it says exit, the stream ends or breaks, or `ending` is set. `exit_code` is set then."""
    protocol.set_writer(writer)
    framer = framer or Framer()
    ended = asyncio.ensure_future(ending.wait())
    try:
        while protocol.exit_code is None and not ending.is_set():
            reading = asyncio.ensure_future(read())
            await asyncio.wait({reading, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                reading.cancel()
                break
            chunk = reading.result()
            if not chunk:
                if not framer.between_messages:
                    logger.error("the client left in the middle of a message")
                break
            framer.feed(chunk)
            while protocol.exit_code is None and (body := framer.next_body()) is not None:
                protocol.receive(body)
                if protocol.session is not None:
                    framer.limit = MESSAGE_LIMIT
                # A handler takes its snapshot before the next message can change the text under it.
                await asyncio.sleep(0)
    except FrameError as error:
        logger.error("%s; the connection ends", error)
        protocol.answer_error(None, JsonRpcParseError(f"Parse Error: {error}"))
    finally:
        ended.cancel()
        protocol.end_for_lost_stream()
        if protocol.on_end is not None:
            _leave_at_last(protocol)
            await protocol.on_end()


def _leave_at_last(protocol: Protocol) -> None:
    """A thread that does not come back must not keep the process: nothing of value is left to be done by then."""
    code = 1 if protocol.exit_code is None else protocol.exit_code
    timer = threading.Timer(LEAVING_SECONDS, os._exit, (code,))
    timer.daemon = True
    timer.start()


class _TcpDoor:
    def __init__(self, make_protocol: Callable[[], Protocol]) -> None:
        self._make_protocol = make_protocol
        self._strangers = 0
        self._owner: Protocol | None = None
        self._exit_code: int | None = None
        self._ending = asyncio.Event()

    async def run(self, host: str, port: int, announce: Callable[[str, int], None]) -> int:
        signalled = _ending_on_signals(self._ending)
        server = await asyncio.start_server(self._greet, host, port)
        name = server.sockets[0].getsockname()
        announce(name[0], name[1])
        await signalled.wait()
        server.close()
        return 1 if self._exit_code is None else self._exit_code

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._owner is not None or self._strangers >= STRANGERS:
            writer.close()
            return
        protocol = self._make_protocol()
        self._strangers += 1
        stranger = True

        async def read() -> bytes:
            nonlocal stranger
            if stranger and protocol.session is not None and self._owner is None:
                self._owner, stranger = protocol, False
                self._strangers -= 1
            elif self._owner is not None and self._owner is not protocol:
                return b""
            try:
                async with asyncio.timeout(STRANGER_SECONDS if stranger else None):
                    return await reader.read(CHUNK)
            except (TimeoutError, ConnectionError):
                return b""

        try:
            await serve_connection(protocol, read, _StreamWriter(writer), self._ending, framer=Framer(STRANGER_LIMIT))
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await writer.wait_closed()
            if stranger:
                self._strangers -= 1
            if protocol.session is not None and self._owner in (None, protocol):
                self._exit_code = protocol.exit_code
                self._ending.set()


class _StreamWriter:
    """An asyncio stream under pygls's writer interface, which calls `write` without waiting for it."""

    def __init__(self, stream: asyncio.StreamWriter) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        if not self._stream.is_closing():
            self._stream.write(data)

    def close(self) -> None:
        self._stream.close()


class _DescriptorWriter:
    """Writes whole messages to a descriptor, from any thread. A reader that went away is reported once, not raised."""

    def __init__(self, descriptor: int, on_gone: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._on_gone = on_gone
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        with self._lock:
            try:
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
            except OSError as error:
                logger.warning("the client no longer reads: %s", error)
                self._on_gone()

    def close(self) -> None:
        """The descriptor is closed with the process: closing it here could cut an answer short."""


class _StdinReader:
    """Blocking reads, on demand, in one thread of their own; pipes, files and terminals read alike.

    So busy workers cannot keep the next message from being read, and a process that ends does not wait for a client
    that sends nothing.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._wanted: queue.SimpleQueue[asyncio.Future[bytes]] = queue.SimpleQueue()
        threading.Thread(target=self._read_on_demand, name="octolimb-stdin", daemon=True).start()

    async def read(self) -> bytes:
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self._wanted.put(answer)
        return await answer

    def _read_on_demand(self) -> None:
        while True:
            answer = self._wanted.get()
            try:
                chunk = os.read(self._descriptor, CHUNK)
            except OSError as error:
                logger.error("cannot read the client's messages: %s", error)
                chunk = b""
            with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits for the answer any more.
                self._loop.call_soon_threadsafe(_settle, answer, chunk)


def _settle(answer: asyncio.Future[bytes], chunk: bytes) -> None:
    if not answer.done():
        answer.set_result(chunk)


def _ending_on_signals(ending: asyncio.Event | None = None) -> asyncio.Event:
    event = ending or asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(
            NotImplementedError
        ):  # Windows has no such handlers; there the signal ends us at once.
            asyncio.get_running_loop().add_signal_handler(number, event.set)
    return event
