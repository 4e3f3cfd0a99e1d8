"""Projects for the tests of how tests are run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import distribution
from pathlib import Path

import pytest
from tests.support.tested_project import MakeProject, Project

from octolimb.core.snapshot import Snapshot
from octolimb.shadow.host import ShadowHost
from octolimb.workspace.disk import DiskBase

LEAN = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")


@pytest.fixture(scope="session")
def lean_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An environment with nothing but pytest: our own plugins would take most of each tiny run's time."""
    environment = tmp_path_factory.mktemp("lean") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    [packages] = environment.glob("lib/python*/site-packages")
    for name in LEAN:
        installed = distribution(name)
        tops = {file.parts[0] for file in installed.files or () if file.parts[0] not in ("..", "__pycache__")}
        for top in tops:
            source = Path(str(installed.locate_file(top)))
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, packages / top)
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
