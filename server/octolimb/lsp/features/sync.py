"""Documents and files: what the editor has open, and what changes on the disk."""

from __future__ import annotations

import logging
from collections import defaultdict

from lsprotocol import types

from octolimb.core.errors import BadInput
from octolimb.core.paths import RelPath
from octolimb.lsp.daemon import Daemon
from octolimb.lsp.folder import Folder
from octolimb.lsp.places import path_of_uri

logger = logging.getLogger(__name__)


def did_open(daemon: Daemon, params: types.DidOpenTextDocumentParams) -> None:
    buffer = daemon.buffers.open(params.text_document)
    if located := daemon.locate(buffer.uri):
        folder, path = located
        folder.put(path, buffer)


def did_change(daemon: Daemon, params: types.DidChangeTextDocumentParams) -> None:
    document = params.text_document
    was_lost = document.uri in daemon.buffers.lost
    buffer = daemon.buffers.change(document.uri, document.version, params.content_changes)
    located = daemon.locate(document.uri)
    if buffer is not None and located is not None:
        folder, path = located
        folder.put(path, buffer)
    elif buffer is None and not was_lost:
        _lose(daemon, document.uri, located)


def _lose(daemon: Daemon, uri: str, located: tuple[Folder, RelPath] | None) -> None:
    """What the editor has of this document is not known any more; it says so once, and never guesses."""
    logger.warning("a change of %s does not follow on what was there", uri)
    if located is not None:
        folder, path = located
        folder.lose(path)
        words = f"Octolimb: the editor's changes of {path} do not follow on each other, so it is left out until you "
        words += "close it and open it again."
        daemon.client.notify(types.WINDOW_SHOW_MESSAGE, types.ShowMessageParams(types.MessageType.Warning, words))


def did_close(daemon: Daemon, params: types.DidCloseTextDocumentParams) -> None:
    uri = params.text_document.uri
    daemon.buffers.close(uri)
    if located := daemon.locate(uri):
        folder, path = located
        folder.drop(path)


def did_save(daemon: Daemon, params: types.DidSaveTextDocumentParams) -> None:
    if located := daemon.locate(params.text_document.uri):
        folder, path = located
        folder.disk_changed([path])


def did_change_watched_files(daemon: Daemon, params: types.DidChangeWatchedFilesParams) -> None:
    changed: dict[Folder, set[RelPath]] = defaultdict(set)
    unclear: set[Folder] = set()
    for event in params.changes:
        path = path_of_uri(event.uri)
        for folder in daemon.folders:
            for above in (folder.root, folder.places.folder):
                if path is not None and path.is_relative_to(above):
                    # By its name, not by where a link leads: the link itself is what changed.
                    try:
                        changed[folder].add(RelPath(path.relative_to(above).as_posix()))
                    except BadInput:
                        unclear.add(folder)
                    break
    for folder in unclear | changed.keys():
        folder.disk_changed(None if folder in unclear else sorted(changed[folder]))


async def did_change_workspace_folders(daemon: Daemon, params: types.DidChangeWorkspaceFoldersParams) -> None:
    for gone in params.event.removed:
        if directory := path_of_uri(gone.uri):
            await daemon.close_folder(directory)
    for new in params.event.added:
        if directory := path_of_uri(new.uri):
            daemon.open_folder(directory)


def watching() -> types.Registration:
    """What to ask of a client that can watch files."""
    watchers = [types.FileSystemWatcher(glob_pattern="**/*")]
    options = types.DidChangeWatchedFilesRegistrationOptions(watchers)
    return types.Registration("octolimb-files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
