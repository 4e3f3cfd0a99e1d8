"""The process that children are forked from: small, single-threaded, and started once for each host.

It receives requests, forks, and goes on listening. For each request there are three processes:

    A  the warden, outside: builds the view, keeps the deadline, kills on the host's word or absence
    B  PID 1 of the new namespace: reaps, and ends when C does, which ends everything in the namespace
    C  the command

Without namespaces (a private copy) there is no B, and A hunts down every descendant itself. It knows no snapshot and
no policy: what it does is all in the request. It imports the standard library and its neighbours only.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import mmap
import os
import resource
import select
import signal
import socket
import time
from typing import Final, Literal, NoReturn, TypedDict

from octolimb.shadow import kernel
from octolimb.shadow.reaping import kill_descendants
from octolimb.shadow.view import (
    CrateEntry,
    Parts,
    ViewRequest,
    build_view,
    enter_namespaces,
    mount_proc,
    write_crate,
)

REPORT_FD: Final = 3
CHANNEL_FD: Final = 4
HEADER_LENGTH_BYTES: Final = 8
_MOST_PASSED: Final = 7
_ABOVE_FIXED: Final = 32
_MOST_PROCESSES_OF_USER: Final = 8192
_EXIT_NOT_FOUND: Final = 127
_EXIT_NOT_EXECUTABLE: Final = 126


class LaunchRequest(TypedDict):
    """The JSON header of a request's payload; the crate's bytes follow it."""

    mode: Literal["overlay", "copy"]
    command: list[str]
    directory: str
    environment: dict[str, str]
    make: list[str]
    """Directories to make once the view stands, such as a private HOME."""
    deadline: float | None
    """On the system-wide monotonic clock, in seconds."""
    file_bytes: int
    memory_bytes: int
    required: list[str]
    """Optional parts of the isolation that must hold, else the command does not run."""
    has_stdin: bool
    has_channel: bool
    view: ViewRequest
    entries: list[CrateEntry]


class Report(TypedDict, total=False):
    """What comes back on the status socket, one JSON object for each message.

    `ready` once, in seconds on the monotonic clock just before exec, with what did not hold; then `exit`, a wait
    status. `error` in place of both where the view could not be built.
    """

    ready: float
    missing: list[str]
    exit: int
    timed_out: bool
    error: str
    path: str


def serve(fd: int) -> NoReturn:
    """Answers requests on the socket until its other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Wardens are not waited for: the kernel forgets them as they end.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.chdir("/")
    # A collection in a forked child would only copy pages that it shares with us.
    gc.disable()
    gc.freeze()
    requests = socket.socket(fileno=fd)
    # Its other end closes when this process ends, however it ends, and every warden listens for that.
    life, own_life = os.pipe()
    while True:
        message, fds, _, _ = socket.recv_fds(requests, 64, _MOST_PASSED, socket.MSG_CMSG_CLOEXEC)
        if not message:
            os._exit(0)
        if os.fork() == 0:
            requests.close()
            os.close(own_life)
            _watch_over(fds, life)
        for received in fds:
            os.close(received)


