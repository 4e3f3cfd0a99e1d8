"""Between the editor's URIs and paths of one root. It looks at the disk only to follow symbolic links."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from octolimb.core.errors import BadInput
from octolimb.core.paths import RelPath


def path_of_uri(uri: str) -> Path | None:
    """The absolute path of a `file:` URI on this machine; None for any other."""
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        return None
    try:
        path = unquote(parts.path, errors="strict")
    except UnicodeDecodeError:
        return None
    return None if "\0" in path else Path(os.path.normpath(path))


def uri_of_path(path: Path) -> str:
    return "file://" + quote(str(path))


class Places:
    """One root's names. A URI that the editor itself used for a path is given back to it as it was."""

    def __init__(self, root: Path, folder: Path | None = None) -> None:
        """`root` is the real path; `folder` is how the editor calls it, which may lead there by links."""
        self._root = root
        self.folder = folder or root
        self._paths: dict[str, RelPath | None] = {}
        self._uris: dict[RelPath, str] = {}

    def path_of(self, uri: str) -> RelPath | None:
        """The path below the root where the document really lies; None for one that lies elsewhere."""
        if uri not in self._paths:
            path = self._locate(uri)
            if len(self._paths) > 100_000:
                self._paths.clear()
            self._paths[uri] = path
            if path is not None:
                self._uris.setdefault(path, uri)
        return self._paths[uri]

    def directory_of(self, uri: str) -> str | None:
        """As `path_of`, with the root itself as the empty string."""
        path = path_of_uri(uri)
        if path is not None and path in (self._root, self.folder):
            return ""
        return self.path_of(uri)

    def holds(self, uri: str) -> bool:
        return self.directory_of(uri) is not None

    def uri_of(self, path: str) -> str:
        """The URI by which the editor knows a path ("" for the root)."""
        if path and (known := self._uris.get(RelPath(path))):
            return known
        return uri_of_path(self.folder / path if path else self.folder)

    def _locate(self, uri: str) -> RelPath | None:
        path = path_of_uri(uri)
        if path is None:
            return None
        for above in (self.folder, self._root):
            if path.is_relative_to(above) and path != above:
                path = self._root / path.relative_to(above)
                break
        # A link is written through to where it leads, so that is where the buffer's text will be.
        real = Path(os.path.realpath(path))
        if not real.is_relative_to(self._root) or real == self._root:
            return None
        try:
            return RelPath(real.relative_to(self._root).as_posix())
        except BadInput:
            return None
