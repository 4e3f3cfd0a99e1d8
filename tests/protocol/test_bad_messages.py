"""Messages that no client should send: each is answered or ends the connection cleanly; none is left hanging."""

from __future__ import annotations

from typing import Any

import pytest

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'jsonrpc': '2.0'}",
        b'{"jsonrpc": "2.0", "id": NaN, "method": "shutdown"}',
        b'"\xff"',
        b"[" * 100_000,
        b"9" * 10_000,
    ],
)
def test_what_is_not_json_is_a_parse_error_and_the_connection_lives(living: Any, call: Any, body: bytes) -> None:
    living.send(body)
    answer = living.receive()
    assert (answer["id"], answer["error"]["code"]) == (None, PARSE_ERROR)
    assert living.ask(call("octolimb/unknown", message_id=1))["error"]["code"] == METHOD_NOT_FOUND


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b'"text"',
        b'[{"jsonrpc": "2.0", "id": 1, "method": "shutdown"}]',
        b"{}",
        b'{"id": 1, "method": "shutdown"}',
        b'{"jsonrpc": "1.0", "id": 1, "method": "shutdown"}',
        b'{"jsonrpc": "2.0", "id": null, "method": "shutdown"}',
        b'{"jsonrpc": "2.0", "id": true, "method": "shutdown"}',
        b'{"jsonrpc": "2.0", "id": [1], "method": "shutdown"}',
        b'{"jsonrpc": "2.0", "id": 1.5, "method": "shutdown"}',
        b'{"jsonrpc": "2.0"}',
        b'{"jsonrpc": "2.0", "method": 7}',
    ],
)
def test_what_is_no_message_is_an_invalid_request(living: Any, body: bytes) -> None:
    living.send(body)
    answer = living.receive()
    assert (answer["id"], answer["error"]["code"]) == (None, INVALID_REQUEST)


def test_a_method_that_is_no_name_is_answered_under_its_id(living: Any) -> None:
    living.send({"jsonrpc": "2.0", "id": "a", "method": ["shutdown"]})
    answer = living.receive()
    assert (answer["id"], answer["error"]["code"]) == ("a", INVALID_REQUEST)


@pytest.mark.parametrize(
    "method",
    ["octolimb/unknown", "textDocument/inlineCompletion", "workspace/textDocumentContent", "$/unknown", "", "__init__"],
)
def test_an_unknown_method_is_said_to_be_unknown(living: Any, call: Any, method: str) -> None:
    assert living.ask(call(method, {"x": 1}, message_id=1))["error"]["code"] == METHOD_NOT_FOUND


def test_an_unknown_notification_is_ignored(living: Any, call: Any) -> None:
    living.send(call("octolimb/unknown", {}), call("$/unknown", {}), call("textDocument/didOpen", {}))
    assert living.ask(call("octolimb/unknown", message_id=1))["error"]["code"] == METHOD_NOT_FOUND


def test_parameters_that_do_not_fit_are_refused(server: Any, call: Any) -> None:
    wrong: tuple[object, ...] = (7, "text", True, [], {}, {"processId": "x", "capabilities": 3}, {"capabilities": None})
    for params in wrong:
        assert server.ask(call("initialize", params, message_id=1))["error"]["code"] == INVALID_PARAMS, params
    assert "capabilities" in server.start_session()


def test_a_payload_that_looks_like_a_message_is_a_payload(living: Any, call: Any) -> None:
    nested = {"jsonrpc": "2.0", "id": 77, "method": "shutdown", "params": {"jsonrpc": "2.0", "result": 1}}
    assert living.ask(call("octolimb/unknown", {"nested": nested}, message_id=3))["error"]["code"] == METHOD_NOT_FOUND


def test_answers_that_nobody_asked_for_are_ignored(living: Any, call: Any) -> None:
    for message in (
        {"id": 5, "result": 1},
        {"id": "x", "error": {"code": 1, "message": "m"}},
        {"id": 6, "error": 3},
        {"id": 7},
    ):
        living.send({"jsonrpc": "2.0", **message})
    living.send(call("$/cancelRequest", {"id": 99}), call("$/cancelRequest", {"id": {}}))
    assert living.ask(call("octolimb/unknown", message_id=1))["error"]["code"] == METHOD_NOT_FOUND


def test_a_notification_sent_as_a_request_is_answered(living: Any, call: Any) -> None:
    assert living.ask(call("initialized", {}, message_id=4))["error"]["code"] == INVALID_REQUEST


def test_strings_that_are_no_unicode_do_no_harm(living: Any) -> None:
    living.send(b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "octolimb/\\udfff"}')
    answer = living.receive()
    assert (answer["id"], answer["error"]["code"]) == ("\ud800", METHOD_NOT_FOUND)


@pytest.mark.parametrize("raw", [b"Content-Type: x\r\n\r\n{}", b"Content-Length: 68719476736\r\n\r\n", b"x" * 100_000])
def test_a_header_that_cannot_be_right_ends_the_connection(server: Any, raw: bytes) -> None:
    server.start_session()
    server.send_raw(raw)
    assert server.receive()["error"]["code"] == PARSE_ERROR
    assert server.wait() == 1


def test_a_length_too_short_is_a_parse_error_and_then_the_end(server: Any) -> None:
    server.start_session()
    server.send_raw(b'Content-Length: 5\r\n\r\n{"jsonrpc": "2.0"}\r\n\r\n')
    assert [server.receive()["error"]["code"] for _ in range(2)] == [PARSE_ERROR, PARSE_ERROR]
    assert server.wait() == 1


def test_a_length_too_long_waits_for_the_rest_and_ends_with_the_stream(server: Any) -> None:
    server.start_session()
    server.send_raw(b'Content-Length: 500\r\n\r\n{"jsonrpc": "2.0"}')
    code, messages, log = server.end()
    assert (code, messages) == (1, [])
    assert "in the middle of a message" in log


def test_a_large_message_within_the_limit_is_answered(living: Any, call: Any) -> None:
    answer = living.ask(call("octolimb/unknown", {"text": "x" * (20 << 20)}, message_id=8))
    assert answer["error"]["code"] == METHOD_NOT_FOUND


def test_messages_may_arrive_in_any_pieces(living: Any, call: Any, frame: Any) -> None:
    stream = frame(call("octolimb/one", message_id=1)) + frame(call("octolimb/two", message_id=2))
    for piece in (stream[:7], stream[7:24], stream[24:90], stream[90:]):
        living.send_raw(piece)
    assert [living.receive()["id"] for _ in range(2)] == [1, 2]
