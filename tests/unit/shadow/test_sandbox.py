"""What a child cannot see or reach: the machine, the user, the network, us."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest
from tests.support.shadow_repository import Repository

from octolimb.core.snapshot import Snapshot
from octolimb.shadow.host import ShadowHost
from octolimb.workspace.disk import DiskBase


def test_everything_holds_here(overlaid: Repository) -> None:
    assert overlaid.host.isolation.sandbox == "full"
    assert overlaid.host.isolation.network


def test_a_copy_claims_no_more_than_it_gives(copied: Repository) -> None:
    isolation = copied.host.isolation
    assert (isolation.files, isolation.sandbox, isolation.network) == ("copy", "none", False)


@pytest.mark.parametrize("place", ["/etc", "/usr", "/", "/var", "/sys", "/proc/sys/kernel"])
def test_the_system_is_read_only(overlaid: Repository, place: str) -> None:
    done = overlaid.run("touch", f"{place}/octolimb-was-here")
    assert done.returncode == 1


def test_our_environment_does_not_come_along(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    monkeypatch.setenv("PYTHONPATH", "/nonexistent")
    monkeypatch.setenv("LC_TIME", "C")
    names = repository.python("import os; print(*sorted(os.environ))").split()
    expected = {"HOME", "LANG", "LC_TIME", "OCTOLIMB_REPORT_FD", "PATH", "TMPDIR"}
    if repository.host.isolation.files != "overlay":
        # What leads editable installations to the copy.
        expected |= {"OCTOLIMB_MOVED_FROM", "OCTOLIMB_MOVED_TO", "PYTHONPATH"}
    assert set(names) == expected


def test_a_given_environment_arrives(repository: Repository) -> None:
    code = "import os; print(os.environ['PATH'], os.environ['X'])"
    assert repository.python(code, env={"X": "a b", "PATH": "/bin"}) == "/bin a b\n"


def test_home_and_temporary_files_are_private(overlaid: Repository, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    in_home = Path.home() / f".octolimb-test-{os.getpid()}"
    in_home.write_text("hunter2")
    try:
        done = overlaid.run("sh", "-c", f"cat '{secret}'; cat '{in_home}'; echo x > $HOME/a && echo y > $TMPDIR/b")
    finally:
        in_home.unlink()
    assert done.returncode == 0
    assert b"hunter2" not in done.stdout
    assert not (Path.home() / "a").exists()


def test_a_copy_has_a_private_home_too(copied: Repository) -> None:
    home = copied.python("import os; print(os.path.expanduser('~'))").strip()
    assert home != str(Path.home())
    assert not Path(home).exists()


def test_a_kept_directory_stays_readable_and_only_that(overlaid: Repository, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("kept\n")
    (tmp_path / "alias").symlink_to(kept, target_is_directory=True)
    script = f"cat '{kept}/file' '{tmp_path}/alias/file'; echo x > '{kept}/file'"
    done = overlaid.run("sh", "-c", script, keep=[tmp_path / "alias"])
    assert done.stdout == b"kept\nkept\n"
    assert b"Read-only" in done.stderr


def test_loopback_works_and_nothing_else(overlaid: Repository) -> None:
    code = """
import socket
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
print("loopback", [name for _, name in socket.if_nameindex()])
try:
    socket.create_connection(("192.0.2.1", 80), 5)
except OSError as error:
    print(error.strerror)
"""
    assert overlaid.python(code) == "loopback ['lo']\nNetwork is unreachable\n"


def test_a_server_of_ours_is_out_of_reach(overlaid: Repository) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"import socket; print(socket.socket().connect_ex(('127.0.0.1', {server.getsockname()[1]})) != 0)"
        assert overlaid.python(code) == "True\n"


def test_other_processes_do_not_exist_there(overlaid: Repository) -> None:
    assert overlaid.python("import os; print(sorted(n for n in os.listdir('/proc') if n.isdigit()))") == "['1', '2']\n"


def test_killing_everything_kills_nobody_outside(overlaid: Repository) -> None:
    done = overlaid.run(sys.executable, "-c", "import os; os.kill(-1, 9)")
    assert b"No such process" in done.stderr
    assert overlaid.host.launcher_pid is not None


def test_the_first_process_inside_cannot_be_signalled_or_read(overlaid: Repository) -> None:
    code = """
