"""An apply that dies or fails at every single file operation leaves the tree all old or all new, and nothing else."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import Any

import pytest

from octolimb.core.changes import ChangeSet
from octolimb.core.document import Document
from octolimb.core.errors import ApplyFailed
from octolimb.core.overlay import GONE
from octolimb.core.paths import RelPath
from octolimb.core.proposals import Decision
from octolimb.guard.apply import apply, recover
from octolimb.guard.files import Files

Build = Callable[..., ChangeSet]
Decide = Callable[[ChangeSet], Decision]
Tree = dict[str, tuple[str, int, bytes]]
Scan = Callable[[Path], Tree]

OPERATIONS = ("create", "write", "sync", "link", "rename", "unlink", "make_directory", "remove_directory")


class FaultyFiles(Files):
    """The real operations, with `fault` called around the one with the given number, counted from one."""

    def __init__(self, number: int, fault: Callable[[str], None], *, late: bool = False, lasting: bool = False) -> None:
        self.count = 0
        self._number, self._fault, self._late, self._lasting = number, fault, late, lasting
        for name in OPERATIONS:
            setattr(self, name, self._counted(name, getattr(self, name)))

    def _counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(real)
        def operation(*arguments: Any) -> Any:
            self.count += 1
            hit = self.count == self._number or (self._lasting and self.count > self._number)
            if hit and not self._late:
                if name == "write" and len(arguments[1]) > 1:
                    # What a disk that fills up does: the first half arrives.
                    os.write(arguments[0], arguments[1][: len(arguments[1]) // 2])
                self._fault(name)
            result = real(*arguments)
            if hit and self._late:
                self._fault(name)
            return result

        return operation


def die(_: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail_with(code: int) -> Callable[[str], None]:
    def fail(name: str) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def fail_where_room_is_needed(name: str) -> None:
    """A full disk: whatever allocates fails and goes on failing, the rest works."""
    if name in ("create", "write", "make_directory", "link"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def mixed(changes: Build) -> ChangeSet:
    """Create, modify, delete, rename, mode, link, and both changes of sort: everything at once."""
    return changes(
        {
            "src/app.py": b"one = 1\r\ntwo = 3",
            "run.sh": Document(RelPath("run.sh"), b"#!/bin/sh\n", 0o644),
            "src/gone/deep.py": GONE,
            "src/old_name.py": GONE,
            "lib/new_name.py": b"moved = True\n",
            "lib/inner/fresh.py": b"fresh = True\n",
            "link": Document(RelPath("link"), b"run.sh", 0o777, link=True),
            "becomes_directory": GONE,
            "becomes_directory/x.py": b"x\n",
            "becomes_file/a/b.txt": GONE,
            "becomes_file": b"a file now\n",
        },
        {"lib/new_name.py": "src/old_name.py"},
    )


def run_in_child(work: Callable[..., object]) -> int:
    """The exit status of a forked child that does `work`; negative for a signal."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


@dataclass
class Trial:
    """A tree, a change set over it, and how the tree looks before and after; `total` operations lie between."""

    root: Path
    state: Path
    change_set: ChangeSet
    decision: Decision
    scan: Scan
    pristine: Path
    old: Tree
    new: Tree
    total: int

    def apply(self, files: Files) -> None:
        apply(self.root, self.change_set, self.decision, state=self.state, files=files)

    def recover(self, files: Files | None = None) -> str:
        return recover(self.root, self.state, files=files)

    @property
    def found(self) -> Tree:
        return self.scan(self.root)

    def reset(self) -> None:
        shutil.rmtree(self.root)
        shutil.copytree(self.pristine, self.root, symlinks=True)


@pytest.fixture
def trial(root: Path, tmp_path: Path, mixed: ChangeSet, allow: Decide, tree_of: Scan) -> Trial:
    """What an apply that nothing disturbs makes of a copy tells what the disturbed ones must come to."""
    pristine, copy = tmp_path / "pristine", tmp_path / "copy"
    for place in (pristine, copy):
        shutil.copytree(root, place, symlinks=True)
    counted = FaultyFiles(0, die)
    apply(copy, mixed, allow(mixed), state=tmp_path / "other-state", files=counted)
    return Trial(
        root, tmp_path / "state", mixed, allow(mixed), tree_of, pristine, tree_of(root), tree_of(copy), counted.count
    )