def _watch_over(fds: list[int], life: int) -> NoReturn:
    """A: from here on nothing returns to the serving loop, whatever happens."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        os.umask(0o022)
        payload_fd, status_fd = fds[0], fds[1]
        with mmap.mmap(payload_fd, 0, prot=mmap.PROT_READ) as payload, memoryview(payload) as content:
            length = int.from_bytes(content[:HEADER_LENGTH_BYTES], "little")
            header = HEADER_LENGTH_BYTES + length
            request: LaunchRequest = json.loads(bytes(content[HEADER_LENGTH_BYTES:header]))
            with socket.socket(fileno=status_fd) as status:
                try:
                    if request["mode"] == "overlay":
                        _run_in_view(request, content[header:], fds[2:], status, life)
                    else:
                        _run_in_copy(request, fds[2:], status, life)
                    code = 0
                except OSError as error:
                    place = error.filename if isinstance(error.filename, str) else ""
                    _send(status, {"error": error.strerror or str(error), "path": place})
    finally:
        os._exit(code)


def _run_in_view(
    request: LaunchRequest, crate: memoryview, streams: list[int], status: socket.socket, life: int
) -> None:
    parts = Parts()
    view = request["view"]
    enter_namespaces(parts)
    build_view(view, parts)
    write_crate(view["root"], request["entries"], crate)
    crate.release()
    init = os.fork()
    if init == 0:
        os.close(life)
        _be_init(request, streams, status, parts)
    for fd in streams:
        os.close(fd)
    exited = os.pidfd_open(init)
    timed_out = _wait_for(exited, status, life, request["deadline"])
    if timed_out is not None:
        # Killing PID 1 of a namespace kills all that is in it, and the wait below ends when all is gone.
        signal.pidfd_send_signal(exited, signal.SIGKILL)
    os.waitpid(init, 0)
    if timed_out:
        _send(status, {"timed_out": True})


def _be_init(request: LaunchRequest, streams: list[int], status: socket.socket, parts: Parts) -> NoReturn:
    """B: PID 1 inside. Signals without a handler do not reach it from in there, so it must have none."""
    code = 1
    try:
        kernel.die_with_parent(signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        mount_proc(parts)
        lacking = [part for part in parts.missing if part.partition(":")[0] in request["required"]]
        if lacking:
            _send(status, {"error": f"the isolation that held before does not hold now ({'; '.join(lacking)})"})
        else:
            _send(status, {"exit": _run_as_init(request, streams, status, parts.missing)})
            code = 0
    except OSError as error:
        _send(status, {"error": error.strerror or str(error)})
    finally:
        os._exit(code)


def _run_as_init(request: LaunchRequest, streams: list[int], status: socket.socket, missing: list[str]) -> int:
    """Starts the command and adopts orphans until it ends; the wait status of the command."""
    _make_directories(request["make"])
    kernel.drop_capabilities()
    command = os.fork()
    if command == 0:
        _become_command(request, streams, status, missing)
    # The command could read our memory and forge its own end otherwise.
    kernel.forbid_tracing()
    for fd in streams:
        os.close(fd)
    while True:
        pid, wait_status = os.wait()
        if pid == command:
            return wait_status


def _run_in_copy(request: LaunchRequest, streams: list[int], status: socket.socket, life: int) -> None:
    kernel.become_subreaper()
    kernel.forbid_new_privileges()
    _make_directories(request["make"])
    command = os.fork()
    if command == 0:
        kernel.die_with_parent(signal.SIGKILL)
        os.close(life)
        _become_command(request, streams, status, [])
    for fd in streams:
        os.close(fd)
    exited = os.pidfd_open(command)
    timed_out = _wait_for(exited, status, life, request["deadline"])
    wait_status = kill_descendants(command)
    _send(status, {"timed_out": True} if timed_out else {"exit": wait_status})


def _wait_for(exited: int, status: socket.socket, life: int, deadline: float | None) -> bool | None:
    """None when the process ended by itself; False when the host wants it dead or is gone; True at the deadline."""
    poll = select.poll()
    for fd in (exited, status.fileno(), life):
        poll.register(fd, select.POLLIN)
    left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
    ready = [fd for fd, _ in poll.poll(left)]
    if exited in ready:
        return None
    return not ready


def _become_command(request: LaunchRequest, streams: list[int], status: socket.socket, missing: list[str]) -> NoReturn:
    """C: the standard streams, the report and the channel at their fixed numbers, and nothing else of ours."""
    code = _EXIT_NOT_EXECUTABLE
    subject = "its limits"
    try:
        os.setsid()
        _limit(request)
        own_status = _lay_out(request, streams, status)
        # These are the ones that Python or the launcher set; the mask and the rest are as they were at its start.
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        # From here on a failure is the command's own, as it would be in a terminal.
        _send(own_status, {"ready": time.monotonic(), "missing": missing})
        subject = request["directory"]
        os.chdir(subject)
        subject = request["command"][0]
        os.execvpe(subject, request["command"], request["environment"])  # noqa: S606
    except OSError as error:
        code = _EXIT_NOT_FOUND if isinstance(error, FileNotFoundError) else code
        os.write(2, f"octolimb: cannot run the command: {subject}: {error.strerror}\n".encode())
    finally:
        os._exit(code)


def _lay_out(request: LaunchRequest, streams: list[int], status: socket.socket) -> socket.socket:
    """Puts the descriptors at their numbers. Returns the status socket, which exec closes."""
    stdout, stderr, report, *rest = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE_FIXED) for fd in streams)
    own_status = fcntl.fcntl(status.fileno(), fcntl.F_DUPFD_CLOEXEC, _ABOVE_FIXED)
    stdin = rest.pop(0) if request["has_stdin"] else os.open("/dev/null", os.O_RDONLY)
    for number, fd in ((0, stdin), (1, stdout), (2, stderr), (REPORT_FD, report)):
        os.dup2(fd, number)
    if request["has_channel"]:
        os.dup2(rest.pop(0), CHANNEL_FD)
    os.closerange(CHANNEL_FD + request["has_channel"], _ABOVE_FIXED)
    return socket.socket(fileno=own_status)


def _limit(request: LaunchRequest) -> None:
    """Bounds what one runaway command can take. Descriptors stay as they are: test suites rely on their number."""
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, request["file_bytes"]),
        (resource.RLIMIT_AS, request["memory_bytes"]),
        (resource.RLIMIT_NPROC, _MOST_PROCESSES_OF_USER),
    ):
        _, hard = resource.getrlimit(kind)
        bounded = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bounded, bounded))


def _make_directories(paths: list[str]) -> None:
    for path in paths:
        os.makedirs(path, 0o700, exist_ok=True)


def _send(status: socket.socket, report: Report) -> None:
    """A host that is gone or has lost interest is no error here."""
    with contextlib.suppress(OSError):
        status.send(json.dumps(report).encode("ascii"))
