"""Some hunks of a change set: exact in bytes, and what git takes."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from octolimb.core.changes import Change, ChangeSet, changes_between
from octolimb.core.document import Document
from octolimb.core.errors import BadInput
from octolimb.core.hunks import Edit, edits_of, select_hunks, with_changes
from octolimb.core.overlay import GONE, Entry
from octolimb.core.paths import RelPath
from octolimb.core.positions import Position, Span, split_lines, utf16_length
from octolimb.core.snapshot import Snapshot
from octolimb.workspace.disk import DiskBase

PATH = RelPath("module.py")


def modified(old: bytes, new: bytes, *, path: RelPath = PATH, old_mode: int = 0o644, mode: int = 0o644) -> ChangeSet:
    change = Change("modify", path, path, Document(path, old, old_mode), Document(path, new, mode))
    return ChangeSet((change,))


def outcome(change_set: ChangeSet) -> bytes | None:
    """The content after a change set of one file."""
    [change] = change_set
    return change.after.data if change.after else None


def sides(edit: Edit) -> tuple[str, str]:
    return edit.old_text, edit.new_text


def test_both_sides_of_each_hunk() -> None:
    edits = edits_of(modified(b"a\nb\nc\nd\n", b"A\nA2\nb\nc\nD\n"))
    assert [edit.id for edit in edits] == ["h1", "h2"]
    assert [sides(edit) for edit in edits] == [("a\n", "A\nA2\n"), ("d\n", "D\n")]
    assert edits[1].before == Span(Position(3, 0), Position(4, 0))
    assert edits[1].after == Span(Position(4, 0), Position(5, 0))


def test_one_of_two_hunks() -> None:
    change_set = modified(b"a\nb\nc\n", b"A\nb\nC\n")
    assert outcome(select_hunks(change_set, ["h1"])) == b"A\nb\nc\n"
    assert outcome(select_hunks(change_set, ["h2"])) == b"a\nb\nC\n"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(b"a\r\nb\r\nc\r\n", b"A\r\nb\r\nC\r\n", b"a\r\nb\r\nC\r\n", id="CRLF"),
        pytest.param(b"a\r\nb\nc\rd\n", b"A\nb\nc\rD\n", b"a\r\nb\nc\rD\n", id="all line ends at once"),
        pytest.param(b"a\nb\nc", b"A\nb\nc\n", b"a\nb\nc\n", id="a last line end that comes"),
        pytest.param(b"a\nb\nc\n", b"A\nb\nc", b"a\nb\nc", id="a last line end that goes"),
        pytest.param(b"\xef\xbb\xbfa\nb\nc\n", b"\xef\xbb\xbfA\nb\nC\n", b"\xef\xbb\xbfa\nb\nC\n", id="mark"),
        pytest.param(b"\xef\xbb\xbfa\nb\nc\n", b"a\nb\nC\n", b"\xef\xbb\xbfa\nb\nC\n", id="a mark that goes"),
        pytest.param(
            b"# coding: latin-1\nx = '\xe4'\ny = 1\nz = '\xfc'\n",
            b"# coding: latin-1\nx = '\xe5'\ny = 1\nz = '\xff'\n",
            b"# coding: latin-1\nx = '\xe4'\ny = 1\nz = '\xff'\n",
            id="latin-1",
        ),
    ],
)
def test_what_is_left_out_keeps_its_bytes(old: bytes, new: bytes, expected: bytes) -> None:
    assert outcome(select_hunks(modified(old, new), ["h2"])) == expected


def test_spans_count_as_the_protocol_does() -> None:
    old = "\ufeffx\r🐙 = 1\ny\nlast 🐙".encode()
    [edit] = edits_of(modified(old, old + b"!"))
    assert sides(edit) == ("last 🐙", "last 🐙!")
    assert edit.before == Span(Position(3, 0), Position(3, 7))


def test_latin_1_is_shown_as_text() -> None:
    old = b"# coding: latin-1\nx = '\xe4'\n"
    [edit] = edits_of(modified(old, old.replace(b"\xe4", b"\xfc")))
    assert sides(edit) == ("x = 'ä'\n", "x = 'ü'\n")


def test_what_is_not_text_is_one_hunk_without_texts() -> None:
    change_set = modified(b"\0a\nb\nc\n", b"\0A\nb\nC\n")
    [edit] = edits_of(change_set)
    assert sides(edit) == ("", "")
    assert select_hunks(change_set, [edit.id]) == change_set


def test_the_mode_goes_with_the_first_hunk() -> None:
    change_set = modified(b"a\nb\nc\n", b"A\nb\nC\n", mode=0o755)
    modes = [
        [change.after.mode for change in select_hunks(change_set, [hunk]) if change.after] for hunk in ["h1", "h2"]
    ]
    assert modes == [[0o755], [0o644]]
    only = modified(b"a\n", b"a\n", mode=0o755)
    assert select_hunks(only, ["h1"]) == only


def test_a_rename_with_its_edits_is_one_hunk() -> None:
    old, new = RelPath("old.py"), RelPath("new.py")
    rename = Change("rename", new, old, Document(old, b"a\nb\nc\n"), Document(new, b"A\nb\nC\n"))
    change_set = ChangeSet((rename,))
    [edit] = edits_of(change_set)
    assert (edit.kind, edit.path, edit.old_path, *sides(edit)) == ("rename", new, old, "a\nb\nc\n", "A\nb\nC\n")
    assert select_hunks(change_set, ["h1"]) == change_set
    assert not select_hunks(change_set, [])


def test_an_unknown_hunk_is_refused() -> None:
    with pytest.raises(BadInput, match="h3"):
        select_hunks(modified(b"a\nb\nc\n", b"A\nb\nC\n"), ["h1", "h3"])


def test_a_file_below_a_file_needs_that_one_gone() -> None:
    above, below = RelPath("a"), RelPath("a/b")
    gone = Change("delete", above, above, Document(above, b"x\n"), None)
    made = Change("create", below, below, None, Document(below, b"y\n"))
    change_set = ChangeSet((gone, made))
    with pytest.raises(BadInput, match="while there is a"):
        select_hunks(change_set, ["h2"])
    assert [change.kind for change in select_hunks(change_set, ["h1"])] == ["delete"]
    assert select_hunks(change_set, ["h1", "h2"]) == change_set


# -- properties --------------------------------------------------------------------------------------------------------

LINES = st.lists(
    st.sampled_from([b"a\n", b"b\n", b"c\r\n", b"d\re\n", "ü\n".encode(), b"\n", b"  x = 1\n"]), max_size=9
)
LAST = st.sampled_from([b"", b"end", b"end\r"])
MARK = st.sampled_from([b"", b"\xef\xbb\xbf"])
TEXT = st.builds(lambda mark, lines, last: mark + b"".join(lines) + last, MARK, LINES, LAST)
NAMES = ("a.py", "b.txt", "sub/c.py", "sub/d.py")
TREE = st.dictionaries(st.sampled_from(NAMES), TEXT, max_size=4)


def _between(before: Mapping[str, bytes], after: Mapping[str, bytes], root: Path) -> tuple[Snapshot, ChangeSet]:
    empty = Snapshot(DiskBase(root))
    start = empty.with_edits({RelPath(name): Document(RelPath(name), data) for name, data in before.items()})
    entries: dict[RelPath, Entry] = {RelPath(name): GONE for name in before if name not in after}
    entries |= {RelPath(name): Document(RelPath(name), data) for name, data in after.items()}
    return start, changes_between(start, start.fork().with_edits(entries))


def _made(start: Snapshot, change_set: ChangeSet) -> dict[str, bytes]:
    end = with_changes(start, change_set)
    return {path: end.document(path).data for path in end.walk()}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=TREE, after=TREE, data=st.data())
def test_subsets(before: dict[str, bytes], after: dict[str, bytes], data: st.DataObject, tmp_path: Path) -> None:
    change_set = _between(before, after, tmp_path)[1]
    edits = edits_of(change_set)
    assert [edit.id for edit in edits] == [hunk.id for hunk in change_set.hunks]
    assert select_hunks(change_set, [edit.id for edit in edits]) == change_set
    assert select_hunks(change_set, []) == ChangeSet()
    ids = [edit.id for edit in edits]
    chosen = data.draw(st.sets(st.sampled_from(ids)) if ids else st.just(set()))
    some = select_hunks(change_set, chosen)
    # Hunk by hunk, the one side or the other, and everything between them as it was.
    for change in change_set:
        old = change.before.text if change.before else ""
        new_lines: list[str] = []
        position = 0
        for edit in (edit for edit in edits if edit.path == change.path):
            low, high = (_offset(old, place) for place in (edit.before.start, edit.before.end))
            assert old[low:high] == edit.old_text
            new_lines += [old[position:low], edit.new_text if edit.id in chosen else edit.old_text]
            position = high
        expected = "".join(new_lines) + old[position:]
        now = {one.path: one.after.text if one.after else None for one in some}
        unchanged = change.before.text if change.before else None
        if change.kind == "modify":
            assert now.get(change.path, unchanged) == expected


@settings(max_examples=40, deadline=None)
@given(before=TREE, after=TREE, data=st.data())
def test_git_takes_every_subset(before: dict[str, bytes], after: dict[str, bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        empty = Path(place, "empty")
        empty.mkdir()
        start, change_set = _between(before, after, empty)
        ids = [hunk.id for hunk in change_set.hunks]
        some = select_hunks(change_set, data.draw(st.sets(st.sampled_from(ids)) if ids else st.just(set())))
        if not some:
            return
        tree = Path(place, "tree")
        tree.mkdir()
        for name, content in before.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes(content)
        subprocess.run(["git", "-C", tree, "init", "-q"], check=True)
        subprocess.run(["git", "-C", tree, "apply", "-p1"], input=some.diff.encode(), check=True)
        files = {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}
        found = {name: content for name, content in files.items() if not name.startswith(".git/")}
        assert found == _made(start, some)


def _offset(text: str, place: Position) -> int:
    lines = split_lines(text)
    offset = len("".join(lines[: place.line]))
    if place.character == 0:
        return offset
    line = lines[place.line]
    return offset + next(end for end in range(len(line) + 1) if utf16_length(line[:end]) == place.character)
