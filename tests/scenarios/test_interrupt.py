"""Ctrl-C and SIGTERM: the command ends at once with 130, and nothing of what it started is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable

import pytest
from tests.support.product import Beacon, Octolimb, Started, assert_nothing_is_left, fingerprint

GENEROUS = 5.0
"""Seconds. The promise is one; how long it took is printed, since on a busy machine nobody can keep a promise."""

HANGS = "{beacon}\n\n\ndef test_hangs():\n    import time\n    time.sleep(600)\n"

ROOM = "".join(
    f"    if n > {number}:\n        total = total + n * {number} - n // {number + 2}\n" for number in range(40)
)
MAZE = f"def walk(n):\n    total = 0\n{ROOM}    return total\n"
NO_WAY_OUT = (
    "{beacon}\nfrom maze import walk\n\n\ndef test_walk():\n    {again}\n    assert walk(9) is NotImplemented\n"
)


def _press_again_and_again(process: subprocess.Popen[str]) -> None:
    for _ in range(5):
        os.killpg(process.pid, signal.SIGINT)


STOPS: dict[str, Callable[[subprocess.Popen[str]], None]] = {
    "ctrl-c": lambda process: os.killpg(process.pid, signal.SIGINT),
    "sigterm": lambda process: process.send_signal(signal.SIGTERM),
    "ctrl-c, impatiently": _press_again_and_again,
}


@pytest.mark.parametrize("stop", STOPS)
def test_sensing_is_stopped(stop: str, somebody: Octolimb, beacon: Beacon) -> None:
    root = somebody.build({"test_endless.py": HANGS.format(beacon=beacon.write)})
    before = fingerprint(root)
    started = somebody.start("--root", root, "sense", "--tests", "full")
    beacon.wait()
    _assert_it_stops(started, stop, somebody, beacon)
    assert fingerprint(root) == before


@pytest.mark.parametrize("stop", ["ctrl-c", "sigterm"])
def test_a_limb_is_stopped_in_its_search(stop: str, somebody: Octolimb, beacon: Beacon) -> None:
    again = "beacon.send(b'!')"
    test = NO_WAY_OUT.format(beacon=beacon.write, again=again)
    root = somebody.build({"maze.py": MAZE, "test_maze.py": test})
    before = fingerprint(root)
    started = somebody.start("--root", root, "fix", "--budget", "120", "--apply")
    # The cold run and the search's own first one write four times; more come only from candidates.
    beacon.wait(times=12)
    _assert_it_stops(started, stop, somebody, beacon)
    assert fingerprint(root) == before


def test_a_copy_is_removed(octolimb: Octolimb, beacon: Beacon) -> None:
    root = octolimb.build({"test_endless.py": HANGS.format(beacon=beacon.write)})
    started = octolimb.start("--root", root, "sense", "--tests", "full", env={"OCTOLIMB_ISOLATION": "copy"})
    beacon.wait()
    _assert_it_stops(started, "ctrl-c", octolimb, beacon)


def test_it_ends_even_where_it_is_killed(octolimb: Octolimb, beacon: Beacon) -> None:
    """SIGKILL leaves the command no time to clean up: what it started must end by itself."""
    root = octolimb.build({"test_endless.py": HANGS.format(beacon=beacon.write)})
    started = octolimb.start("--root", root, "sense", "--tests", "full")
    beacon.wait()
    started.process.kill()
    started.process.communicate(timeout=GENEROUS)
    beacon.wait_for_the_end(GENEROUS)


def _assert_it_stops(started: Started, stop: str, octolimb: Octolimb, beacon: Beacon) -> None:
    began = time.monotonic()
    STOPS[stop](started.process)
    out, err = started.process.communicate(timeout=GENEROUS)
    print(f"stopped by {stop} within {time.monotonic() - began:.2f} s")
    assert started.process.returncode == 130, err
    assert not out or "error" in json.loads(out)
    assert err.strip().splitlines() == ["octolimb: stopped; nothing was written"]
    assert beacon.nobody_is_left()
    assert_nothing_is_left(octolimb)
