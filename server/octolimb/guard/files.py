"""The few operations on real files that applying a change needs, behind one seam that tests can make fail.

Every path is a directory descriptor and one plain name, so no symbolic link is ever followed. POSIX only. Nothing here
decides what to do; `apply` and `journal` do.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from octolimb.core.document import Document
from octolimb.core.paths import RelPath

TEMPORARY_PREFIX: Final = ".octolimb-"
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Owner:
    """What a replaced file passes on to its successor besides its mode."""

    uid: int
    gid: int
    attributes: tuple[tuple[str, bytes], ...]


class Files:
    """The real operations. Each raises `OSError` as the system does."""

    def create(self, directory: int, name: str, document: Document, owner: Owner | None) -> None:
        """A new file or link with the document's bytes and mode, on the disk for good when this returns."""
        if document.link:
            os.symlink(document.data, os.fsencode(name), dir_fd=directory)
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, 0o600, dir_fd=directory)
        try:
            view = memoryview(document.data)
            while view:
                view = view[self.write(fd, view) :]
            if owner is not None:
                _hand_down(fd, owner)
            os.fchmod(fd, document.mode)
            self.sync(fd)
        finally:
            os.close(fd)

    def write(self, fd: int, content: memoryview) -> int:
        return os.write(fd, content)

    def sync(self, fd: int) -> None:
        os.fsync(fd)

    def link(self, source_directory: int, source: str, directory: int, name: str) -> None:
        """A second name for a file, or for a link itself."""
        os.link(source, name, src_dir_fd=source_directory, dst_dir_fd=directory, follow_symlinks=False)

    def rename(self, source_directory: int, source: str, directory: int, name: str) -> None:
        os.rename(source, name, src_dir_fd=source_directory, dst_dir_fd=directory)

    def unlink(self, directory: int, name: str) -> None:
        os.unlink(name, dir_fd=directory)

    def make_directory(self, directory: int, name: str) -> None:
        os.mkdir(name, 0o777, dir_fd=directory)

    def remove_directory(self, directory: int, name: str) -> None:
        os.rmdir(name, dir_fd=directory)


def temporary_name() -> str:
    """A hidden name that nobody can guess."""
    return f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"


def open_directory(root: int, path: str) -> int:
    """A descriptor of the directory `path` ("" for the root), opened step by step; no link is followed.

    Raises `OSError`: ENOENT where there is none, ENOTDIR or ELOOP where a file or a link is in the way.
    """
    here = os.dup(root)
    try:
        for segment in path.split("/") if path else ():
            below = os.open(spelling(here, segment), _DIRECTORY, dir_fd=here)
            os.close(here)
            here = below
    except BaseException:
        os.close(here)
        raise
    return here


@contextlib.contextmanager
def parent_of(root: int, path: str) -> Iterator[tuple[int, str]]:
    """The directory that holds `path`, and the name as the disk spells it. Raises as `open_directory` does."""
    parent, _, name = path.rpartition("/")
    directory = open_directory(root, parent)
    try:
        yield directory, spelling(directory, name)
    finally:
        os.close(directory)


def spelling(directory: int, name: str) -> str:
    """How the disk spells a name that it may hold in another Unicode form than NFC; `name` where it holds none."""
    if name.isascii():
        return name
    names = os.listdir(directory)
    if name in names:
        return name
    return next((other for other in names if unicodedata.normalize("NFC", other) == name), name)


def read_document(directory: int, name: str, path: RelPath) -> Document | None:
    """The file or link, not followed; None where there is nothing. Raises `OSError`: EISDIR, or EINVAL for a device."""
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(status.st_mode):
        return Document(path, os.fsencode(os.readlink(name, dir_fd=directory)), 0o777, link=True)
    if not stat.S_ISREG(status.st_mode):
        code = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
        raise OSError(code, os.strerror(code), path)
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(file.fileno())
        return Document(path, file.read(), stat.S_IMODE(status.st_mode))


def owner_of(directory: int, name: str) -> Owner | None:
    """Owner, group and extended attributes of a regular file; None for a link or for nothing."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):
            return None
        raise
    try:
        status = os.fstat(fd)
        attributes: list[tuple[str, bytes]] = []
        if hasattr(os, "listxattr"):
            with contextlib.suppress(OSError):  # A file system without extended attributes has none to lose.
                attributes = [(key, os.getxattr(fd, key)) for key in os.listxattr(fd)]
        return Owner(status.st_uid, status.st_gid, tuple(attributes))
    finally:
        os.close(fd)


def same_file(directory: int, name: str, other_directory: int, other: str) -> bool:
    """True where both names exist and are one inode."""
    try:
        first = os.stat(name, dir_fd=directory, follow_symlinks=False)
        second = os.stat(other, dir_fd=other_directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def exists(directory: int, name: str) -> bool:
    """True for anything at all, a dangling link included."""
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _hand_down(fd: int, owner: Owner) -> None:
    status = os.fstat(fd)
    if (status.st_uid, status.st_gid) != (owner.uid, owner.gid):
        # Another's file in a shared directory can be replaced but not given back to its owner; the group often can.
        try:
            os.fchown(fd, owner.uid, owner.gid)
        except PermissionError:
            with contextlib.suppress(PermissionError):
                os.fchown(fd, -1, owner.gid)
    for key, value in owner.attributes:
        with contextlib.suppress(OSError):  # Some attributes only the system may set, and it sets them anew.
            os.setxattr(fd, key, value)
