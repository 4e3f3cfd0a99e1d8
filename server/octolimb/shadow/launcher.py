"""The process that children are forked from: small, single-threaded, and started once for each host.

It receives requests, forks, and goes on listening. For each request there are three processes:

    A  the warden, outside: makes the namespaces, keeps the deadline, kills on the host's word or absence
    B  PID 1 of the new namespace: builds the view, reaps, and ends when C does, which ends all that is in there
    C  the command

A and B are made ahead of the next request and wait, with everything mounted that is the same for all; they are
dismissed when the machine's own mounts change. Without namespaces (a private copy) there is no B, and A hunts down
every descendant itself. Either way C puts itself behind Landlock and a filter of system calls, as the last thing
before it becomes the command: what A and B still have to do, these would refuse. It knows no snapshot and no policy:
what it does is all in the request. It imports the standard library and its neighbours only.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import resource
import select
import signal
import socket
import time
from typing import Final, Literal, NoReturn, TypedDict

from octolimb.shadow import kernel, landlock, seccomp
from octolimb.shadow.reaping import kill_descendants
from octolimb.shadow.view import (
    CrateEntry,
    Parts,
    ViewRequest,
    build_view,
    enter_namespaces,
    prepare_view,
    write_crate,
)

REPORT_FD: Final = 3
CHANNEL_FD: Final = 4
HEADER_LENGTH_BYTES: Final = 8
_MESSAGE_BYTES: Final = 64
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
    without: list[str]
    """Layers to leave out, so that tests can show what the others do."""
    fence: landlock.Fence
    network: bool
    """Whether it may make sockets other than local ones, where the isolation has a network at all."""
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
    """Answers requests on the socket until its other end is closed. A message is the mode, then the deadline."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Wardens are not waited for: the kernel forgets them as they end.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.chdir("/")
    os.umask(0o022)
    # A collection in a forked child would only copy pages that it shares with us.
    gc.disable()
    gc.freeze()
    Server(socket.socket(fileno=fd)).serve()


class Server:
    """The loop, and the one pair of processes that waits for the next request."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        # Its other end closes when this process ends, however it ends, and every warden listens for that.
        self._life, self._own_life = os.pipe()
        self._mounts = os.open("/proc/self/mountinfo", os.O_RDONLY)
        self._waiting: tuple[socket.socket, socket.socket] | None = None

    def serve(self) -> NoReturn:
        poll = select.poll()
        poll.register(self._requests, select.POLLIN)
        # The kernel marks a change of the mount table so.
        poll.register(self._mounts, select.POLLPRI)
        while True:
            events = dict(poll.poll())
            if self._mounts in events:
                self._dismiss()
            if self._requests.fileno() in events:
                self._take_request()

    def _take_request(self) -> None:
        message, fds, _, _ = socket.recv_fds(self._requests, _MESSAGE_BYTES, _MOST_PASSED, socket.MSG_CMSG_CLOEXEC)
        if not message:
            os._exit(0)
        mode, _, deadline = message.partition(b" ")
        if mode == b"overlay":
            warden, init = self._waiting or self._prepare()
            self._waiting = None
            # Where one of them has died, all ends of the status socket close, which tells the host.
            with contextlib.suppress(OSError), warden, init:
                socket.send_fds(warden, [deadline], [fds[1]])
                socket.send_fds(init, [b"run"], fds)
        elif os.fork() == 0:
            self._leave_to_child()
            _run_aside(fds, self._life)
        for received in fds:
            os.close(received)
        if mode == b"overlay":
            self._waiting = self._prepare()

    def _prepare(self) -> tuple[socket.socket, socket.socket]:
        """Forks a warden that prepares a namespace and waits; the sockets to it and to the namespace's PID 1."""
        ours_of_warden, warden = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours_of_init, init = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with warden, init:
            if os.fork() == 0:
                ours_of_warden.close()
                ours_of_init.close()
                self._leave_to_child()
                _be_warden(warden, init, self._life)
        return ours_of_warden, ours_of_init

    def _dismiss(self) -> None:
        for end in self._waiting or ():
            end.close()
        self._waiting = None

    def _leave_to_child(self) -> None:
        """What a forked child must not hold: the host would take it for a sign of life."""
        self._dismiss()
        self._requests.close()
        os.close(self._own_life)
        os.close(self._mounts)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()