def test_the_undisturbed_apply_does_it_all(trial: Trial) -> None:
    assert trial.new["lib/inner/fresh.py"][2] == b"fresh = True\n"
    assert trial.new["becomes_file"][0] == "file"
    assert trial.new["link"] == ("link", 0, b"run.sh")
    assert not [name for name in trial.new if ".octolimb-" in name]
    assert trial.total > 40


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_killed_at_every_operation(late: bool, trial: Trial) -> None:
    seen: set[str] = set()
    for number in range(1, trial.total + 1):
        faulty = FaultyFiles(number, die, late=late)
        assert run_in_child(partial(trial.apply, faulty)) == -signal.SIGKILL
        outcome = trial.recover()
        found = trial.found
        assert found in (trial.old, trial.new), f"operation {number}: {outcome}"
        assert trial.recover() == "clean"
        seen.add("old" if found == trial.old else "new")
        if found == trial.new:
            trial.reset()
    assert seen == {"old", "new"}


def test_killed_again_and_again_while_it_recovers(trial: Trial) -> None:
    for number in range(1, trial.total + 1, 4):
        run_in_child(partial(trial.apply, FaultyFiles(number, die, late=True)))
        for again in range(1, 200):
            if run_in_child(partial(trial.recover, FaultyFiles(again, die, late=True))) == 0:
                break
        assert trial.found in (trial.old, trial.new), f"operation {number}"
        if trial.found == trial.new:
            trial.reset()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS], ids=["ENOSPC", "EIO", "EROFS"])
def test_one_operation_fails(code: int, trial: Trial) -> None:
    for number in range(1, trial.total + 1):
        try:
            trial.apply(FaultyFiles(number, fail_with(code)))
        except ApplyFailed:
            assert trial.found == trial.old, f"operation {number}"
        else:
            trial.recover()
            assert trial.found == trial.new, f"operation {number}"
            trial.reset()


def test_a_full_disk_stays_full(trial: Trial) -> None:
    """Undoing needs no room."""
    for number in range(1, trial.total + 1):
        try:
            trial.apply(FaultyFiles(number, fail_where_room_is_needed, lasting=True))
        except ApplyFailed:
            assert trial.found == trial.old, f"operation {number}"
        else:
            assert trial.found == trial.new, f"operation {number}"
            trial.reset()


def test_a_dead_disk_is_put_right_when_it_lives_again(trial: Trial) -> None:
    for number in range(1, trial.total + 1):
        try:
            trial.apply(FaultyFiles(number, fail_with(errno.EIO), lasting=True))
        except ApplyFailed:
            expected = trial.old
        else:
            expected = trial.new
        trial.recover()
        assert trial.found == expected, f"operation {number}"
        if expected == trial.new:
            trial.reset()


def test_an_interrupt_undoes_or_comes_too_late(trial: Trial) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    for number in range(1, trial.total + 1):
        with pytest.raises(KeyboardInterrupt):
            trial.apply(FaultyFiles(number, interrupt, late=True))
        trial.recover()
        assert trial.found in (trial.old, trial.new), f"operation {number}"
        trial.reset()


def test_recovery_leaves_what_somebody_has_written_since(trial: Trial) -> None:
    app = trial.root / "src/app.py"
    for number in range(1, trial.total + 1):
        run_in_child(partial(trial.apply, FaultyFiles(number, die, late=True)))
        if app.read_bytes().endswith(b"3"):
            break
        trial.recover()
    app.write_bytes(b"typed meanwhile\n")
    with pytest.raises(ApplyFailed, match=r"changed src/app\.py meanwhile"):
        trial.recover()
    assert app.read_bytes() == b"typed meanwhile\n"
    assert trial.recover() == "clean"


def test_the_next_apply_recovers_first(root: Path, state: Path, changes: Build, allow: Decide, tree_of: Scan) -> None:
    change_set = changes({"src/app.py": b"new\n", "b.py": b"b\n"})
    run_in_child(lambda: apply(root, change_set, allow(change_set), state=state, files=FaultyFiles(14, die)))
    apply(root, change_set, allow(change_set), state=state)
    assert (root / "src/app.py").read_bytes() == b"new\n"
    assert not [name for name in tree_of(root) if ".octolimb-" in name]


def test_a_real_read_only_directory(root: Path, state: Path, changes: Build, allow: Decide, tree_of: Scan) -> None:
    """As root such a directory can be written, so there the whole apply must have happened."""
    change_set = changes({"src/app.py": b"new\n", "run.sh": GONE})
    (root / "src").chmod(0o555)
    before = tree_of(root)
    try:
        apply(root, change_set, allow(change_set), state=state)
    except ApplyFailed:
        assert tree_of(root) == before
    else:
        assert os.geteuid() == 0
        assert (root / "src/app.py").read_bytes() == b"new\n"
    (root / "src").chmod(0o755)
