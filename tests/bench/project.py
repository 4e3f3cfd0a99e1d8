"""A real project to measure on: the one that the demo uses, with its own environment, made once for a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import demo
from released import BOLTONS


@contextmanager
def real_project(*, broken: bool) -> Iterator[Path]:
    """The root of the demo's project, whole or with the demo's one broken line."""
    with TemporaryDirectory(prefix="octolimb-bench-") as directory:
        root = BOLTONS.prepare(Path(directory))
        if broken:
            demo.break_line(root)
        yield root
