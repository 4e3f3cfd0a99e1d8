"""A snapshot as real files to real processes: `Shadow`, what a finished command left, and a `Child` that runs on.

How the files come about (an overlay mount for each child, or a private copy) was settled when the host made it.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from octolimb.core.errors import CannotIsolate
from octolimb.shadow.launching import Launched

_REPORT_BYTES: Final = 64 << 20
_TAIL_BYTES: Final = 64 << 10
_OUTPUT_BYTES: Final = 16 << 20


@dataclass(frozen=True)
class Completed:
    """How a command ended. `returncode` is negative for a signal, and None where the deadline ended it.

    127 and 126 mean, as in a shell, that the command was not found or not executable; `stderr` then says so.
    `stdout`, `stderr` and `report` hold the first bytes up to their limits; `truncated` tells that there were more.
    `ms` is the whole time, `setup_ms` the part of it before the command was executed.
    """

    returncode: int | None
    stdout: bytes
    stderr: bytes
    timed_out: bool
    ms: float
    truncated: bool
    report: bytes
    setup_ms: float = 0.0


@dataclass(frozen=True)
class Order:
    """One command as it is asked for. `deadline` is in seconds on the monotonic clock."""

    command: Sequence[str]
    cwd: str
    env: Mapping[str, str]
    keep: Sequence[Path]
    deadline: float | None
    stdin: bytes | None = None
    channel: bool = False
    network: bool = True


class Projection(Protocol):
    """How a snapshot becomes files: what differs between the overlay and a copy."""

    @property
    def root(self) -> Path: ...

    @property
    def displaced(self) -> Mapping[str, str]: ...

    def launch(self, order: Order) -> Launched: ...

    def drop(self) -> None: ...


class Shadow:
    """A snapshot that commands can run in. A context manager: leaving it kills its children and drops a copy.

    Safe to share between threads. What a command writes is gone with that command under the overlay; in a private
    copy it stays until the shadow is left.
    """

    def __init__(self, projection: Projection) -> None:
        self._projection = projection
        self._lock = threading.Lock()
        self._children: set[Child] = set()

    @property
    def root(self) -> Path:
        """Where children see the repository."""
        return self._projection.root

    @property
    def displaced(self) -> Mapping[str, str]:
        """Places that have a name of their own in this very shadow, and what they are called where it does not matter.

        What is compared between shadows, or shown to people, must not tell the one from the other.
        """
        return self._projection.displaced

    def run(
        self,
        command: Sequence[str],
        *,
        cwd: str = "",
        env: Mapping[str, str] = {},
        stdin: bytes = b"",
        deadline: float,
        keep: Sequence[Path] = (),
        output_limit: int = _OUTPUT_BYTES,
        network: bool = True,
    ) -> Completed:
        """Runs a command to its end, or kills its whole tree after `deadline` seconds.

        `cwd` is relative to the root; `output_limit` is in bytes, for each stream. `network` false refuses it the
        loopback network too, and all of the network in a copy, where the kernel can. Raises `CannotIsolate`.
        """
        start = time.monotonic()
        limit = start + deadline
        launched = self._projection.launch(Order(command, cwd, env, keep, limit, stdin or None, network=network))
        try:
            stdout, stderr, report = _Head(output_limit), _Head(output_limit), _Head(_REPORT_BYTES)
            sinks: dict[int, Callable[[bytes], None]] = {
                launched.stdout: stdout.add,
                launched.stderr: stderr.add,
                launched.report: report.add,
            }
            launched.pump(sinks, limit)
        finally:
            launched.kill()
        return Completed(
            launched.returncode,
            bytes(stdout.kept),
            bytes(stderr.kept),
            launched.timed_out,
            (time.monotonic() - start) * 1000,
            stdout.cut or stderr.cut or report.cut,
            bytes(report.kept),
            ((launched.ready or start) - start) * 1000,
        )

    def spawn(
        self,
        command: Sequence[str],
        *,
        cwd: str = "",
        env: Mapping[str, str] = {},
        keep: Sequence[Path] = (),
        channel: bool = False,
        deadline: float | None = None,
    ) -> Child:
        """Starts a command that runs on beside us, its tree killed after `deadline` seconds. Raises `CannotIsolate`."""
        limit = None if deadline is None else time.monotonic() + deadline
        launched = self._projection.launch(Order(command, cwd, env, keep, limit, channel=channel))
        child = Child(launched, limit, self._children.discard)
        with self._lock:
            self._children.add(child)
        return child

    def close(self) -> None:
        """Kills every child and drops the copy, if there is one. Idempotent."""
        with self._lock:
            children = list(self._children)
        for child in children:
            child.kill()
        self._projection.drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Child:
    """A running command. A context manager: leaving it kills the whole tree."""

    def __init__(self, launched: Launched, deadline: float | None, forget: Callable[[Child], None]) -> None:
        self._launched = launched
        self._forget = forget
        self._ended = threading.Event()
        self._tails = _Tail(_TAIL_BYTES), _Tail(_TAIL_BYTES)
        self.channel: socket.socket | None = launched.channel
        self._drain = threading.Thread(target=self._follow, args=(deadline,), daemon=True)
        self._drain.start()

    def wait(self, timeout: float | None) -> int | None:
        """The return code once it ended, as in `Completed`; None too after `timeout` seconds without an end."""
        if not self._ended.wait(timeout):
            return None
        return self._launched.returncode

    @property
    def running(self) -> bool:
        return not self._ended.is_set()

    @property
    def timed_out(self) -> bool:
        """True where its deadline ended it."""
        return self._launched.timed_out

    def kill(self) -> None:
        """Kills the whole process tree at once, and waits until it is gone. Idempotent."""
        self._launched.ask_to_kill()
        self._drain.join()
        self._launched.close()
        self._forget(self)

    def stdout_tail(self) -> bytes:
        """The last bytes of its standard output so far, at most 64 KiB."""
        return bytes(self._tails[0])

    def stderr_tail(self) -> bytes:
        """The last bytes of its standard error so far, at most 64 KiB."""
        return bytes(self._tails[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _follow(self, deadline: float | None) -> None:
        stdout, stderr = self._tails
        launched = self._launched
        sinks: dict[int, Callable[[bytes], None]] = {
            launched.stdout: stdout.add,
            launched.stderr: stderr.add,
            launched.report: lambda _: None,
        }
        try:
            launched.pump(sinks, deadline)
        except CannotIsolate as error:
            stderr.add(f"octolimb: {error}\n".encode())
        finally:
            self._ended.set()


class _Head:
    """The first bytes of a stream; the rest is taken and dropped, so that the writer never waits."""

    def __init__(self, limit: int) -> None:
        self.kept = bytearray()
        self.cut = False
        self._limit = limit

    def add(self, block: bytes) -> None:
        room = self._limit - len(self.kept)
        self.cut = self.cut or len(block) > room
        self.kept += block[: max(0, room)]


class _Tail:
    """The last bytes of a stream, readable while it grows."""

    def __init__(self, limit: int) -> None:
        self._kept = bytearray()
        self._limit = limit
        self._lock = threading.Lock()

    def add(self, block: bytes) -> None:
        with self._lock:
            self._kept += block
            del self._kept[: -self._limit]

    def __bytes__(self) -> bytes:
        with self._lock:
            return bytes(self._kept)
