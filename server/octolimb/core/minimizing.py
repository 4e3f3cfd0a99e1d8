"""The fewest of many things that still do something together, found by trying: delta debugging.

After Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", IEEE TSE 28(2), 2002.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence


def _silent(_: tuple[str, ...]) -> None:
    return


def minimize(
    names: Sequence[str],
    holds: Callable[[frozenset[str]], bool],
    *,
    reduced: Callable[[tuple[str, ...]], None] = _silent,
) -> tuple[str, ...]:
    """A part of `names`, in their order, that `holds` and from which none can be left out so that it still does.

    All of `names` must hold; that is not tried. Nothing is tried twice. `reduced` is told of every smaller part that
    holds, so that whoever stops the search by an exception from `holds` has the best so far. At most about n² tries
    for n names, and about 2 log n where one name alone does it.
    """
    answers: dict[frozenset[str], bool] = {}

    def ask(part: Sequence[str]) -> bool:
        key = frozenset(part)
        if key not in answers:
            answers[key] = holds(key)
        return answers[key]

    if names and ask(()):
        reduced(())
        return ()
    current = tuple(names)
    pieces = 2
    while len(current) >= 2:
        smaller, was_piece = _smaller(current, pieces, ask)
        if smaller is not None:
            current = smaller
            pieces = 2 if was_piece else max(pieces - 1, 2)
            reduced(current)
        elif pieces >= len(current):
            break
        else:
            pieces = min(2 * pieces, len(current))
    return current


def _smaller(
    names: tuple[str, ...], pieces: int, ask: Callable[[Sequence[str]], bool]
) -> tuple[tuple[str, ...] | None, bool]:
    """A piece, or else all but one piece, that holds; and which of the two it is."""
    pieces = min(pieces, len(names))
    bounds = [len(names) * number // pieces for number in range(pieces + 1)]
    ranges = list(itertools.pairwise(bounds))
    for low, high in ranges:
        if ask(names[low:high]):
            return names[low:high], True
    if pieces > 2:
        for low, high in ranges:
            rest = names[:low] + names[high:]
            if ask(rest):
                return rest, False
    return None, False
