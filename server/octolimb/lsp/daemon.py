"""What one connection has opened: its folders, its buffers, and the client at the other end. Features build on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from octolimb.core.errors import BadInput
from octolimb.core.paths import RelPath
from octolimb.lsp.buffers import Buffer, Buffers
from octolimb.lsp.client import Client
from octolimb.lsp.folder import Folder
from octolimb.lsp.options import Options
from octolimb.lsp.positions import Encoding, LineIndex

logger = logging.getLogger(__name__)


class Daemon:
    """For one event loop. `open_folder` and `close_folder` follow the editor's own."""

    def __init__(self, client: Client, encoding: Encoding, options: Options) -> None:
        self.client = client
        self.encoding = encoding
        self.options = options
        self.buffers = Buffers(encoding)
        self.folders: list[Folder] = []
        self.watches = False
        """Whether folders hear of the disk's changes by themselves, since the client does not tell."""
        self.on_folder: list[Callable[[Folder], None]] = []
        """Called with each folder that opens, before it starts."""
        self.on_folder_gone: list[Callable[[Folder], object]] = []
        """Called with each folder that was closed."""

    # -- folders -----------------------------------------------------------------------------------------------

    def open_folder(self, directory: Path) -> Folder | None:
        """Starts sensing a folder; None, with the reason in the log and for the person, where it cannot be read."""
        try:
            folder = Folder(directory, self.options)
        except BadInput as error:
            logger.error("cannot open %s: %s", directory, error.message)
            words = f"Octolimb: {error.message}" + (f" ({error.hint})" if error.hint else "")
            self.client.notify(types.WINDOW_SHOW_MESSAGE, types.ShowMessageParams(types.MessageType.Error, words))
            return None
        if any(known.root == folder.root for known in self.folders):
            folder.engine.close()
            return None
        self.folders.append(folder)
        for hook in self.on_folder:
            hook(folder)
        folder.start()
        if self.watches:
            folder.watch(self._cannot_watch)
        for buffer in self.buffers:
            if (located := self.locate(buffer.uri)) and located[0] is folder:
                folder.put(located[1], buffer)
        return folder

    def watch(self) -> None:
        """The client does not watch files: every folder does, those that are open and those to come."""
        self.watches = True
        for folder in self.folders:
            folder.watch(self._cannot_watch)

    def _cannot_watch(self, why: str) -> None:
        words = f"Octolimb: files that change outside of the editor are only seen when you save here ({why})"
        self.client.notify(types.WINDOW_SHOW_MESSAGE, types.ShowMessageParams(types.MessageType.Warning, words))

    async def close_folder(self, directory: Path) -> None:
        for folder in [folder for folder in self.folders if folder.root == directory.resolve()]:
            self.folders.remove(folder)
            await folder.close()
            for hook in self.on_folder_gone:
                hook(folder)

    async def close(self) -> None:
        folders, self.folders = self.folders, []
        await asyncio.gather(*(folder.close() for folder in folders), return_exceptions=True)

    # -- names -------------------------------------------------------------------------------------------------

    def locate(self, uri: str) -> tuple[Folder, RelPath] | None:
        """The innermost folder that a document lies in, and its path there; None for one that lies in none."""
        found = [(folder, path) for folder in self.folders if (path := folder.places.path_of(uri)) is not None]
        return max(found, key=lambda pair: len(str(pair[0].root)), default=None)

    def need(self, uri: str) -> tuple[Folder, RelPath]:
        """As `locate`. Raises `JsonRpcInvalidParams` for a document outside of every open folder."""
        located = self.locate(uri)
        if located is None:
            raise JsonRpcInvalidParams(f"Invalid Params: {uri} is in none of the open folders")
        return located

    def folder_of(self, uri: str | None) -> Folder:
        """The folder of a document or directory, the first one where none is named. Raises `JsonRpcInvalidParams`."""
        if uri is not None:
            holding = [folder for folder in self.folders if folder.places.holds(uri)]
            if holding:
                return max(holding, key=lambda folder: len(str(folder.root)))
            raise JsonRpcInvalidParams(f"Invalid Params: {uri} is in none of the open folders")
        if not self.folders:
            raise JsonRpcInvalidParams("Invalid Params: no folder is open")
        return self.folders[0]

    def buffer_at(self, folder: Folder, path: RelPath) -> Buffer | None:
        return self.buffers.get(folder.places.uri_of(path))

    def index_of(self, folder: Folder, path: RelPath) -> LineIndex:
        """The lines of a file as the shadow has it now; empty where there is no such text."""
        buffer = self.buffer_at(folder, path)
        if buffer is not None:
            return buffer.index
        document = folder.snapshot().get(path)
        return LineIndex(document.text if document is not None and document.is_text else "")
