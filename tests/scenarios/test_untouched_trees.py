"""Whatever a project's tests do, its tree stays as it was to the byte, and at the deadline everything has ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.product import Beacon, Octolimb, assert_nothing_is_left, fingerprint

VANDALISM = """\
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).parent


def test_writes():
    (HERE / "data/kept.txt").write_text("spoilt")
    (HERE / "created.txt").write_text("litter")
    with (HERE / "shop.py").open("a") as file:
        file.write("# appended\\n")


def test_deletes():
    shutil.rmtree(HERE / "docs")
    (HERE / "gone.txt").unlink()


def test_renames():
    (HERE / "moved.txt").rename(HERE / "elsewhere.txt")
    # An overlay of an ordinary user answers a directory's rename with EXDEV, which shutil.move copes with.
    shutil.move(HERE / "package", HERE / "parcel")


def test_changes_modes_and_times():
    os.chmod(HERE / "shop.py", 0o777)
    os.chmod(HERE, 0o777)
    os.utime(HERE / "shop.py", (1, 1))


def test_replaces_by_links():
    (HERE / "linked.txt").unlink()
    (HERE / "linked.txt").symlink_to("/etc/hostname")
    os.link(HERE / "data/hard.txt", HERE / "data/second.txt")
    (HERE / "data/second.txt").write_text("through a hard link")


def test_litters_everywhere():
    for place in (pathlib.Path.home(), pathlib.Path("/tmp"), HERE.parent):
        try:
            (place / "octolimb-litter").write_text("litter")
        except OSError:
            pass


def test_fails():
    from shop import total
    assert total([1, 2]) == 3
"""

TREE: dict[str, str | bytes] = {
    "shop.py": "def total(prices):\n    return sum(prices) - 1\n",
    "test_vandalism.py": VANDALISM,
    "data/kept.txt": "kept",
    "data/hard.txt": "hard",
    "docs/a/b.txt": "b",
    "gone.txt": "gone",
    "moved.txt": "moved",
    "linked.txt": "linked",
    "package/__init__.py": "",
    "bytes.bin": bytes(range(256)),
}

HANGS = """\
{beacon}


def test_hangs():
    import time
    time.sleep(600)
"""

IGNORES_SIGTERM = """\
import signal
import time


def test_ignores_signals():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    {beacon}
    while True:
        time.sleep(600)
"""

DETACHES = """\
import os
import time

{beacon}


def test_forks_and_detaches():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.chdir("/")
            time.sleep(600)
        os._exit(0)
"""

LEAVES_A_SERVER = """\
import socket
import subprocess
import sys

{beacon}
SERVER = "import socket, time; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); time.sleep(600)"


def test_leaves_a_server_behind():
    for new_session in (True, False):
        subprocess.Popen([sys.executable, "-c", SERVER], start_new_session=new_session, close_fds=False)
"""


def test_a_tree_survives_its_vandals(somebody: Octolimb) -> None:
    root = somebody.build(TREE)
    (root / "data/kept.txt").chmod(0o600)
    (root / "package/link").symlink_to("../gone.txt")
    before = fingerprint(root)
    around = sorted(path.name for path in root.parent.iterdir())
    verdict = somebody("--root", root, "sense", "--tests", "full", "--only", "tests").document
    assert verdict["tests"]["passed"] == 6, verdict["findings"]
    assert verdict["tests"]["failed"] == 1
    assert fingerprint(root) == before
    answer = somebody("--root", root, "fix", "test_vandalism.py::test_fails", "--budget", "40", "--proposals", "1")
    assert answer.document["status"] == "proposed"
    assert fingerprint(root) == before
    assert {path.name for path in root.parent.iterdir()} - set(around) <= {"scratch", f"state-{somebody.ordinary}"}
    assert_nothing_is_left(somebody)


def test_a_copy_survives_too(octolimb: Octolimb) -> None:
    root = octolimb.build(TREE)
    before = fingerprint(root)
    answer = octolimb("--root", root, "sense", "--tests", "full", "--only", "tests", env={"OCTOLIMB_ISOLATION": "copy"})
    assert answer.document["tests"]["failed"] == 1
    assert fingerprint(root) == before
    (root.parent / "octolimb-litter").unlink(missing_ok=True)
    assert_nothing_is_left(octolimb)


@pytest.mark.parametrize("kind", ["hangs", "ignores"])
def test_the_deadline_ends_a_test(kind: str, somebody: Octolimb, beacon: Beacon) -> None:
    source = {"hangs": HANGS, "ignores": IGNORES_SIGTERM}[kind]
    root = somebody.build({"test_endless.py": source.format(beacon=beacon.write)})
    before = fingerprint(root)
    answer = somebody("--root", root, "sense", "--tests", "full", "--only", "tests", "--deadline", "3")
    assert answer.code == 1
    assert not answer.document["green"]
    assert answer.document["tests"]["passed"] == 0
    _assert_it_began_and_ended(root, before, somebody, beacon)


@pytest.mark.parametrize("kind", ["detaches", "server"])
def test_what_a_test_leaves_running_ends_with_it(kind: str, somebody: Octolimb, beacon: Beacon) -> None:
    source = {"detaches": DETACHES, "server": LEAVES_A_SERVER}[kind]
    root = somebody.build({"test_leaving.py": source.format(beacon=beacon.write)})
    before = fingerprint(root)
    answer = somebody("--root", root, "sense", "--tests", "full", "--only", "tests", "--deadline", "20")
    assert answer.document["tests"]["passed"] == 1, answer
    _assert_it_began_and_ended(root, before, somebody, beacon)


@pytest.mark.parametrize("kind", ["hangs", "ignores", "detaches", "server"])
def test_without_namespaces_everything_ends_too(kind: str, octolimb: Octolimb, beacon: Beacon) -> None:
    source = {"hangs": HANGS, "ignores": IGNORES_SIGTERM, "detaches": DETACHES, "server": LEAVES_A_SERVER}[kind]
    root = octolimb.build({"test_endless.py": source.format(beacon=beacon.write)})
    before = fingerprint(root)
    arguments = ["sense", "--tests", "full", "--only", "tests", "--deadline", "4"]
    octolimb("--root", root, *arguments, env={"OCTOLIMB_ISOLATION": "copy"})
    _assert_it_began_and_ended(root, before, octolimb, beacon)


def test_a_limb_ends_what_hangs(somebody: Octolimb, beacon: Beacon) -> None:
    """Candidates of the limb make the loop endless; its time is up all the same."""
    source = "def count(n):\n    i = 0\n    while i < n:\n        i += 1\n    return i + 1\n"
    test = f"{beacon.write}\nfrom counting import count\n\n\ndef test_count():\n    assert count(3) == 3\n"
    root = somebody.build({"counting.py": source, "test_counting.py": test})
    before = fingerprint(root)
    answer = somebody("--root", root, "fix", "--budget", "40", "--proposals", "1")
    assert answer.document["status"] == "proposed", answer.document
    _assert_it_began_and_ended(root, before, somebody, beacon)


def _assert_it_began_and_ended(root: Path, before: object, octolimb: Octolimb, beacon: Beacon) -> None:
    beacon.wait()
    assert beacon.nobody_is_left()
    assert fingerprint(root) == before
    assert_nothing_is_left(octolimb)
