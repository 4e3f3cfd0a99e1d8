"""What every scenario may ask for: the command as one person or several, a place to work in, a bare interpreter."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from importlib.metadata import files
from pathlib import Path
from typing import Final

import pytest
from tests.conftest import IDENTITIES, IS_ROOT
from tests.support.product import Beacon, Octolimb

_PYTEST_AND_NEEDS: Final = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")


@pytest.fixture(scope="session")
def bare_python() -> Iterator[Path]:
    """The interpreter of a virtual environment that has pytest and nothing else: no plugin of ours slows it down."""
    environment = Path(tempfile.mkdtemp(prefix="octolimb-bare-"))
    environment.chmod(0o755)
    venv.create(environment, with_pip=False, symlinks=True)
    (site_packages,) = environment.glob("lib/python*/site-packages")
    for name in _PYTEST_AND_NEEDS:
        for file in files(name) or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (site_packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(file.locate()), site_packages / file)
    python = environment / "bin/python"
    subprocess.run([python, "-m", "compileall", "-q", site_packages], check=True)
    yield python
    shutil.rmtree(environment)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that an ordinary user can reach, unlike pytest's own ones."""
    place = Path(tempfile.mkdtemp(prefix="octolimb-scenario-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def octolimb(place: Path, bare_python: Path) -> Iterator[Octolimb]:
    """The command for whoever runs the tests."""
    with closing(Octolimb(place, bare_python)) as octolimb:
        yield octolimb


@pytest.fixture(params=IDENTITIES)
def somebody(request: pytest.FixtureRequest, place: Path, bare_python: Path) -> Iterator[Octolimb]:
    """The command as root and again as an ordinary user."""
    with closing(Octolimb(place, bare_python, ordinary=IS_ROOT and request.param == "ordinary")) as octolimb:
        yield octolimb


@pytest.fixture
def build(octolimb: Octolimb) -> Callable[[Mapping[str, str | bytes]], Path]:
    """Writes a small project and returns its root."""
    return octolimb.build


@pytest.fixture
def beacon(bare_python: Path, place: Path) -> Iterator[Beacon]:
    path = bare_python.parent.parent / f"{place.name}.fifo"
    beacon = Beacon(path)
    yield beacon
    beacon.close()
    path.unlink()
