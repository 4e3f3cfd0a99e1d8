"""How commands are run, fed, listened to and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import uuid
from pathlib import Path

import pytest
from tests.support.shadow_repository import Repository, state_of

from octolimb.core.errors import BadInput, CannotIsolate
from octolimb.core.snapshot import Snapshot
from octolimb.shadow.host import ShadowHost
from octolimb.shadow.reaping import descendants
from octolimb.workspace.disk import DiskBase
from octolimb.workspace.limb_workspace import LimbWorkspace

MARK = f"stubborn-{uuid.uuid4().hex}"
STUBBORN = f"""
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(1, b"{MARK}\\n")
        while True:
            time.sleep(60)
    os._exit(0)
while True:
    time.sleep(60)
"""


def running_with(words: str) -> list[int]:
    """The processes of this machine, zombies aside, with these words in their command line."""
    found: list[int] = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if words.encode() in (place / "cmdline").read_bytes() and int(place.name) != os.getpid():
                found.append(int(place.name))
    return found


def mounts() -> bytes:
    return Path("/proc/self/mountinfo").read_bytes()


def test_streams_and_return_code(repository: Repository) -> None:
    done = repository.run("sh", "-c", "cat; echo err >&2; exit 3", stdin=b"in\0put")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"in\0put", b"err\n")
    assert not done.timed_out
    assert not done.truncated
    assert 0 < done.setup_ms <= done.ms


def test_death_by_signal_is_negative(repository: Repository) -> None:
    assert repository.run("sh", "-c", "kill -9 $$").returncode == -signal.SIGKILL


def test_an_unknown_command_is_a_result(repository: Repository) -> None:
    done = repository.run("no-such-command")
    assert done.returncode == 127
    assert b"no-such-command: No such file or directory" in done.stderr


def test_an_unknown_directory_is_a_result(repository: Repository) -> None:
    done = repository.run("true", cwd="nowhere")
    assert done.returncode == 127
    assert b"nowhere" in done.stderr


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ([], {}),
        ([""], {}),
        (["echo", "a\0b"], {}),
        (["true"], {"env": {"A=B": "c"}}),
        (["true"], {"env": {"A": "\0"}}),
        (["true"], {"cwd": "../.."}),
        (["true"], {"cwd": "/etc"}),
    ],
)
def test_what_cannot_be_run_is_refused(repository: Repository, command: list[str], options: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        repository.run(*command, **options)  # type: ignore[arg-type]


def test_the_report_channel(repository: Repository) -> None:
    code = "import os; os.write(int(os.environ['OCTOLIMB_REPORT_FD']), b'report\\n' * 100_000)"
    done = repository.run(sys.executable, "-c", code)
    assert done.report == b"report\n" * 100_000
    assert done.stdout == b""


def test_a_flood_is_cut_and_does_not_block(repository: Repository) -> None:
    code = "import os\nfor _ in range(400): os.write(1, b'x' * 100_000)"
    done = repository.run(sys.executable, "-c", code, output_limit=1 << 20)
    assert done.returncode == 0
    assert done.truncated
    assert done.stdout == b"x" * (1 << 20)


def test_nothing_outlives_the_command(repository: Repository) -> None:
    with repository.shadow() as shadow:
        done = shadow.run(["sh", "-c", f"setsid sh -c 'sleep 60; : {MARK}' & exit 5"], deadline=60)
        assert done.returncode == 5
        assert running_with(MARK) == []


def test_the_whole_tree_is_dead_at_the_deadline(repository: Repository) -> None:
    seconds = 0.7
    with repository.shadow() as shadow:
        done = shadow.run([sys.executable, "-c", STUBBORN], deadline=seconds)
        assert done.timed_out
        assert done.returncode is None
        assert done.ms < (seconds + 1) * 1000
        assert MARK.encode() in done.stdout
        assert running_with(MARK) == []


def test_a_child_talks_over_its_channel(repository: Repository) -> None:
    code = """
import os, socket
channel = socket.socket(fileno=int(os.environ["OCTOLIMB_CHANNEL_FD"]))
while block := channel.recv(100):
    channel.send(block.upper())
