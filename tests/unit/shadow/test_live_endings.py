"""Whoever dies, nothing of a live shadow goes on and nothing of it stays; and it can be started again."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.live_repository import LiveRepository, live_repository

from octolimb.core.errors import CannotIsolate
from octolimb.shadow.reaping import descendants

OWNER = """
import os, sys, time
from pathlib import Path
from octolimb.shadow.live import LiveShadow
from octolimb.workspace.disk import DiskBase
shadow = LiveShadow(DiskBase(Path(sys.argv[1])))
shadow.start()
child = shadow.spawn([sys.executable, "-c", "import os, time\\nos.write(1, b'started')\\nwhile True: time.sleep(60)"])
os.read(child.stdout, 7)
print("ready", flush=True)
"""


@pytest.fixture(params=["overlay", "copy"])
def live(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveRepository]:
    if request.param == "copy":
        monkeypatch.setenv("OCTOLIMB_ISOLATION", "copy")
    with live_repository(tmp_path / "repo") as repository:
        yield repository


@pytest.fixture(params=["overlay", "copy"])
def owner(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    (tmp_path / "root").mkdir()
    (tmp_path / "scratch").mkdir()
    isolation = "copy" if request.param == "copy" else ""
    return ["env", f"OCTOLIMB_ISOLATION={isolation}", f"TMPDIR={tmp_path}/scratch", sys.executable, "-c"]


def test_at_the_exit_of_the_interpreter(owner: list[str], tmp_path: Path) -> None:
    done = subprocess.run([*owner, OWNER, str(tmp_path / "root")], check=True, timeout=60, capture_output=True)
    assert done.stdout == b"ready\n"
    assert list((tmp_path / "scratch").iterdir()) == []


def test_when_it_is_killed(owner: list[str], tmp_path: Path) -> None:
    """Its children do not read: that their input ends tells them nothing."""
    script = OWNER + "sys.stdin.read()"
    command = [*owner, script, str(tmp_path / "root")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        watched = [os.pidfd_open(pid) for pid in descendants(process.pid)]
        assert len(watched) >= 2
        process.kill()
        for fd in watched:
            assert select.select([fd], [], [], 60)[0], "it still runs"
            os.close(fd)


def test_a_dead_host_is_told_and_started_again(live: LiveRepository) -> None:
    live.workspace.write("app.py", "VALUE = 2\n")
    live.update()
    shadow = live.shadow
    assert shadow.host_pid is not None
    (child,) = live._readers
    os.kill(shadow.host_pid, signal.SIGKILL)
    assert os.read(child.stdout, 1) == b"", "the child outlived its host"
    with pytest.raises(CannotIsolate):
        live.update()
    assert not shadow.alive
    assert shadow.fate_of(child) == "the host of the live shadow died"
    shadow.start()
    live.start_reader()
    live.update()
    live.check()


def test_the_fate_of_a_child(live: LiveRepository) -> None:
    ended = live.shadow.spawn(["sh", "-c", "exit 3"])
    missing = live.shadow.spawn(["/nowhere/at/all"])
    killed = live.shadow.spawn(["sleep", "60"])
    assert live.shadow.fate_of(killed) is None
    live.shadow.kill(killed)
    for child in (ended, missing, killed):
        os.read(child.stdout, 1)
    time.sleep(0.05)
    assert live.shadow.fate_of(ended) == "it ended with status 3"
    assert live.shadow.fate_of(missing) == "it ended with status 127"
    assert b"/nowhere/at/all" in os.read(missing.stderr, 1000)
    assert live.shadow.fate_of(killed) == "it was killed by SIGKILL"
    for child in (ended, missing, killed):
        for fd in (child.stdin, child.stdout, child.stderr):
            os.close(fd)


def test_a_child_reaches_no_network_and_nothing_private(tmp_path: Path) -> None:
    with live_repository(tmp_path / "repo") as live:
        assert live.shadow.files == "overlay"
        connect = "__import__('socket').create_connection(('192.0.2.1', 80), 2)"
        assert "unreachable" in live.ask("eval", connect)
        with tempfile.NamedTemporaryFile(dir="/tmp") as private:
            assert live.ask("eval", f"os.path.exists({private.name!r})") is False
        assert live.ask("eval", "os.access(os.environ['HOME'], os.W_OK)") is True
        assert "Read-only" in live.ask("eval", "open('/usr/octolimb', 'w')")
        # To be root in there is no right over the host or its mounts.
        status = live.ask("eval", "open('/proc/self/status').read()")
        effective = next(line for line in status.splitlines() if line.startswith("CapEff"))
        assert int(effective.split()[1], 16) & (1 << 21) == 0, "CAP_SYS_ADMIN"


def test_closing_is_final_and_idempotent(live: LiveRepository) -> None:
    live.shadow.close()
    live.shadow.close()
    with pytest.raises(CannotIsolate):
        live.shadow.start()
    with pytest.raises(CannotIsolate):
        live.update()
