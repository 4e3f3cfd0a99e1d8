"""The private copy: exact where tests look, apart from the user's tree, and gone afterwards."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from octolimb.core.errors import CannotIsolate
from octolimb.shadow.copies import PrivateCopy, scratch_place, supports_reflinks
from octolimb.shadow.view import CrateEntry


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "pkg" / "closed").mkdir(parents=True)
    (root / "pkg" / "mod.py").write_bytes(b"x = 1\r\n")
    (root / "pkg" / "run.sh").write_text("#!/bin/sh\n")
    (root / "pkg" / "run.sh").chmod(0o755)
    (root / "broken").symlink_to("nowhere")
    (root / "link").symlink_to("pkg/mod.py")
    (root / "up").symlink_to("../outside")
    os.mkfifo(root / "pipe")
    (root / "pkg" / "closed").chmod(0o555)
    for path in (root / "pkg" / "mod.py", root / "pkg" / "closed", root / "pkg", root):
        os.utime(path, ns=(1_000_000_000_123_456_789, 1_100_000_000_987_654_321))
    return root


def described(root: Path) -> dict[str, tuple[object, ...]]:
    return {
        str(path.relative_to(root)): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None,
        )
        for path in [root, *root.rglob("*")]
        if not path.is_fifo()
    }


def test_names_modes_times_links_and_bytes_are_exact(tree: Path) -> None:
    copy = PrivateCopy.of(tree)
    copy.apply([], b"")
    assert described(copy.root) == described(tree)
    copy.drop()


def test_no_file_is_shared_with_the_tree(tree: Path) -> None:
    copy = PrivateCopy.of(tree)
    assert (copy.root / "pkg" / "mod.py").stat().st_ino != (tree / "pkg" / "mod.py").stat().st_ino
    assert (copy.root / "pkg" / "mod.py").stat().st_nlink == 1
    copy.drop()


def test_installed_things_are_left_out(tree: Path) -> None:
    (tree / "env" / "lib").mkdir(parents=True)
    (tree / "env" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (tree / "node_modules" / "left-pad").mkdir(parents=True)
    copy = PrivateCopy.of(tree)
    assert not (copy.root / "env").exists()
    assert not (copy.root / "node_modules").exists()
    copy.drop()


def test_what_pytest_rewrote_for_the_tree_is_left_out(tree: Path) -> None:
    cache = tree / "pkg" / "__pycache__"
    cache.mkdir()
    (cache / "mod.cpython-311.pyc").write_text("")
    (cache / "test_mod.cpython-311-pytest-8.4.0.pyc").write_text("")
    copy = PrivateCopy.of(tree)
    assert [path.name for path in (copy.root / "pkg" / "__pycache__").iterdir()] == ["mod.cpython-311.pyc"]
    copy.drop()


def test_absolute_links_into_the_tree_lead_into_the_copy(tree: Path) -> None:
    (tree / "absolute").symlink_to(tree / "pkg")
    (tree / "beside").symlink_to(f"{tree}-beside")
    copy = PrivateCopy.of(tree)
    assert os.readlink(copy.root / "absolute") == f"{copy.root}/pkg"
    assert os.readlink(copy.root / "beside") == f"{tree}-beside"
    copy.drop()


def test_an_edit_does_not_go_through_a_link(tree: Path) -> None:
    """Where somebody has put a link in the place of a directory meanwhile, what it leads to is not ours to write."""
    outside = tree.parent / "outside"
    outside.mkdir()
    (outside / "mod.py").write_text("theirs")
    (tree / "moved").symlink_to(outside)
    copy = PrivateCopy.of(tree)
    entry: CrateEntry = {"path": "moved/mod.py", "kind": "gone", "mode": 0, "offset": 0, "length": 0, "stamp": 1}
    copy.apply([entry, {**entry, "kind": "file", "mode": 0o644}], b"")
    assert (outside / "mod.py").read_text() == "theirs"
    assert (copy.root / "moved" / "mod.py").read_text() == ""
    copy.drop()


def test_git_reads_every_object_and_writes_none_of_the_real_ones(tree: Path) -> None:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(tree), *command], check=True)
    before = sorted(tree.joinpath(".git").rglob("*"))
    copy = PrivateCopy.of(tree)
    copy.apply([], b"")
    (copy.root / "new.py").write_text("new")
    for command in (["fsck", "--strict"], ["add", "new.py"], [*identity, "commit", "-qm", "second"]):
        subprocess.run(["git", "-C", str(copy.root), *command], check=True, capture_output=True)
    assert sorted(tree.joinpath(".git").rglob("*")) == before
    copy.drop()


def test_dropping_removes_what_children_closed(tree: Path) -> None:
    copy = PrivateCopy.of(tree)
    locked = copy.root / "pkg" / "locked"
    locked.mkdir()
    (locked / "file").write_text("")
    locked.chmod(0)
    (copy.root / "pkg").chmod(0o500)
    copy.drop()
    copy.drop()
    assert not copy.scratch.exists()


def test_no_scratch_place_is_an_error_that_says_what_to_do(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/proc/1/nowhere")
    with pytest.raises(CannotIsolate) as caught:
        PrivateCopy.of(tree)
    assert caught.value.hint is not None


def test_what_cannot_be_read_is_named(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that vanishes on the way is unreadable for everybody, root included."""
    monkeypatch.setattr("octolimb.shadow.copies.copy_file", lambda source, target: Path(source + ".gone").read_bytes())
    with pytest.raises(CannotIsolate, match=r"\.gone"):
        PrivateCopy.of(tree)


def test_reflinks_are_claimed_only_where_a_clone_succeeds(tree: Path) -> None:
    place = scratch_place(tree)
    done = subprocess.run(
        ["cp", "--reflink=always", str(tree / "pkg" / "mod.py"), f"{place}/octolimb-clone-{os.getpid()}"],
        capture_output=True,
        check=False,
    )
    Path(f"{place}/octolimb-clone-{os.getpid()}").unlink(missing_ok=True)
    assert supports_reflinks(tree) == (done.returncode == 0)


def test_copies_made_at_once_do_not_take_each_other_for_abandoned(tree: Path) -> None:
    def make_and_drop(_: int) -> bool:
        copy = PrivateCopy.of(tree)
        kept = (copy.root / "pkg" / "mod.py").exists()
        copy.drop()
        return kept

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(make_and_drop, range(200)))
