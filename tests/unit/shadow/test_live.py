"""The live shadow's files: always what the snapshot says, and told exactly."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.live_repository import LiveRepository, live_repository, told

from octolimb.core.document import Document
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.workspace.limb_workspace import LimbWorkspace


@pytest.fixture(params=["overlay", "copy"])
def live(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveRepository]:
    if request.param == "copy":
        monkeypatch.setenv("OCTOLIMB_ISOLATION", "copy")
    with live_repository(tmp_path / "repo") as repository:
        assert (repository.shadow.files == "overlay") == (request.param == "overlay")
        yield repository


def test_it_shows_the_disk(live: LiveRepository) -> None:
    live.check()
    assert told(live.update()) == {}


def edit_modify(live: LiveRepository) -> dict[str, str]:
    live.workspace.write("app.py", "VALUE = 2\n")
    return {"app.py": "changed"}


def edit_create(live: LiveRepository) -> dict[str, str]:
    live.workspace.write("pkg/new.py", "NEW = 1\n")
    return {"pkg/new.py": "created"}


def edit_delete(live: LiveRepository) -> dict[str, str]:
    live.workspace.delete("pkg/core.py")
    return {"pkg/core.py": "deleted"}


def edit_rename(live: LiveRepository) -> dict[str, str]:
    live.workspace.rename("pkg/core.py", "pkg/heart.py")
    return {"pkg/core.py": "deleted", "pkg/heart.py": "created"}


def edit_new_package(live: LiveRepository) -> dict[str, str]:
    live.workspace.write("extra/deep/__init__.py", "A = 1\n")
    live.workspace.write("extra/__init__.py", "")
    names = ("extra/", "extra/deep/", "extra/__init__.py", "extra/deep/__init__.py")
    return dict.fromkeys(names, "created")


def edit_delete_package(live: LiveRepository) -> dict[str, str]:
    live.workspace.delete("pkg")
    names = ("pkg/__init__.py", "pkg/core.py", "pkg/deep/leaf.txt", "pkg/deep/", "pkg/")
    return dict.fromkeys(names, "deleted")


def edit_rename_package(live: LiveRepository) -> dict[str, str]:
    live.workspace.rename("pkg", "lib")
    old = ("pkg/__init__.py", "pkg/core.py", "pkg/deep/leaf.txt", "pkg/deep/", "pkg/")
    return {**dict.fromkeys(old, "deleted"), **{name.replace("pkg", "lib"): "created" for name in old}}


def edit_replace_package(live: LiveRepository) -> dict[str, str]:
    live.workspace.delete("pkg")
    live.workspace.write("pkg/other.py", "OTHER = 1\n")
    gone = ("pkg/__init__.py", "pkg/core.py", "pkg/deep/leaf.txt", "pkg/deep/")
    return {**dict.fromkeys(gone, "deleted"), "pkg/other.py": "created"}


def edit_module_for_package(live: LiveRepository) -> dict[str, str]:
    live.workspace.delete("app.py")
    live.workspace.write("app.py/__init__.py", "VALUE = 1\n")
    return {"app.py": "deleted", "app.py/": "created", "app.py/__init__.py": "created"}


def edit_package_for_module(live: LiveRepository) -> dict[str, str]:
    live.workspace.delete("pkg/deep")
    live.workspace.write("pkg/deep", "no directory\n")
    return {"pkg/deep/leaf.txt": "deleted", "pkg/deep/": "deleted", "pkg/deep": "created"}


EDITS: dict[str, Callable[[LiveRepository], dict[str, str]]] = {
    name.removeprefix("edit_"): function for name, function in list(globals().items()) if name.startswith("edit_")
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_seen_and_undone(live: LiveRepository, edit: str) -> None:
    expected = EDITS[edit](live)
    assert told(live.update()) == expected
    live.check()
    assert told(live.update()) == {}
    opposite = {"created": "deleted", "deleted": "created", "changed": "changed"}
    assert told(live.reset()) == {path: opposite[kind] for path, kind in expected.items()}
    live.check()


@pytest.mark.parametrize("second", EDITS)
@pytest.mark.parametrize("first", ["delete_package", "rename_package", "replace_package", "new_package", "modify"])
def test_any_edit_follows_any_other(live: LiveRepository, first: str, second: str) -> None:
    EDITS[first](live)
    live.update()
    live.reset()
    EDITS[first](live)
    live.update()
    before = live.ask("tree")
    live.workspace = LimbWorkspace(live.root, base=Snapshot(live.base))
    EDITS[second](live)
    events = told(live.update())
    after = live.ask("tree")
    live.check()
    assert {path: kind for path, kind in events.items() if kind != "changed"} == {
        path: "created" if path in after else "deleted" for path in before.keys() ^ after.keys()
    }
    differing = {path for path in before.keys() & after.keys() if before[path] != after[path]}
    assert differing <= {path for path, kind in events.items() if kind == "changed"}


def test_each_write_has_a_time_of_its_own(live: LiveRepository) -> None:
    times = [live.ask("mtime", "app.py")]
    for number in range(3):
        live.workspace.write("app.py", f"VALUE = {number}\n")
        live.update()
        times.append(live.ask("mtime", "app.py"))
    live.reset()
    assert len({*times, live.ask("mtime", "app.py")}) >= 4


def test_outside_changes_are_seen(live: LiveRepository) -> None:
    root = live.root
    live.check()
    (root / "app.tmp").write_text("VALUE = 3\n")
    (root / "app.tmp").rename(root / "app.py")
    assert told(live.saved("app.py", "app.tmp")) == {"app.py": "changed"}
    live.check()
    (root / "app.py").write_text("VALUE = 44\n")
    assert told(live.saved("app.py")) == {"app.py": "changed"}
    live.check()
    assert told(live.saved("pkg/core.py", "never.py", ".git/index")) == {}
    (root / "more" / "below").mkdir(parents=True)
    (root / "more" / "below" / "m.py").write_text("")
    expected = {"more/": "created", "more/below/": "created", "more/below/m.py": "created"}
    assert told(live.saved("more")) == expected
    live.check()
    shutil.rmtree(root / "more")
    assert told(live.saved("more/below/m.py", "more/below", "more")) == dict.fromkeys(expected, "deleted")
    live.check()
    (root / "pkg").rename(root / "gkp")
    events = told(live.saved("pkg", "gkp"))
    assert (events["pkg/"], events["gkp/core.py"]) == ("deleted", "created")
    live.check()


def test_a_save_that_keeps_the_time_is_told_by_another_time(live: LiveRepository) -> None:
    """What goes by the modification time would not look again."""
    path = live.root / "app.py"
    for text in ("VALUE = 5\n", "VALUE = 6\n", "VALUE = 7\n"):
        seen = live.ask("mtime", "app.py")
        status = path.stat()
        path.write_text(text)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert told(live.saved("app.py")) == {"app.py": "changed"}
        assert live.ask("mtime", "app.py") != seen
        live.check()


def test_what_the_crate_hides_is_no_event(live: LiveRepository) -> None:
    live.workspace.write("app.py", "VALUE = 2\n")
    live.workspace.delete("pkg")
    live.workspace.write("extra/a.py", "A = 1\n")
    live.update()
    (live.root / "app.py").write_text("VALUE = 99\n")
    (live.root / "pkg" / "core.py").unlink()
    (live.root / "pkg" / "fresh.py").write_text("")
    (live.root / "extra").mkdir()
    (live.root / "extra" / "b.py").write_text("B = 1\n")
    assert told(live.saved("app.py", "pkg/core.py", "pkg/fresh.py", "extra")) == {"extra/b.py": "created"}
    live.check()
    live.reset()
    live.check()
    shutil.rmtree(live.root / "extra")
    live.workspace.write("extra/a.py", "A = 1\n")
    live.update()
    live.saved("extra")
    live.check()


def test_lost_events_are_made_up_for(live: LiveRepository) -> None:
    live.ask("tree")
    time.sleep(0.05)
    live.shadow.disk_changed(None)
    (live.root / "app.py").write_text("VALUE = 8\n")
    (live.root / "pkg" / "core.py").unlink()
    (live.root / "pkg" / "deep" / "n.py").write_text("")
    time.sleep(0.05)
    moved = live.shadow.disk_changed(None)
    assert told(moved) == {"app.py": "changed", "pkg/core.py": "deleted", "pkg/deep/n.py": "created"}
    live.check()


def test_a_checkout_of_hundreds_of_files(live: LiveRepository) -> None:
    git = ["git", "-C", str(live.root), "-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "gc.auto=0"]

    def commit(name: str) -> None:
        for command in (["add", "-A"], ["commit", "-qm", name], ["branch", "-f", name]):
            subprocess.run([*git, *command], check=True, capture_output=True)

    subprocess.run([*git, "init", "-q"], check=True)
    for number in range(300):
        (live.root / f"d{number % 7}").mkdir(exist_ok=True)
        (live.root / f"d{number % 7}" / f"m{number}.py").write_text(f"V = {number}\n")
    commit("one")
    for number in range(0, 300, 2):
        (live.root / f"d{number % 7}" / f"m{number}.py").write_text(f"V = -{number}\n")
    (live.root / "d0" / "m7.py").unlink()
    (live.root / "only" / "two").mkdir(parents=True)
    (live.root / "only" / "two" / "x.py").write_text("X = 1\n")
    commit("two")
    live.shadow.disk_changed(None)
    live.check()
    live.workspace.write("d1/m1.py", "UNSAVED = 1\n")
    live.update()
    live.ask("hammer")
    for name in ("one", "two", "one"):
        changed = subprocess.run(
            [*git, "diff", "--name-only", "HEAD", name], check=True, capture_output=True, text=True
        )
        subprocess.run([*git, "checkout", "-q", name], check=True)
        live.saved(*changed.stdout.split(), "only", "only/two")
        live.check()


def test_readers_that_hold_everything_see_every_save(live: LiveRepository) -> None:
    live.ask("hammer")
    for number in range(60):
        temporary = live.root / ".saving"
        temporary.write_text(f"VALUE = {number:04}\n")
        temporary.rename(live.root / "app.py")
        if number % 3 == 0:
            live.workspace.write("pkg/core.py", f"CORE = {number}\n")
            live.update()
        live.saved("app.py", ".saving")
        live.check()


def test_a_directory_that_is_being_listed(live: LiveRepository) -> None:
    """The kernel keeps the names of a directory while anybody has it open, in a child that lists it slowly too."""
    live.workspace.write("pkg/new.py", "")
    live.update()
    for directory in ("", "/pkg"):
        (live.root / f"{directory}/.saving".lstrip("/")).write_text("")
        assert live.ask("eval", f"held.append(os.scandir(root + '{directory}')) or next(held[-1]).name")
    if live.shadow.files == "overlay":
        assert "pkg/.saving" in live.ask("tree")
    for directory in ("pkg/", ""):
        (live.root / f"{directory}.saving").unlink()
        live.saved(f"{directory}.saving")
        assert f"{directory}.saving" not in live.ask("tree")
    live.check()
    assert live.ask("eval", "held.append(os.scandir(root + '/pkg')) or next(held[-1]).name")
    live.reset()
    live.check()
    (live.root / "pkg" / ".saving").write_text("")
    live.saved("pkg/.saving")
    assert live.ask("eval", "held.append(os.scandir(root + '/pkg')) or next(held[-1]).name")
    (live.root / "pkg" / ".saving").unlink()
    live.shadow.disk_changed(None)
    live.check()


def test_a_file_that_is_open_in_a_child(live: LiveRepository) -> None:
    for path in ("app.py", "pkg/core.py"):
        live.ask("hold", path)
    live.workspace.write("app.py", "VALUE = 2\n")
    live.update()
    live.ask("hold", "app.py")
    assert told(live.reset()) == {"app.py": "changed"}
    live.check()
    live.ask("hold", "app.py")
    (live.root / "new").write_text("VALUE = 3\n")
    (live.root / "new").rename(live.root / "app.py")
    (live.root / "pkg" / "core.py").unlink()
    assert told(live.saved("app.py", "pkg/core.py")) == {"app.py": "changed", "pkg/core.py": "deleted"}
    live.check()


def test_a_path_through_a_link_is_written_where_it_leads(live: LiveRepository) -> None:
    (live.root / "alias").symlink_to("pkg")
    (live.root / "out").symlink_to("/usr")
    live.saved("alias", "out")
    snapshot = live.workspace.snapshot
    through = RelPath("alias/core.py")
    events = told(live.shadow.update(snapshot.with_edits({through: Document(through, b"CORE = 2\n")})))
    assert events == {"pkg/core.py": "changed", "alias/core.py": "changed"}
    assert live.ask("tree")["pkg/core.py"] == "CORE = 2\n"
    live.reset()
    assert live.ask("tree")["pkg/core.py"] == "def f():\n    return 1\n"
    assert (live.root / "pkg" / "core.py").read_text() == "def f():\n    return 1\n"
    outside = RelPath("out/never.py")
    refused = live.shadow.update(snapshot.with_edits({outside: Document(outside, b"")})).refused
    assert refused == {outside: "it leads out of the root"}


def test_modes_and_links_are_kept(live: LiveRepository) -> None:
    (live.root / "run.sh").write_text("#!/bin/sh\n")
    (live.root / "run.sh").chmod(0o755)
    live.saved("run.sh")
    live.workspace.write("run.sh", "#!/bin/sh\nexit 3\n")
    live.update()
    assert live.ask("eval", "os.stat(root + '/run.sh').st_mode & 0o777") == 0o755


def test_uris_are_mapped_both_ways(live: LiveRepository) -> None:
    real = (live.root / "pkg" / "a b.py").as_uri()
    seen = live.shadow.uri_of("pkg/a b.py")
    assert live.shadow.to_child({"textDocument": {"uri": real}, "n": [1, real]}) == {
        "textDocument": {"uri": seen},
        "n": [1, seen],
    }
    assert live.shadow.from_child({"changes": {seen: []}}) == {"changes": {real: []}}
    assert live.shadow.path_of(seen) == "pkg/a b.py"
    assert live.shadow.path_of("file:///etc/passwd") is None
    assert live.shadow.to_child("file:///etc/passwd") == "file:///etc/passwd"
