"""The process under a live shadow: it alone changes what children see, and children are started by it.

    outer   unshares, forks, and waits; where nothing can be unshared it is itself the host
    host    PID 1 of the namespaces: keeps the tree, answers requests, starts children
    child   a language server; without the capabilities that the host needs for its mounts

It is single-threaded and serves until the other end of its socket is gone, which is the daemon's death too; a PID
namespace dies with its first process, and children of the copy's host ask for a signal at its end. Each message is a
small JSON header in a memory file, followed by bytes. Standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import resource
import signal
import socket
import time
from typing import Any, Final, NoReturn

from octolimb.shadow import kernel
from octolimb.shadow.live_files import LiveCopy, LiveMount
from octolimb.shadow.live_tree import LiveTree
from octolimb.shadow.reaping import kill_descendants
from octolimb.shadow.view import Parts, clear_ground, enter_namespaces, prepare_view

HEADER_LENGTH_BYTES: Final = 8
_MESSAGE_BYTES: Final = 16
_MOST_PASSED: Final = 4
_ABOVE_FIXED: Final = 32
_EXIT_NOT_FOUND: Final = 127
_EXIT_NOT_EXECUTABLE: Final = 126


def serve(fd: int) -> NoReturn:
    """Takes the first request, which says what to be, and then serves."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.chdir("/")
    os.umask(0o022)
    gc.freeze()
    os.set_inheritable(fd, False)
    requests = socket.socket(fileno=fd)
    try:
        request, _, _ = _receive(requests)
        if request["mode"] == "overlay":
            _serve_in_namespaces(requests, request)
        else:
            _serve_beside(requests, request)
    finally:
        os._exit(1)


def _serve_in_namespaces(requests: socket.socket, request: dict[str, Any]) -> NoReturn:
    parts = Parts()
    try:
        enter_namespaces(parts)
        host = os.fork()
    except OSError as error:
        _answer(requests, {"error": error.strerror, "path": error.filename})
        os._exit(1)
    if host:
        # The host's end of the socket must be the only one, so that its death shows.
        requests.close()
        os.waitpid(host, 0)
        os._exit(0)
    kernel.die_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        prepare_view(parts)
        ground = clear_ground(request["view"])
        os.makedirs(request["home"], 0o700, exist_ok=True)
        tree = LiveMount(ground)
    except OSError as error:
        _answer(requests, {"error": error.strerror, "path": error.filename})
        os._exit(1)
    kernel.forbid_tracing()
    _answer(requests, {"missing": parts.missing})
    Host(requests, tree).serve()


def _serve_beside(requests: socket.socket, request: dict[str, Any]) -> NoReturn:
    kernel.become_subreaper()
    kernel.forbid_new_privileges()
    # The disk is looked at before it is copied: what changes in between is then told once too often, never too seldom.
    tree = LiveCopy(request["root"], request["disk"])
    _answer(requests, {"missing": []})
    Host(requests, tree).serve()


class Host:
    """The loop. A request that fails is answered with its reason; the tree is then no longer to be trusted."""

    def __init__(self, requests: socket.socket, tree: LiveTree) -> None:
        self._requests = requests
        self._tree = tree
        self._ended: dict[int, int] = {}
        self._children: set[int] = set()

    def serve(self) -> NoReturn:
        while True:
            try:
                request, payload, fds = _receive(self._requests)
            except EOFError:
                # A PID namespace ends with its first process; beside the machine's other processes we end them.
                if os.getpid() != 1:
                    kill_descendants(-1)
                os._exit(0)
            began = time.monotonic()
            try:
                answer = self._carry_out(request, payload, fds)
            except OSError as error:
                answer = {"error": error.strerror or str(error), "path": error.filename}
            finally:
                for fd in fds:
                    os.close(fd)
            answer["ms"] = (time.monotonic() - began) * 1000
            _answer(self._requests, answer)

    def _carry_out(self, request: dict[str, Any], payload: memoryview, fds: list[int]) -> dict[str, Any]:
        self._reap()
        match request["do"]:
            case "apply":
                told, refused = self._tree.apply(request["orders"], payload)
                return {"told": told, "refused": refused}
            case "follow":
                return {"told": self._tree.follow_disk(request["paths"]), "refused": {}}
            case "spawn":
                pid = _spawn(request["command"], request["environment"], fds)
                self._children.add(pid)
                return {"pid": pid}
            case "fate":
                return {"status": self._ended.get(request["pid"])}
            case "kill":
                if request["pid"] in self._children:
                    os.kill(request["pid"], signal.SIGKILL)
                return {}
            case other:
                raise OSError(f"no such request: {other}")

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid in self._children:
                    self._children.discard(pid)
                    self._ended[pid] = status


def _spawn(command: list[str], environment: dict[str, str], fds: list[int]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = _EXIT_NOT_EXECUTABLE
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for number, fd in enumerate([fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE_FIXED) for fd in fds]):
            os.dup2(fd, number)
        os.closerange(3, _ABOVE_FIXED)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        kernel.drop_capabilities()
        # Last, since a change of credentials would forget it.
        kernel.die_with_parent(signal.SIGKILL)
        os.execvpe(command[0], command, environment)  # noqa: S606
    except OSError as error:
        code = _EXIT_NOT_FOUND if isinstance(error, FileNotFoundError) else code
        os.write(2, f"octolimb: cannot run {command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(code)


def _receive(requests: socket.socket) -> tuple[dict[str, Any], memoryview, list[int]]:
    """A request, its bytes, and the descriptors that came with it. Raises `EOFError` where nobody is there any more."""
    try:
        message, fds, _, _ = socket.recv_fds(requests, _MESSAGE_BYTES, _MOST_PASSED, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        message, fds = b"", []
    if not message:
        raise EOFError
    with open(fds[0], "rb") as file:
        length = int.from_bytes(file.read(HEADER_LENGTH_BYTES), "little")
        return json.loads(file.read(length)), memoryview(file.read()), fds[1:]


def _answer(requests: socket.socket, answer: dict[str, Any]) -> None:
    header = json.dumps(answer).encode("ascii")
    fd = os.memfd_create("octolimb-answer")
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(len(header).to_bytes(HEADER_LENGTH_BYTES, "little") + header)
        os.lseek(fd, 0, os.SEEK_SET)
        # A daemon that is gone is noticed at the next request.
        with contextlib.suppress(OSError):
            socket.send_fds(requests, [b"answer"], [fd])
    finally:
        os.close(fd)
