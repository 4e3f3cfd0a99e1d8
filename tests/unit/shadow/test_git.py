from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from octolimb.core.errors import BadInput
from octolimb.shadow.git import run_git


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A repository with one commit and one change after it."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.py").write_text("x = 1\n")
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(root), *command], check=True)
    (root / "a.py").write_text("x = 2\n")
    return root


def test_a_file_at_a_revision(history: Path) -> None:
    assert run_git(history, "show", "HEAD:a.py") == b"x = 1\n"
    assert run_git(history, "rev-parse", "--show-toplevel").decode().strip() == str(history)


def test_a_difference(history: Path) -> None:
    assert b"+x = 2" in run_git(history, "diff", "HEAD")


@pytest.mark.parametrize("args", [("show", "nowhere:a.py"), ("rev-parse", "--verify", "nope")])
def test_an_unknown_revision_is_bad_input(history: Path, args: tuple[str, ...]) -> None:
    with pytest.raises(BadInput, match="git: fatal"):
        run_git(history, *args)


def test_no_repository_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a git repository"):
        run_git(tmp_path, "rev-parse", "HEAD")


@pytest.mark.parametrize("command", ["add", "commit", "config", "fetch", "gc", "checkout", ""])
def test_only_reading_commands_run(history: Path, command: str) -> None:
    with pytest.raises(BadInput):
        run_git(history, command)


@pytest.mark.parametrize(
    ("setting", "attributes"),
    [
        ("core.fsmonitor", ""),
        ("diff.external", ""),
        ("diff.evil.textconv", "*.py diff=evil"),
        ("diff.evil.command", "*.py diff=evil"),
        ("filter.evil.clean", "*.py filter=evil"),
        ("filter.evil.process", "*.py filter=evil"),
        ("core.pager", ""),
        ("gpg.program", ""),
    ],
)
def test_the_repository_configures_nothing_that_runs(history: Path, setting: str, attributes: str) -> None:
    marker = history.parent / "executed"
    script = history / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch '{marker}'\ncat\n")
    script.chmod(0o755)
    subprocess.run(["git", "-C", str(history), "config", setting, str(script)], check=True)
    (history / ".gitattributes").write_text(attributes)
    for args in (("diff", "HEAD"), ("show", "HEAD"), ("log", "-p"), ("ls-files", "-m"), ("diff-index", "-p", "HEAD")):
        run_git(history, *args)
    assert not marker.exists()