import os, signal
for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    try:
        os.kill(1, number)
    except PermissionError:
        pass
for place in ("/proc/1/fd/0", "/proc/1/mem", "/proc/1/environ"):
    try:
        open(place, "rb").read(1)
    except PermissionError:
        print("closed")
"""
    assert overlaid.python(code) == "closed\n" * 3


def test_no_descriptor_of_ours_is_inherited(repository: Repository) -> None:
    code = "import os; print([n for n in range(3, 4096) if os.path.exists(f'/proc/self/fd/{n}')])"
    assert repository.python(code) == "[3]\n"


def test_processes_are_bounded_inside_and_only_there(overlaid: Repository) -> None:
    limit = Path("/proc/sys/kernel/pid_max")
    before = limit.read_text()
    assert overlaid.shell(f"cat {limit}") == "4096\n"
    assert limit.read_text() == before


def test_memory_is_bounded(repository: Repository) -> None:
    code = "try: bytearray(1 << 46)\nexcept MemoryError: print('bounded')"
    assert repository.python(code) == "bounded\n"


def test_what_may_be_written_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    base = DiskBase(tmp_path / "root")
    with ShadowHost(base, area_bytes=1 << 20) as host, host.project(Snapshot(base)) as shadow:
        for place in ("here", "$HOME/there", "$TMPDIR/there"):
            done = shadow.run(["sh", "-c", f'head -c 4000000 /dev/zero > "{place}"'], deadline=60)
            assert b"No space left" in done.stderr


def test_devices_of_disks_are_not_there(overlaid: Repository) -> None:
    names = overlaid.python("import os; print(*sorted(os.listdir('/dev')))").split()
    assert "null" in names
    assert set(names) <= {
        *("fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero")
    }


def test_a_copy_has_the_harmless_devices_only_too(copied: Repository) -> None:
    """The machine's own directory lies there, and cannot even be listed."""
    code = """
import os
for path, flags in (("/dev", os.O_RDONLY), ("/dev/zero", os.O_RDONLY), ("/dev/null", os.O_RDWR), ("/dev/kmsg", 0)):
    try:
        os.open(path, flags)
        print(path)
    except OSError:
        pass
"""
    assert copied.python(code) == "/dev/zero\n/dev/null\n"


def test_mounting_is_not_possible(overlaid: Repository) -> None:
    code = "import ctypes; print(ctypes.CDLL(None).mount(b't', b'/tmp', b'tmpfs', 0, None))"
    assert overlaid.python(code) == "-1\n"


def test_a_nested_user_namespace_cannot_undo_the_read_only_view(overlaid: Repository) -> None:
    code = """
import ctypes
libc = ctypes.CDLL(None)
libc.unshare(0x10020000)
print(libc.mount(None, b"/", None, ctypes.c_ulong(32 | 4096), None), libc.umount2(b"/etc", 2), libc.umount2(b"/tmp", 2))
try:
    open("/etc/octolimb", "w")
except OSError as error:
    print(error.strerror)
"""
    assert overlaid.python(code) == "-1 -1 -1\nRead-only file system\n"


def test_the_layers_of_the_overlay_lead_nowhere(overlaid: Repository) -> None:
    overlaid.workspace.write("marker-file.py", "")
    script = "find /tmp /var/tmp /run /dev /home -name marker-file.py -o -name '.octolimb*' 2>/dev/null || true"
    assert overlaid.shell(script) == f"{overlaid.root}/marker-file.py\n"


def test_shared_memory_and_locks_work(overlaid: Repository) -> None:
    assert overlaid.python("import multiprocessing; multiprocessing.Lock(); print('fine')") == "fine\n"


def test_a_terminal_can_be_opened(overlaid: Repository) -> None:
    assert overlaid.python("import os; print(os.isatty(os.openpty()[1]))") == "True\n"
