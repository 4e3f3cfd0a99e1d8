"""The few Linux system calls that the launcher needs and Python does not wrap. Nothing here decides anything.

Every function raises `OSError` with the kernel's own error. It is imported by the launcher, which runs with nothing
but the standard library on its path; so this module imports nothing else either.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import itertools
import os
import socket
import struct
from pathlib import Path
from typing import Final

# From linux/sched.h.
CLONE_NEWNS: Final = 0x00020000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWPID: Final = 0x20000000
CLONE_NEWNET: Final = 0x40000000

# From linux/mount.h.
MS_RDONLY: Final = 0x1
MS_NOSUID: Final = 0x2
MS_NODEV: Final = 0x4
MS_NOEXEC: Final = 0x8
MS_REMOUNT: Final = 0x20
MS_NOATIME: Final = 0x400
MS_NODIRATIME: Final = 0x800
MS_BIND: Final = 0x1000
MS_REC: Final = 0x4000
MS_PRIVATE: Final = 0x40000
MS_RELATIME: Final = 0x200000
_FLAGS_BY_NAME: Final = {
    b"ro": MS_RDONLY,
    b"nosuid": MS_NOSUID,
    b"nodev": MS_NODEV,
    b"noexec": MS_NOEXEC,
    b"noatime": MS_NOATIME,
    b"nodiratime": MS_NODIRATIME,
    b"relatime": MS_RELATIME,
}
_MNT_DETACH: Final = 0x2
_SYS_MOUNT_SETATTR: Final = 442
_AT_FDCWD: Final = -100
_AT_RECURSIVE: Final = 0x8000
_MOUNT_ATTR_RDONLY: Final = 0x1

# From linux/prctl.h and linux/capability.h.
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_CAPBSET_DROP: Final = 24
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_CAPABILITY_VERSION_3: Final = 0x20080522
_HIGHEST_CAPABILITY: Final = 63
_KEPT_CAPABILITIES: Final = (
    0,  # CHOWN
    1,  # DAC_OVERRIDE
    3,  # FOWNER
    4,  # FSETID
    5,  # KILL
    6,  # SETGID
    7,  # SETUID
    10,  # NET_BIND_SERVICE
)
"""What root's own file and process tests need. DAC_READ_SEARCH is not among them: with it, `open_by_handle_at` opens
files that no mount of the namespace shows."""

# From linux/sockios.h and linux/if.h.
_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 0x1

_libc: Final = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str | None, target: str, kind: str | None, flags: int = 0, options: str | None = None) -> None:
    """Mounts one thing. Options are split at commas by the kernel: a path in them must hold none."""
    result = _libc.mount(_bytes(source), os.fsencode(target), _bytes(kind), ctypes.c_ulong(flags), _bytes(options))
    check(result, target)


def detach(target: str) -> None:
    """Takes what is mounted topmost at `target`, and all beneath it, out of sight; what is open in it stays open."""
    check(_libc.umount2(os.fsencode(target), ctypes.c_int(_MNT_DETACH)), target)


def make_read_only(target: str) -> None:
    """Makes a mount and every mount beneath it read-only."""
    attributes = struct.pack("QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    result = _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        os.fsencode(target),
        ctypes.c_uint(_AT_RECURSIVE),
        attributes,
        ctypes.c_size_t(len(attributes)),
    )
    if result < 0 and ctypes.get_errno() not in (errno.ENOSYS, errno.EPERM):
        check(result, target)
    if result < 0:
        # Kernels before 5.12, and seccomp profiles that do not know the call.
        for point, flags in mount_points():
            if _is_at_or_below(point, target):
                mount(None, point, None, MS_REMOUNT | MS_BIND | MS_RDONLY | flags)


def mount_points() -> list[tuple[str, int]]:
    """Every mount point that this process sees, with the per-mount flags that a remount has to repeat."""
    found: list[tuple[str, int]] = []
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        fields = line.split(b" ", 6)
        flags = sum(_FLAGS_BY_NAME.get(option, 0) for option in fields[5].split(b","))
        place = fields[4]
        if b"\\" in place:
            # The kernel writes space, tab, newline and backslash as three octal digits.
            place = place.decode("unicode_escape").encode("latin-1")
        found.append((os.fsdecode(place), flags))
    return found


def bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = fcntl.ioctl(probe, _SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
        _, flags = struct.unpack("16sH14x", request)
        fcntl.ioctl(probe, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def drop_capabilities() -> None:
    """Keeps what ordinary file and process work of root needs; neither exec nor a set-id file brings the rest back."""
    kept = sum(1 << capability for capability in _KEPT_CAPABILITIES)
    for capability in range(_HIGHEST_CAPABILITY + 1):
        if not kept & (1 << capability) and not _prctl(_PR_CAPBSET_DROP, capability):
            break  # The kernel knows no capability of this number or above, or we may drop none.
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    held = read_capabilities() & kept
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    low, high = held & 0xFFFFFFFF, held >> 32
    body = struct.pack("IIIIII", low, low, 0, high, high, 0)
    check(_libc.capset(header, body), "capset")
    if not _prctl(_PR_SET_NO_NEW_PRIVS, 1):
        check(-1, "no_new_privs")


def read_capabilities() -> int:
    """The permitted capabilities of this process as a bit set."""
    header = ctypes.create_string_buffer(struct.pack("Ii", _CAPABILITY_VERSION_3, 0), 8)
    body = ctypes.create_string_buffer(24)
    check(_libc.capget(header, body), "capget")
    words = struct.unpack("IIIIII", body.raw)
    return int(words[1]) | int(words[4]) << 32


def forbid_new_privileges() -> None:
    if not _prctl(_PR_SET_NO_NEW_PRIVS, 1):
        check(-1, "no_new_privs")


def die_with_parent(signal_number: int) -> None:
    """Asks for a signal when the parent's thread ends. A change of credentials forgets it: call it after those."""
    if not _prctl(_PR_SET_PDEATHSIG, signal_number):
        check(-1, "pdeathsig")


def become_subreaper() -> None:
    """Orphans among our descendants become our children from here on."""
    if not _prctl(_PR_SET_CHILD_SUBREAPER, 1):
        check(-1, "subreaper")


def forbid_tracing() -> None:
    """Nobody without CAP_SYS_PTRACE may read this process's memory or descriptors."""
    if not _prctl(_PR_SET_DUMPABLE, 0):
        check(-1, "dumpable")


def has_pid_limit_per_namespace() -> bool:
    """True where `kernel.pid_max` belongs to a PID namespace (Linux 6.14); before, it is the whole machine's."""
    major, _, rest = os.uname().release.partition(".")
    minor = "".join(itertools.takewhile(str.isdigit, rest))
    return major.isdigit() and minor.isdigit() and (int(major), int(minor)) >= (6, 14)


def system_call(number: int, *arguments: int | bytes | None) -> int:
    """Makes a call that the C library does not wrap: its result, or -1 with the error in `ctypes.get_errno()`.

    Numbers are passed as whole words, and so keep their sign.
    """
    words = (ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments)
    return int(_libc.syscall(ctypes.c_long(number), *words))


def check(result: int, what: str) -> None:
    """Raises `OSError` with the kernel's own error where a call has failed; `what` it was about is its `filename`."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)


def _prctl(option: int, argument: int) -> bool:
    zero = ctypes.c_ulong(0)
    return bool(_libc.prctl(ctypes.c_int(option), ctypes.c_ulong(argument), zero, zero, zero) == 0)


def _is_at_or_below(path: str, directory: str) -> bool:
    return directory in ("/", path) or path.startswith(directory + "/")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)
