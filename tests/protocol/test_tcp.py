"""The server on a loopback port: only this machine, only with the token, one client."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

TOKEN = "a-token-for-tests-only"


class Client:
    """One connection to a listening server."""

    def __init__(self, port: int, frame: Callable[[object], bytes]) -> None:
        self._frame = frame
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._stream = self._socket.makefile("rb")

    def ask(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """The answer; None when the server closed the connection."""
        try:
            self._socket.sendall(self._frame(message))
            length = 0
            while (header := self._stream.readline()) not in (b"\r\n", b""):
                if header.lower().startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
            body = self._stream.read(length)
        except ConnectionError:
            return None
        return json.loads(body) if body else None

    def send(self, message: dict[str, Any]) -> None:
        self._socket.sendall(self._frame(message))

    def is_closed(self) -> bool:
        """Waits until the server has closed the connection."""
        try:
            return self._stream.read(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


def listening_port(server: Any) -> int:
    return int(server.log_line().rpartition(":")[2])


@pytest.fixture
def server(start: Callable[..., Any]) -> Any:
    return start("--tcp", "127.0.0.1:0", env={"OCTOLIMB_TOKEN": TOKEN})


@pytest.fixture
def connect(frame: Any) -> Iterator[Callable[[int], Client]]:
    clients: list[Client] = []

    def open_client(port: int) -> Client:
        clients.append(Client(port, frame))
        return clients[-1]

    yield open_client
    for client in clients:
        client.close()


def test_with_the_token_a_client_has_a_whole_session(server: Any, connect: Any, initialize: Any, call: Any) -> None:
    client = connect(listening_port(server))
    assert "capabilities" in client.ask(initialize({"token": TOKEN}))["result"]
    assert client.ask(call("shutdown", message_id=2)) == {"jsonrpc": "2.0", "id": 2, "result": None}
    client.send(call("exit"))
    assert client.is_closed()
    assert server.wait() == 0


def test_a_token_of_its_own_is_printed_and_works(start: Callable[..., Any], connect: Any, initialize: Any) -> None:
    server = start("--tcp", "localhost:0")
    port = listening_port(server)
    token = server.log_line().removeprefix("octolimb: token ").strip()
    assert len(token) >= 32
    assert "result" in connect(port).ask(initialize({"token": token}))


def test_without_it_a_client_is_refused_and_the_server_stays(server: Any, connect: Any, initialize: Any) -> None:
    port = listening_port(server)
    for options in (None, {}, {"token": "wrong"}, {"token": TOKEN[:-1]}, {"token": "ü"}):
        stranger = connect(port)
        answer = stranger.ask(initialize(options))
        assert answer["error"]["message"] == "Invalid Request: initializationOptions.token is missing or wrong"
        assert stranger.is_closed()
    assert "result" in connect(port).ask(initialize({"token": TOKEN}))


def test_a_stranger_may_not_send_much(server: Any, connect: Any, initialize: Any) -> None:
    stranger = connect(listening_port(server))
    answer = stranger.ask(initialize({"token": TOKEN, "padding": "x" * (2 << 20)}))
    assert answer is None or "over the limit" in answer["error"]["message"]


def test_the_first_with_the_token_has_the_server_to_itself(server: Any, connect: Any, initialize: Any) -> None:
    port = listening_port(server)
    assert "result" in connect(port).ask(initialize({"token": TOKEN}))
    assert connect(port).is_closed()


def test_a_client_that_vanishes_ends_the_server(server: Any, connect: Any, initialize: Any) -> None:
    with closing(connect(listening_port(server))) as client:
        assert "result" in client.ask(initialize({"token": TOKEN}))
    code, _, log = server.end()
    assert code == 1
    assert TOKEN not in log


def test_an_address_beyond_this_machine_is_bad_input(start: Callable[..., Any]) -> None:
    code, messages, log = start("--tcp", "0.0.0.0:0").end()
    assert (code, messages) == (2, [])
    assert "is not a loopback address" in log
    assert "Traceback" not in log


def test_a_short_token_is_refused(start: Callable[..., Any]) -> None:
    code, _, log = start("--tcp", "127.0.0.1:0", env={"OCTOLIMB_TOKEN": "short"}).end()
    assert code == 2
    assert "OCTOLIMB_TOKEN is shorter than" in log
