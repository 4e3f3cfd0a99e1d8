"""Refuses system calls that no project's tests need and that open more of the kernel than they should: a deny list.

What is refused fails with EPERM and the program goes on. It is a second wall: most of it the namespaces and missing
capabilities refuse as well, and the keyring, io_uring, userfaultfd and new user namespaces nothing else does. It is
no allow list, so it does not make the kernel safe. A filter sees the registers and not what they point to.
Like all that the launcher imports, this module imports the standard library only.

Facts are from Documentation/userspace-api/seccomp_filter.rst and the headers of Linux: linux/seccomp.h, linux/filter.h,
linux/audit.h, asm/unistd_64.h (x86_64) and asm-generic/unistd.h (aarch64).
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from octolimb.shadow import kernel

_SET_MODE_FILTER: Final = 1
_FLAG_SPEC_ALLOW: Final = 1 << 2
"""Without it, kernels before 5.16 slow everything down to guard against a program that reads its own memory."""
_ALLOW: Final = 0x7FFF0000
_KILL_PROCESS: Final = 0x80000000
_ERRNO: Final = 0x00050000

# From linux/filter.h: load a word, jump if equal, jump if any bit is set, keep some bits, return.
_LOAD: Final = 0x20
_JUMP_EQUAL: Final = 0x15
_JUMP_SET: Final = 0x45
_RETURN: Final = 0x06
# Offsets in struct seccomp_data. Arguments are 64 bits wide; what is compared here are 32-bit ones, or flags in the
# low half, and both architectures store that half first.
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_ARGUMENTS: Final = 16
_X32_BIT: Final = 0x40000000

_NEW_NAMESPACES: Final = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET of linux/sched.h."""
_NEW_TIME_NAMESPACE: Final = 0x80
"""For unshare only: to clone, these bits say which signal a child ends with."""
_INJECTING_CONTROLS: Final = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX, which type into a terminal what its reader then takes for its user's."""
_HARMLESS_PERSONALITIES: Final = (0, 0xFFFFFFFF)
"""The usual one, and the question which it is."""
_LOCAL_FAMILIES: Final = (socket.AF_UNIX,)
_INTERNET_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)
_AF_NETLINK: Final = 16
_NETLINK_ROUTE: Final = 0
"""The C library lists addresses through it."""

# name: (x86_64, aarch64); None where there is no such call.
_REFUSED: Final[dict[str, tuple[int | None, int | None]]] = {
    # Keys of the user, which no namespace separates.
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # Other processes' memory and descriptors.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # Large parts of the kernel that tests do not need.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # Mounts and namespaces.
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "setns": (308, 268),
    # Files by number, past every mount and directory.
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # The machine's own business.
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "iopl": (172, None),
    "ioperm": (173, None),
    "uselib": (134, None),
}


@dataclass(frozen=True)
class Architecture:
    """`audit` is its number in linux/audit.h, `column` its place in the table; the rest are calls to look into."""

    audit: int
    column: int
    clone: int
    clone3: int
    unshare: int
    ioctl: int
    personality: int
    socket: int
    socketpair: int


ARCHITECTURES: Final = {
    "x86_64": Architecture(
        0xC000003E, 0, clone=56, clone3=435, unshare=272, ioctl=16, personality=135, socket=41, socketpair=53
    ),
    "aarch64": Architecture(
        0xC00000B7, 1, clone=220, clone3=435, unshare=97, ioctl=29, personality=92, socket=198, socketpair=199
    ),
}


def restrict(*, network: bool) -> None:
    """Filters the calling thread's and its children's system calls for good. The caller must have `no_new_privs`.

    `network` false leaves local sockets only. Raises `OSError` where this architecture has no filter here, where the
    kernel has none, and where it took the filter and yet allows what it refuses.
    """
    machine = os.uname().machine
    architecture = ARCHITECTURES.get(machine)
    if architecture is None or sys.maxsize < 1 << 32:
        raise OSError(errno.ENOSYS, f"there is no filter for {machine} here")
    program = assemble(architecture, network=network)
    held = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions, and where they are.
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(held))
    number = {"x86_64": 317, "aarch64": 277}[machine]
    kernel.check(kernel.system_call(number, _SET_MODE_FILTER, _FLAG_SPEC_ALLOW, header), "seccomp")
    _assert_that_it_holds(architecture)


