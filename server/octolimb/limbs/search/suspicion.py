"""Spectrum-based fault localisation: which lines to suspect, from what each test covered. Pure; runs nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from octolimb.core.paths import RelPath

Lines = Mapping[RelPath, frozenset[int]]

_FRAME_BONUS: Final = 0.25
_IMPORT_SCORE: Final = 0.15
"""What a line that runs at import is worth: every test depends on it, and it is seldom at fault."""


@dataclass(frozen=True)
class Coverage:
    """What one test ran. `frames` are the places of its traceback below the root, outermost first."""

    test: str
    failed: bool
    lines: Lines
    frames: tuple[tuple[RelPath, int], ...] = ()


def suspect(coverage: Iterable[Coverage], import_lines: Lines) -> dict[RelPath, dict[int, float]]:
    """Scores lines from 0 to 1: Ochiai (Abreu et al., 2007), with more for the deeper frames of the tracebacks.

    With no passing test every line that a failing test ran scores alike, but for its frames. Lines that ran only at
    import get a small score, so that a wrong constant can be found too.
    """
    failing: Counter[tuple[RelPath, int]] = Counter()
    passing: Counter[tuple[RelPath, int]] = Counter()
    bonus: dict[tuple[RelPath, int], float] = {}
    failures = 0
    for one in coverage:
        places = [(path, line) for path, lines in one.lines.items() for line in lines]
        if not one.failed:
            passing.update(places)
            continue
        failures += 1
        failing.update(places)
        for depth, place in enumerate(one.frames, 1):
            bonus[place] = max(bonus.get(place, 0.0), depth / len(one.frames))
    scores = {
        place: count / math.sqrt(failures * (count + passing[place])) * (1 + _FRAME_BONUS * bonus.get(place, 0.0))
        for place, count in failing.items()
    }
    top = max([1.0, *scores.values()])
    found: dict[RelPath, dict[int, float]] = {}
    if failures:
        for path, lines in import_lines.items():
            found[path] = dict.fromkeys(lines, _IMPORT_SCORE)
    for (path, line), score in scores.items():
        found.setdefault(path, {})[line] = max(score / top, found.get(path, {}).get(line, 0.0))
    return found
