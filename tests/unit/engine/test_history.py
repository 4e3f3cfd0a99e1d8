"""The way back to the last green state, as far as anybody saw what it held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from octolimb.core.document import Document, text_document
from octolimb.core.overlay import GONE, Entry
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.engine.history import VerdictHistory
from octolimb.workspace.disk import DiskBase

A, B, C = (RelPath(name) for name in ("a.py", "b.py", "c.py"))


def document(path: RelPath, text: str) -> Document:
    return text_document(path, text)


class Editor:
    """A disk and buffers over it, and a history that is told of them as a front tells it."""

    def __init__(self, root: Path, files: Mapping[RelPath, str]) -> None:
        self._root = root
        for path, text in files.items():
            (root / path).write_text(text)
        self.base = DiskBase(root)
        self.buffers: dict[RelPath, Entry] = {}
        self.generation = 1
        self.history = VerdictHistory()

    @property
    def snapshot(self) -> Snapshot:
        return replace(Snapshot(self.base).with_edits(self.buffers), generation=self.generation)

    def open(self, path: RelPath) -> None:
        self.generation += 1
        found = Snapshot(self.base).document(path)
        self.buffers[path] = found
        self.history.opened(found, self.generation)

    def type(self, path: RelPath, text: str) -> None:
        self.generation += 1
        self.buffers[path] = document(path, text)

    def change_disk(self, path: RelPath, text: str) -> None:
        self.generation += 1
        (self._root / path).write_text(text)
        self.history.disk_changed([path], self.generation)

    def save(self, path: RelPath) -> None:
        entry = self.buffers[path]
        assert isinstance(entry, Document)
        self.change_disk(path, entry.text)

    def close(self, path: RelPath) -> None:
        self.generation += 1
        del self.buffers[path]

    def green(self) -> None:
        self.history.settled(self.snapshot, "green")

    def back(self) -> dict[RelPath, str | None]:
        """What each file would hold, of those that would change."""
        changes = self.history.back_to_last_green(self.snapshot)
        return {change.path: change.after.text if change.after else None for change in changes or ()}


def test_without_a_green_state_there_is_no_way(tmp_path: Path) -> None:
    editor = Editor(tmp_path, {A: "1"})
    editor.history.settled(editor.snapshot, "red")
    assert editor.history.way_back(editor.snapshot) is None
    assert editor.history.back_to_last_green(editor.snapshot) is None
    assert editor.history.colours() == ((1, "red"),)


def test_buffers_get_what_they_held(tmp_path: Path) -> None:
    editor = Editor(tmp_path, {A: "1", B: "1"})
    editor.open(A)
    editor.type(A, "2")
    editor.green()
    assert editor.back() == {}
    editor.type(A, "3")
    editor.history.settled(editor.snapshot, "red")
    way = editor.history.way_back(editor.snapshot)
    assert way is not None
    assert way.green.document(A).text == "2"
    assert way.generation == editor.generation - 1
    assert editor.back() == {A: "2"}


def test_a_file_that_was_saved_or_closed_since(tmp_path: Path) -> None:
    editor = Editor(tmp_path, {A: "1", B: "1"})
    editor.open(A)
    editor.open(B)
    editor.type(B, "unsaved")
    editor.green()
    editor.type(A, "2")
    editor.save(A)
    editor.close(B)
    assert editor.back() == {A: "1", B: "unsaved"}
    editor.close(A)
    assert editor.back() == {A: "1", B: "unsaved"}


def test_a_file_that_was_opened_later_gets_what_it_held_then(tmp_path: Path) -> None:
    editor = Editor(tmp_path, {A: "1", B: "1"})
    editor.green()
    editor.open(B)
    editor.type(B, "2")
    editor.save(B)
    editor.close(B)
    editor.open(B)
    assert editor.back() == {B: "1"}


def test_a_file_that_changed_on_disk_before_it_was_opened_is_unknown(tmp_path: Path) -> None:
    editor = Editor(tmp_path, {A: "1", B: "1"})
    editor.green()
    editor.change_disk(B, "from outside")
    editor.open(B)
    editor.type(B, "2")
    way = editor.history.way_back(editor.snapshot)
    assert way is not None
    assert (tuple(way.changes), way.unknown) == ((), (B,))


def test_a_green_that_comes_late_counts_from_its_own_generation(tmp_path: Path) -> None:
    editor = Editor(tmp_path, {A: "1", B: "1", C: "1"})
    editor.change_disk(A, "2")
    editor.open(B)
    sensed = editor.snapshot
    editor.open(A)
    editor.type(A, "3")
    editor.change_disk(C, "2")
    editor.history.settled(sensed, "green")
    way = editor.history.way_back(editor.snapshot)
    assert way is not None
    assert editor.back() == {A: "2"}
    assert way.unknown == (C,)


def test_an_older_green_does_not_replace_a_newer_one(tmp_path: Path) -> None:
    editor = Editor(tmp_path, {A: "1"})
    editor.open(A)
    older = editor.snapshot
    editor.type(A, "2")
    editor.green()
    editor.history.settled(older, "green")
    assert editor.back() == {}


def test_a_file_that_was_deleted_in_the_green_state_is_deleted(tmp_path: Path) -> None:
    editor = Editor(tmp_path, {A: "1"})
    editor.buffers[A] = GONE
    editor.green()
    editor.type(A, "2")
    assert editor.back() == {A: None}


def test_what_is_remembered_is_bounded(tmp_path: Path) -> None:
    editor = Editor(tmp_path, {A: "1"})
    editor.history = VerdictHistory(most_states=3, most_bytes=100)
    editor.open(A)
    editor.green()
    for _ in range(5):
        editor.type(A, "x" * 40)
        editor.history.settled(editor.snapshot, "red")
    # The green one and the newest: three texts of forty bytes would be too many.
    assert [colour for _, colour in editor.history.colours()] == ["green", "red", "red"]
    assert editor.back() == {A: "1"}


def test_documents_that_states_share_count_once(tmp_path: Path) -> None:
    editor = Editor(tmp_path, {A: "x" * 60})
    editor.history = VerdictHistory(most_bytes=100)
    editor.open(A)
    for _ in range(5):
        editor.generation += 1
        editor.green()
    assert len(editor.history.colours()) == 5


def test_a_green_state_that_is_too_large_is_forgotten(tmp_path: Path) -> None:
    editor = Editor(tmp_path, {A: "x" * 200})
    editor.history = VerdictHistory(most_bytes=100)
    editor.open(A)
    editor.green()
    assert editor.history.way_back(editor.snapshot) is None
