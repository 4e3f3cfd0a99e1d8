"""Who imports whom, kept up to date: always as if it had been read anew."""

from __future__ import annotations

import random
from pathlib import Path

from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.sense.tests.imports import GrowingGraph
from octolimb.workspace.disk import DiskBase
from octolimb.workspace.limb_workspace import LimbWorkspace

FILES = {
    "pkg/__init__.py": "from pkg.a import f\n",
    "pkg/a.py": "def f(): ...\n",
    "pkg/b.py": "from .a import f\n",
    "pkg/c.py": "from . import b\n",
    "use.py": "import pkg.c\n",
    "alone.py": "import os\n",
}


def project(root: Path) -> LimbWorkspace:
    for name, text in FILES.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    return LimbWorkspace(root, base=Snapshot(DiskBase(root)))


def test_the_nearest_come_first(tmp_path: Path) -> None:
    graph = GrowingGraph()
    graph.update(project(tmp_path).snapshot, [])
    assert graph.nearest([RelPath("pkg/b.py")], 9) == ["pkg/c.py", "use.py"]
    assert graph.nearest([RelPath("pkg/b.py")], 1) == ["pkg/c.py"]
    assert graph.nearest([RelPath("pkg/a.py")], 9) == ["pkg/__init__.py", "pkg/b.py", "pkg/c.py", "use.py"]
    assert graph.nearest([RelPath("alone.py")], 9) == []


def test_who_imports_what_is_gone_still_counts(tmp_path: Path) -> None:
    workspace = project(tmp_path)
    workspace.delete("pkg/b.py")
    graph = GrowingGraph()
    graph.update(workspace.snapshot, [RelPath("pkg/b.py")])
    assert graph.nearest([RelPath("pkg/b.py")], 9) == ["pkg/c.py", "use.py"]


def test_it_is_always_as_if_read_anew(tmp_path: Path) -> None:
    workspace = project(tmp_path)
    numbers = random.Random(3)
    graph = GrowingGraph()
    graph.update(workspace.snapshot, [])
    paths = [*FILES, "new.py", "pkg/deep/__init__.py"]
    gone: set[RelPath] = set()
    for _ in range(200):
        path = RelPath(numbers.choice(paths))
        if numbers.random() < 0.3 and workspace.exists(path):
            workspace.delete(path)
            gone.add(path)
        else:
            workspace.write(path, numbers.choice([*FILES.values(), "import new, pkg.deep\n", "from pkg import *\n"]))
            gone.discard(path)
        graph.update(workspace.snapshot, [path])
        anew = GrowingGraph()
        anew.update(workspace.snapshot, gone)
        for asked in paths:
            assert graph.nearest([RelPath(asked)], 9) == anew.nearest([RelPath(asked)], 9)
