"""Taking turns: alternatives interleaved, medians printed side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

Measure = Callable[[], float | None]
"""Does the work once; returns milliseconds, or None to have the call itself timed."""


def interleave(alternatives: Mapping[str, Measure], rounds: int) -> dict[str, list[float]]:
    """Each alternative once a round, in order, after one warm-up round; milliseconds."""
    taken: dict[str, list[float]] = {name: [] for name in alternatives}
    for turn in range(rounds + 1):
        for name, measure in alternatives.items():
            began = time.perf_counter()
            told = measure()
            elapsed = (time.perf_counter() - began) * 1000 if told is None else told
            if turn:
                taken[name].append(elapsed)
    return taken


def print_medians(taken: Mapping[str, list[float]], *, against: str) -> None:
    """A row an alternative: median, least and most in milliseconds, and how often `against` fits into it."""
    base = statistics.median(taken[against])
    width = max(map(len, taken))
    for name, times in taken.items():
        median = statistics.median(times)
        print(f"  {name:{width}}  {median:10.1f} ms  ({min(times):.1f} to {max(times):.1f})  {median / base:8.1f} x")
