"""What holds for every candidate, whatever operator made it: it parses, it is new, it touches what it says."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from itertools import islice, takewhile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.properties import examples

from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.limbs.candidates import Candidate
from octolimb.limbs.coders import mutations
from octolimb.limbs.coders.mutations import generate, search, two_edits
from octolimb.limbs.coders.pain import PainHints
from octolimb.limbs.coders.sites import NODE_OPERATORS, STATEMENT_OPERATORS

PATH = RelPath("module.py")
NO_PAIN = PainHints()
LIBRARY = sorted(path for path in Path(json.__file__).parent.parent.glob("[a-z]*.py") if path.stat().st_size < 40_000)
EVERYWHERE = dict.fromkeys(range(1, 200), 1.0)

SAMPLE = '''\
"""A module."""
import os

LIMIT = 10  # at most


class Shelf:
    size: int = 3

    def __init__(self, books=None, *, limit=LIMIT):
        self.books = books or []
        self.limit = limit

    def find(self, title, default=None):
        """The first book of that title."""
        for index, book in enumerate(self.books):
            if book.title == title and index < self.limit:
                return book
            elif book is None:
                continue
        else:
            return default

    @property
    def titles(self):
        return [f"{book.title!r}: {len(book.title) + 1}" for book in self.books if book]


def total(xs: list[int], start: int = 0) -> int:
    result = start
    i = 0
    while i < len(xs):
        result += xs[i] * 2 - 1
        i += 1
    try:
        return result // len(xs)
    except ZeroDivisionError as error:
        raise ValueError("none") from error


async def wait(queue, *rest, **options):
    async with queue as q:
        async for item in q:
            yield item if item else (lambda x, y=2: x ** -y)(*rest)
    text = """two
  lines""" if rest else "é" + 'ü'; del rest[0]
    return
'''


def candidates(text: str, pain: PainHints = NO_PAIN) -> list[Candidate]:
    return list(generate(text, PATH, EVERYWHERE, pain=pain))


@pytest.fixture
def texts(applied: Callable[[str, Candidate], str]) -> Callable[[str], list[str]]:
    return lambda text: [applied(text, one) for one in candidates(text)]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_candidate_parses_and_keeps_the_line_ends(texts: Callable[[str], list[str]], newline: str) -> None:
    text = SAMPLE.replace("\n", newline)
    found = texts(text)
    assert len(found) > 500
    for new in found:
        ast.parse(new)
        assert new.replace("\r\n", "").count("\n") == (0 if newline == "\r\n" else new.count("\n"))


def test_no_two_candidates_are_the_same_program(texts: Callable[[str], list[str]]) -> None:
    text = "def f(a, b):\n    c = 0  # zero\n    if a < b:\n        c = a + 1\n    return c\n"
    found = texts(text)
    programs = [ast.dump(ast.parse(new)) for new in found]
    assert len(set(found)) == len(found)
    assert ast.dump(ast.parse(text)) not in programs
    assert len(set(programs)) > 0.98 * len(programs)


def test_comments_and_formatting_stay(texts: Callable[[str], list[str]]) -> None:
    text = "def f( a ,b ):   # keep\n    return (a\n        <b)   # me\n"
    for new in texts(text):
        assert new.startswith("def f( a ,b ):   # keep\n")
        assert new.endswith("# me\n")


def test_columns_count_characters_not_bytes(texts: Callable[[str], list[str]]) -> None:
    assert "def f(é, ü):\n    return 'ß' + é < ü\n" in texts("def f(é, ü):\n    return 'ß' + é > ü\n")


def test_strings_over_several_lines_keep_their_inside(texts: Callable[[str], list[str]]) -> None:
    text = 'def f(a):\n    for x in a:\n        y = 1\n        y = """\n        in\n"""\n    return y\n'
    assert all("\n        in\n" in new for new in texts(text) if '"""' in new)


def test_candidates_come_cheapest_first_and_always_in_the_same_order() -> None:
    costs = [one.cost for one in candidates(SAMPLE)]
    assert costs == sorted(costs)
    assert candidates(SAMPLE) == candidates(SAMPLE)


