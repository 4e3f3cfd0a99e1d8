"""Roots on which an overlay is no matter of course; each prepared in its own mount namespace, which needs root."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.support.shadow_repository import Repository

PREPARE = """
import ctypes, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from octolimb.shadow import kernel
root = Path(sys.argv[2])
kernel.unshare(kernel.CLONE_NEWNS)
kernel.mount(None, "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
"""
RUN = """
from octolimb.shadow.host import ShadowHost
from octolimb.workspace.disk import DiskBase
from octolimb.workspace.limb_workspace import LimbWorkspace
workspace = LimbWorkspace(root)
workspace.write("app.py", "VALUE = 2\\n")
workspace.write("fresh.py", "")
with ShadowHost(DiskBase(root)) as host, host.project(workspace.snapshot) as shadow:
    print(host.isolation.files, host.probe().refusal or "")
    done = shadow.run(["sh", "-c", sys.argv[3]], deadline=60)
    print(done.stdout.decode() + done.stderr.decode())
"""
CHECKOUT = str(Path(__file__).parents[3])
LEAVE_ROOT = "from tests.support.ordinary_user import become_ordinary; become_ordinary()\n"


def answer_of(root: Path, prepare: str, command: str) -> list[str]:
    """What the command prints in the shadow of `root`, after the line that names the projection."""
    script = PREPARE + prepare + RUN
    done = subprocess.run(
        [sys.executable, "-c", script, CHECKOUT, str(root), command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    repository = Repository(tmp_path / "repo")
    repository.host.close()
    return repository.root


def open_to_others(root: Path) -> None:
    """Lets an ordinary user reach the root: pytest closes its own directories above it, however many there are."""
    for above in root.parents:
        if not above.stat().st_mode & 0o001 and above.owner() == "root" and above.is_relative_to(tempfile.gettempdir()):
            above.chmod(0o711)


def test_on_a_tmpfs(root: Path) -> None:
    prepare = 'kernel.mount("tmpfs", str(root), "tmpfs"); (root / "app.py").write_text("VALUE = 1")\n'
    assert answer_of(root, prepare, "cat app.py")[:2] == ["overlay ", "VALUE = 2"]


def test_on_an_overlay(root: Path) -> None:
    prepare = """
stage = root.parent / "stage"
stage.mkdir()
kernel.mount("tmpfs", str(stage), "tmpfs")
(stage / "u").mkdir(); (stage / "w").mkdir()
kernel.mount("overlay", str(root), "overlay", 0, f"lowerdir={root},upperdir={stage}/u,workdir={stage}/w")
(root / "upper.txt").write_text("from above\\n")
"""
    assert answer_of(root, prepare, "cat app.py upper.txt")[:3] == ["overlay ", "VALUE = 2", "from above"]


def test_read_only(root: Path) -> None:
    prepare = """
kernel.mount(str(root), str(root), None, kernel.MS_BIND)
kernel.mount(None, str(root), None, kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY)
"""
    assert answer_of(root, prepare, "cat app.py; echo x > made; cat made")[:3] == ["overlay ", "VALUE = 2", "x"]


def test_volumes_below_it_are_there_and_read_only(root: Path) -> None:
    prepare = """
for name in ("vol ume", "pkg/deep"):
    (root / name).mkdir(exist_ok=True)
    kernel.mount("tmpfs", str(root / name), "tmpfs")
    (root / name / "inner.txt").write_text("inside\\n")
(root / "bound.txt").write_text("")
kernel.mount("/etc/passwd", str(root / "bound.txt"), None, kernel.MS_BIND)
"""
    lines = answer_of(
        root, prepare, "cat 'vol ume/inner.txt' pkg/deep/inner.txt; touch 'vol ume/x'; grep -c root bound.txt"
    )
    assert lines[:4] == ["overlay ", "inside", "inside", "1"]
    assert "Read-only file system" in lines[4]


def test_volumes_below_it_for_an_ordinary_user(root: Path) -> None:
    """The kernel lets no user namespace look beneath a mount: the shadow is a copy then, and says why."""
    for path in (root, *root.rglob("*")):
        os.chown(path, 65534, 65534)
    prepare = 'kernel.mount("tmpfs", str(root / "pkg/deep"), "tmpfs"); (root / "pkg/deep/v").write_text("v")\n'
    open_to_others(root)
    lines = answer_of(root, prepare + LEAVE_ROOT, "cat app.py pkg/deep/v")
    assert lines[0].startswith("copy cannot make a shadow")
    assert lines[1:3] == ["VALUE = 2", "v"]


def test_owned_by_somebody_else(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        os.chown(path, 4242, 4243)
    lines = answer_of(root, "", "stat -c '%u:%g' . app.py pkg fresh.py")
    assert lines[:5] == ["overlay ", "4242:4243", "4242:4243", "4242:4243", "0:0"]


def test_owned_by_root_and_seen_by_an_ordinary_user(root: Path) -> None:
    open_to_others(root)
    lines = answer_of(root, LEAVE_ROOT, "cat app.py; ls")
    assert lines[:2] == ["overlay ", "VALUE = 2"]
    assert "fresh.py" in lines


def test_a_volume_mounted_while_the_host_lives_is_seen(root: Path) -> None:
    """Namespaces are made ahead of the requests; one that is older than a mount must not serve."""
    prepare = """
from octolimb.core.snapshot import Snapshot
from octolimb.shadow.host import ShadowHost
from octolimb.workspace.disk import DiskBase
base = DiskBase(root)
with ShadowHost(base) as host, host.project(Snapshot(base)) as shadow:
    for _ in range(3):
        before = shadow.run(["ls", "pkg/deep"], deadline=60)
    kernel.mount("tmpfs", str(root / "pkg/deep"), "tmpfs")
    (root / "pkg/deep/volume.txt").write_text("")
    after = shadow.run(["ls", "pkg/deep"], deadline=60)
    print(before.stdout, after.stdout)
    sys.exit()
"""
    assert answer_of(root, prepare, "") == [r"b'leaf.txt\n' b'volume.txt\n'"]


def test_a_directory_of_the_disk_can_be_renamed_by_root(root: Path) -> None:
    command = f"""{sys.executable} -c "import os; os.rename('pkg', 'lib'); print(sorted(os.listdir('lib')))" """
    assert answer_of(root, "", command)[1] == "['__init__.py', 'core.py', 'deep']"
