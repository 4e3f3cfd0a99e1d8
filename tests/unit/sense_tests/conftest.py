"""Projects for the tests of how tests are run."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from octolimb.core.snapshot import Snapshot
from octolimb.shadow.host import ShadowHost
from octolimb.workspace.disk import DiskBase
from tests.support.tested_project import MakeProject, Project

LEAN = ("pytest", "_pytest", "py", "pluggy", "iniconfig", "packaging", "pygments")


@pytest.fixture(scope="session")
def lean_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An environment with nothing but pytest: our own plugins would take most of each tiny run's time."""
    environment = tmp_path_factory.mktemp("lean") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    [packages] = environment.glob("lib/python*/site-packages")
    for name in LEAN:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        if origin.name == "__init__.py":
            shutil.copytree(origin.parent, packages / name)
        else:
            shutil.copy2(origin, packages)
    return str(environment / "bin" / "python")


@pytest.fixture
def project(tmp_path: Path, lean_python: str) -> Iterator[MakeProject]:
    """Writes a project: `project({"test_a.py": "..."})`; each call makes another one."""
    hosts: list[ShadowHost] = []

    def make(files: Mapping[str, str]) -> Project:
        root = tmp_path / f"project{len(hosts)}"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        base = DiskBase(root)
        host = ShadowHost(base)
        hosts.append(host)
        return Project(root, lean_python, host, Snapshot(base))

    yield make
    for host in hosts:
        host.close()
