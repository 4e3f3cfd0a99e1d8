"""How a session starts and ends, as the Language Server Protocol wants it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_a_whole_life_ends_with_code_zero(server: Any, call: Any) -> None:
    assert server.start_session({"trusted": True})["serverInfo"]["name"] == "octolimb"
    assert server.ask(call("shutdown", message_id=2)) == {"jsonrpc": "2.0", "id": 2, "result": None}
    assert server.ask(call("shutdown", message_id=3))["error"]["code"] == -32600  # Nothing but exit follows shutdown.
    server.send(call("exit"))
    assert server.wait() == 0


def test_exit_without_shutdown_ends_with_code_one(server: Any, call: Any) -> None:
    server.start_session()
    server.send(call("exit"))
    assert server.wait() == 1


def test_it_announces_the_protocol_and_what_it_serves(server: Any, initialize: Any) -> None:
    message = initialize({"codeIntelligence": "off"})
    message["params"]["capabilities"] = {"general": {"positionEncodings": ["utf-8", "utf-32", "utf-16"]}}
    capabilities = server.ask(message)["result"]["capabilities"]
    extension = capabilities["experimental"]["octolimb"]
    assert extension["protocol"] == 1
    assert len(bytes.fromhex(extension["schemas"])) == 32
    assert {"octolimb/limb/start", "octolimb/proposal/accept", "octolimb/sense"} <= set(extension["methods"])
    assert capabilities["positionEncoding"] == "utf-8"  # The first that the client offers.
    assert capabilities["textDocumentSync"] == {"openClose": True, "change": 2, "save": True}
    assert "definitionProvider" not in capabilities
    assert "workspaceSymbolProvider" not in capabilities


def test_nothing_is_answered_before_initialize(server: Any, call: Any) -> None:
    assert server.ask(call("shutdown", message_id=1))["error"]["code"] == -32002
    server.send(call("textDocument/didOpen", {}))  # Ignored: a notification has no answer.
    assert "capabilities" in server.start_session()


def test_initialize_comes_once(living: Any, initialize: Any) -> None:
    assert living.ask(initialize(message_id=5))["error"]["code"] == -32600


def test_a_client_that_vanishes_takes_the_server_along(server: Any) -> None:
    server.start_session()
    code, messages, _ = server.end()
    assert (code, messages) == (1, [])


def test_a_client_that_never_came_takes_the_server_along(server: Any) -> None:
    code, messages, log = server.end()
    assert (code, messages, log) == (1, [], "")


def test_a_client_that_stops_reading_takes_the_server_along(
    serve_command: list[str], frame: Any, initialize: Any, tmp_path: Path
) -> None:
    read_end, write_end = os.pipe()
    with subprocess.Popen(serve_command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=write_end) as process:
        os.close(write_end)
        os.close(read_end)
        assert process.stdin is not None
        process.stdin.write(frame(initialize()))
        process.stdin.flush()
        assert process.wait(timeout=30) == 1


def test_a_signal_ends_it_without_a_trace(server: Any) -> None:
    server.start_session()
    server.process.send_signal(signal.SIGTERM)
    assert server.wait() == 1
    assert "Traceback" not in server.end()[2]


def test_wrong_options_are_named_and_may_be_corrected(server: Any, initialize: Any) -> None:
    error = server.ask(initialize({"trusted": "yes"}))["error"]
    assert error["code"] == -32602
    assert error["message"].startswith("Invalid Params: initializationOptions.trusted: ")
    assert "capabilities" in server.ask(initialize({"trusted": True}, message_id=2))["result"]


def test_unknown_options_are_warned_of_in_the_log(server: Any) -> None:
    server.start_session({"trusted": False, "tentacles": 8})
    _, _, log = server.end()
    assert "unknown options are ignored: tentacles" in log


def test_it_imports_nothing_from_where_it_starts(start: Callable[..., Any], tmp_path: Path) -> None:
    for name in ("octolimb", "pygls", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the workspace')")
    start().start_session()
