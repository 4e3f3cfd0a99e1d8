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
from urllib.parse import unquote, urlsplit

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
        return code, messages, self.rest_of_log()

    def rest_of_log(self) -> str:
        lines = []
        while not self._log.empty():
            lines.append(self._log.get_nowait())
        return "".join(lines)

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
        # Shown with a test that fails.
        print(server.rest_of_log())


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


class Editor:
    """An editor's side of a session: it keeps buffers, answers what the server asks, and remembers what it was told."""

    def __init__(self, server: RawServer, root: Path, python: Path) -> None:
        self.server = server
        self.python = python
        self.root = root
        self.buffers: dict[str, tuple[int, str]] = {}
        self.diagnostics: dict[str, list[dict[str, Any]]] = {}
        self.notes: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.answers: dict[str, Any] = {}
        """What to answer to the server's requests, by method; edits are made and accepted unless it says otherwise."""
        self._answers: dict[int | str, dict[str, Any]] = {}
        self._ids = 1000

    def start(self, options: object = None, capabilities: object = None, **more: object) -> dict[str, Any]:
        params = {
            "processId": None,
            "rootUri": self.root.as_uri(),
            "workspaceFolders": [{"uri": self.root.as_uri(), "name": "project"}],
            "capabilities": CAPABILITIES if capabilities is None else capabilities,
            "initializationOptions": {
                "trusted": True,
                "python": str(self.python),
                **(options if isinstance(options, dict) else {}),
            },
            **more,
        }
        result = self.request("initialize", params)
        self.server.send(call("initialized", {}))
        assert isinstance(result, dict)
        return result

    def uri(self, path: str) -> str:
        return (self.root / path).as_uri()

    # -- documents ---------------------------------------------------------------------------------------------

    def open(self, path: str, text: str | None = None) -> None:
        text = (self.root / path).read_bytes().decode() if text is None else text
        self.buffers[self.uri(path)] = (1, text)
        item = {"uri": self.uri(path), "languageId": "python", "version": 1, "text": text}
        self.server.send(call("textDocument/didOpen", {"textDocument": item}))

    def type(self, path: str, text: str) -> None:
        """Replaces a buffer's whole text."""
        self._changed(self.uri(path), text, [{"text": text}])

    def replace(self, path: str, old: str, new: str) -> None:
        """Edits the one place where `old` stands, by an incremental change."""
        text = self.buffers[self.uri(path)][1]
        assert text.count(old) == 1
        at = text.index(old)
        span = {"start": _place(text, at), "end": _place(text, at + len(old))}
        self._changed(self.uri(path), text.replace(old, new), [{"range": span, "text": new}])

    def close(self, path: str) -> None:
        del self.buffers[self.uri(path)]
        self.server.send(call("textDocument/didClose", {"textDocument": {"uri": self.uri(path)}}))

    def save(self, path: str) -> None:
        (self.root / path).write_bytes(self.buffers[self.uri(path)][1].encode())
        self.server.send(call("textDocument/didSave", {"textDocument": {"uri": self.uri(path)}}))

    def text(self, path: str) -> str:
        return self.buffers[self.uri(path)][1]

    def version(self, path: str) -> int:
        return self.buffers[self.uri(path)][0]

    # -- messages ----------------------------------------------------------------------------------------------

    def request(self, method: str, params: object = None) -> Any:
        """The result. Fails on an error answer; see `refuse` for one that is wanted."""
        answer = self._ask(method, params)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def refuse(self, method: str, params: object = None) -> dict[str, Any]:
        """The error with which a request is answered."""
        answer = self._ask(method, params)
        assert "error" in answer, answer
        error = answer["error"]
        assert isinstance(error, dict)
        return error

    def wait(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first notification, of those that came and those that will, for which `wanted` holds; it is taken."""
        seen = 0
        while True:
            for index in range(seen, len(self.notes)):
                if wanted(self.notes[index]):
                    return self.notes.pop(index)
            seen = len(self.notes)
            self._take()

    def wait_for(self, method: str, **values: object) -> dict[str, Any]:
        """The parameters of the first notification of `method` that has these values."""

        def fits(note: dict[str, Any]) -> bool:
            return note["method"] == method and all(note["params"].get(key) == value for key, value in values.items())

        params = self.wait(fits)["params"]
        assert isinstance(params, dict)
        return params

    def pains(self, path: str, wanted: Callable[[list[str]], bool]) -> list[dict[str, Any]]:
        """The diagnostics that are sent for a file, once their messages are as wanted."""
        while not wanted([item["message"] for item in self.diagnostics.get(self.uri(path), [])]):
            try:
                self._take()
            except queue.Empty:
                pytest.fail(f"of {path} was said: {self.diagnostics.get(self.uri(path), [])}")
        return self.diagnostics.get(self.uri(path), [])

    # -- private -----------------------------------------------------------------------------------------------

    def _changed(self, uri: str, text: str, changes: list[dict[str, Any]]) -> None:
        version = self.buffers[uri][0] + 1
        self.buffers[uri] = (version, text)
        document = {"uri": uri, "version": version}
        self.server.send(call("textDocument/didChange", {"textDocument": document, "contentChanges": changes}))

    def _ask(self, method: str, params: object) -> dict[str, Any]:
        self._ids += 1
        self.server.send(call(method, params, message_id=self._ids))
        while self._ids not in self._answers:
            self._take()
        return self._answers.pop(self._ids)

    def _take(self) -> None:
        message = self.server.receive()
        if "method" not in message:
            self._answers[message["id"]] = message
        elif "id" in message:
            self.asked.append(message)
            self.server.send({"jsonrpc": "2.0", "id": message["id"], "result": self._answer(message)})
        elif message["method"] == "textDocument/publishDiagnostics":
            self.diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
            self.notes.append(message)
        else:
            self.notes.append(message)

    def _answer(self, message: dict[str, Any]) -> Any:
        if message["method"] in self.answers:
            return self.answers[message["method"]]
        return self._make_edit(message["params"]["edit"]) if message["method"] == "workspace/applyEdit" else None

    def _make_edit(self, edit: dict[str, Any]) -> dict[str, Any]:
        for step in edit["documentChanges"]:
            if step.get("kind") == "create":
                _path(step["uri"]).touch()
            elif step.get("kind") == "delete":
                _path(step["uri"]).unlink()
            elif step.get("kind") == "rename":
                _path(step["oldUri"]).rename(_path(step["newUri"]))
            else:
                uri, version = step["textDocument"]["uri"], step["textDocument"]["version"]
                if uri not in self.buffers:
                    path = str(_path(uri).relative_to(self.root))
                    self.open(path)
                if version is not None and version != self.buffers[uri][0]:
                    return {"applied": False, "failureReason": "the version has moved on"}
                self._changed(uri, edited(self.buffers[uri][1], step["edits"]), step["edits"][::-1])
        return {"applied": True}


def edited(text: str, edits: list[dict[str, Any]]) -> str:
    """The text after edits whose ranges are all of the text before."""
    spans = [
        (_offset(text, edit["range"]["start"]), _offset(text, edit["range"]["end"]), edit["newText"]) for edit in edits
    ]
    for edit in edits:
        edit["text"] = edit.pop("newText")
    for start, end, new in sorted(spans, key=lambda span: span[0], reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))


def _place(text: str, at: int) -> dict[str, int]:
    line_start = text.rfind("\n", 0, at) + 1
    return {"line": text.count("\n", 0, at), "character": len(text[line_start:at].encode("utf-16-le")) // 2}


def _offset(text: str, place: dict[str, int]) -> int:
    lines = text.split("\n")
    start = sum(len(line) + 1 for line in lines[: place["line"]])
    if start > len(text):
        return len(text)
    units = lines[place["line"]].encode("utf-16-le")[: 2 * place["character"]]
    return start + len(units.decode("utf-16-le"))


CAPABILITIES: dict[str, Any] = {
    "window": {"workDoneProgress": True},
    "workspace": {
        "applyEdit": True,
        "workspaceEdit": {
            "documentChanges": True,
            "resourceOperations": ["create", "rename", "delete"],
            "failureHandling": "textOnlyTransactional",
            "changeAnnotationSupport": {"groupsOnLabel": True},
        },
    },
    "experimental": {"octolimb": True},
}
"""Of an editor that is sent diagnostics, shows proposals and makes every kind of edit."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project whose second module depends on the first, with a test of both."""
    root = tmp_path / "project"
    (root / "tests").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    (root / "users.py").write_text("def age_of(name: str) -> int:\n    return len(name) * 10\n")
    (root / "greeting.py").write_text(
        "from users import age_of\n\n\ndef greet(name: str) -> int:\n    return age_of(name) + 1\n"
    )
    (root / "tests" / "test_greeting.py").write_text(
        "from greeting import greet\nfrom users import age_of\n\n\n"
        "def test_greet():\n    assert (greet('Al'), age_of('Bob')) == (21, 30)\n"
    )
    return root


@pytest.fixture
def editor(project: Path, start: Callable[..., RawServer], bare_python: Path) -> Editor:
    """An editor on `project` whose session has not begun."""
    return Editor(start(), project, bare_python)
