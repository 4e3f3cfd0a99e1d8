"""The crate over the disk, as its holder sees it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from octolimb.core.errors import BadInput, BadPath, NotFound, NotText
from octolimb.workspace.limb_workspace import LimbWorkspace

Repository = Callable[[dict[str, str | bytes]], Path]
FILES: dict[str, str | bytes] = {
    "src/a.py": "a = 1\n",
    "src/sub/b.py": "b = 1\n",
    "src2/c.py": "c = 1\n",
    "data/x.bin": b"\0\xff",
}


@pytest.fixture
def workspace(repository: Repository) -> LimbWorkspace:
    return LimbWorkspace(repository(FILES))


def test_the_crate_comes_first_and_the_disk_second(repository: Repository) -> None:
    workspace = LimbWorkspace(repository(FILES), {"./src/a.py": "a = 2\n"})
    assert workspace.read_text("src/a.py") == "a = 2\n"
    assert workspace.read_text("./src//a.py") == "a = 2\n"
    assert workspace.read_text("src/sub/b.py") == "b = 1\n"
    assert workspace.read_bytes("data/x.bin") == b"\0\xff"
    assert (workspace.repo_root / "src/a.py").read_text() == "a = 1\n"


def test_listing_merges_both_and_does_not_confuse_prefixes(workspace: LimbWorkspace) -> None:
    workspace.write("src/new/n.py", "")
    workspace.delete("src/sub/b.py")
    assert workspace.list_files("src") == ["src/a.py", "src/new/n.py"]
    assert workspace.list_files("", "*") == ["data/x.bin", "src/a.py", "src/new/n.py", "src2/c.py"]
    assert workspace.glob("src*/**/*.py") == ["src/a.py", "src/new/n.py", "src2/c.py"]
    assert workspace.glob("*/?.py") == ["src/a.py", "src2/c.py"]


def test_directories_that_only_the_crate_implies_exist(workspace: LimbWorkspace) -> None:
    workspace.write("x/y/z.py", "")
    assert workspace.exists("x")
    assert workspace.is_dir("x/y")
    assert workspace.exists("")
    assert not workspace.exists("x/y/w.py")


def test_a_deleted_file_is_gone_everywhere(workspace: LimbWorkspace) -> None:
    workspace.delete("src/a.py")
    assert not workspace.exists("src/a.py")
    assert "src/a.py" not in workspace.list_files()
    with pytest.raises(NotFound):
        workspace.read_text("src/a.py")
    with pytest.raises(NotFound):
        workspace.delete("src/a.py")
    assert workspace.is_dir("src")


def test_a_deleted_directory_takes_its_content_and_can_be_filled_again(workspace: LimbWorkspace) -> None:
    workspace.delete("src")
    assert not workspace.exists("src/sub/b.py")
    workspace.write("src/fresh.py", "f = 1\n")
    assert workspace.list_files("src") == ["src/fresh.py"]
    assert {change.kind for change in workspace.diff()} == {"create", "delete"}


def test_a_rename_moves_and_is_told_as_one(workspace: LimbWorkspace) -> None:
    workspace.rename("src/a.py", "lib/a.py")
    workspace.write("lib/a.py", "a = 3\n")
    (change,) = workspace.diff()
    assert (change.kind, change.old_path, change.path) == ("rename", "src/a.py", "lib/a.py")
    assert not workspace.exists("src/a.py")


def test_a_directory_is_renamed_whole(workspace: LimbWorkspace) -> None:
    workspace.rename("src", "lib")
    assert workspace.list_files() == ["lib/a.py", "lib/sub/b.py", "src2/c.py"]
    assert [change.kind for change in workspace.diff()] == ["rename", "rename"]


def test_a_rename_onto_something_is_refused(workspace: LimbWorkspace) -> None:
    for target in ("src2/c.py", "src2", "src/a.py/x"):
        with pytest.raises(BadInput):
            workspace.rename("src/a.py", target)
    with pytest.raises(NotFound):
        workspace.rename("nowhere.py", "x.py")


def test_a_file_is_no_directory_and_the_other_way_round(workspace: LimbWorkspace) -> None:
    with pytest.raises(BadInput):
        workspace.write("src/a.py/inner.py", "")
    with pytest.raises(BadInput):
        workspace.write("src", "")


@pytest.mark.parametrize("hostile", ["../x", "/etc/passwd", "a/../../x", "a\\b", "a\0b", ""])
def test_hostile_paths_are_refused_everywhere(workspace: LimbWorkspace, hostile: str) -> None:
    for use in (workspace.read_text, workspace.read_bytes, workspace.delete, lambda path: workspace.write(path, "")):
        with pytest.raises(BadPath):
            use(hostile)


def test_a_crate_is_taken_whole_or_not_at_all(workspace: LimbWorkspace) -> None:
    with pytest.raises(NotFound):
        workspace.update_crate({"src/a.py": "changed", "nowhere.py": None})
    assert workspace.read_text("src/a.py") == "a = 1\n"
    assert workspace.get_crate_content() == {}


def test_crate_content_is_what_differs(workspace: LimbWorkspace) -> None:
    workspace.update_crate({"src/a.py": "a = 9\n", "new.py": "n\n", "src2/c.py": None, "src/sub/b.py": "b = 1\n"})
    assert workspace.get_crate_content() == {"src/a.py": "a = 9\n", "new.py": "n\n"}


def test_forks_do_not_see_each_other(workspace: LimbWorkspace) -> None:
    workspace.write("src/a.py", "a = 2\n")
    one, two = workspace.fork(), workspace.fork()
    one.write("src/a.py", "one\n")
    two.delete("src/a.py")
    assert workspace.read_text("src/a.py") == "a = 2\n"
    assert one.read_text("src/a.py") == "one\n"
    assert [change.kind for change in two.diff()] == ["delete"]
    assert [change.kind for change in one.diff()] == ["modify"]


def test_a_snapshot_does_not_move_under_later_edits(workspace: LimbWorkspace) -> None:
    before = workspace.snapshot
    workspace.write("src/a.py", "later\n")
    assert before.get(workspace.list_files("src")[0]).text == "a = 1\n"  # type: ignore[union-attr]


def test_rebase_merges_lines_and_tells_conflicts(repository: Repository) -> None:
    root = repository({"a.py": "one\ntwo\nthree\nfour\nfive\n", "b.py": "b\n"})
    ours = LimbWorkspace(root)
    limb = ours.fork()
    limb.write("a.py", "ONE\ntwo\nthree\nfour\nfive\n")
    ours.write("a.py", "one\ntwo\nthree\nfour\nFIVE\n")
    assert limb.rebase(ours.snapshot) == []
    assert limb.read_text("a.py") == "ONE\ntwo\nthree\nfour\nFIVE\n"
    ours.write("a.py", "other\ntwo\nthree\nfour\nFIVE\n")
    assert limb.rebase(ours.snapshot) == ["a.py"]
    assert limb.read_text("a.py") == "ONE\ntwo\nthree\nfour\nFIVE\n"


def test_links_are_followed_below_the_root_only(repository: Repository, tmp_path: Path) -> None:
    root = repository({"real.py": "real\n", "dir/x.py": "x\n"})
    (tmp_path / "secret").write_text("secret")
    os.symlink("real.py", root / "inner.py")
    os.symlink("../secret", root / "outer.py")
    os.symlink(tmp_path / "secret", root / "absolute.py")
    os.symlink("..", root / "up")
    os.symlink("loop.py", root / "loop.py")
    os.symlink("dir", root / "alias")
    workspace = LimbWorkspace(root)
    assert workspace.read_text("inner.py") == "real\n"
    workspace.write("real.py", "staged\n")
    assert workspace.read_text("inner.py") == "staged\n"
    assert workspace.read_text("alias/x.py") == "x\n"
    for escaping in ("outer.py", "absolute.py", "up/secret", "loop.py"):
        with pytest.raises((NotFound, BadPath)):
            workspace.read_text(escaping)
    assert "alias/x.py" not in workspace.list_files("", "*")


def test_pipes_and_unspellable_names_do_not_exist(repository: Repository) -> None:
    root = repository({"a.py": ""})
    os.mkfifo(root / "pipe.py")
    (Path(os.fsdecode(os.fsencode(root) + b"/\xff.py"))).write_text("")
    assert LimbWorkspace(root).list_files("", "*") == ["a.py"]
    assert not LimbWorkspace(root).exists("pipe.py")


def test_decomposed_names_on_disk_have_one_spelling(repository: Repository) -> None:
    root = repository({"cafe\u0301.py": "x\n"})
    workspace = LimbWorkspace(root)
    assert workspace.list_files() == ["caf\u00e9.py"]
    assert workspace.read_text("caf\u00e9.py") == "x\n"
    assert workspace.read_text("cafe\u0301.py") == "x\n"


def test_bytes_that_are_no_text_are_not_read_as_text(workspace: LimbWorkspace) -> None:
    with pytest.raises(NotText):
        workspace.read_text("data/x.bin")
    with pytest.raises(NotText):
        workspace.write("data/x.bin", "text")
    workspace.write("data/x.bin", b"\1\2")
    assert workspace.read_bytes("data/x.bin") == b"\1\2"


def test_the_executable_bit_is_kept(repository: Repository) -> None:
    root = repository({"run.py": "x\n"})
    (root / "run.py").chmod(0o755)
    workspace = LimbWorkspace(root)
    workspace.write("run.py", "y\n")
    assert workspace.snapshot.document(workspace.list_files()[0]).mode == 0o755


@pytest.mark.parametrize("root", ["nowhere", "src/a.py"])
def test_a_root_that_is_no_directory_is_refused(repository: Repository, root: str) -> None:
    with pytest.raises(BadInput):
        LimbWorkspace(repository(FILES) / root)


@pytest.mark.parametrize(
    "edits",
    [
        {"src/a.py": "a = 2\n"},
        {"src/a.py": "no end of line"},
        {"src/a.py": None},
        {"fresh/file.py": "x\n"},
        {"fresh/empty.py": ""},
        {"with space.py": "x\n", "ünï.py": "y\n"},
        {"src/a.py": "a = 1\r\nb = 2\r\n"},
        {"src/a.py": "a = 1\n\x0c\nb\n"},
    ],
)
def test_git_takes_our_diffs(repository: Repository, edits: dict[str, str | None]) -> None:
    root = repository(FILES)
    workspace = LimbWorkspace(root, edits)
    diff = workspace.diff().diff.encode()
    subprocess.run(["git", "-c", "core.autocrlf=false", "apply", "-p1", "-"], cwd=root, input=diff, check=True)
    on_disk = LimbWorkspace(root)
    assert on_disk.list_files("", "*") == workspace.list_files("", "*")
    for path in on_disk.list_files("", "*"):
        assert on_disk.read_bytes(path) == workspace.read_bytes(path)


def test_git_takes_our_renames(repository: Repository) -> None:
    root = repository(FILES)
    workspace = LimbWorkspace(root)
    workspace.rename("src", "lib dir")
    workspace.write("lib dir/a.py", "a = 7\n")
    subprocess.run(["git", "apply", "-p1", "-"], cwd=root, input=workspace.diff().diff.encode(), check=True)
    assert (root / "lib dir/a.py").read_text() == "a = 7\n"
    assert not (root / "src/a.py").exists()
