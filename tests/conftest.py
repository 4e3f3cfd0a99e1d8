"""What every test may ask for. Files in `tests/support` can be imported as `tests.support.NAME`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
if str(CHECKOUT) not in sys.path:
    sys.path.insert(0, str(CHECKOUT))

IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
IDENTITIES = ["root", "ordinary"] if IS_ROOT else ["ordinary"]
RunAs = Callable[..., "subprocess.CompletedProcess[str]"]


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
