"""Our end of the launcher: starts it, hands it requests, and follows each one to its end.

It knows descriptors and messages; what a request says is the host's business.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from octolimb.core.errors import CannotIsolate
from octolimb.shadow.launcher import HEADER_LENGTH_BYTES, LaunchRequest, Report

# The launcher finds its neighbours without importing our package's own `__init__`, which needs installed metadata.
_BOOT: Final = """
import sys, types
for name, place in (("octolimb", sys.argv[1]), ("octolimb.shadow", sys.argv[1] + "/shadow")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [place]
from octolimb.shadow.%s import serve
serve(int(sys.argv[2]))
"""
_PACKAGE: Final = Path(__file__).parent.parent
_MESSAGE_BYTES: Final = 1 << 16
_CHUNK_BYTES: Final = 1 << 16
_SETUP_SECONDS: Final = 60.0
_GRACE_SECONDS: Final = 10.0
_LAUNCHES: Final = 2
"""A request that died with its launcher, before the command began, is made once more."""


def start_helper(module: Literal["launcher", "live_host"]) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Starts a process of ours that serves requests, and our end of its socket. Raises `CannotIsolate`."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-I", "-S", "-c", _BOOT % module, str(_PACKAGE), str(theirs.fileno())]
        try:
            # Its own session keeps a terminal's Ctrl-C away: it is ours to decide what that ends.
            # Our standard output may be a protocol's: nobody else is to hold it.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env={},
            )
        except OSError as error:
            ours.close()
            raise CannotIsolate(f"cannot start the {module} of shadow processes: {error.strerror}") from None
    return process, ours


class Launcher:
    """One launcher process, started at the first request and again after it died. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._closed = False

    def launch(self, request: LaunchRequest, crate: Sequence[bytes], *, stdin: bytes | None = None) -> Launched:
        """Runs the request; returns when its command is about to be executed.

        Raises `CannotIsolate` where the view could not be built or no process could be started.
        """
        for _ in range(_LAUNCHES):
            launched = self._send(request, crate, stdin)
            try:
                if launched.await_ready(_SETUP_SECONDS):
                    return launched
            except BaseException:
                launched.kill()
                raise
            launched.close()
        raise CannotIsolate("the launcher of shadow processes died while it set one up")

    @property
    def pid(self) -> int | None:
        """The process id of the running launcher, or None."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def close(self) -> None:
        """Ends the launcher, and with it every child. Idempotent."""
        with self._lock:
            self._closed = True
            self._end()

    def _send(self, request: LaunchRequest, crate: Sequence[bytes], stdin: bytes | None) -> Launched:
        with contextlib.ExitStack() as theirs:
            payload = memory_file("octolimb-request", _encode(request, crate))
            theirs.callback(os.close, payload)
            launched = Launched()
            try:
                passed = [payload, *launched.open_theirs(theirs, channel=request["has_channel"])]
                if stdin is not None:
                    fd = memory_file("octolimb-stdin", [stdin])
                    theirs.callback(os.close, fd)
                    passed.insert(5, fd)
                self._pass(f"{request['mode']} {json.dumps(request['deadline'])}".encode(), passed)
            except BaseException:
                launched.close()
                raise
            return launched

    def _pass(self, message: bytes, fds: list[int]) -> None:
        with self._lock:
            for attempt in range(_LAUNCHES):
                if self._closed:
                    raise CannotIsolate("the shadow host is closed")
                if self.pid is None or self._socket is None:
                    self._end()
                    self._start()
                assert self._socket is not None
                try:
                    socket.send_fds(self._socket, [message], fds)
                except OSError as error:
                    if error.errno not in (errno.EPIPE, errno.ECONNRESET) or attempt + 1 == _LAUNCHES:
                        raise CannotIsolate(
                            f"cannot reach the launcher of shadow processes: {error.strerror}"
                        ) from None
                    self._end()
                else:
                    return

    def _start(self) -> None:
        self._process, self._socket = start_helper("launcher")

    def _end(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            # It ends by itself at the end of its input; a stopped one would not.
            self._process.kill()
            self._process.wait()
            self._process = None


@dataclass
class Launched:
    """One request on its way: the ends of its pipes that are ours, and what its status said so far.

    The end of the status socket means that the command and everything it started are gone.
    """

    status: socket.socket = field(init=False)
    stdout: int = field(init=False)
    stderr: int = field(init=False)
    report: int = field(init=False)
    channel: socket.socket | None = field(init=False, default=None)
    ready: float | None = field(init=False, default=None)
    missing: tuple[str, ...] = field(init=False, default=())
    wait_status: int = field(init=False, default=signal.SIGKILL.value)
    timed_out: bool = field(init=False, default=False)
    ended: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._ours = contextlib.ExitStack()

    def open_theirs(self, theirs: contextlib.ExitStack, *, channel: bool) -> list[int]:
        """Opens every pipe; our ends are kept, the others returned, and closed with `theirs`."""
        self.status, their_status = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.enter_context(self.status)
        theirs.enter_context(their_status)
        passed = [their_status.fileno()]
        for name in ("stdout", "stderr", "report"):
            reading, writing = os.pipe()
            setattr(self, name, reading)
            self._ours.callback(os.close, reading)
            theirs.callback(os.close, writing)
            passed.append(writing)
        if channel:
            self.channel, their_channel = socket.socketpair()
            self._ours.enter_context(self.channel)
            theirs.enter_context(their_channel)
            passed.append(their_channel.fileno())
        return passed

    def await_ready(self, seconds: float) -> bool:
        """True once the command is about to be executed; False where the launcher died before.

        Raises `CannotIsolate` where the view could not be built, and after `seconds`.
        """
        self.status.settimeout(seconds)
        try:
            while self.ready is None and not self.ended and not self.timed_out:
                self.take_report()
        except TimeoutError:
            raise CannotIsolate(f"setting up a shadow process took over {seconds:.0f} s") from None
        finally:
            self.status.settimeout(None)
        return self.ready is not None or self.timed_out

    def take_report(self) -> None:
        """Takes one message, waiting for it. Raises `CannotIsolate` where it tells of a failed set-up."""
        try:
            message = self.status.recv(_MESSAGE_BYTES)
        except ConnectionResetError:
            message = b""
        if not message:
            self.ended = True
            return
        report: Report = json.loads(message)
        if "error" in report:
            place = report.get("path", "")
            raise CannotIsolate(f"cannot make a shadow: {report['error']}{f' at {place}' if place else ''}")
        self.ready = report.get("ready", self.ready)
        self.missing = tuple(report.get("missing", self.missing))
        self.wait_status = report.get("exit", self.wait_status)
        self.timed_out = report.get("timed_out", self.timed_out)

    def pump(self, sinks: dict[int, Callable[[bytes], None]], deadline: float | None) -> None:
        """Feeds the pipes to their sinks until the whole tree is gone; `deadline` is on the monotonic clock.

        Raises `CannotIsolate` where the tree outlives the deadline by far, which only the kernel could explain.
        """
        poll = select.poll()
        for fd in (self.status.fileno(), *sinks):
            poll.register(fd, select.POLLIN)
        while not self.ended:
            left = None if deadline is None else deadline + _GRACE_SECONDS - time.monotonic()
            if left is not None and left <= 0:
                raise CannotIsolate("a shadow process could not be killed at its deadline")
            for fd, _ in poll.poll(None if left is None else left * 1000):
                if fd == self.status.fileno():
                    self.take_report()
                elif block := os.read(fd, _CHUNK_BYTES):
                    sinks[fd](block)
                else:
                    poll.unregister(fd)
        # The writers are gone: what is left in the pipes is all there will be.
        for fd, sink in sinks.items():
            os.set_blocking(fd, False)
            with contextlib.suppress(BlockingIOError):
                while block := os.read(fd, _CHUNK_BYTES):
                    sink(block)

    def ask_to_kill(self) -> None:
        """Asks the warden to kill the tree; `ended` tells later when it is done."""
        with contextlib.suppress(OSError):
            self.status.send(b"kill")

    def kill(self) -> None:
        """Kills the tree, waits until it is gone, and closes. For the thread that follows it, whatever it left off."""
        self.ask_to_kill()
        try:
            self.status.settimeout(_GRACE_SECONDS)
            while not self.ended:
                # What a dying set-up has to say is of no interest any more; what the kernel holds on to, out of reach.
                with contextlib.suppress(CannotIsolate):
                    self.take_report()
        except OSError:
            self.ended = True
        finally:
            self.close()

    def close(self) -> None:
        """Lets go of it: the warden then kills what still runs."""
        self._ours.close()

    @property
    def returncode(self) -> int | None:
        """As `subprocess` has it, negative for a signal; None where the deadline ended it."""
        return None if self.timed_out else os.waitstatus_to_exitcode(self.wait_status)


def _encode(request: LaunchRequest, crate: Sequence[bytes]) -> list[bytes]:
    header = json.dumps(request).encode("ascii")
    return [len(header).to_bytes(HEADER_LENGTH_BYTES, "little"), header, *crate]


def memory_file(name: str, parts: Sequence[bytes]) -> int:
    fd = os.memfd_create(name)
    try:
        with open(fd, "wb", closefd=False) as file:
            file.writelines(parts)
        os.lseek(fd, 0, os.SEEK_SET)
    except BaseException:
        os.close(fd)
        raise
    return fd
