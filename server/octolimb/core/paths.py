"""The one canonical path. It does not look at any file: what a path points at is the workspace's business."""

from __future__ import annotations

import unicodedata

from octolimb.core.errors import BadPath

_MAX_PATH_BYTES = 4096
_MAX_NAME_BYTES = 255


class RelPath(str):
    """A repository-relative POSIX path in Unicode NFC, such as `src/app/main.py`.

    The only way to make one is this constructor. It drops `.` and empty segments (`./a//b` is `a/b`) and refuses,
    with `BadPath`, everything that is not plainly below the root: absolute paths, `..`, backslashes, drive letters,
    control characters, lone surrogates and over-long names. The root itself is no `RelPath`; see `parse_directory`.
    """

    __slots__ = ()

    def __new__(cls, raw: str) -> RelPath:
        if type(raw) is cls:
            return raw
        return super().__new__(cls, _canonical(raw))

    @property
    def name(self) -> str:
        return self.rpartition("/")[2]

    @property
    def parent(self) -> str:
        """The directory, in the same form; `""` is the root."""
        return self.rpartition("/")[0]

    @property
    def ancestors(self) -> list[RelPath]:
        """Every directory above this path and below the root, nearest first."""
        found: list[RelPath] = []
        directory = self.parent
        while directory:
            found.append(_trusted(directory))
            directory = directory.rpartition("/")[0]
        return found

    @property
    def suffix(self) -> str:
        name = self.name
        dot = name.rfind(".")
        return name[dot:] if dot > 0 else ""

    def is_below(self, directory: str) -> bool:
        """True where `directory` ("" for the root) contains this path, at any depth."""
        return not directory or self.startswith(directory + "/")


def parse_directory(raw: str) -> str:
    """The canonical form of a directory: `""` for the root (`""`, `.`, `./`), else as `RelPath`."""
    is_root = isinstance(raw, str) and not raw.startswith("/") and not set(raw.split("/")) - {"", "."}
    return "" if is_root else RelPath(raw)


def join(directory: str, name: str) -> RelPath:
    """`name`, one segment, in the canonical `directory` ("" for the root)."""
    return RelPath(f"{directory}/{name}" if directory else name)


def _trusted(canonical: str) -> RelPath:
    return str.__new__(RelPath, canonical)


def _canonical(raw: object) -> str:
    if not isinstance(raw, str):
        raise BadPath(f"a path must be text, not {type(raw).__name__}")
    shown = ascii(raw if len(raw) <= 120 else raw[:120] + "…")
    if raw.startswith("/") or (len(raw) > 1 and raw[1] == ":" and raw[0].isascii() and raw[0].isalpha()):
        raise BadPath(f"{shown} is absolute; give a path relative to the root", path=raw)
    for character in raw:
        if character == "\\" or ord(character) < 32 or 0x7F <= ord(character) < 0xA0:
            raise BadPath(f"{shown} contains {character!a}, which no path here may", path=raw)
        if 0xD800 <= ord(character) < 0xE000:
            raise BadPath(f"{shown} is not valid Unicode", path=raw)
    segments = [segment for segment in unicodedata.normalize("NFC", raw).split("/") if segment not in ("", ".")]
    if not segments:
        raise BadPath(f"{shown} names no file", path=raw)
    if ".." in segments:
        raise BadPath(f"{shown} climbs with '..'; give a path below the root", path=raw)
    if any(len(segment.encode()) > _MAX_NAME_BYTES for segment in segments):
        raise BadPath(f"{shown} has a name of over {_MAX_NAME_BYTES} bytes", path=raw)
    canonical = "/".join(segments)
    if len(canonical.encode()) > _MAX_PATH_BYTES:
        raise BadPath(f"{shown} is over {_MAX_PATH_BYTES} bytes long", path=raw)
    return canonical
