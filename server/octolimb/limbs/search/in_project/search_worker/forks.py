"""Forks of this process and what they may use: children that run one thing, and parks that wait to be forked again.

It does not know of tests or candidates. Nothing here decides how long anything may take.
"""

from __future__ import annotations

import collections
import contextlib
import os
import pathlib
import select
import signal
import socket
import threading
import time
from typing import Any, Iterable, Optional, Tuple, Union

from .frames import Frame, Frames

Key = Union[str, Tuple[str, ...]]

HANGUP = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)
MEMORY = 2 << 30  # How much address space a candidate may add, in bytes.


class HungUp(BaseException):
    """The other end of the channel, or of the pipe to the hub, has closed: there is nobody left to work for."""


class Fork:
    """A forked child in the parent's eyes: frames arrive from it, and `frames` may carry some to it."""

    def __init__(self, pid: int, frames: Frames, watched: int) -> None:
        self.pid = pid
        self.frames = frames
        self.watched = watched
        self.code: Optional[int] = None

    def next(self, seconds: float) -> Optional[Frame]:
        """Its next frame, or None once it has ended. Raises TimeoutError, and HungUp when our own side has closed.

        On a busy machine a child may wait longer than it runs, so while it has not had the processor for that many
        seconds it gets up to four times as long, but no more than half a second on top.
        """
        frame = self.frames.whole()
        if frame is not None:
            return frame
        begun = time.monotonic()
        end = begun + seconds
        used = self.processor_seconds()
        while True:
            frame = self.frames.whole()
            if frame is not None:
                return frame
            poll = select.poll()
            poll.register(self.frames.fd, select.POLLIN)
            poll.register(self.watched, getattr(select, "POLLRDHUP", 0))
            ready = dict(poll.poll(max(0.0, end - time.monotonic()) * 1000))
            if ready.get(self.watched, 0) & HANGUP:
                self.end()
                raise HungUp
            if self.frames.fd in ready:
                if not self.frames.fill():
                    return None
            elif time.monotonic() >= end:
                lacks = used is not None and (self.processor_seconds() or 0.0) - used < 0.7 * seconds
                if not lacks or time.monotonic() >= begun + seconds + min(3 * seconds, 0.5):
                    raise TimeoutError
                end = time.monotonic() + min(0.25 * seconds, 0.1)

    def processor_seconds(self) -> Optional[float]:
        """How long it has had a processor; None where the system does not say."""
        try:
            with open("/proc/%d/schedstat" % self.pid) as file:
                return int(file.read().split()[0]) / 1e9
        except (OSError, ValueError, IndexError):
            return None

    def end(self) -> int:
        """Kills it with every process in its group, and says how it ended: an exit code, or a negative signal."""
        if self.code is None:
            for kill in (os.killpg, os.kill):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(self.pid, signal.SIGKILL)
            _, status = os.waitpid(self.pid, 0)
            os.close(self.frames.fd)
            self.code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        return self.code


class Process:
    """Which process this is, and how it is connected.

    `role` is "hub", "collected" or "file" for the parks, and "child" in what imports a project afresh. `control` is how
    a park hears from the hub, `report` how a child answers its parent; `parks` are those that this process forked.
    """

    def __init__(self, channel: Frames) -> None:
        self.channel = channel
        self.role = "hub"
        self.control: Optional[Frames] = None
        self.report = Frames(-1)
        self.parks: collections.OrderedDict[Key, Optional[Fork]] = collections.OrderedDict()
        self.awaited: frozenset[str] = frozenset()  # The real paths of which a file park awaits the first import.
        self.temporary: Any = None  # pytest's factory of temporary directories; each child gets its own base in it.

    @property
    def orders(self) -> Frames:
        """A park's way to the hub."""
        assert self.control is not None, "only a park has one"
        return self.control

    def fork(self) -> Optional[Fork]:
        """Forks. The parent gets a `Fork`; the child gets None, and a way to answer in `report`."""
        reader, writer = os.pipe()
        watched = self.control.fd if self.control is not None else self.channel.fd
        pid = os.fork()
        if pid:
            os.close(writer)
            with contextlib.suppress(OSError):  # The child has done it, and may even have ended.
                os.setpgid(pid, pid)
            return Fork(pid, Frames(reader), watched)
        os.setpgid(0, 0)
        os.close(reader)
        self.report = Frames(writer)
        self.become_child(watched)
        return None

    def become_child(self, watched: int) -> None:
        """What every child needs that may run a candidate: nothing to leak into, and limits."""
        for fd in {watched, self.channel.fd}:
            os.close(fd)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.close(null)
        limit_memory()
        if self.temporary is not None:
            whole = self.temporary.getbasetemp()
            base = os.path.join(str(whole), "t%d" % os.getpid())
            os.mkdir(base, 0o700)
            self.temporary._basetemp = type(whole)(base)

    def fork_park(self, role: str, awaited: Iterable[str] = ()) -> Optional[Fork]:
        """Forks a park. The parent gets a `Fork` whose frames go both ways; the child None, and runs on."""
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid:
            theirs.close()
            return Fork(pid, Frames(ours.detach()), self.channel.fd)
        ours.close()
        self.role = role
        self.awaited = frozenset(awaited)
        self.control = Frames(theirs.detach())
        for park in self.parks.values():
            if park is not None:
                os.close(park.frames.fd)
        self.parks.clear()
        return None

    def forget(self, key: Key) -> None:
        """Ends a park."""
        park = self.parks.pop(key)
        assert park is not None, "what stands can be forgotten"
        park.end()

    def not_parked(self) -> None:
        """Tells the hub that this park cannot stand, and ends it."""
        self.orders.send({"parked": False})
        os._exit(0)


def threads() -> int:
    """How many threads this process has, those that Python does not know included."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def limit_memory() -> None:
    """Bounds what this process may add to its address space, where the system knows such a limit."""
    try:
        import resource

        used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = used + MEMORY
        if soft == resource.RLIM_INFINITY or soft > wanted:
            resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    except (ImportError, OSError, ValueError):
        pass  # No such limit on this system; the time limit still holds.
