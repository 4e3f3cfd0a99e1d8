"""What a child sees of the snapshot, and that the real tree does not see the child."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from tests.support.shadow_repository import Repository, opened, state_of


def test_the_overlay_shows_the_root_at_its_own_path(overlaid: Repository) -> None:
    assert overlaid.host.isolation.files == "overlay"
    with overlaid.shadow() as shadow:
        assert shadow.root == overlaid.root
        assert shadow.run(["pwd"], deadline=30).stdout.decode().strip() == str(overlaid.root)


def test_a_copy_lies_elsewhere_in_a_closed_directory(copied: Repository) -> None:
    with copied.shadow() as shadow:
        assert shadow.root != copied.root
        assert shadow.root.parent.stat().st_mode & 0o777 == 0o700
        assert shadow.run(["pwd"], deadline=30).stdout.decode().strip() == str(shadow.root)
    assert not shadow.root.parent.exists()


def test_an_unsaved_edit_is_what_a_program_imports(repository: Repository) -> None:
    repository.workspace.write("app.py", "VALUE = 2\n")
    assert repository.python("import app; print(app.VALUE)") == "2\n"
    assert (repository.root / "app.py").read_text() == "VALUE = 1\n"


def test_new_files_bring_their_directories(repository: Repository) -> None:
    repository.workspace.write("brand/new/deep/mod.py", "x = 1\n")
    assert repository.shell("cat brand/new/deep/mod.py") == "x = 1\n"
    assert not (repository.root / "brand").exists()


def test_a_deleted_file_is_gone(repository: Repository) -> None:
    repository.workspace.delete("pkg/core.py")
    assert repository.shell("ls pkg") == "__init__.py\ndeep\n"


def test_a_deleted_directory_is_gone(repository: Repository) -> None:
    repository.workspace.delete("pkg")
    assert repository.shell("ls") == "app.py\ntests\n"


def test_a_deleted_and_rebuilt_directory_holds_only_the_new(repository: Repository) -> None:
    repository.workspace.delete("pkg")
    repository.workspace.write("pkg/only.py", "")
    assert repository.shell("find pkg | sort") == "pkg\npkg/only.py\n"


def test_a_renamed_file_and_a_renamed_directory_have_moved(repository: Repository) -> None:
    repository.workspace.rename("app.py", "main.py")
    repository.workspace.rename("pkg", "lib")
    assert repository.shell("find . -type f | sort; cat main.py") == (
        "./lib/__init__.py\n./lib/core.py\n./lib/deep/leaf.txt\n./main.py\n./tests/test_app.py\nVALUE = 1\n"
    )


def test_a_file_may_take_the_place_of_a_directory_and_back(repository: Repository) -> None:
    repository.workspace.delete("pkg")
    repository.workspace.write("pkg", "now a file")
    repository.workspace.delete("app.py")
    repository.workspace.write("app.py/inner.txt", "now a directory")
    assert repository.shell("cat pkg; cat app.py/inner.txt") == "now a filenow a directory"


@pytest.mark.parametrize("mode", [0o644, 0o755, 0o600, 0o444])
def test_modes_are_kept(repository: Repository, mode: int) -> None:
    (repository.root / "app.py").chmod(mode)
    repository.workspace.write("app.py", "VALUE = 3\n")
    assert repository.shell("stat -c %a app.py; cat app.py") == f"{mode:o}\nVALUE = 3\n"


def test_a_hidden_umask_does_not_change_modes(repository: Repository) -> None:
    before = os.umask(0o077)
    try:
        repository.workspace.write("fresh.py", "")
        assert repository.shell("stat -c %a fresh.py") == "644\n"
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0binary\xff\xfe", b"\xef\xbb\xbfx = 1\r\ny = 2\r", "# -*- coding: latin-1 -*-\n\xe9".encode("latin-1")],
)
def test_bytes_are_exact(repository: Repository, content: bytes) -> None:
    repository.workspace.write("exact.py", content)
    assert repository.run("cat", "exact.py").stdout == content


def test_links_on_disk_stay_links(repository: Repository) -> None:
    (repository.root / "link.py").symlink_to("app.py")
    (repository.root / "linked").symlink_to("pkg", target_is_directory=True)
    repository.workspace.write("app.py", "VALUE = 9\n")
    assert repository.shell("readlink link.py linked; cat link.py; cat linked/deep/leaf.txt") == (
        "app.py\npkg\nVALUE = 9\nleaf\n"
    )


def test_a_renamed_link_is_still_a_link(repository: Repository) -> None:
    (repository.root / "link.py").symlink_to("app.py")
    repository.workspace.rename("link.py", "alias.py")
    assert repository.shell("readlink alias.py") == "app.py\n"


def test_edited_files_have_distinct_whole_second_times(repository: Repository) -> None:
    for name in ("one.py", "two.py", "three.py"):
        repository.workspace.write(name, "x")
    code = "import os; print([os.stat(n).st_mtime_ns for n in ('one.py', 'two.py', 'three.py')])"
    first, second = (json.loads(repository.python(code)) for _ in range(2))
    assert len({*first, *second}) == 6
    assert all(stamp % 1_000_000_000 == 0 for stamp in first)


@pytest.mark.parametrize(
    "name", ["with space", "comma,colon:", "back\\slash", "quote'\"", "\u00fcnicode", "-dash", "%s"]
)
def test_any_name_of_the_root_will_do(tmp_path: Path, name: str) -> None:
    for repository in opened(tmp_path / name):
        assert repository.host.isolation.files == "overlay"
        repository.workspace.write("app.py", "VALUE = 4\n")
        assert repository.shell("pwd; cat app.py") == f"{repository.root}\nVALUE = 4\n"


def test_a_child_cannot_change_the_real_tree(repository: Repository) -> None:
    before = state_of(repository.root)
    repository.shell(
        "echo changed > app.py; rm pkg/core.py; mv pkg/__init__.py pkg/moved.py; chmod 777 tests/test_app.py;"
        " rm -r pkg/deep; mkdir made; echo new > made/file; ln -s app.py link; touch -d 2001-01-01 tests/test_app.py"
    )
    assert state_of(repository.root) == before


def test_what_a_child_wrote_is_gone_for_the_next_under_the_overlay(overlaid: Repository) -> None:
    with overlaid.shadow() as shadow:
        assert shadow.run(["sh", "-c", "echo x > left.txt"], deadline=30).returncode == 0
        assert shadow.run(["ls", "left.txt"], deadline=30).returncode == 2


def test_a_save_on_disk_is_seen_by_the_next_child(overlaid: Repository) -> None:
    with overlaid.shadow() as shadow:
        shadow.run(["cat", "app.py"], deadline=30)
        (overlaid.root / "app.py").write_text("VALUE = 7\n")
        assert shadow.run(["cat", "app.py"], deadline=30).stdout == b"VALUE = 7\n"


def test_cwd_is_below_the_root(repository: Repository) -> None:
    with repository.shadow() as shadow:
        done = shadow.run(["pwd"], cwd="pkg/deep", deadline=30)
        assert done.stdout.decode().strip() == f"{shadow.root}/pkg/deep"


def test_the_copy_of_a_git_repository_is_one(copied: Repository) -> None:
    commands = "git init -q . && git add . && git -c user.name=n -c user.email=e@x commit -qm first"
    assert os.system(f"cd '{copied.root}' && {commands}") == 0
    copied.workspace.write("app.py", "VALUE = 2\n")
    assert copied.shell("git log --format=%s; git status --porcelain") == "first\n M app.py\n"


def test_the_interpreter_that_runs_us_can_be_run(repository: Repository) -> None:
    assert repository.python("import sys, pytest; print(sys.prefix)").strip() == sys.prefix
