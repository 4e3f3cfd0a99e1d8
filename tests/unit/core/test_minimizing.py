"""The fewest names that still do it together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octolimb.core.minimizing import minimize

NAMES = [f"h{number}" for number in range(1, 41)]


@given(st.sets(st.sampled_from(NAMES)))
def test_exactly_the_culprits_are_found(culprits: set[str]) -> None:
    assert set(minimize(NAMES, lambda part: culprits <= part)) == culprits


@given(st.lists(st.sets(st.sampled_from(NAMES[:8]), min_size=1), min_size=1, max_size=4))
def test_none_can_be_left_out(ways: list[set[str]]) -> None:
    """Also where there are several ways to do it, and a larger part does not always hold."""

    def holds(part: frozenset[str]) -> bool:
        return any(way <= part for way in ways) and (len(part) != 5 or set(NAMES[:8]) == part)

    if not holds(frozenset(NAMES[:8])):
        return
    found = frozenset(minimize(NAMES[:8], holds))
    assert holds(found)
    assert not any(holds(found - {name}) for name in found)


def test_one_culprit_is_found_by_halving() -> None:
    tried: list[frozenset[str]] = []

    def holds(part: frozenset[str]) -> bool:
        tried.append(part)
        return "h17" in part

    assert minimize(NAMES, holds) == ("h17",)
    assert len(tried) <= 9
    assert len(tried) == len(set(tried))


def test_two_culprits_among_ten_take_few_tries() -> None:
    tried: list[frozenset[str]] = []

    def holds(part: frozenset[str]) -> bool:
        tried.append(part)
        return {"h4", "h6"} <= part

    assert minimize(NAMES[:10], holds) == ("h4", "h6")
    assert len(tried) <= 10


def test_whoever_stops_it_has_the_best_so_far() -> None:
    best: tuple[str, ...] = tuple(NAMES)
    tries = 0

    def holds(part: frozenset[str]) -> bool:
        nonlocal tries
        tries += 1
        if tries > 4:
            raise TimeoutError
        return {"h1", "h3"} <= part

    def keep(part: tuple[str, ...]) -> None:
        nonlocal best
        best = part

    with pytest.raises(TimeoutError):
        minimize(NAMES, holds, reduced=keep)
    assert {"h1", "h3"} <= set(best) < set(NAMES)


def test_nothing_is_needed_for_what_holds_anyway() -> None:
    assert minimize(NAMES, lambda _: True) == ()
    assert minimize([], lambda _: True) == ()