def _be_warden(orders: socket.socket, init_orders: socket.socket, life: int) -> NoReturn:
    """A: prepares, waits for its order, then for the end. Nothing of this returns to the loop, whatever happens."""
    try:
        parts = Parts()
        init = 0
        failure: OSError | None = None
        try:
            enter_namespaces(parts)
            init = os.fork()
            if init == 0:
                orders.close()
                os.close(life)
                _be_init(init_orders, parts)
        except OSError as error:
            failure = error
        init_orders.close()
        poll = select.poll()
        poll.register(orders, select.POLLIN)
        poll.register(life, select.POLLIN)
        if life not in dict(poll.poll()):
            _follow_order(orders, init, life, failure)
    finally:
        os._exit(1)


def _follow_order(orders: socket.socket, init: int, life: int, failure: OSError | None) -> None:
    message, fds, _, _ = socket.recv_fds(orders, _MESSAGE_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
    orders.close()
    if not message:
        return
    status = socket.socket(fileno=fds[0])
    if failure is not None:
        _send(status, {"error": failure.strerror or str(failure)})
        return
    exited = os.pidfd_open(init)
    timed_out = _wait_for(exited, status, life, json.loads(message))
    if timed_out is not None:
        # Killing PID 1 of a namespace kills all that is in it, and the wait below ends when all is gone.
        signal.pidfd_send_signal(exited, signal.SIGKILL)
    os.waitpid(init, 0)
    if timed_out:
        _send(status, {"timed_out": True})


def _be_init(orders: socket.socket, parts: Parts) -> NoReturn:
    """B: PID 1 inside. Signals without a handler do not reach it from in there, so it must have none."""
    status: socket.socket | None = None
    code = 1
    try:
        kernel.die_with_parent(signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        failure: OSError | None = None
        try:
            prepare_view(parts)
        except OSError as error:
            failure = error
        message, fds, _, _ = socket.recv_fds(orders, _MESSAGE_BYTES, _MOST_PASSED, socket.MSG_CMSG_CLOEXEC)
        orders.close()
        if message:
            status = socket.socket(fileno=fds[1])
            if failure is not None:
                raise failure
            code = _run_in_view(fds[0], fds[2:], status, parts.missing)
    except OSError as error:
        if status is not None:
            place = error.filename if isinstance(error.filename, str) else ""
            _send(status, {"error": error.strerror or str(error), "path": place})
    finally:
        os._exit(code)


def _run_in_view(payload_fd: int, streams: list[int], status: socket.socket, missing: list[str]) -> int:
    """Finishes the view, starts the command, and adopts orphans until it ends. What B exits with."""
    request, crate = _read_payload(payload_fd)
    if _refuse_less(request, missing, status):
        return 1
    build_view(request["view"])
    write_crate(request["view"]["root"], request["entries"], memoryview(crate))
    # PID 1 lives as long as the command: it need not hold all of the crate as well.
    del crate
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
            _send(status, {"exit": wait_status})
            return 0


def _run_aside(fds: list[int], life: int) -> NoReturn:
    """A without namespaces, from the request to the end."""
    code = 1
    status = socket.socket(fileno=fds[1])
    try:
        request, _ = _read_payload(fds[0])
        _run_in_copy(request, fds[2:], status, life)
        code = 0
    except OSError as error:
        _send(status, {"error": error.strerror or str(error)})
    finally:
        os._exit(code)


def _read_payload(fd: int) -> tuple[LaunchRequest, bytes]:
    """The request, and the bytes of its crate. Closes the descriptor."""
    with open(fd, "rb") as file:
        length = int.from_bytes(file.read(HEADER_LENGTH_BYTES), "little")
        request: LaunchRequest = json.loads(file.read(length))
        return request, file.read()


def _run_in_copy(request: LaunchRequest, streams: list[int], status: socket.socket, life: int) -> None:
    kernel.become_subreaper()
    kernel.drop_capabilities()
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
        missing = [*missing, *_restrict(request)]
        if not _refuse_less(request, missing, own_status):
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


def _restrict(request: LaunchRequest) -> list[str]:
    """Puts this process behind the layers that need no namespace; those that do not hold, as lines of `part: reason`.

    It is past the last mount: both layers refuse those.
    """
    parts = Parts()
    layers = {
        "landlock": lambda: landlock.restrict(request["fence"]),
        "seccomp": lambda: seccomp.restrict(network=request["network"]),
    }
    for name, step in layers.items():
        if name in request["without"]:
            parts.missing.append(f"{name}: left out")
        else:
            parts.attempt(name, step)
    return parts.missing


def _refuse_less(request: LaunchRequest, missing: list[str], status: socket.socket) -> bool:
    """True, and the host is told, where a part does not hold that must."""
    lacking = [part for part in missing if part.partition(":")[0] in request["required"]]
    if lacking:
        _send(status, {"error": f"the isolation that held before does not hold now ({'; '.join(lacking)})"})
    return bool(lacking)


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
