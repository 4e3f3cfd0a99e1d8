"""However our own process ends, nothing of it goes on and nothing of it stays."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from octolimb.shadow.reaping import descendants

OWNER = """
import os, sys, time
from pathlib import Path
from octolimb.core.snapshot import Snapshot
from octolimb.shadow.host import ShadowHost
from octolimb.workspace.disk import DiskBase
base = DiskBase(Path(sys.argv[1]))
host = ShadowHost(base)
shadow = host.project(Snapshot(base))
forking = "import os, time\\nif os.fork() == 0: os.setsid()\\nos.write(1, b'started')\\nwhile True: time.sleep(60)"
child = shadow.spawn([sys.executable, "-c", forking + " # a-stubborn-one"])
print("ready", flush=True)
"""


@pytest.fixture(params=["overlay", "copy"])
def owner(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """A command that makes a host with a running child; its temporary directory is `tmp_path`/scratch."""
    (tmp_path / "root").mkdir()
    (tmp_path / "scratch").mkdir()
    isolation = "copy" if request.param == "copy" else ""
    return ["env", f"OCTOLIMB_ISOLATION={isolation}", f"TMPDIR={tmp_path}/scratch", sys.executable, "-c"]


def await_ends(pidfds: list[int]) -> None:
    """Returns when all of these have ended; fails after a time that no ending takes."""
    for fd in pidfds:
        assert select.select([fd], [], [], 60)[0], "it still runs"
        os.close(fd)


def test_at_the_exit_of_the_interpreter(owner: list[str], tmp_path: Path) -> None:
    subprocess.run([*owner, OWNER, str(tmp_path / "root")], check=True, timeout=60, stdout=subprocess.DEVNULL)
    assert list((tmp_path / "scratch").iterdir()) == []
    assert running_stubborn(tmp_path) == []


def test_when_it_is_killed(owner: list[str], tmp_path: Path) -> None:
    script = OWNER + "sys.stdin.read()"
    with subprocess.Popen(
        [*owner, script, str(tmp_path / "root")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        watched = [os.pidfd_open(pid) for pid in descendants(process.pid)]
        assert len(watched) >= 3
        process.send_signal(signal.SIGKILL)
        process.wait()
        await_ends(watched)


def test_a_copy_whose_owner_was_killed_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = ["env", "OCTOLIMB_ISOLATION=copy", f"TMPDIR={scratch}", sys.executable, "-c"]
    killed = OWNER + "os.kill(os.getpid(), 9)"
    subprocess.run([*command, killed, str(tmp_path / "root")], check=False, timeout=60, stdout=subprocess.DEVNULL)
    assert len(list(scratch.iterdir())) == 1
    subprocess.run([*command, OWNER, str(tmp_path / "root")], check=True, timeout=60, stdout=subprocess.DEVNULL)
    assert list(scratch.iterdir()) == []


def running_stubborn(directory: Path) -> list[str]:
    """Processes that work in this directory, or below it."""
    found: list[str] = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if str((place / "cwd").readlink()).startswith(str(directory)):
                found.append((place / "cmdline").read_text())
        except OSError:
            continue
    return found