def assemble(architecture: Architecture, *, network: bool) -> bytes:
    """The filter as the kernel takes it, eight bytes for each instruction."""
    refused = [numbers[architecture.column] for numbers in _REFUSED.values()]
    eperm, enosys, no_family = (_ERRNO | code for code in (errno.EPERM, errno.ENOSYS, errno.EAFNOSUPPORT))
    families = [*_LOCAL_FAMILIES, *(_INTERNET_FAMILIES if network else ())]
    program = [
        _step(_LOAD, _ARCHITECTURE),
        # A call in another architecture's numbers would mean another call: such programs cannot run here.
        *_unless(_JUMP_EQUAL, architecture.audit, [_return(_KILL_PROCESS)]),
        _step(_LOAD, _NUMBER),
    ]
    if architecture.column == 0:
        program += _when(_JUMP_SET, _X32_BIT, [_return(eperm)])
    for number in refused:
        if number is not None:
            program += _when(_JUMP_EQUAL, number, [_return(eperm)])
    # Its flags lie in memory, out of a filter's sight. The C library takes this answer for an older kernel's.
    program += _when(_JUMP_EQUAL, architecture.clone3, [_return(enosys)])
    program += _when(_JUMP_EQUAL, architecture.clone, _refuse_bits(_NEW_NAMESPACES, eperm))
    program += _when(_JUMP_EQUAL, architecture.unshare, _refuse_bits(_NEW_NAMESPACES | _NEW_TIME_NAMESPACE, eperm))
    program += _when(_JUMP_EQUAL, architecture.ioctl, _refuse_values(1, _INJECTING_CONTROLS, eperm))
    program += _when(_JUMP_EQUAL, architecture.personality, _allow_values(0, _HARMLESS_PERSONALITIES, eperm))
    netlink = [_step(_LOAD, _low_half(2)), *_unless(_JUMP_EQUAL, _NETLINK_ROUTE, [_return(no_family)]), _return(_ALLOW)]
    others = [_step(_LOAD, _low_half(0)), *(_when(_JUMP_EQUAL, _AF_NETLINK, netlink) if network else [])]
    program += _when(_JUMP_EQUAL, architecture.socket, [*others, *_allow_values(0, families, no_family)])
    program += _when(_JUMP_EQUAL, architecture.socketpair, _allow_values(0, families, no_family))
    program.append(_return(_ALLOW))
    return b"".join(program)


def _refuse_bits(bits: int, answer: int) -> list[bytes]:
    return [_step(_LOAD, _low_half(0)), *_when(_JUMP_SET, bits, [_return(answer)]), _return(_ALLOW)]


def _refuse_values(argument: int, values: Iterable[int], answer: int) -> list[bytes]:
    checks = [step for value in values for step in _when(_JUMP_EQUAL, value, [_return(answer)])]
    return [_step(_LOAD, _low_half(argument)), *checks, _return(_ALLOW)]


def _allow_values(argument: int, values: Iterable[int], answer: int) -> list[bytes]:
    checks = [step for value in values for step in _when(_JUMP_EQUAL, value, [_return(_ALLOW)])]
    return [_step(_LOAD, _low_half(argument)), *checks, _return(answer)]


def _low_half(argument: int) -> int:
    return _ARGUMENTS + 8 * argument


def _when(jump: int, value: int, body: list[bytes]) -> list[bytes]:
    """The body, which ends with a return, where the comparison holds; else on behind it."""
    return [_step(jump, value, otherwise=len(body)), *body]


def _unless(jump: int, value: int, body: list[bytes]) -> list[bytes]:
    return [_step(jump, value, then=len(body)), *body]


def _return(action: int) -> bytes:
    return _step(_RETURN, action)


def _step(code: int, operand: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, operand)


def _assert_that_it_holds(architecture: Architecture) -> None:
    """Asks for something harmless that is refused: to join no namespace at all, which is otherwise a bad descriptor."""
    number = _REFUSED["setns"][architecture.column]
    assert number is not None
    if kernel.system_call(number, -1, 0) != -1 or ctypes.get_errno() != errno.EPERM:
        raise OSError(errno.ENOTSUP, "the kernel took the filter and does not keep it")
