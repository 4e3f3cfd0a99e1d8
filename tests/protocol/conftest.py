"""The real server as its own process, driven by bytes: `frame`, `RawServer` and the fixtures that start one."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 30.0  # Seconds after which a silent server counts as hung; nothing waits that long when it works.
SERVE = (sys.executable, "-P", "-m", "octolimb", "serve")


def frame(message: object) -> bytes:
    """A message as it goes over the wire; bytes are taken as the body, whatever they are."""
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def call(method: str, params: object = None, *, message_id: int | str | None = None) -> dict[str, Any]:
    """A request, or without an id a notification."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if params is not None:
        message["params"] = params
    if message_id is not None:
        message["id"] = message_id
    return message


def initialize(options: object = None, *, message_id: int = 1) -> dict[str, Any]:
    params = {"processId": None, "rootUri": None, "capabilities": {}, "initializationOptions": options}
    return call("initialize", params, message_id=message_id)


class RawServer:
    """One server process. Every wait is bounded, so that a hang is a failure and not a stuck test run."""

    def __init__(self, directory: Path, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [*SERVE, *arguments],
            cwd=directory,
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdin is not None
        self.stdin = self.process.stdin
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._log: queue.Queue[str] = queue.Queue()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read_messages, self._read_log)]
        for thread in self._threads:
            thread.start()

    def send(self, *messages: object) -> None:
        self.send_raw(b"".join(frame(message) for message in messages))

    def send_raw(self, raw: bytes) -> None:
        self.stdin.write(raw)
        self.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """The next message but for log messages. Fails when the server ends or says nothing."""
        while True:
            message = self._messages.get(timeout=PATIENCE)
            assert message is not None, "the server ended its output"
            if message.get("method") != "window/logMessage":
                return message

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Sends a request and gives its answer, which must be the next message."""
        self.send(message)
        answer = self.receive()
        assert answer.get("id") == message["id"]
        return answer

    def start_session(self, options: object = None) -> dict[str, Any]:
        answer = self.ask(initialize(options))
        self.send(call("initialized", {}))
        result = answer["result"]
        assert isinstance(result, dict)
        return result

    def log_line(self) -> str:
        """The next line on standard error."""
        return self._log.get(timeout=PATIENCE)

    def wait(self) -> int:
        """The exit code, once the process has ended by itself."""
        return self.process.wait(timeout=PATIENCE)

    def end(self) -> tuple[int, list[dict[str, Any]], str]:
        """Closes our side; the exit code, the messages not yet received, and the rest of the log."""
        self.stdin.close()
        code = self.wait()
        for thread in self._threads:
            thread.join(PATIENCE)
        messages = list(iter(self._messages.get_nowait, None))
        log = []
        while not self._log.empty():
            log.append(self._log.get_nowait())
        return code, messages, "".join(log)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.stdin.close()
        for thread in self._threads:
            thread.join(PATIENCE)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()

    def _read_messages(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while header := stream.readline():
            # Anything but a header here is a stray print: the parser of a real client would fail on it as well.
            assert header.lower().startswith(b"content-"), header
            if header.lower().startswith(b"content-length:"):
                length = int(header.split(b":")[1])
            while stream.readline() not in (b"\r\n", b""):
                pass
            self._messages.put(json.loads(stream.read(length)))
        self._messages.put(None)

    def _read_log(self) -> None:
        stream = self.process.stderr
        assert stream is not None
        for line in stream:
            self._log.put(line.decode())


# Test modules cannot import from here (each is imported by its path), so the builders come as fixtures too.


@pytest.fixture
def serve_command() -> list[str]:
    return list(SERVE)


@pytest.fixture(name="frame", scope="session")
def frame_fixture() -> Callable[[object], bytes]:
    return frame


@pytest.fixture(name="call", scope="session")
def call_fixture() -> Callable[..., dict[str, Any]]:
    return call


@pytest.fixture(name="initialize", scope="session")
def initialize_fixture() -> Callable[..., dict[str, Any]]:
    return initialize


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RawServer]]:
    """Starts servers, with arguments for `octolimb serve` and additions to the environment; all are gone at the end."""
    servers: list[RawServer] = []

    def start_server(*arguments: str, env: dict[str, str] | None = None) -> RawServer:
        servers.append(RawServer(tmp_path, *arguments, env=env))
        return servers[-1]

    yield start_server
    for server in servers:
        server.kill()


@pytest.fixture
def server(start: Callable[..., RawServer]) -> RawServer:
    """A server that has been sent nothing yet."""
    return start()


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawServer]:
    """One server with an open session, shared by the tests of what must not end it."""
    server = RawServer(tmp_path_factory.mktemp("living"))
    server.start_session()
    yield server
    server.kill()
