"""Which way of trying a candidate is planned for which edit."""

from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.properties import examples

from octolimb.core.document import Document
from octolimb.core.overlay import Overlay
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Kind, Snapshot
from octolimb.limbs.candidates import Candidate, TextEdit
from octolimb.limbs.search.units import BodyPlan, FilePlan, NoPlan, Planner

PATH = RelPath("m.py")


class Nothing:
    """A base without files."""

    def kind(self, path: str) -> Kind | None:
        return None if path else "directory"

    def read(self, path: RelPath) -> Document | None:
        return None

    def names(self, directory: str) -> dict[str, Kind]:
        return {}

    def spelling(self, path: RelPath) -> str:
        return path

    def inside(self, target: str) -> str | None:
        return None


def snapshot_of(text: str) -> Snapshot:
    return Snapshot(Nothing(), (Overlay(),)).with_edits({PATH: Document(PATH, text.encode())})


def plan(text: str, old: str, new: str) -> BodyPlan | FilePlan | NoPlan:
    start = text.index(old)
    candidate = Candidate((TextEdit(PATH, start, start + len(old), new),), "test", 1.0, new)
    planner = Planner(snapshot_of(text))
    return planner.plan(candidate) or planner.file_plan(candidate)


def rebuilt(plan: BodyPlan) -> ast.Module:
    """What the worker compiles for a plan with one unit."""
    [unit] = plan.units
    return ast.parse("\n".join([*unit.wrappers, unit.text]))


SOURCE = textwrap.dedent(
    '''
    """Module."""
    LIMIT = 1

    def plain(a, b=2):
        """Doc."""
        x = a + b
        return x

    class Outer:
        field = 3

        class Inner:
            @staticmethod
            def deep(a):
                return a - 1

        async def wait(self):
            return self.field

    if LIMIT:
        def choice():
            return "é", LIMIT
    else:
        def choice(): return "ü"
    '''
)


@pytest.mark.parametrize(
    ("old", "new", "name", "first"),
    [
        ("a + b", "a * b", "plain", 5),
        ("x = a + b", "x = a\n    x += b", "plain", 5),
        ("    return x\n", "", "plain", 5),
        ("a - 1", "a + 1", "deep", 14),
        ("self.field", "self", "wait", 18),
        ('"é", LIMIT', "LIMIT", "choice", 22),
        ('return "ü"', "return 1", "choice", 25),
    ],
)
def test_an_edit_within_a_body_needs_that_function_only(old: str, new: str, name: str, first: int) -> None:
    found = plan(SOURCE, old, new)
    assert isinstance(found, BodyPlan)
    assert [(unit.name, unit.first) for unit in found.units] == [(name, first)]
    assert rebuilt(found)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 1", "LIMIT = 2"),
        ("b=2", "b=3"),
        ("plain(a", "plain(c"),
        ("@staticmethod", "@classmethod"),
        ("field = 3", "field = 4"),
        ("async def", "def"),
        ("    return x\n", "    return x\nLIMIT = 2\n"),
        ("    return x\n", "    return x\n\ndef more():\n    return 1\n"),
        ("if LIMIT:", "if not LIMIT:"),
    ],
)
def test_every_other_edit_needs_the_whole_file(old: str, new: str) -> None:
    found = plan(SOURCE, old, new)
    assert isinstance(found, FilePlan)
    assert found.sources == {PATH: SOURCE.replace(old, new, 1)}


@pytest.mark.parametrize(("old", "new"), [("a + b", "a +"), ("LIMIT = 1", "LIMIT ="), ("return a - 1", "")])
def test_what_does_not_parse_is_broken(old: str, new: str) -> None:
    assert plan(SOURCE, old, new) == NoPlan("m.py would have a syntax error", broken=True)


def test_a_source_in_a_newer_language_is_left_to_the_project() -> None:
    found = plan("def f():\n    return 1\nnew syntax here\n", "return 1", "return 2")
    assert isinstance(found, FilePlan)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_kind_count(end: str) -> None:
    found = plan(SOURCE.replace("\n", end), "a - 1", "a + 1")
    assert isinstance(found, BodyPlan)
    assert found.units[0].first == 14


def test_a_form_feed_or_a_line_separator_is_no_line_end() -> None:
    found = plan("x = '\u2028'\n\x0c\ndef f():\n    return 1\n", "return 1", "return 2")
    assert isinstance(found, BodyPlan)
    assert found.units[0].first == 3


def test_tabs_stay_tabs() -> None:
    found = plan("class A:\n\tclass B:\n\t\tdef f(self):\n\t\t\treturn 1\n", "return 1", "return 2")
    assert isinstance(found, BodyPlan)
    assert found.units[0].wrappers == ("class A:", "\tclass B:")
    assert rebuilt(found)


def test_import_lines_are_those_that_compute() -> None:
    assert Planner(snapshot_of(SOURCE)).import_lines(PATH) == {3, 5, 11, 15, 21}


def test_body_lines_of_one_function_and_of_all() -> None:
    planner = Planner(snapshot_of(SOURCE))
    assert planner.body_lines(PATH, 5) == {6, 7, 8}
    assert planner.body_lines(PATH) == {6, 7, 8, 16, 19, 23, 25}


@examples(100)
@given(st.data())
def test_whatever_the_edit_a_body_plan_means_the_same_as_the_whole_file(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(SOURCE)))
    end = data.draw(st.integers(start, min(len(SOURCE), start + 30)))
    new = data.draw(
        st.sampled_from(["", "1", "x\n", "\n    y = 1\n", ":", '"""', "#", "\\\n", "pass\ndef g(): pass\n", ")"])
    )
    planner = Planner(snapshot_of(SOURCE))
    candidate = Candidate((TextEdit(PATH, start, end, new),), "test", 1.0, "")
    found = planner.plan(candidate) or planner.file_plan(candidate)
    if not isinstance(found, BodyPlan):
        return
    whole = ast.parse(SOURCE[:start] + new + SOURCE[end:])
    old, text = ast.parse(SOURCE), found.units[0]
    changed = next(node for node in ast.walk(rebuilt(found)) if getattr(node, "name", None) == text.name)
    kept = [ast.dump(node) for node in ast.walk(whole) if getattr(node, "name", None) == text.name]
    assert ast.dump(changed) in kept
    assert [type(node) for node in whole.body] == [type(node) for node in old.body]
