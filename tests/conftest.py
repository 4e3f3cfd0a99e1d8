"""What every test may ask for. Files in `tests/support` can be imported as `tests.support.NAME`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from importlib.metadata import files
from pathlib import Path
from typing import Final

import pytest

CHECKOUT = Path(__file__).parent.parent
if str(CHECKOUT) not in sys.path:
    sys.path.insert(0, str(CHECKOUT))

IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
IDENTITIES = ["root", "ordinary"] if IS_ROOT else ["ordinary"]
_PYTEST_AND_NEEDS: Final = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
_LONG: Final = frozenset(
    {"test_forgeries.py", "test_ordinary_user.py", "test_sensing.py", "test_sandbox_levels.py", "test_booby_traps.py"}
)
RunAs = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files begin first, so that no core waits for the other in the end."""
    items.sort(key=lambda item: item.path.name not in _LONG)


def pytest_report_header() -> str:
    if IS_ROOT:
        return "identities: root, and an ordinary user in a namespace of its own"
    return "identities: ordinary user only; what needs root is NOT tested in this run"


@pytest.fixture(params=IDENTITIES)
def as_user(request: pytest.FixtureRequest) -> RunAs:
    """Runs a command, with text as its standard input, as root and again as an ordinary user; its output is text."""
    from tests.support.ordinary_user import ordinary_command

    become = IS_ROOT and request.param == "ordinary"

    def run(command: list[str], stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        chosen = ordinary_command(command) if become else command
        return subprocess.run(chosen, input=stdin, capture_output=True, text=True, check=False, timeout=300)

    return run


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
