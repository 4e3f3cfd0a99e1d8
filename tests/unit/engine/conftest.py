"""Engines over tiny projects that are really on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from octolimb.engine.engine import Engine

MakeEngine = Callable[[Mapping[str, str]], Engine]


@pytest.fixture
def make_engine(tmp_path: Path, bare_python: Path) -> Iterator[MakeEngine]:
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
            return stack.enter_context(Engine(root, python=bare_python, state=tmp_path / "state"))

        yield make
