"""How coverage becomes suspicion."""

from __future__ import annotations

from octolimb.core.paths import RelPath
from octolimb.limbs.search.suspicion import Coverage, suspect

M = RelPath("m.py")


def ran(test: str, *lines: int, failed: bool = False, frames: tuple[int, ...] = ()) -> Coverage:
    return Coverage(test, failed, {M: frozenset(lines)}, tuple((M, line) for line in frames))


def test_a_line_that_only_failing_tests_run_is_most_suspect() -> None:
    scores = suspect([ran("a", 1, 2, failed=True), ran("b", 1)], {})[M]
    assert scores[2] == 1.0
    assert 0 < scores[1] < scores[2]


def test_with_no_passing_test_all_that_ran_is_alike() -> None:
    assert suspect([ran("a", 1, 2, failed=True)], {}) == {M: {1: 1.0, 2: 1.0}}


def test_deeper_frames_weigh_more() -> None:
    scores = suspect([ran("a", 1, 2, 3, failed=True, frames=(1, 2))], {})[M]
    assert scores[2] == 1.0
    assert scores[3] < scores[1] < scores[2]


def test_lines_that_no_failing_test_ran_are_left_out() -> None:
    assert 9 not in suspect([ran("a", 1, failed=True), ran("b", 9)], {})[M]


def test_lines_of_the_import_are_a_little_suspect() -> None:
    scores = suspect([ran("a", 1, failed=True)], {M: frozenset({5})})[M]
    assert 0 < scores[5] < scores[1]


def test_where_nothing_fails_nothing_is_suspect() -> None:
    assert suspect([ran("a", 1)], {M: frozenset({5})}) == {}
