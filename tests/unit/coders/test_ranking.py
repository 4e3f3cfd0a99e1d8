"""Which of several patches that pass is shown first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.limbs.candidates import Candidate, TextEdit
from octolimb.limbs.coders.pain import PainHints
from octolimb.limbs.coders.ranking import edit_size, rank, spread

PATH = RelPath("a.py")
TEXT = "def f(a, b):\n    return a < b\n"


def patch(old: str, new: str, *, operator: str = "swap-comparison", cost: float = 1.0) -> Candidate:
    start = TEXT.index(old)
    return Candidate((TextEdit(PATH, start, start + len(old), new),), operator, cost, "")


@pytest.mark.parametrize(
    ("before", "after", "size"),
    [
        ("a < b", "a < b", 0),
        ("a < b", "a <= b", 1),
        ("a - b", "abs(a - b)", 3),
        ("f(a, b)", "f(b, a)", 2),
        ("x = 'one two'", "x = 'one'", 1),
        ("a + b", "a", 2),
        ("a", "a  # comments count", 3),
        ("return a", "return  a", 0),
        ("x = 1\n", "", 3),
    ],
)
def test_an_edits_size_is_its_changed_tokens(before: str, after: str, size: int) -> None:
    assert edit_size(before, after) == size


def test_fewer_tokens_come_first(snapshot: Callable[[Mapping[str, str]], Snapshot]) -> None:
    small, large = patch("<", "<="), patch("a < b", "a < b or a + b == abs(a)")
    assert rank([large, small], snapshot({PATH: TEXT})) == [small, large]


def test_the_likelier_operator_comes_first(snapshot: Callable[[Mapping[str, str]], Snapshot]) -> None:
    likely, unlikely = patch("<", "<="), patch("<", ">", cost=2.0)
    assert rank([unlikely, likely], snapshot({PATH: TEXT})) == [likely, unlikely]


def test_what_special_cases_the_tests_comes_last(snapshot: Callable[[Mapping[str, str]], Snapshot]) -> None:
    special, general = patch("b\n", "42\n"), patch("a < b", "abs(a) <= abs(b) + 1", cost=2.0)
    here = snapshot({PATH: TEXT})
    assert rank([special, general], here, pain=PainHints(constants=("42",))) == [general, special]
    assert rank([special, general], here) == [special, general]


def test_guards_come_after_mends(snapshot: Callable[[Mapping[str, str]], Snapshot]) -> None:
    guard = patch("    return", "    if not a:\n        return 0\n    return", operator="insert-guard")
    mend = patch("a < b", "b < a + 1", cost=2.5)
    assert rank([guard, mend], snapshot({PATH: TEXT})) == [mend, guard]


def test_the_order_does_not_depend_on_the_order_given(snapshot: Callable[[Mapping[str, str]], Snapshot]) -> None:
    patches = [patch("<", "<="), patch("<", ">="), patch("<", "=="), patch("a <", "b <")]
    here = snapshot({PATH: TEXT})
    assert rank(patches, here) == rank(patches[::-1], here)
    assert rank([], here) == []


def test_of_those_that_do_the_same_one_comes_first() -> None:
    one, two, three, four = (patch("<", new) for new in ("<=", ">", ">=", "!="))
    assert spread([one, two, three, four], ["a", "a", "b", "a"]) == [one, three, two, four]
    assert spread([one, two, three, four], [None, "a", None, "a"]) == [one, two, three, four]
    assert spread([], []) == []
