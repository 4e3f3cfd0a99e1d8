"""The other side of the connection: what it can do, and how it is told and asked. It decides nothing."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from typing import Any, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol

QUICK_SECONDS: Final = 0.5
"""Work that ends sooner shows no progress: a bar that flashes by tells nobody anything."""

logger = logging.getLogger(__name__)


class Client:
    """For one event loop. `initialize` has been answered before anything is sent."""

    def __init__(self, protocol: LanguageServerProtocol, capabilities: types.ClientCapabilities) -> None:
        self._protocol = protocol
        self._capabilities = capabilities
        self._tokens = itertools.count(1)
        self.cancels: dict[str | int, Callable[[], None]] = {}
        """What to do when the person cancels a progress, by its token."""

    def can(self, path: str) -> bool:
        """Whether the client announced a capability, such as `workspace.apply_edit`."""
        return bool(self._capability(path))

    def _capability(self, path: str) -> Any:
        found: Any = self._capabilities
        for name in path.split("."):
            found = getattr(found, name, None)
        return found

    @property
    def pulls(self) -> bool:
        """Whether the client asks for the diagnostics of open documents, in place of being sent them.

        One that cannot be told to ask again, when another document's edit changed what one says, is sent them.
        """
        return self._capability("text_document.diagnostic") is not None and self.can(
            "workspace.diagnostics.refresh_support"
        )

    @property
    def resource_operations(self) -> frozenset[str]:
        kinds = self._capability("workspace.workspace_edit.resource_operations") or ()
        return frozenset(str(getattr(kind, "value", kind)) for kind in kinds)

    @property
    def annotates(self) -> bool:
        """Whether edits that need a person's yes can be marked so, and are then really shown before."""
        return self._capability("workspace.workspace_edit.change_annotation_support") is not None

    @property
    def knows_proposals(self) -> bool:
        """Whether it shows proposals by itself. Others are asked in a message box."""
        experimental = self._capabilities.experimental
        return isinstance(experimental, dict) and bool(experimental.get("octolimb"))

    def notify(self, method: str, params: Any) -> None:
        self._protocol.notify(method, params)

    async def ask(self, method: str, params: Any) -> Any:
        """A request to the client. Raises `JsonRpcException` where it refuses."""
        return await self._protocol.send_request_async(method, params)

    async def ask_person(
        self, message: str, *choices: str, kind: types.MessageType = types.MessageType.Info
    ) -> str | None:
        """The choice that a person made in a message box, None where it was closed or cannot be shown."""
        actions = [types.MessageActionItem(choice) for choice in choices]
        try:
            item = await self.ask(
                types.WINDOW_SHOW_MESSAGE_REQUEST, types.ShowMessageRequestParams(kind, message, actions)
            )
        except JsonRpcException:
            return None
        return item.title if isinstance(item, types.MessageActionItem) else None

    def progress(self, title: str, *, on_cancel: Callable[[], None] | None = None) -> Progress:
        return Progress(self, f"octolimb-{next(self._tokens)}", title, on_cancel)


class Progress:
    """Long work as the client shows it; nothing is shown of work that ends within half a second.

    An async context manager. `say` may be called from any thread.
    """

    def __init__(self, client: Client, token: str, title: str, on_cancel: Callable[[], None] | None) -> None:
        self._client = client
        self._token = token
        self._title = title
        self._on_cancel = on_cancel
        self._loop = asyncio.get_running_loop()
        self._said = ""
        self._begun = False
        self._showing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Progress:
        if self._client.can("window.work_done_progress"):
            self._showing = asyncio.create_task(self._show())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._showing is not None:
            self._showing.cancel()
        self._client.cancels.pop(self._token, None)
        if self._begun:
            self._send(types.WorkDoneProgressEnd())
            self._begun = False

    def say(self, words: str) -> None:
        self._loop.call_soon_threadsafe(self._report, words)

    def _report(self, words: str) -> None:
        self._said = words
        if self._begun:
            self._send(types.WorkDoneProgressReport(message=words))

    async def _show(self) -> None:
        await asyncio.sleep(QUICK_SECONDS)
        if self._on_cancel is not None:
            self._client.cancels[self._token] = self._on_cancel
        try:
            await self._client.ask(
                types.WINDOW_WORK_DONE_PROGRESS_CREATE, types.WorkDoneProgressCreateParams(self._token)
            )
        except JsonRpcException as error:
            logger.info("the client shows no progress: %s", error.message)
            return
        self._begun = True
        self._send(
            types.WorkDoneProgressBegin(self._title, cancellable=self._on_cancel is not None, message=self._said)
        )

    def _send(self, value: Any) -> None:
        self._client.notify(types.PROGRESS, types.ProgressParams(self._token, value))
