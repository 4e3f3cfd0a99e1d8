"""A small repository on disk with its shadow host, and a way to see whether a tree was touched."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from octolimb.shadow.host import ShadowHost
from octolimb.shadow.shadow import Completed, Shadow
from octolimb.workspace.disk import DiskBase
from octolimb.workspace.limb_workspace import LimbWorkspace

FILES: Mapping[str, str] = {
    "app.py": "VALUE = 1\n",
    "pkg/__init__.py": "",
    "pkg/core.py": "def f():\n    return 1\n",
    "pkg/deep/leaf.txt": "leaf\n",
    "tests/test_app.py": "from app import VALUE\n\ndef test_value():\n    assert VALUE == 1\n",
}


class Repository:
    """A small repository on disk, its host, and a workspace to edit it in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, text in FILES.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.host = ShadowHost(DiskBase(root))
        self.workspace = LimbWorkspace(root)

    def shadow(self) -> Shadow:
        return self.host.project(self.workspace.snapshot)

    def run(self, *command: str, deadline: float = 60, **options: object) -> Completed:
        """Runs a command in a fresh shadow of the workspace."""
        with self.shadow() as shadow:
            return shadow.run(command, deadline=deadline, **options)  # type: ignore[arg-type]

    def python(self, code: str, deadline: float = 60, **options: object) -> str:
        """What a Python program prints in a fresh shadow; it must succeed."""
        done = self.run(sys.executable, "-c", code, deadline=deadline, **options)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def shell(self, script: str) -> str:
        done = self.run("sh", "-ec", script)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()


def state_of(root: Path) -> dict[str, object]:
    """Everything about a tree that somebody could miss: kinds, modes, times, bytes."""
    state: dict[str, object] = {}
    for path in sorted([root, *root.rglob("*")]):
        status = path.lstat()
        body = path.read_bytes() if path.is_file() and not path.is_symlink() else None
        target = path.readlink() if path.is_symlink() else None
        state[str(path)] = (status.st_mode, status.st_mtime_ns, status.st_ino, body, target)
    return state


def opened(root: Path) -> Iterator[Repository]:
    root.mkdir()
    repository = Repository(root)
    with repository.host:
        yield repository
