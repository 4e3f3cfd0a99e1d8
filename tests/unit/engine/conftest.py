"""Engines over tiny projects that are really on disk, and an interpreter with pytest and nothing else."""

from __future__ import annotations

import shutil
import tempfile
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from importlib.metadata import files
from pathlib import Path
from typing import Final

import pytest

from octolimb.engine.engine import Engine

MakeEngine = Callable[[Mapping[str, str]], Engine]

_PYTEST_AND_NEEDS: Final = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")


@pytest.fixture(scope="session")
def lean_python() -> Iterator[Path]:
    """Our own environment's plugins would take most of each tiny run's time."""
    environment = Path(tempfile.mkdtemp(prefix="octolimb-lean-"))
    venv.create(environment, with_pip=False, symlinks=True)
    (site_packages,) = environment.glob("lib/python*/site-packages")
    for name in _PYTEST_AND_NEEDS:
        for file in files(name) or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (site_packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(file.locate()), site_packages / file)
    yield environment / "bin/python"
    shutil.rmtree(environment)


@pytest.fixture
def make_engine(tmp_path: Path, lean_python: Path) -> Iterator[MakeEngine]:
    """`make_engine({"a.py": "..."})` writes a project and gives its engine, which is closed with the test."""
    with ExitStack() as stack:
        made: list[Path] = []

        def make(texts: Mapping[str, str]) -> Engine:
            root = tmp_path / f"project{len(made)}"
            made.append(root)
            root.mkdir()
            for name, text in texts.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(text.encode())
            return stack.enter_context(Engine(root, python=lean_python, state=tmp_path / "state"))

        yield make
