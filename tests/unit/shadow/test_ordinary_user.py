"""What starts processes in this directory once more, as somebody who is not root."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from tests.conftest import IS_ROOT, RunAs

HERE = Path(__file__).parent
NAMES = ("view", "sandbox", "children", "copies", "endings", "probe", "live", "live_endings", "landlock", "seccomp")
FILES = [*(HERE / f"test_{name}.py" for name in NAMES), HERE.parents[1] / "faults/test_sandbox_levels.py"]


def test_identities_are_what_they_say(as_user: RunAs, request: pytest.FixtureRequest) -> None:
    done = as_user([sys.executable, "-c", "import os; print(os.getuid(), os.path.expanduser('~'))"])
    assert done.returncode == 0, done.stderr
    uid, home = done.stdout.split()
    assert (uid == "0") == ("root" in request.node.name)
    assert IS_ROOT or uid == str(os.getuid())
    assert home.startswith("/")


@pytest.mark.parametrize("as_user", ["ordinary"], indirect=True)
def test_everything_holds_for_an_ordinary_user(as_user: RunAs) -> None:
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(HERE.parents[2])]
    done = as_user([sys.executable, "-m", "pytest", *options, *map(str, FILES)])
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " skipped" not in done.stdout
