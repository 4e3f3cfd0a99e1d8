"""Writing a judged change set to the real tree: all of its files or none, exactly the bytes that were judged.

It follows no symbolic link and replaces no file that has changed since. It judges nothing but where paths lead, asks
nobody, and knows no editor: a front must refuse files with unsaved text before it comes here.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from octolimb.core.changes import ChangeSet
from octolimb.core.document import Document
from octolimb.core.errors import ApplyFailed, Stale
from octolimb.core.paths import RelPath
from octolimb.core.proposals import Decision
from octolimb.guard.files import (
    Files,
    open_directory,
    owner_of,
    parent_of,
    read_document,
    temporary_name,
)
from octolimb.guard.journal import (
    Journal,
    MovedDirectory,
    Place,
    Step,
    finish,
    locked_place,
    sync_directories,
    undo,
)
from octolimb.guard.protected import Disk, judge_paths

Recovery = Literal["clean", "undone", "finished"]


def apply(
    root: Path,
    change_set: ChangeSet,
    decision: Decision,
    *,
    state: Path,
    approved: bool = False,
    files: Files | None = None,
) -> None:
    """Makes `change_set` true on the disk below `root`. `approved` is a person's yes to a decision that asks.

    `state` is a directory outside the root for the journal. `files` stands in for the real file operations. Raises
    `Stale` where a file is not as the change set found it, or the decision is about another change set, and
    `ApplyFailed` where the decision forbids it or the disk refuses; every file is then as it was before.
    """
    if decision.change_set != change_set.digest:
        raise Stale("the decision is about another change set", hint="judge these very changes, then apply them")
    if decision.decision == "deny" or (decision.decision == "ask" and not approved):
        first = decision.reasons[0].message if decision.reasons else decision.decision
        raise ApplyFailed(f"the guard does not allow it: {first}", hint="see the decision's reasons")
    operations = files or Files()
    with _opened(root) as top, locked_place(root, state) as place:
        _recover(top, place, operations)
        documents = _documents(change_set)
        try:
            _refuse_hostile_places(root, change_set)
            for path, (before, _) in documents.items():
                _check_unchanged(top, path, before)
            journal = _plan(top, documents)
        except OSError as error:
            raise _failed(error) from error
        _commit(top, place, journal, documents, operations)


def recover(root: Path, state: Path, *, files: Files | None = None) -> Recovery:
    """Clears up after an apply that was cut short: it is undone, or finished where all was in place. Idempotent.

    Raises `ApplyFailed` where the disk refuses, or where somebody has since changed a file that would be put back;
    that file is left alone, and its old version stands beside it under a hidden name.
    """
    with _opened(root) as top, locked_place(root, state) as place:
        return _recover(top, place, files or Files())


def _recover(top: int, place: Place, files: Files) -> Recovery:
    journal = place.read()
    try:
        if journal is None:
            place.clear(files)
            return "clean"
        if journal.phase == "done":
            finish(top, journal, files)
            place.clear(files)
            return "finished"
        conflicts = undo(top, journal, files)
        place.clear(files)
    except OSError as error:
        raise _failed(error) from error
    if conflicts:
        raise _changed_meanwhile(conflicts[0])
    return "undone"


def _commit(
    top: int,
    place: Place,
    journal: Journal,
    documents: dict[RelPath, tuple[Document | None, Document | None]],
    files: Files,
) -> None:
    try:
        place.write(journal, files)
        _write_temporaries(top, journal, documents, files)
        _put_in_place(top, journal, documents, files)
        place.write(replace(journal, phase="done"), files)
    except BaseException as error:
        try:
            _give_up(top, place, journal, files)
        except OSError as second:
            raise ApplyFailed(
                f"the disk refused ({error}), and then refused to put things back ({second.strerror})",
                hint="the record is kept; once the disk works again, the next apply puts everything back first",
            ) from error
        if isinstance(error, OSError):
            raise _failed(error) from error
        raise
    try:
        finish(top, journal, files)
        place.clear(files)
    except OSError:
        # Every file is in place for good. What stands aside is removed by whoever comes next.
        return


def _give_up(top: int, place: Place, journal: Journal, files: Files) -> None:
    """Undoes what was begun, unless an interruption came so late that the record already says "done"."""
    record = place.read()
    if record is not None and record.phase == "done":
        finish(top, journal, files)
        conflicts = []
    else:
        conflicts = undo(top, journal, files)
    place.clear(files)
    if conflicts:
        raise _changed_meanwhile(conflicts[0])


def _write_temporaries(
    top: int, journal: Journal, documents: dict[RelPath, tuple[Document | None, Document | None]], files: Files
) -> None:
    for step in journal.steps:
        before, after = documents[RelPath(step.path)]
        if step.temporary is None or after is None:
            continue
        owner = None
        if before is not None:
            with parent_of(top, step.path) as (directory, name):
                owner = owner_of(directory, name)
        with _directory(top, step.stage) as stage:
            files.create(stage, step.temporary, after, owner)


def _put_in_place(
    top: int, journal: Journal, documents: dict[RelPath, tuple[Document | None, Document | None]], files: Files
) -> None:
    """Removals first, so that a directory can make way for a file and a file for a directory."""
    touched: set[str] = set()
    for step in journal.steps:
        touched.update((step.stage, step.path.rpartition("/")[0]))
        if step.temporary is None and step.aside is not None:
            _check_unchanged(top, RelPath(step.path), documents[RelPath(step.path)][0])
            with parent_of(top, step.path) as (directory, name), _directory(top, step.stage) as stage:
                files.rename(directory, name, stage, step.aside)
    for moved in journal.moved:
        with parent_of(top, moved.path) as (directory, name), _directory(top, moved.stage) as stage:
            _refuse_files(directory, name, moved.path)
            files.rename(directory, name, stage, moved.aside)
    for path in journal.made:
        with parent_of(top, path) as (directory, name):
            files.make_directory(directory, name)
    for step in journal.steps:
        if step.temporary is None:
            continue
        _check_unchanged(top, RelPath(step.path), documents[RelPath(step.path)][0])
        with parent_of(top, step.path) as (directory, name), _directory(top, step.stage) as stage:
            if step.aside is not None:
                _set_aside(directory, name, stage, step.aside, files)
            files.rename(stage, step.temporary, directory, name)
    sync_directories(top, touched | {path.rpartition("/")[0] for path in journal.made}, files)


def _set_aside(directory: int, name: str, stage: int, aside: str, files: Files) -> None:
    """By a second name, so that the first is never missing; by moving it where the file system has no hard links."""
    try:
        files.link(directory, name, stage, aside)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
            raise
        files.rename(directory, name, stage, aside)


def _plan(top: int, documents: dict[RelPath, tuple[Document | None, Document | None]]) -> Journal:
    steps: list[Step] = []
    moved: list[MovedDirectory] = []
    made: set[str] = set()
    put = {path for path, (_, after) in documents.items() if after is not None}
    for path, (before, after) in documents.items():
        stage = _stage_for(top, path, put)
        steps.append(
            Step(
                path,
                stage,
                temporary_name() if after is not None else None,
                temporary_name() if before is not None else None,
                before.digest if before is not None else None,
                after.digest if after is not None else None,
            )
        )
        if after is not None:
            with _directory(top, stage) as directory:
                if stage == path.parent and _is_directory(directory, path.name):
                    moved.append(MovedDirectory(path, stage, temporary_name()))
            made.update(above for above in path.ancestors if above.is_below(stage) and above != stage)
    return Journal("begun", tuple(steps), tuple(moved), tuple(sorted(made)))


def _stage_for(top: int, path: RelPath, put: set[RelPath]) -> str:
    """The nearest directory above `path` that is there now and stays: on one file system with it, and never moved."""
    covered = [above for above in path.ancestors if above in put]
    start = covered[-1].parent if covered else path.parent
    while True:
        try:
            os.close(open_directory(top, start))
        except (FileNotFoundError, NotADirectoryError):
            # What is in the way may be a file that this change removes; if not, making the directory will fail.
            start = start.rpartition("/")[0]
        else:
            return start


def _documents(change_set: ChangeSet) -> dict[RelPath, tuple[Document | None, Document | None]]:
    """Before and after of every single path; a rename is a removal and a creation."""
    found: dict[RelPath, tuple[Document | None, Document | None]] = {}
    for change in change_set:
        if change.kind == "rename":
            found[change.old_path] = (change.before, None)
            found[change.path] = (None, change.after)
        else:
            found[change.path] = (change.before, change.after)
    return dict(sorted(found.items()))


def _check_unchanged(top: int, path: RelPath, before: Document | None) -> None:
    """Raises `Stale` unless `path` is as the change set found it; a directory is no file, so it counts as nothing."""
    found: Document | None = None
    try:
        with parent_of(top, path) as (directory, name):
            found = read_document(directory, name, path)
    except (FileNotFoundError, IsADirectoryError):
        pass
    except NotADirectoryError:
        # A file on the way may be one that this change removes; a symbolic link must not pass for "nothing there".
        if _link_above(top, path):
            raise
    if (found.digest if found else None) != (before.digest if before else None):
        raise Stale(f"{path} has changed on the disk since", hint="make the proposal anew", path=path)


def _link_above(top: int, path: RelPath) -> bool:
    for above in reversed(path.ancestors):
        try:
            with parent_of(top, above) as (directory, name):
                document = read_document(directory, name, above)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            continue
        if document is not None and document.link:
            return True
    return False


def _refuse_files(directory: int, name: str, path: str) -> None:
    """Raises `Stale` where a directory that must make way for a file still holds something."""
    below = open_directory(directory, name)
    try:
        for entry in os.listdir(below):
            if not _is_directory(below, entry):
                raise Stale(f"{path} is a directory with files in it", hint="make the proposal anew", path=path)
            _refuse_files(below, entry, path)
    finally:
        os.close(below)


def _refuse_hostile_places(root: Path, change_set: ChangeSet) -> None:
    """The path rule once more, now against the tree that is about to be written."""
    for ruling in judge_paths(change_set, Disk(root)):
        if ruling.outcome == "deny":
            raise ApplyFailed(ruling.reason.message, hint=ruling.reason.fix, path=ruling.reason.path)


def _is_directory(directory: int, name: str) -> bool:
    try:
        os.close(open_directory(directory, name))
    except OSError:
        return False
    return True


@contextmanager
def _opened(root: Path) -> Iterator[int]:
    try:
        top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ApplyFailed(f"cannot open the root {root}: {error.strerror}", hint="check that it exists") from error
    try:
        yield top
    finally:
        os.close(top)


@contextmanager
def _directory(top: int, path: str) -> Iterator[int]:
    directory = open_directory(top, path)
    try:
        yield directory
    finally:
        os.close(directory)


def _changed_meanwhile(path: str) -> ApplyFailed:
    return ApplyFailed(
        f"an apply was cut short, and somebody has changed {path} meanwhile; it was left as it is",
        hint="its old version is in a file named .octolimb-* near it; the next apply will touch neither",
        path=path,
    )


def _failed(error: OSError) -> ApplyFailed:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return ApplyFailed(
            f"a symbolic link or a file is in the way of {error.filename}", hint="name the real path instead"
        )
    hints = {
        errno.EROFS: "the tree is read-only",
        errno.ENOSPC: "make room on the disk",
        errno.EACCES: "check its mode",
    }
    reason = error.strerror or str(error)
    return ApplyFailed(f"the disk refused: {reason}; nothing was changed", hint=hints.get(error.errno or 0))
