"""Builders of small repositories."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Repository = Callable[[dict[str, str | bytes]], Path]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Writes files below a fresh root and returns it."""

    def build(files: dict[str, str | bytes]) -> Path:
        root = tmp_path / "root"
        root.mkdir(exist_ok=True)
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return root

    return build
