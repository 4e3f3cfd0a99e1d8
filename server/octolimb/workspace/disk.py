"""The repository as it is on disk, read strictly beneath its root. Nothing here writes."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from octolimb.core.document import Document
from octolimb.core.errors import BadInput, BadPath
from octolimb.core.paths import RelPath, join
from octolimb.core.snapshot import Kind
from octolimb.workspace.beneath import open_beneath


class DiskBase:
    """The bottom of every snapshot of a repository. Safe to share between threads.

    No symbolic link is followed; sockets, pipes and devices do not exist here. Names that no `RelPath` can spell
    (undecodable bytes, backslashes) are left out of listings. A name in another Unicode form than NFC is found under
    its NFC one; where both are there, the NFC one is meant and the other is left out.
    """

    def __init__(self, root: Path) -> None:
        """Raises `BadInput` where `root` is not a directory that can be read."""
        self.root = root.resolve()
        try:
            self._fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            os.listdir(self._fd)
        except OSError as error:
            raise BadInput(
                f"cannot read the root {root}: {error.strerror}",
                hint="give a directory that exists and that you may read, with --root",
            ) from None

    def __del__(self) -> None:
        fd = getattr(self, "_fd", None)
        if fd is not None:
            os.close(fd)

    def kind(self, path: str) -> Kind | None:
        if not path:
            return "directory"
        fd = self._open(RelPath(path), os.O_PATH)
        if fd is None:
            return None
        try:
            return _kind_of(os.fstat(fd).st_mode)
        finally:
            os.close(fd)

    def read(self, path: RelPath) -> Document | None:
        fd = self._open(path, os.O_PATH)
        if fd is None:
            return None
        try:
            status = os.fstat(fd)
            kind = _kind_of(status.st_mode)
            if kind == "link":
                return Document(path, os.readlink("", dir_fd=fd).encode("utf-8", "surrogateescape"), 0o777, link=True)
            if kind != "file":
                return None
        finally:
            os.close(fd)
        fd = self._open(path, os.O_RDONLY | os.O_NONBLOCK)
        if fd is None:
            return None
        with open(fd, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return None
            return Document(path, file.read(), stat.S_IMODE(status.st_mode))

    def names(self, directory: str) -> Mapping[str, Kind]:
        fd = self._open(RelPath(directory), os.O_RDONLY | os.O_DIRECTORY) if directory else os.dup(self._fd)
        if fd is None:
            return {}
        found: dict[str, Kind] = {}
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    kind = _entry_kind(entry)
                    name = _spellable(entry.name)
                    if kind is not None and name and (name == entry.name or name not in found):
                        found[name] = kind
        finally:
            os.close(fd)
        return found

    def spelling(self, path: RelPath) -> str:
        """`path` with every name that is there in the Unicode form that it has there."""
        return path if path.isascii() else self._actual_spelling(path)[0]

    def inside(self, target: str) -> str | None:
        """What an absolute path names relative to the root (`""` for the root); None where it is outside."""
        root = str(self.root)
        return target[len(root) :].lstrip("/") if f"{target}/".startswith(root.rstrip("/") + "/") else None

    def _open(self, path: RelPath, flags: int) -> int | None:
        flags |= os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return open_beneath(self._fd, path, flags)
        except PermissionError as error:
            raise BadInput(f"cannot read {path}: {error.strerror}", path=path) from None
        except OSError:
            if path.isascii():
                return None
        actual, found = self._actual_spelling(path)
        if not found:
            return None
        try:
            return open_beneath(self._fd, actual, flags)
        except OSError:
            return None

    def _actual_spelling(self, path: RelPath) -> tuple[str, bool]:
        """How the disk spells a path whose names it may not hold in NFC, and whether it holds them all."""
        spelt = ""
        segments = path.split("/")
        for index, segment in enumerate(segments):
            name = self._actual_name(spelt, segment)
            if name is None:
                return "/".join([spelt, *segments[index:]] if spelt else segments), False
            spelt = f"{spelt}/{name}" if spelt else name
        return spelt, True

    def _actual_name(self, directory: str, segment: str) -> str | None:
        try:
            fd = open_beneath(self._fd, directory or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            names = os.listdir(fd)
        finally:
            os.close(fd)
        if segment in names:
            return segment
        return next((name for name in sorted(names) if unicodedata.normalize("NFC", name) == segment), None)


def _kind_of(mode: int) -> Kind | None:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "link" if stat.S_ISLNK(mode) else None


def _entry_kind(entry: os.DirEntry[str]) -> Kind | None:
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "directory"
    return "file" if entry.is_file(follow_symlinks=False) else None


def _spellable(name: str) -> str | None:
    try:
        return join("", name)
    except BadPath:
        return None
