"""Restricts this process and all that it will start to a few places of the file system, by the kernel's Landlock.

It needs no privilege and no namespace, so it also holds where nothing can be mounted. It restricts the opening and
making of files, and not what a path tells: modes, owners, times and extended attributes can still be read and, where
the user owns the file, changed; neither does it restrict connecting to a named socket. Which places are allowed was
decided outside (see `plan`). Like all that the launcher imports, this module imports the standard library only.

Facts are from Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h of Linux, and landlock(7).
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterator
from typing import Final, TypedDict

from octolimb.shadow import kernel

# The numbers are the same on every architecture.
_SYS_CREATE_RULESET: Final = 444
_SYS_ADD_RULE: Final = 445
_SYS_RESTRICT_SELF: Final = 446
_CREATE_RULESET_VERSION: Final = 1
_RULE_PATH_BENEATH: Final = 1

_EXECUTE: Final = 1 << 0
_WRITE_FILE: Final = 1 << 1
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_TRUNCATE: Final = 1 << 14
_IOCTL_DEV: Final = 1 << 15
_READING: Final = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
"""What a rule on something that is no directory may grant; the kernel refuses others there."""
_FS_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 5: 16}
"""The number of rights on files that the kernel knows from an ABI on: all up to MAKE_SYM, then REFER, TRUNCATE,
IOCTL_DEV. A right that the ruleset does not handle is not restricted, except for REFER, which then is refused."""
_TCP: Final = 0b11
"""Binding and connecting. Rules of the kernel go by port and not by address, so all or nothing is what is useful."""
_SCOPED: Final = 0b11
"""No abstract socket and no signal reaches out of what is restricted together."""
_NETWORK_SINCE: Final = 4
_SCOPES_SINCE: Final = 6
_NEWEST: Final = 6
"""What later ABIs add is left alone: nobody has tried here what it does to a project's tests."""

_DEVICES: Final = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")
_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108  The C library makes semaphores there and nowhere else.
_FORBIDDEN: Final = "/proc/self/comm"
"""Any process may write here, and nothing needs to: whether that is refused tells whether the rules hold."""


class Fence(TypedDict):
    """Where a command may go. Paths that do not exist are passed over.

    `read` holds places whose files may be read and executed, each with the places within that may not. `write` holds
    places where everything is allowed. `tcp` false refuses all TCP. `least_abi`: below it, nothing is restricted and
    `restrict` raises.
    """

    read: list[tuple[str, list[str]]]
    write: list[str]
    tcp: bool
    least_abi: int


def find_abi() -> int:
    """The newest ABI that this kernel speaks. Raises `OSError` where Landlock is not there, saying in words why."""
    found = kernel.system_call(_SYS_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    if found < 0:
        code = ctypes.get_errno()
        reasons = {errno.ENOSYS: "this kernel has no Landlock", errno.EOPNOTSUPP: "Landlock was not enabled at boot"}
        raise OSError(code, reasons.get(code, os.strerror(code)))
    return found


def describe_gaps(abi: int) -> str:
    """What the newest ABI would restrict and this one does not, for people; empty where there is nothing."""
    gaps = {2: "renaming between directories is refused", 3: "truncating is not restricted"}
    gaps |= {5: "device controls are not restricted", 6: "signals and abstract sockets are not restricted"}
    return ", ".join(gap for since, gap in gaps.items() if abi < since)


def restrict(fence: Fence, *, newest: int = _NEWEST) -> None:
    """Restricts the calling thread and its children for good. The caller must have `no_new_privs`.

    `newest` is the newest ABI to use. Raises `OSError` where the kernel has none, where it is too old, and where it
    took the rules and yet allows what they forbid.
    """
    abi = min(find_abi(), newest)
    if abi < fence["least_abi"]:
        raise OSError(errno.ENOSYS, f"ABI {abi} of this kernel refuses every rename between directories")
    known = (1 << max(number for since, number in _FS_RIGHTS.items() if since <= abi)) - 1
    ruleset = _create(abi, known, tcp=fence["tcp"])
    try:
        for place, holes in fence["read"]:
            for path in _without(place, holes):
                _allow(ruleset, path, known & _READING)
        for path in fence["write"]:
            _allow(ruleset, path, known)
        for name in _DEVICES:
            _allow(ruleset, f"/dev/{name}", known & (_READ_FILE | _READ_DIR | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV))
        _allow(ruleset, _SHARED_MEMORY, known)
        kernel.check(kernel.system_call(_SYS_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    finally:
        os.close(ruleset)
    _assert_that_it_holds()


def _create(abi: int, known: int, *, tcp: bool) -> int:
    # The structure has grown with the ABI; a kernel that does not know a field refuses it.
    fields = [known]
    if abi >= _NETWORK_SINCE:
        fields.append(0 if tcp else _TCP)
    if abi >= _SCOPES_SINCE:
        fields.append(_SCOPED)
    attributes = struct.pack(f"{len(fields)}Q", *fields)
    ruleset = kernel.system_call(_SYS_CREATE_RULESET, attributes, len(attributes), 0)
    kernel.check(ruleset, "landlock_create_ruleset")
    os.set_inheritable(ruleset, False)
    return ruleset


def _without(place: str, holes: list[str]) -> Iterator[str]:
    """The outermost paths at and beneath `place` that hold no hole. A rule grants; none can take back."""
    if place in holes:
        return
    if not any(_is_beneath(hole, place) for hole in holes):
        yield place
        return
    try:
        names = os.listdir(place)
    except OSError:
        return
    for name in names:
        path = os.path.join(place, name)
        # What a link leads to has a path of its own, or is hidden.
        if not os.path.islink(path):
            yield from _without(path, holes)


def _is_beneath(path: str, directory: str) -> bool:
    return path.startswith(directory.rstrip("/") + "/")


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        # What cannot be reached now is not granted either.
        return
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, fd)
        kernel.check(kernel.system_call(_SYS_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0), path)
    finally:
        os.close(fd)


def _assert_that_it_holds() -> None:
    try:
        fd = os.open(_FORBIDDEN, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return
    os.close(fd)
    raise OSError(errno.ENOTSUP, "the kernel took the rules and does not keep them")
