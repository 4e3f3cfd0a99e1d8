from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import IS_ROOT
from tests.support.shadow_repository import Repository, opened

# The report's header says what is left out without root.
collect_ignore = [] if IS_ROOT else ["test_odd_roots.py"]


@pytest.fixture(params=["overlay", "copy"])
def repository(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """Once with the overlay and once with a private copy."""
    if request.param == "copy":
        monkeypatch.setenv("OCTOLIMB_ISOLATION", "copy")
    yield from opened(tmp_path / "repo")


@pytest.fixture
def overlaid(tmp_path: Path) -> Iterator[Repository]:
    yield from opened(tmp_path / "repo")


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    monkeypatch.setenv("OCTOLIMB_ISOLATION", "copy")
    yield from opened(tmp_path / "repo")
