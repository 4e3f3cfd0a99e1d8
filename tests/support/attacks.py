"""What a hostile test might try, run by itself: a JSON document of where things are in, one of what came of it out.

    python attacks.py '{"tree": "/path/to/a/file", ...}'

Standard library only, since it runs in the sandbox. Each attack returns when it believes that it has succeeded.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

_X86 = os.uname().machine == "x86_64"
_PTRACE = 101 if _X86 else 117
_ADD_KEY = 248 if _X86 else 217
_USERFAULTFD = 323 if _X86 else 282
_IO_URING_SETUP = 425
_CLONE_NEWNS = 0x20000
_CLONE_NEWUSER = 0x10000000
_MORE_THREADS_THAN_A_NAMESPACE_HOLDS = 4200
_libc = ctypes.CDLL(None, use_errno=True)
_libc.shmat.restype = ctypes.c_void_p


def change_tree(world: dict[str, Any]) -> None:
    with open(world["tree"], "w") as file:
        file.write("spoilt")


def change_elsewhere(world: dict[str, Any]) -> None:
    with open(world["elsewhere"], "w") as file:
        file.write("spoilt")


def change_modes(world: dict[str, Any]) -> None:
    os.chmod(world["moded"], 0o777)


def read_home(world: dict[str, Any]) -> None:
    _must_say(world["home"], world["secret"])


def read_temporary(world: dict[str, Any]) -> None:
    _must_say(world["temporary"], world["secret"])


def read_state(world: dict[str, Any]) -> None:
    _must_say(world["state"], world["secret"])


def connect_tcp(world: dict[str, Any]) -> None:
    socket.create_connection(("127.0.0.1", world["port"]), 5).close()


def connect_abstract(world: dict[str, Any]) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + world["abstract"])


def connect_named(world: dict[str, Any]) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(world["named"])


def list_processes(world: dict[str, Any]) -> None:
    _must_say(f"/proc/{world['victim']}/cmdline", "sleep")


def read_process(world: dict[str, Any]) -> None:
    _must_say(f"/proc/{world['victim']}/environ", world["secret"])


def trace_process(world: dict[str, Any]) -> None:
    attach, detach = 16, 17
    _call(_PTRACE, attach, world["victim"], 0, 0)
    os.waitpid(world["victim"], 0x40000000)
    _call(_PTRACE, detach, world["victim"], 0, 0)


def kill_process(world: dict[str, Any]) -> None:
    os.kill(world["victim"], signal.SIGKILL)


def share_memory(world: dict[str, Any]) -> None:
    segment = _check(_libc.shmget(ctypes.c_int(world["segment"]), 0, 0))
    place = _libc.shmat(segment, None, 0o10000)
    if place in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "shmat")


def read_shared_file(world: dict[str, Any]) -> None:
    _must_say(world["shared"], world["secret"])


def trace_own_child(world: dict[str, Any]) -> None:
    _in_child(lambda: _call(_PTRACE, 0, 0, 0, 0))


def use_keyring(world: dict[str, Any]) -> None:
    process_keyring = -2
    _call(_ADD_KEY, b"user", b"octolimb-test", b"x", 1, process_keyring)


def use_io_uring(world: dict[str, Any]) -> None:
    os.close(_call(_IO_URING_SETUP, 1, ctypes.create_string_buffer(120)))


def use_userfaultfd(world: dict[str, Any]) -> None:
    of_user_mode_only = 1
    os.close(_call(_USERFAULTFD, of_user_mode_only | os.O_CLOEXEC))


def enter_user_namespace(world: dict[str, Any]) -> None:
    _in_child(lambda: _check(_libc.unshare(_CLONE_NEWUSER)))


def mount_in_user_namespace(world: dict[str, Any]) -> None:
    def act() -> None:
        _check(_libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS))
        _check(_libc.mount(b"t", os.fsencode(os.getcwd()), b"tmpfs", 0, None))

    _in_child(act)


def start_thousands(world: dict[str, Any]) -> None:
    """Threads, since each takes a process number and little else."""
    threading.stack_size(32 << 10)
    enough = threading.Event()
    started: list[threading.Thread] = []
    try:
        for _ in range(_MORE_THREADS_THAN_A_NAMESPACE_HOLDS):
            thread = threading.Thread(target=enough.wait)
            thread.start()
            started.append(thread)
    finally:
        enough.set()
        for thread in started:
            thread.join()


def take_memory(world: dict[str, Any]) -> None:
    without_reserve = 0x4000
    mmap.mmap(-1, 1 << 46, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | without_reserve).close()


def fill_disk(world: dict[str, Any]) -> None:
    with open("filler", "wb") as file:
        file.write(bytes(world["too_much"]))


# The last one ends the process that others need.
ATTACKS: list[Callable[[dict[str, Any]], None]] = [
    change_tree,
    change_elsewhere,
    change_modes,
    read_home,
    read_temporary,
    read_state,
    connect_tcp,
    connect_abstract,
    connect_named,
    list_processes,
    read_process,
    trace_process,
    share_memory,
    read_shared_file,
    trace_own_child,
    use_keyring,
    use_io_uring,
    use_userfaultfd,
    enter_user_namespace,
    mount_in_user_namespace,
    start_thousands,
    take_memory,
    fill_disk,
    kill_process,
]


def _must_say(path: str, words: str) -> None:
    with open(path, "rb") as file:
        if words.encode() not in file.read():
            raise OSError(f"{path} says something else")


def _call(number: int, *arguments: int | bytes | ctypes.Array[ctypes.c_char]) -> int:
    words = (ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments)
    return _check(_libc.syscall(ctypes.c_long(number), *words))


def _check(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _in_child(act: Callable[[], object]) -> None:
    """What would change this process for good; a failure there is one here."""
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(OSError):
            act()
            code = 0
        os._exit(code)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
        raise OSError("refused in the child")


def main() -> None:
    world = json.loads(sys.argv[1])
    outcome: dict[str, str] = {}
    for attack in ATTACKS:
        try:
            attack(world)
        except (OSError, MemoryError, RuntimeError) as error:
            outcome[attack.__name__] = f"{type(error).__name__}: {error}"
        else:
            outcome[attack.__name__] = ""
    print(json.dumps(outcome))


if __name__ == "__main__":
    main()
