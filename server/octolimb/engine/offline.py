"""The offline coders: where their candidates come from. It gathers what the pure generators need; it tries nothing."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from octolimb.core.errors import CannotSense, NotText
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.engine.engine import Engine
from octolimb.limbs.candidates import Candidate, Suspicion
from octolimb.limbs.coders.mutations import generate, two_edits
from octolimb.limbs.coders.pain import PainHints, read_pain
from octolimb.limbs.pain import Pain
from octolimb.sense.tests.layout import Layout, read_layout

CODERS: Final = ("tactics", "search")
"""Cheapest first."""


@dataclass(frozen=True)
class Ground:
    """What a coder builds on: the state, what hurts in it, and which lines are to blame."""

    snapshot: Snapshot
    pain: Pain
    suspicion: Suspicion


def candidates_of(coder: str, engine: Engine, ground: Ground) -> Iterator[Candidate]:
    """The coder's candidates, lazily, cheapest first. Tests and what configures them are read-only to all coders."""
    layout = read_layout(ground.snapshot)
    hints = read_pain(_messages(ground.pain), _test_sources(ground))
    stream = _search(ground, hints) if coder == "search" else _tactics(engine, ground, hints)
    return (
        candidate for candidate in stream if not any(is_read_only(path, layout) for path in candidate.paths)
    )


def is_read_only(path: RelPath, layout: Layout) -> bool:
    """True for what decides whether a repair is one: tests and conftest files."""
    return layout.is_test_file(path) or path.name == "conftest.py"


def _search(ground: Ground, hints: PainHints) -> Iterator[Candidate]:
    """Single edits of every suspicious file, merged by cost; then pairs of them."""
    texts = {path: text for path in ground.suspicion if (text := _text(ground.snapshot, path)) is not None}
    for family in (generate, two_edits):
        streams = [family(text, path, ground.suspicion[path], pain=hints) for path, text in texts.items()]
        yield from heapq.merge(*streams, key=lambda candidate: candidate.cost)


def _tactics(engine: Engine, ground: Ground, hints: PainHints) -> Iterator[Candidate]:
    yield from ()


def _messages(pain: Pain) -> list[str]:
    return [f"{test.message}\n{test.detail}" for test in pain.tests] + [
        f"{finding.message}\n{finding.detail}" for finding in pain.findings
    ]


def _test_sources(ground: Ground) -> list[str]:
    files = dict.fromkeys(RelPath(test.node_id.partition("::")[0]) for test in ground.pain.tests)
    return [text for file in files if (text := _text(ground.snapshot, file)) is not None]


def _text(snapshot: Snapshot, path: RelPath) -> str | None:
    document = snapshot.get(path)
    return document.text if document is not None and document.is_text else None
