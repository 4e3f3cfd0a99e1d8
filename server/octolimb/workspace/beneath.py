"""Opening a path strictly beneath a directory, by the kernel where it can (Linux 5.6 and newer, `openat2`)."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from typing import Final

# From linux/openat2.h and the system call tables; the number is the same on every architecture since 5.1.
_SYS_OPENAT2: Final = 437
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_NO_SYMLINKS: Final = 0x04
_RESOLVE_BENEATH: Final = 0x08
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def open_beneath(directory: int, path: str, flags: int, mode: int = 0) -> int:
    """Opens `path` relative to the descriptor `directory`; no link is followed and no `..` leads outside.

    Returns a new descriptor. Raises `OSError`, with ELOOP where a link is on the way and EXDEV where `..` would escape.
    With `O_PATH` and `O_NOFOLLOW` a link at the end is opened itself.
    """
    if _libc is None:
        return _open_step_by_step(directory, path, flags, mode)
    how = struct.pack("QQQ", flags, mode, _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS)
    for _ in range(64):
        fd: int = _libc.syscall(_SYS_OPENAT2, directory, os.fsencode(path), how, len(how))
        if fd >= 0:
            return fd
        code = ctypes.get_errno()
        if code in (errno.ENOSYS, errno.EPERM):
            return _open_step_by_step(directory, path, flags, mode)
        # A rename elsewhere raced with the walk; the kernel asks to try again.
        if code not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(code, os.strerror(code), path)


def _open_step_by_step(directory: int, path: str, flags: int, mode: int) -> int:
    """Without `openat2`: each directory is opened on its own and no link is followed anywhere."""
    *parents, name = path.split("/")
    if ".." in (*parents, name):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
    here = os.dup(directory)
    try:
        for parent in parents:
            below = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            os.close(here)
            here = below
        return os.open(name, flags | os.O_NOFOLLOW, mode, dir_fd=here)
    finally:
        os.close(here)
