"""Applying a change set: all files or none, exactly the bytes, nothing that has moved, no link followed."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from octolimb.core.changes import Change, ChangeSet
from octolimb.core.document import Document
from octolimb.core.errors import ApplyFailed, BadInput, Stale
from octolimb.core.overlay import GONE
from octolimb.core.paths import RelPath
from octolimb.core.proposals import Decision, Reason
from octolimb.guard.apply import apply, recover
from octolimb.guard.journal import locked_place

Build = Callable[..., ChangeSet]
Decide = Callable[[ChangeSet], Decision]
Scan = Callable[[Path], dict[str, tuple[str, int, bytes]]]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def swap_for_ever(source: Path, decoy: Path, aside: Path) -> None:
    for number in itertools.count():
        try:
            source.rename(aside)
            decoy.rename(source)
            source.rename(decoy)
            aside.rename(source)
        except OSError:
            # An apply has made the missing directory anew; it is put out of the way, and the swapping goes on.
            with contextlib.suppress(OSError):
                source.rename(aside.with_name(f"aside{number}"))
            with contextlib.suppress(OSError):
                aside.rename(source)


def link(path: str, target: str) -> Document:
    return Document(RelPath(path), target.encode(), 0o777, link=True)


def test_writes_exactly_the_bytes(root: Path, state: Path, changes: Build, allow: Decide) -> None:
    change_set = changes({"src/app.py": b"one = 1\r\ntwo = 3", "new/deep/er.py": b"\xef\xbb\xbfx\r"})
    apply(root, change_set, allow(change_set), state=state)
    assert (root / "src/app.py").read_bytes() == b"one = 1\r\ntwo = 3"
    assert (root / "new/deep/er.py").read_bytes() == b"\xef\xbb\xbfx\r"


def test_keeps_the_mode(root: Path, state: Path, changes: Build, allow: Decide) -> None:
    change_set = changes({"run.sh": Document(RelPath("run.sh"), b"#!/bin/bash\n", 0o755)})
    apply(root, change_set, allow(change_set), state=state)
    assert (root / "run.sh").stat().st_mode & 0o7777 == 0o755


def test_changes_only_the_mode(root: Path, state: Path, changes: Build, allow: Decide) -> None:
    change_set = changes({"run.sh": Document(RelPath("run.sh"), b"#!/bin/sh\n", 0o644)})
    apply(root, change_set, allow(change_set), state=state)
    assert (root / "run.sh").stat().st_mode & 0o7777 == 0o644


def test_deletes_and_renames(root: Path, state: Path, changes: Build, allow: Decide) -> None:
    moved = Document(RelPath("src/new_name.py"), b"moved = True\n")
    change_set = changes(
        {"src/gone/deep.py": GONE, "src/old_name.py": GONE, "src/new_name.py": moved},
        {"src/new_name.py": "src/old_name.py"},
    )
    assert [change.kind for change in change_set] == ["delete", "rename"]
    apply(root, change_set, allow(change_set), state=state)
    assert (root / "src/new_name.py").read_bytes() == b"moved = True\n"
    assert not (root / "src/old_name.py").exists()
    assert not (root / "src/gone/deep.py").exists()


def test_a_file_becomes_a_directory_and_the_other_way_round(
    root: Path, state: Path, changes: Build, allow: Decide
) -> None:
    change_set = changes(
        {
            "becomes_directory": GONE,
            "becomes_directory/x.py": b"x\n",
            "becomes_file/a/b.txt": GONE,
            "becomes_file": b"a file now\n",
        }
    )
    apply(root, change_set, allow(change_set), state=state)
    assert (root / "becomes_directory/x.py").read_bytes() == b"x\n"
    assert (root / "becomes_file").read_bytes() == b"a file now\n"


def test_a_link_is_replaced_and_not_followed(root: Path, state: Path, changes: Build, allow: Decide) -> None:
    change_set = changes({"link": b"a file now\n"})
    apply(root, change_set, allow(change_set), state=state)
    assert not (root / "link").is_symlink()
    assert (root / "src/app.py").read_bytes() == b"one = 1\r\ntwo = 2"


def test_a_link_is_made(root: Path, state: Path, changes: Build, allow: Decide) -> None:
    change_set = changes({"src/latest.py": link("src/latest.py", "app.py")})
    apply(root, change_set, allow(change_set), state=state)
    assert os.readlink(root / "src/latest.py") == "app.py"


def test_nothing_else_is_left(root: Path, state: Path, changes: Build, allow: Decide, tree_of: Scan) -> None:
    before = tree_of(root)
    change_set = changes({"src/app.py": b"new\n", "src/gone/deep.py": GONE, "a/b/c.py": b"c\n"})
    apply(root, change_set, allow(change_set), state=state)
    after = tree_of(root)
    assert set(after) - set(before) == {"a", "a/b", "a/b/c.py"}
    assert set(before) - set(after) == {"src/gone/deep.py"}
    assert [path.name for path in state.rglob("*") if path.is_file()] == ["lock"]


def test_a_file_in_another_unicode_form_is_found(root: Path, state: Path, changes: Build, allow: Decide) -> None:
    decomposed = "cafe\u0301.py"
    (root / decomposed).write_bytes(b"old\n")
    change_set = changes({"caf\u00e9.py": b"new\n"})
    apply(root, change_set, allow(change_set), state=state)
    assert [path.read_bytes() for path in root.glob("caf*")] == [b"new\n"]


def test_extended_attributes_are_kept(root: Path, state: Path, changes: Build, allow: Decide) -> None:
    path = root / "src/app.py"
    try:
        os.setxattr(path, "user.origin", b"here")
    except OSError:
        kept: list[str] = []
    else:
        kept = ["user.origin"]
    change_set = changes({"src/app.py": b"new\n"})
    apply(root, change_set, allow(change_set), state=state)
    assert [name for name in os.listxattr(path) if name == "user.origin"] == kept


# -- refusals ------------------------------------------------------------------------------------------------------


def test_a_moved_base_is_stale(root: Path, state: Path, changes: Build, allow: Decide, tree_of: Scan) -> None:
    change_set = changes({"src/app.py": b"new\n", "run.sh": GONE})
    (root / "src/app.py").write_bytes(b"somebody typed\n")
    before = tree_of(root)
    with pytest.raises(Stale) as caught:
        apply(root, change_set, allow(change_set), state=state)
    assert caught.value.path == "src/app.py"
    assert tree_of(root) == before


def test_a_changed_mode_is_stale(root: Path, state: Path, changes: Build, allow: Decide) -> None:
    change_set = changes({"run.sh": b"new\n"})
    (root / "run.sh").chmod(0o700)
    with pytest.raises(Stale):
        apply(root, change_set, allow(change_set), state=state)


def test_a_file_that_is_there_by_now_is_stale(root: Path, state: Path, changes: Build, allow: Decide) -> None:
    change_set = changes({"new.py": b"ours\n"})
    (root / "new.py").write_bytes(b"theirs\n")
    with pytest.raises(Stale):
        apply(root, change_set, allow(change_set), state=state)
    assert (root / "new.py").read_bytes() == b"theirs\n"


def test_a_directory_with_other_files_does_not_make_way(
    root: Path, state: Path, changes: Build, allow: Decide, tree_of: Scan
) -> None:
    change_set = changes({"becomes_file/a/b.txt": GONE, "becomes_file": b"x\n"})
    (root / "becomes_file/a/other.txt").write_bytes(b"theirs\n")
    before = tree_of(root)
    with pytest.raises(Stale):
        apply(root, change_set, allow(change_set), state=state)
    assert tree_of(root) == before


def test_a_decision_about_something_else_is_stale(root: Path, state: Path, changes: Build, allow: Decide) -> None:
    judged, other = changes({"a.py": b"1\n"}), changes({"a.py": b"2\n"})
    with pytest.raises(Stale):
        apply(root, other, allow(judged), state=state)
    assert not (root / "a.py").exists()


@pytest.mark.parametrize(("outcome", "approved"), [("deny", False), ("deny", True), ("ask", False)])
def test_what_the_guard_does_not_allow_is_refused(
    root: Path, state: Path, changes: Build, outcome: str, approved: bool
) -> None:
    change_set = changes({"a.py": b"1\n"})
    reason = Reason("some-policy", RelPath("a.py"), "a.py: not that")
    decision = Decision(outcome, (reason,), "policies", change_set.digest)  # type: ignore[arg-type]
    with pytest.raises(ApplyFailed, match="not that"):
        apply(root, change_set, decision, state=state, approved=approved)
    assert not (root / "a.py").exists()


def test_an_approved_question_is_applied(root: Path, state: Path, changes: Build) -> None:
    change_set = changes({"a.py": b"1\n"})
    apply(root, change_set, Decision("ask", (), "policies", change_set.digest), state=state, approved=True)
    assert (root / "a.py").read_bytes() == b"1\n"


def test_the_path_rule_holds_whatever_was_decided(root: Path, state: Path, changes: Build, allow: Decide) -> None:
    change_set = changes({".intent/policy.toml": b"\n"})
    with pytest.raises(ApplyFailed, match="guard's own policies"):
        apply(root, change_set, allow(change_set), state=state)


def test_a_directory_swapped_for_a_link_is_not_followed(
    root: Path, state: Path, changes: Build, allow: Decide, tmp_path: Path
) -> None:
    change_set = changes({"src/new.py": b"1\n"})
    (root / "src").rename(tmp_path / "elsewhere")
    (root / "src").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ApplyFailed):
        apply(root, change_set, allow(change_set), state=state)
    assert not (tmp_path / "elsewhere/new.py").exists()


def test_a_link_inside_the_root_is_named_as_the_obstacle(
    root: Path, state: Path, changes: Build, allow: Decide
) -> None:
    (root / "alias").symlink_to("src")
    change_set = changes({"alias/new.py": b"1\n"})
    with pytest.raises(ApplyFailed, match="symbolic link"):
        apply(root, change_set, allow(change_set), state=state)
    assert not (root / "src/new.py").exists()


def test_an_attacker_who_swaps_directories_for_links_gets_nothing(
    root: Path, state: Path, tmp_path: Path, allow: Decide
) -> None:
    """A child swaps `src` for a link to a directory outside, and back, as fast as it can, all the while."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "decoy").symlink_to(outside)
    attacker = os.fork()
    if attacker == 0:
        try:
            swap_for_ever(root / "src", tmp_path / "decoy", tmp_path / "aside")
        finally:
            os._exit(1)
    refused = 0
    try:
        for number in range(400):
            path = RelPath(f"src/new{number}.py")
            change_set = ChangeSet((Change("create", path, path, None, Document(path, b"x\n")),))
            try:
                apply(root, change_set, allow(change_set), state=state)
            except (ApplyFailed, Stale):
                refused += 1
    finally:
        os.kill(attacker, signal.SIGKILL)
        os.waitpid(attacker, 0)
    assert list(outside.iterdir()) == []
    assert refused > 0


def test_two_at_once_are_refused(root: Path, state: Path, changes: Build, allow: Decide) -> None:
    change_set = changes({"a.py": b"1\n"})
    with locked_place(root, state), pytest.raises(ApplyFailed, match="another apply"):
        apply(root, change_set, allow(change_set), state=state)


def test_the_state_stays_outside(root: Path, changes: Build, allow: Decide) -> None:
    change_set = changes({"a.py": b"1\n"})
    with pytest.raises(BadInput):
        apply(root, change_set, allow(change_set), state=root / "state")


def test_nothing_to_recover_is_clean(root: Path, state: Path) -> None:
    assert recover(root, state) == "clean"


def test_a_record_that_cannot_be_read_stops_everything(root: Path, state: Path, changes: Build, allow: Decide) -> None:
    with locked_place(root, state) as place:
        (place.where / "journal.json").write_text('{"version": 99}')
    change_set = changes({"a.py": b"1\n"})
    with pytest.raises(ApplyFailed, match="cannot be read"):
        apply(root, change_set, allow(change_set), state=state)
    assert not (root / "a.py").exists()
