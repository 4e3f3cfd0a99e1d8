"""Ends every descendant of this process where no PID namespace does it at one stroke. Linux only, by way of /proc.

The caller must be a subreaper, so that a process which detaches itself becomes its child and stays in reach.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_STOP_SECONDS: Final = 2.0
_BLIND_SECONDS: Final = 0.05


def kill_descendants(command: int) -> int:
    """Kills and reaps until none is left; the wait status of the child `command`.

    They are stopped before they are killed: what is stopped cannot fork its way out.
    """
    command_status = signal.SIGKILL.value
    while True:
        stopped: set[int] = set()
        while fresh := descendants(os.getpid()) - stopped:
            _signal_all(fresh, signal.SIGSTOP)
            stopped |= fresh
        _signal_all(stopped, signal.SIGKILL)
        try:
            pid, wait_status = os.waitpid(-1, 0)
            while pid:
                if pid == command:
                    command_status = wait_status
                pid, wait_status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return command_status


def descendants(ancestor: int) -> set[int]:
    """Every process below `ancestor` now, zombies left out."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError):
            # The name between the brackets may hold anything, brackets included.
            state, parent = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()[:2]
            if state != b"Z":
                children.setdefault(int(parent), []).append(int(name))
    found: set[int] = set()
    waiting = [ancestor]
    while waiting:
        below = children.get(waiting.pop(), [])
        found.update(below)
        waiting.extend(below)
    return found


@contextlib.contextmanager
def standstill() -> Iterator[None]:
    """Stops every other process of a PID namespace for as long as the block takes. For its PID 1 only."""
    assert os.getpid() == 1, "this would stop processes that are not ours"
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGSTOP)
    limit = time.monotonic() + _STOP_SECONDS
    # A thread in the middle of a system call finishes it first. Where /proc is not the namespace's own we only wait.
    if os.readlink("/proc/self") == "1":
        others = descendants(1)
        while time.monotonic() < limit and not all(_has_stopped(pid) for pid in others):
            time.sleep(0.0002)
    else:
        time.sleep(_BLIND_SECONDS)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGCONT)


def _has_stopped(pid: int) -> bool:
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            state = Path(f"/proc/{pid}/task/{thread}/stat").read_bytes().rpartition(b")")[2].split()[0]
            if state not in (b"T", b"t", b"Z", b"X"):
                return False
    except OSError:
        return True
    return True


def _signal_all(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
