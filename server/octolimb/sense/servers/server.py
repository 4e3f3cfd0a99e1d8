"""A language server that lives in the live shadow: kept alive, told of every move, asked for diagnostics.

It starts again by itself when it dies, after a pause that grows while it keeps dying. What differs between ruff and ty
is in their own modules; what moves the shadow is not known here.
"""

from __future__ import annotations

import asyncio
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from octolimb.core.errors import CannotIsolate, CannotSense
from octolimb.core.paths import RelPath
from octolimb.core.verdicts import SensorRun
from octolimb.sense.servers.wire import Connection, Gone, RequestFailed
from octolimb.shadow.live import Event, LiveChild, LiveShadow

START_SECONDS: Final = 30.0
_STEADY_SECONDS: Final = 10.0
"""Whoever lived as long did not die of its start."""
_PAUSES: Final = (0.0, 0.0, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
_MOST_OPEN: Final = 64
_KINDS: Final = {"created": 1, "changed": 2, "deleted": 3}
_ERROR: Final = 1
_COMPLAINT: Final = re.compile(r"resolving settings|load project|configuration|options")
"""What ruff 0.17.6 and ty 0.0.105 say of settings that they cannot read."""
_COMPLAINT_SECONDS: Final = 0.02

Spawn = Callable[[Sequence[str]], Awaitable[LiveChild]]


class Server(ABC):
    """One language server; `name` is the program, `sensor` what its findings are called. For one event loop."""

    name: str
    sensor: str

    def __init__(self, shadow: LiveShadow, spawn: Spawn, on_recovery: Callable[[], None]) -> None:
        """`spawn` starts a command in the shadow, reviving the shadow where it has to."""
        self._shadow = shadow
        self._spawn = spawn
        self._on_recovery = on_recovery
        self._connection: Connection | None = None
        self._child: LiveChild | None = None
        self._open: dict[RelPath, tuple[int, str]] = {}
        self._reason: str | None = None
        self._since = time.monotonic()
        self._changed = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self._restarting = False
        self._missed: list[Event] = []
        self.complaint: str | None = None
        """What it said of its configuration, which then is not the project's."""

    # -- its life ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begins to live; idempotent."""
        if self._life is None:
            self._life = asyncio.create_task(self._live(), name=f"octolimb-{self.name}")

    async def close(self) -> None:
        """Ends the child. Idempotent."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait([self._life])
        self._let_go()

    def restart(self) -> None:
        """Starts anew, for what it reads only at its start. Not a crash."""
        self._restarting = True
        if self._connection is not None:
            self._let_go()

    def status(self) -> SensorRun:
        """`ran` while it answers, `skipped` before it ever did, `crashed` with the reason while it is down."""
        since = (time.monotonic() - self._since) * 1000
        if self._reason is not None:
            return SensorRun(self.sensor, "crashed", since, self._reason)
        if self._connection is None:
            return SensorRun(self.sensor, "skipped", since, f"{self.name} is starting")
        if self.complaint is not None:
            return SensorRun(self.sensor, "crashed", since, self.complaint)
        return SensorRun(self.sensor, "ran", since)

    @property
    def is_up(self) -> bool:
        return self._connection is not None

    async def explain(self) -> str:
        """Its complaint with the cause, which it tells on its standard error only, at about the same time."""
        await asyncio.sleep(_COMPLAINT_SECONDS)
        told = self._connection.tail.rpartition(" ERROR ")[2] if self._connection is not None else ""
        lines = [line.strip() for line in told.replace(f"{self._shadow.root}/", "").splitlines()]
        words = [line for line in lines if line and "|" not in line]
        if not words:
            return self.complaint or f"{self.name} cannot read its configuration"
        return f"{self.name}: {': '.join(dict.fromkeys((words[0], words[-1])))}"[:500]

    async def ready(self) -> None:
        """Waits while it is being started. Raises `CannotSense` with the reason while it is down."""
        self.start()
        while self._connection is None:
            if self._reason is not None:
                raise CannotSense(self._reason)
            self._changed.clear()
            await self._changed.wait()

    async def _live(self) -> None:
        deaths = 0
        while True:
            began = time.monotonic()
            try:
                connection = await self._begin()
                await connection.ended
                reason = await self._reason_of_death()
            except (CannotIsolate, CannotSense) as error:
                reason = error.message
            except (Gone, RequestFailed, TimeoutError, OSError) as error:
                reason = f"{self.name} did not start: {error}" if str(error) else await self._reason_of_death()
            self._let_go()
            if self._restarting:
                continue
            deaths = 0 if time.monotonic() - began > _STEADY_SECONDS else deaths + 1
            pause = _PAUSES[min(max(deaths - 1, 0), len(_PAUSES) - 1)]
            if pause:
                self._reason, self._since = reason, time.monotonic()
                self._changed.set()
                await asyncio.sleep(pause)

    async def _begin(self) -> Connection:
        # Its options are read from here on: a wish for others that comes later is a wish for another start.
        self.complaint, self._missed, self._restarting = None, [], False
        self._child = await self._spawn(self._command())
        connection = Connection(self._answer, self._listen)
        await connection.open(self._child.stdin, self._child.stdout, self._child.stderr)
        try:
            async with asyncio.timeout(START_SECONDS):
                told = await connection.request("initialize", self._introduction())
                if told["capabilities"].get("positionEncoding", "utf-16") != "utf-16":
                    raise CannotSense(f"{self.name} does not count columns in UTF-16")
                connection.notify("initialized", {})
            if self._restarting:
                raise Gone
        except BaseException:
            connection.close()
            raise
        recovered = self._reason is not None
        self._connection, self._reason, self._since = connection, None, time.monotonic()
        # It may have read files before they moved.
        self.sync(self._missed, {})
        self._changed.set()
        if recovered:
            self._on_recovery()
        return connection

    async def _reason_of_death(self) -> str:
        fate = None
        if self._child is not None:
            fate = await asyncio.to_thread(self._shadow.fate_of, self._child)
        return f"{self.name} died: {fate or 'it closed its output'}"

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._open = {}

    def _introduction(self) -> dict[str, Any]:
        root = self._shadow.uri_of("")
        return {
            # In a PID namespace our own number means nothing.
            "processId": None,
            "rootUri": root,
            "workspaceFolders": [{"uri": root, "name": self._shadow.root.name}],
            "initializationOptions": self._options(),
            "capabilities": {
                "general": {"positionEncodings": ["utf-16"]},
                "workspace": {
                    "configuration": True,
                    "workspaceFolders": True,
                    "didChangeWatchedFiles": {"dynamicRegistration": True},
                    "workspaceEdit": {"documentChanges": True},
                    "fileOperations": {"willRename": True},
                },
                "textDocument": {
                    "diagnostic": {"relatedDocumentSupport": False},
                    "synchronization": {},
                    "hover": {"contentFormat": ["markdown", "plaintext"]},
                    "definition": {"linkSupport": True},
                    "documentSymbol": {"hierarchicalDocumentSymbolSupport": True},
                    "completion": {"completionItem": {"documentationFormat": ["markdown", "plaintext"]}},
                    "rename": {"prepareSupport": True},
                },
            },
        }

    def _answer(self, method: str, params: Any) -> Any:
        """Capabilities and progress are granted, configuration is ours, and edits are nobody's to make."""
        if method == "workspace/configuration":
            return [self._configuration() for _ in params["items"]]
        if method == "workspace/workspaceFolders":
            return [{"uri": self._shadow.uri_of(""), "name": self._shadow.root.name}]
        if method == "workspace/applyEdit":
            return {"applied": False, "failureReason": "nothing is edited here"}
        return None

    def _listen(self, method: str, params: Any) -> None:
        if method == "window/showMessage" and params.get("type") == _ERROR and _COMPLAINT.search(params["message"]):
            self.complaint = f"{self.name}: {str(params.get('message')).replace(f'{self._shadow.root}/', '')}"

    # -- what it is told ---------------------------------------------------------------------------------------

    def sync(self, events: Iterable[Event], texts: Mapping[RelPath, str]) -> None:
        """Tells of a move of the shadow, and shows it the documents that are about to be asked about.

        At once, in order and without waiting; while the server is being started, events are kept for it. A document
        that moved and is not shown is closed: its text would beat the file.
        """
        events = list(events)
        if self._connection is None:
            self._missed += events
            return
        for path in {event.path for event in events} - texts.keys():
            self._hide(path)
        watched = [
            {"uri": self._shadow.uri_of(event.path), "type": _KINDS[event.kind]} for event in self._interesting(events)
        ]
        if watched:
            self._connection.notify("workspace/didChangeWatchedFiles", {"changes": watched})
        for path, text in texts.items():
            self._show(path, text)
        for path in list(self._open)[: max(0, len(self._open) - _MOST_OPEN)]:
            if path not in texts:
                self._hide(path)

    def _show(self, path: RelPath, text: str) -> None:
        assert self._connection is not None
        uri = self._shadow.uri_of(path)
        version, known = self._open.pop(path, (0, None))
        if known is None:
            document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
            self._connection.notify("textDocument/didOpen", {"textDocument": document})
        elif known != text:
            identity = {"uri": uri, "version": version + 1}
            changes = {"textDocument": identity, "contentChanges": [{"text": text}]}
            self._connection.notify("textDocument/didChange", changes)
        # The most recently used stands last.
        self._open[path] = (version + (known != text), text)

    def _hide(self, path: RelPath) -> None:
        if self._open.pop(path, None) is not None and self._connection is not None:
            self._connection.notify("textDocument/didClose", {"textDocument": {"uri": self._shadow.uri_of(path)}})

    # -- what it is asked --------------------------------------------------------------------------------------

    async def pull(self, path: RelPath) -> list[dict[str, Any]]:
        """Its raw diagnostics of a document that it was shown. Raises `CannotSense` where it dies or refuses."""
        report = await self.request("textDocument/diagnostic", {"textDocument": {"uri": self._shadow.uri_of(path)}})
        items: list[dict[str, Any]] = report["items"]
        return items

    async def request(self, method: str, params: Mapping[str, Any]) -> Any:
        """One request with the child's own URIs. Raises `CannotSense` where it dies or refuses."""
        connection = self._connection
        if connection is None:
            raise CannotSense(self._reason or f"{self.name} is starting")
        try:
            return await connection.request(method, params)
        except Gone:
            if self._connection is connection:
                self._let_go()
            raise CannotSense(f"{self.name} died while it was asked") from None
        except RequestFailed as error:
            raise CannotSense(f"{self.name}: {error}") from None

    # -- what differs ------------------------------------------------------------------------------------------

    @abstractmethod
    def _command(self) -> list[str]: ...

    def _options(self) -> dict[str, Any]:
        return {}

    def _configuration(self) -> dict[str, Any] | None:
        return None

    def _interesting(self, events: Iterable[Event]) -> Iterable[Event]:
        return events


def own_message(message: str) -> str:
    """A diagnostic's message without the help and notes that servers append to it."""
    for mark in ("\n\nhelp: ", "\n\ninfo: ", "\n\nnote: "):
        message = message.partition(mark)[0]
    return message