@pytest.mark.parametrize("held", [30, 100])
def test_that_few_are_held_at_once_changes_nothing(held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    suspicion = {line: 0.2 + line % 3 / 5 for line in range(1, 200)}
    singles = list(generate(SAMPLE, PATH, suspicion, pain=NO_PAIN))
    pairs = list(islice(two_edits(SAMPLE, PATH, suspicion, pain=NO_PAIN), 50))
    monkeypatch.setattr(mutations, "_MOST_HELD", held)
    assert list(islice(generate(SAMPLE, PATH, suspicion, pain=NO_PAIN), 400)) == singles[:400]
    assert list(islice(two_edits(SAMPLE, PATH, suspicion, pain=NO_PAIN), 50)) == pairs
    if held == 100:
        assert list(generate(SAMPLE, PATH, suspicion, pain=NO_PAIN)) == singles


def test_only_suspicious_lines_are_touched() -> None:
    text = "def f(a):\n    b = a < 1\n    return b > 2\n\n\ndef g(a):\n    return a < 3\n"
    found = list(generate(text, PATH, {3: 1.0}, pain=NO_PAIN))
    assert found
    start, end = text.index("    return b"), text.index("\n\n\ndef g") + 1
    assert all(start <= edit.start and edit.end <= end for one in found for edit in one.edits)


def test_the_most_suspicious_function_comes_first() -> None:
    text = "def f(a):\n    return a < 1\n\n\ndef g(a):\n    return a < 3\n"
    first = next(generate(text, PATH, {2: 0.1, 6: 1.0}, pain=NO_PAIN))
    assert first.edits[0].start > text.index("def g")


def test_a_function_below_an_if_is_visited() -> None:
    text = "if True:\n    def f(a):\n        return a < 1\n"
    assert any(one.operator == "swap-comparison" for one in generate(text, PATH, {3: 1.0}, pain=NO_PAIN))


def test_module_level_tables_are_visited() -> None:
    assert any(one.operator == "change-number" for one in generate("SIZE = 3\n", PATH, {1: 1.0}, pain=NO_PAIN))


def test_nothing_comes_of_what_does_not_parse_or_is_not_suspicious() -> None:
    assert candidates("def f(:\n") == []
    assert candidates("x = 1\0\n") == []
    assert list(generate(SAMPLE, PATH, {}, pain=NO_PAIN)) == []
    assert list(two_edits("def f(:\n", PATH, EVERYWHERE, pain=NO_PAIN)) == []


def test_the_exception_moves_its_cures_forward() -> None:
    text = "def f(d, k):\n    x = d[k]\n    return x + k + len(d)\n"

    def rank(pain: PainHints) -> int:
        return [one.operator for one in candidates(text, pain)].index("index-to-get")

    assert rank(PainHints(exception="KeyError")) < rank(NO_PAIN)


def test_a_note_says_what_is_done_and_where() -> None:
    notes = [one.note for one in candidates("def f(a, b):\n    return a < b\n")]
    assert "swap comparison: < to <= at line 2" in notes


def test_there_are_many_operators() -> None:
    functions = {operator for group in NODE_OPERATORS.values() for operator in group}
    assert len(functions) + len(STATEMENT_OPERATORS) >= 60
    assert len({one.operator for one in candidates(SAMPLE)}) >= 60


def test_pairs_lie_apart_and_parse(applied: Callable[[str, Candidate], str]) -> None:
    found = list(islice(two_edits(SAMPLE, PATH, EVERYWHERE, pain=NO_PAIN), 500))
    assert len(found) == 500
    for one in found:
        ast.parse(applied(SAMPLE, one))
        assert all(a.end <= b.start for a, b in zip(one.edits, one.edits[1:], strict=False))


def test_a_pair_mends_what_no_single_edit_does(applied: Callable[[str, Candidate], str]) -> None:
    text = "def f(a, b):\n    c = a - b\n    return c < 0\n"
    found = (applied(text, one) for one in two_edits(text, PATH, EVERYWHERE, pain=NO_PAIN))
    assert "def f(a, b):\n    c = a + b\n    return c > 0\n" in islice(found, 200)


def test_search_merges_files_by_cost_and_opens_them_when_due(snapshot: Callable[..., Snapshot]) -> None:
    one, other = RelPath("one.py"), RelPath("other.py")
    texts = {one: "def f(a):\n    return a < 1\n", other: "def g(a):\n    return a > 1\n"}
    found = search(texts, {one: {2: 1.0}, other: {2: 0.5}}, pain=NO_PAIN)
    singles = list(takewhile(lambda candidate: "+" not in candidate.operator, found))
    assert singles[0].paths == {one}
    assert next(found).operator.count("+") == 1
    assert {path for candidate in singles for path in candidate.paths} == {one, other}
    assert [candidate.cost for candidate in singles] == sorted(candidate.cost for candidate in singles)
    here = snapshot(texts)
    assert singles[0].apply(here).document(one).text != texts[one]


def test_search_leaves_unlikely_files_closed() -> None:
    likely, broken = RelPath("likely.py"), RelPath("unlikely.py")
    opened: list[RelPath] = []

    class Texts(dict[RelPath, str]):
        def __getitem__(self, path: RelPath) -> str:
            opened.append(path)
            return super().__getitem__(path)

    texts = Texts({likely: "def f(a):\n    return a < 1\n", broken: "def g(a):\n    return a > 1\n"})
    list(islice(search(texts, {likely: {2: 1.0}, broken: {2: 0.05}}, pain=NO_PAIN), 3))
    assert opened == [likely]


NAMES = st.sampled_from(["a", "b", "xs", "é"])
ATOMS = st.one_of(
    NAMES, st.sampled_from(["0", "1", "-2", "1.5", "'s'", "''", "None", "True", "[]", "(a, b)", "xs[1:]"])
)
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "//", "<", "==", "and", "or", "in"]), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
        inner.map(lambda text: f"not {text}").map(lambda text: f"({text})"),
        inner.map(lambda text: f"len({text})"),
        inner.map(lambda text: f"xs[{text}]"),
        inner.map(lambda text: f"[x for x in xs if {text}]"),
        st.tuples(inner, inner).map(lambda parts: f"({parts[0]} if {parts[1]} else b)"),
        inner.map(lambda text: f"f({text}, b, key={text})"),
    ),
    max_leaves=6,
)


@examples(40)
@given(st.data())
def test_no_line_of_the_standard_library_is_too_much_for_an_operator(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(LIBRARY)).read_text(encoding="utf-8")
    line = data.draw(st.integers(1, text.count("\n") + 1))
    for _ in islice(generate(text, PATH, {line: 1.0}, pain=NO_PAIN), 40):
        pass


@examples(40)
@given(value=EXPRESSIONS, test=EXPRESSIONS)
def test_mutants_of_any_expression_parse(value: str, test: str) -> None:
    text = f"def f(a, b, xs, é):\n    while {test}:\n        a = {value}\n    return {value}\n"
    for one in islice(generate(text, PATH, EVERYWHERE, pain=NO_PAIN), 120):
        new = text
        for edit in reversed(one.edits):
            new = new[: edit.start] + edit.text + new[edit.end :]
        ast.parse(new)
        assert new != text
