"""The offline coders: where their candidates come from. It gathers what the pure generators need; it tries nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from octolimb.core.errors import BadPath, CannotSense
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.engine.engine import Engine
from octolimb.limbs.candidates import Candidate, Suspicion
from octolimb.limbs.coders.mutations import search
from octolimb.limbs.coders.pain import PainHints, read_pain
from octolimb.limbs.coders.tactics import tactics
from octolimb.limbs.pain import Pain
from octolimb.sense.lint import lint_fixes
from octolimb.sense.tests.layout import Layout, read_layout

CODERS: Final = ("tactics", "search")
"""Cheapest first."""
_LINT_RULES: Final = ("F", "E7", "B")
"""Rules to look for beside those of the project."""
_REPAIRING_RULES: Final = ("B006", "B013", "B014", "E711", "E712", "E714", "F50", "F52", "F632", "F811")
"""Those whose fixes change what a program does, which alone can help a test."""
_FRAME = re.compile(r"([^\s:\"']+\.pyi?):\d+")


@dataclass(frozen=True)
class Ground:
    """What a coder builds on: the state, what hurts in it, and which lines are to blame."""

    snapshot: Snapshot
    pain: Pain
    suspicion: Suspicion


def candidates_of(coder: str, engine: Engine, ground: Ground) -> Iterator[Candidate]:
    """The coder's candidates, lazily, cheapest first. Tests and what configures them are read-only to all coders."""
    layout = read_layout(ground.snapshot)
    stream = _search(ground, hints_of(ground)) if coder == "search" else _tactics(engine, ground)
    return (candidate for candidate in stream if not any(is_read_only(path, layout) for path in candidate.paths))


def hints_of(ground: Ground) -> PainHints:
    """What the messages and the sources of the failing tests suggest."""
    return read_pain(_messages(ground.pain), _test_sources(ground))


def is_read_only(path: RelPath, layout: Layout) -> bool:
    """True for what decides whether a repair is one: tests and conftest files."""
    return layout.is_test_file(path) or path.name == "conftest.py"


def _search(ground: Ground, hints: PainHints) -> Iterator[Candidate]:
    """Single edits in all suspicious files, then pairs of them."""
    texts = {path: text for path in ground.suspicion if (text := _text(ground.snapshot, path)) is not None}
    return search(texts, ground.suspicion, pain=hints)


def _tactics(engine: Engine, ground: Ground) -> Iterator[Candidate]:
    """What the messages name: in the files of their tracebacks first, then in the suspicious ones."""
    snapshot = ground.snapshot
    paths = [path for path in _blamed_files(ground) if snapshot.kind(path) == "file"]
    if not paths:
        return
    try:
        with engine.host.project(snapshot) as shadow:
            fixes = lint_fixes(shadow, snapshot, paths, select=_LINT_RULES)
    except CannotSense:
        # A linter that cannot run here takes nothing from what the messages say.
        fixes = []
    if not ground.pain.findings:
        fixes = [fix for fix in fixes if fix.code.startswith(_REPAIRING_RULES)]
    yield from tactics(snapshot, paths, _messages(ground.pain), fixes=fixes)


def _blamed_files(ground: Ground) -> list[RelPath]:
    """Files that the pain mentions, the innermost frames first, then the suspicious ones, most suspicious first."""
    named: list[RelPath] = [finding.path for finding in ground.pain.findings]
    for text in _messages(ground.pain):
        named += [path for match in reversed(_FRAME.findall(text)) if (path := _relative(match)) is not None]
    suspicious = sorted(ground.suspicion, key=lambda path: -max(ground.suspicion[path].values(), default=0.0))
    return list(dict.fromkeys([*named, *suspicious]))


def _relative(raw: str) -> RelPath | None:
    try:
        return RelPath(raw)
    except BadPath:
        return None


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
