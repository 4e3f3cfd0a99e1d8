"""Definition, references, rename and the like: asked of the type checker that sees the shadow, and passed on.

Columns are UTF-16 there; for a client that counts otherwise every place is converted, by the text of its own file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from lsprotocol import types

from octolimb.core.errors import CannotSense
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.lsp.daemon import Daemon
from octolimb.lsp.folder import Folder
from octolimb.lsp.positions import UTF16, Encoding, LineIndex

_MOST_TRIES: Final = 5
DOCUMENT_METHODS: Final = (
    types.TEXT_DOCUMENT_COMPLETION,
    types.TEXT_DOCUMENT_DEFINITION,
    types.TEXT_DOCUMENT_DECLARATION,
    types.TEXT_DOCUMENT_TYPE_DEFINITION,
    types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT,
    types.TEXT_DOCUMENT_DOCUMENT_SYMBOL,
    types.TEXT_DOCUMENT_HOVER,
    types.TEXT_DOCUMENT_PREPARE_RENAME,
    types.TEXT_DOCUMENT_REFERENCES,
    types.TEXT_DOCUMENT_RENAME,
    types.TEXT_DOCUMENT_SIGNATURE_HELP,
)


class Intelligence:
    """Forwards requests, each against the shadow as it was when the request came."""

    def __init__(self, daemon: Daemon, plain: Callable[[Any], Any]) -> None:
        """`plain` turns typed parameters into JSON values."""
        self._daemon = daemon
        self._plain = plain

    async def about_document(self, method: str, params: Any) -> Any:
        """Raises `CannotSense` where the checker is down or does not know the method."""
        located = self._daemon.locate(params.text_document.uri)
        if located is None:
            return None
        folder, path = located
        snapshot = folder.snapshot()
        convert = _Converter(self._daemon, folder)
        asked = convert.walk(self._plain(params), path, self._daemon.encoding, UTF16)
        for name in ("workDoneToken", "partialResultToken"):
            asked.pop(name, None)
        answer = await _asked(folder, snapshot, method, asked)
        return convert.walk(answer, path, UTF16, self._daemon.encoding)

    async def symbols(self, params: types.WorkspaceSymbolParams) -> list[Any]:
        found: list[Any] = []
        for folder in list(self._daemon.folders):
            answer = await folder.live.ask(folder.snapshot(), types.WORKSPACE_SYMBOL, {"query": params.query})
            found += _Converter(self._daemon, folder).walk(answer or [], None, UTF16, self._daemon.encoding)
        return found


async def _asked(folder: Folder, snapshot: Snapshot, method: str, params: dict[str, Any]) -> Any:
    """Asks again where the checker was just told of a change: it drops what it was at, and says so."""
    for _ in range(_MOST_TRIES - 1):
        try:
            return await folder.live.ask(snapshot, method, params)
        except CannotSense as error:
            if "content modified" not in error.message:
                raise
    return await folder.live.ask(snapshot, method, params)


class _Converter:
    """Converts the columns of every place in a JSON value."""

    def __init__(self, daemon: Daemon, folder: Folder) -> None:
        self._daemon = daemon
        self._folder = folder
        self._indices: dict[RelPath, LineIndex] = {}

    def walk(self, value: Any, path: RelPath | None, before: Encoding, after: Encoding) -> Any:
        """The value with its places converted; `path` is the file that places lie in where nothing else is said."""
        if before is after:
            return value
        if isinstance(value, list):
            return [self.walk(item, path, before, after) for item in value]
        if not isinstance(value, dict):
            return value
        if value.keys() == {"line", "character"}:
            return self._place(value, path, before, after)
        document = value.get("textDocument")
        uri = (
            value.get("targetUri") or value.get("uri") or (document.get("uri") if isinstance(document, dict) else None)
        )
        here = self._folder.places.path_of(uri) if isinstance(uri, str) else path
        converted = {}
        for key, item in value.items():
            # The keys of `changes` are URIs; the origin of a link lies in the file that was asked about.
            within = self._folder.places.path_of(key) if key.startswith("file:") else here
            converted[key] = self.walk(item, path if key == "originSelectionRange" else within, before, after)
        return converted

    def _place(self, value: dict[str, Any], path: RelPath | None, before: Encoding, after: Encoding) -> dict[str, Any]:
        if path is None:
            return value
        if path not in self._indices:
            self._indices[path] = self._daemon.index_of(self._folder, path)
        index = self._indices[path]
        offset = index.offset(types.Position(value["line"], value["character"]), before)
        position = index.to_client_position(index.position(offset), after)
        return {"line": position.line, "character": position.character}
