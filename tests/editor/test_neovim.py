"""A real Neovim, set up as our page for other editors says, sees and mends what nobody saved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
CONFIG = DOCS / "octolimb.lua"
FILES = {
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\n',
    "users.py": "def age_of(name: str) -> int:\n    return len(name) * 10\n",
    "greeting.py": "from users import age_of\n\n\ndef greet(name: str) -> int:\n    return age_of(name) + 1\n",
}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder after one session, and what Neovim told of it."""
    place = tmp_path_factory.mktemp("neovim")
    root = place / "shop"
    root.mkdir()
    for name, text in FILES.items():
        (root / name).write_text(text)
    bin_directory = Path(sys.executable).parent
    done = subprocess.run(
        [bin_directory / "nvim", "--headless", "--clean", "-l", HERE / "neovim.lua", CONFIG, root],
        env={
            "PATH": f"{bin_directory}:{os.environ['PATH']}",
            "HOME": str(place),
            "XDG_STATE_HOME": str(place / "state"),
            "TMPDIR": str(place),
            "LANG": "C.UTF-8",
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert isinstance(told, dict)
    return root, told


def test_the_session_came_to_its_end(session: tuple[Path, dict[str, Any]]) -> None:
    _, told = session
    assert "failed" not in told, (told["failed"], told["messages"], told["log"][-30:])
    assert told["messages"] == []


def test_an_unsaved_change_hurts_the_file_that_depends_on_it(session: tuple[Path, dict[str, Any]]) -> None:
    _, told = session
    (pain,) = told["pain"]
    assert pain.endswith("(unsaved: caused by users.py)")


def test_what_a_limb_proposes_is_accepted_into_the_buffer(session: tuple[Path, dict[str, Any]]) -> None:
    root, told = session
    assert "Fix with a limb (offline)" in told["choices"]
    assert "Accept" in told["choices"]
    assert told["before"][1] == "    return len(nam) * 10"
    assert told["after"][1] == "    return len(name) * 10"
    assert told["modified"]
    assert told["undone"] == told["before"]
    assert (root / "users.py").read_text() == FILES["users.py"]


def test_the_page_shows_the_configuration_that_was_run() -> None:
    page = (DOCS / "editors.md").read_text()
    code = CONFIG.read_text().split("\n", 1)[1]
    assert f"```lua\n{code}```" in page
