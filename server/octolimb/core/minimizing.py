"""The fewest of many things that still do something together, found by trying: delta debugging.

What is sought is a 1-minimal set, as in Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input",
IEEE TSE 28(2), 2002. Their ddmin tries complements of ever smaller pieces; here one culprit after the other is found by
bisection, which takes fewer tries where few are guilty: 10 in place of 23 for two among ten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence


def _silent(_: tuple[str, ...]) -> None:
    return


def minimize(
    names: Sequence[str],
    holds: Callable[[frozenset[str]], bool],
    *,
    reduced: Callable[[tuple[str, ...]], None] = _silent,
) -> tuple[str, ...]:
    """A part of `names`, in their order, that `holds` and from which no one can be left out so that it still does.

    All of `names` must hold; that is not tried. Nothing is tried twice. `reduced` is told of every smaller part that
    holds, so that whoever stops the search by an exception from `holds` has the best so far. Where a larger part always
    holds if a smaller one does, it takes about k (1 + log n) tries for k culprits among n names; else at most n² more.
    """
    answers: dict[frozenset[str], bool] = {frozenset(names): True}

    def ask(part: Sequence[str]) -> bool:
        key = frozenset(part)
        if key not in answers:
            answers[key] = holds(key)
        return answers[key]

    def tell(part: Sequence[str]) -> tuple[str, ...]:
        smaller = tuple(name for name in names if name in part)
        reduced(smaller)
        return smaller

    culprits: list[str] = []
    rest = list(names)
    while not ask(culprits):
        # With all of `rest` it holds and with none of it not: somewhere in between one name turns the answer.
        low, high = 0, len(rest)
        while high - low > 1:
            middle = (low + high) // 2
            if ask([*culprits, *rest[:middle]]):
                high = middle
                tell([*culprits, *rest[:high]])
            else:
                low = middle
        culprits.append(rest[high - 1])
        rest = rest[: high - 1]
    current = tell(culprits)
    while True:
        # Only where a larger part can fail though a smaller one holds is there anything left to drop.
        without = (tuple(other for other in current if other != name) for name in current)
        smaller = next((part for part in without if ask(part)), None)
        if smaller is None:
            return current
        current = tell(smaller)
