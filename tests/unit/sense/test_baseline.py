"""What is new is what the baseline does not have, however the lines moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from octolimb.core.document import text_document
from octolimb.core.overlay import GONE
from octolimb.core.paths import RelPath
from octolimb.core.positions import point
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, Severity
from octolimb.sense.baseline import line_map, mark_new

MakeSnapshot = Callable[[Mapping[str, str | bytes]], Snapshot]


def finding(line: int, message: str = "bad", *, path: str = "a.py", code: str = "E1", source: str = "lint") -> Finding:
    return Finding(RelPath(path), point(line), Severity.ERROR, source, code, message)


def marks(make_snapshot: MakeSnapshot, old: str, was: list[Finding], new: str, now: list[Finding]) -> list[bool]:
    """Which of `now` are new, where a.py turns from `old` into `new` (each letter is a line)."""
    before = make_snapshot({"a.py": "\n".join(old)})
    after = before.with_edits({RelPath("a.py"): text_document(RelPath("a.py"), "\n".join(new))})
    return [marked.new for marked in mark_new(now, was, before, after)]


def test_without_a_finding_before_all_are_new(make_snapshot: MakeSnapshot) -> None:
    assert marks(make_snapshot, "ab", [], "ab", [finding(0), finding(1)]) == [True, True]


def test_the_same_finding_is_old(make_snapshot: MakeSnapshot) -> None:
    assert marks(make_snapshot, "ab", [finding(1)], "ab", [finding(1)]) == [False]


@pytest.mark.parametrize(
    ("old", "was", "new", "now"),
    [
        ("ab", 1, "xyab", 3),
        ("xyab", 3, "ab", 1),
        ("abc", 2, "aXbc", 3),
        ("abcd", 3, "bcd", 2),
        ("ab", 0, "ba", 1),
        ("ab", 1, "aB", 1),
    ],
    ids=["inserted above", "removed above", "inserted between", "first removed", "moved", "edited"],
)
def test_a_finding_follows_its_line(make_snapshot: MakeSnapshot, old: str, was: int, new: str, now: int) -> None:
    assert marks(make_snapshot, old, [finding(was)], new, [finding(now)]) == [False]


def test_of_two_alike_the_one_on_the_new_line_is_new(make_snapshot: MakeSnapshot) -> None:
    assert marks(make_snapshot, "ab", [finding(1)], "axb", [finding(1), finding(2)]) == [True, False]


def test_a_copy_pasted_mistake_is_new_once(make_snapshot: MakeSnapshot) -> None:
    assert marks(make_snapshot, "ab", [finding(0)], "aab", [finding(0), finding(1)]) == [False, True]


def test_each_old_finding_excuses_one(make_snapshot: MakeSnapshot) -> None:
    now = [finding(0), finding(0), finding(0)]
    assert marks(make_snapshot, "a", [finding(0), finding(0)], "a", now) == [False, False, True]


@pytest.mark.parametrize(
    "other",
    [finding(0, "worse"), finding(0, code="E2"), finding(0, source="types"), finding(0, path="b.py")],
    ids=["message", "code", "source", "path"],
)
def test_another_finding_on_the_same_line_is_new(make_snapshot: MakeSnapshot, other: Finding) -> None:
    assert marks(make_snapshot, "a", [finding(0)], "a", [other]) == [True]


def test_line_numbers_within_a_message_do_not_matter(make_snapshot: MakeSnapshot) -> None:
    was, now = finding(0, "redefinition of x from line 1"), finding(2, "redefinition of x from line 3")
    assert marks(make_snapshot, "ab", [was], "xyab", [now]) == [False]
    assert marks(make_snapshot, "ab", [was], "xyab", [finding(2, "redefinition of y from line 3")]) == [True]


def test_the_order_and_the_rest_of_a_finding_are_kept(make_snapshot: MakeSnapshot) -> None:
    now = [finding(1, "x"), finding(0, "y")]
    before = make_snapshot({"a.py": "a\nb\n"})
    assert mark_new(now, now, before, before.fork()) == [
        Finding(RelPath("a.py"), point(1), Severity.ERROR, "lint", "E1", "x", new=False),
        Finding(RelPath("a.py"), point(0), Severity.ERROR, "lint", "E1", "y", new=False),
    ]


def test_findings_follow_a_renamed_and_edited_file(make_snapshot: MakeSnapshot) -> None:
    before = make_snapshot({"old.py": "a\nb\nc\n"})
    old, new = RelPath("old.py"), RelPath("pkg/new.py")
    after = before.with_edits({old: GONE, new: text_document(new, "x\na\nb\nc\n")}, {new: old})
    now = [finding(2, path="pkg/new.py"), finding(0, path="pkg/new.py")]
    assert [marked.new for marked in mark_new(now, [finding(1, path="old.py")], before, after)] == [False, True]


def test_all_is_new_in_a_file_that_was_created(make_snapshot: MakeSnapshot) -> None:
    before = make_snapshot({"a.py": "a\n"})
    after = before.with_edits({RelPath("b.py"): text_document(RelPath("b.py"), "a\n")})
    assert [marked.new for marked in mark_new([finding(0, path="b.py")], [finding(0)], before, after)] == [True]


def test_files_that_are_not_text_keep_their_lines(make_snapshot: MakeSnapshot) -> None:
    before = make_snapshot({"a.py": b"\xff\n"})
    assert [marked.new for marked in mark_new([finding(0)], [finding(0)], before, before.fork())] == [False]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a\nb\n", "a\nb\n", [0, 1, 2]),
        ("a\nb\n", "x\na\nb\n", [None, 0, 1, 2]),
        ("a\nb\n", "a\nx\nb\n", [0, None, 1, 2]),
        ("a\nb", "a\nb\n", [0, None, 2]),
        ("a\r\nb\r\n", "x\r\na\r\nb\r\n", [None, 0, 1, 2]),
        ("a\na\na\n", "a\na\n", [0, 1, 3]),
        ("", "a\n", [None, 0]),
        (None, "a\n", [0, 1]),
    ],
)
def test_lines_map_backwards_through_the_diff(old: str | None, new: str, expected: list[int | None]) -> None:
    back = line_map(old, new)
    assert [back(line) for line in range(len(expected))] == expected


def test_a_large_file_of_equal_lines_does_not_take_for_ever() -> None:
    old, new = "a\n" + "x\n" * 20_000 + "b\n", "c\n" + "x\n" * 20_001 + "d\n"
    assert line_map(old, new)(0) is None