print("bye")
"""
    with repository.shadow() as shadow, shadow.spawn([sys.executable, "-c", code], channel=True) as child:
        assert child.channel is not None
        child.channel.sendall(b"hello")
        assert child.channel.recv(100) == b"HELLO"
        child.channel.shutdown(1)
        assert child.wait(30) == 0
        assert child.stdout_tail() == b"bye\n"


def test_killing_a_child_ends_it_at_once_and_again_is_no_error(repository: Repository) -> None:
    with repository.shadow() as shadow:
        child = shadow.spawn([sys.executable, "-c", STUBBORN])
        assert child.wait(0) is None
        child.kill()
        assert child.wait(0) == -signal.SIGKILL
        child.kill()
        assert not child.running


def test_leaving_the_shadow_kills_its_children(repository: Repository) -> None:
    with repository.shadow() as shadow:
        child = shadow.spawn([sys.executable, "-c", STUBBORN])
    assert child.wait(0) == -signal.SIGKILL


def test_a_child_has_a_deadline_too(repository: Repository) -> None:
    with repository.shadow() as shadow, shadow.spawn([sys.executable, "-c", STUBBORN], deadline=0.3) as child:
        child.wait(30)
        assert child.timed_out


def test_the_tail_of_standard_error_is_kept(repository: Repository) -> None:
    code = "import sys; sys.stderr.write('x' * 300_000 + 'the end')"
    with repository.shadow() as shadow, shadow.spawn([sys.executable, "-c", code]) as child:
        assert child.wait(30) == 0
        assert child.stderr_tail().endswith(b"xthe end")
        assert len(child.stderr_tail()) == 64 << 10


def test_children_run_side_by_side(repository: Repository) -> None:
    with repository.shadow() as shadow:
        results: list[bytes] = []
        threads = [
            threading.Thread(target=lambda n=n: results.append(shadow.run(["echo", str(n)], deadline=60).stdout))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(results) == [f"{n}\n".encode() for n in range(8)]


def test_a_killed_launcher_ends_its_children_and_is_started_again(repository: Repository) -> None:
    with repository.shadow() as shadow:
        child = shadow.spawn([sys.executable, "-c", STUBBORN])
        launcher = repository.host.launcher_pid
        assert launcher is not None
        os.kill(launcher, signal.SIGKILL)
        assert child.wait(30) == -signal.SIGKILL
        assert shadow.run(["echo", "again"], deadline=60).stdout == b"again\n"
        assert repository.host.launcher_pid not in (None, launcher)


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    before, others, tree = mounts(), descendants(os.getpid()), state_of(tmp_path)
    for forced in ("", "copy"):
        monkeypatch.setenv("OCTOLIMB_ISOLATION", forced)
        root = scratch / "root"
        root.mkdir()
        with ShadowHost(DiskBase(root)) as host:
            shadow = host.project(Snapshot(DiskBase(root)))
            shadow.run(["true"], deadline=60)
            shadow.spawn([sys.executable, "-c", STUBBORN])
        root.rmdir()
    assert list(scratch.iterdir()) == []
    assert mounts() == before
    assert descendants(os.getpid()) == others
    assert tree.keys() == state_of(tmp_path).keys()


def test_a_closed_host_runs_nothing(repository: Repository) -> None:
    shadow = repository.shadow()
    repository.host.close()
    with pytest.raises(CannotIsolate):
        shadow.run(["true"], deadline=10)


def test_a_full_shadow_says_so(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    workspace = LimbWorkspace(tmp_path / "root")
    with ShadowHost(DiskBase(tmp_path / "root"), area_bytes=1 << 20) as host:
        assert host.isolation.files == "overlay"
        workspace.write("big.bin", b"x" * (2 << 20))
        with host.project(workspace.snapshot) as shadow, pytest.raises(CannotIsolate, match=r"No space left.*big\.bin"):
            shadow.run(["true"], deadline=60)


def test_an_interrupt_kills_the_tree(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    before = descendants(os.getpid())
    with ShadowHost(DiskBase(tmp_path / "root")) as host, host.project(Snapshot(DiskBase(tmp_path / "root"))) as shadow:
        shadow.run(["true"], deadline=60)
        main = threading.main_thread().ident
        assert main is not None
        timer = threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT))
        # A shell that starts us in the background has us ignore it.
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            shadow.run([sys.executable, "-c", STUBBORN], deadline=60)
        timer.join()
        signal.signal(signal.SIGINT, handler)
    assert running_with(MARK) == []
    assert descendants(os.getpid()) == before
