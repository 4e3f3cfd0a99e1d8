"""What every scenario may ask for: the command as one person or several, a place to work in, a bare interpreter."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest
from tests.conftest import IDENTITIES, IS_ROOT
from tests.support.product import Beacon, Octolimb


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


@pytest.fixture(params=[*IDENTITIES, "copy"])
def anywhere(request: pytest.FixtureRequest, place: Path, bare_python: Path) -> Iterator[Octolimb]:
    """The command as root, as an ordinary user, and where no mount is allowed."""
    ordinary = IS_ROOT and request.param == "ordinary"
    projection: Literal["overlay", "copy"] = "copy" if request.param == "copy" else "overlay"
    with closing(Octolimb(place, bare_python, ordinary=ordinary, projection=projection)) as octolimb:
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
