"""The record by which an apply that was cut short is undone: what was planned, and where the old files went.

It lives in a state directory outside the repository, one per root, under a lock. It holds names and digests, no
contents: the old files themselves stand aside, under hidden names beside the places that they came from, so that
undoing needs no room on the disk. `undo` is idempotent and never overwrites what somebody else has written since.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from octolimb.core.document import Document
from octolimb.core.errors import ApplyFailed, BadInput
from octolimb.core.paths import RelPath
from octolimb.guard.files import Files, exists, open_directory, parent_of, read_document, same_file

VERSION: Final = 1
_JOURNAL: Final = "journal.json"
_LOCK: Final = "lock"

_NO_FILE: Final = "no file"
"""In place of a digest, for a directory or a device."""

Phase = Literal["begun", "done"]


@dataclass(frozen=True)
class Step:
    """One path's part. The new file waits as `temporary` in the directory `stage`; the old one stands there as `aside`.

    A digest of None is "no file". Without `temporary` the path only goes; without `aside` there was nothing before.
    """

    path: str
    stage: str
    temporary: str | None
    aside: str | None
    before: str | None
    after: str | None


@dataclass(frozen=True)
class MovedDirectory:
    """An empty directory tree that makes way for a file: it stands in `stage` as `aside` until all is done."""

    path: str
    stage: str
    aside: str


@dataclass(frozen=True)
class Journal:
    """An apply in progress. `made` are the directories that it makes, outermost first."""

    phase: Phase
    steps: tuple[Step, ...] = ()
    moved: tuple[MovedDirectory, ...] = ()
    made: tuple[str, ...] = ()
    version: int = field(default=VERSION)


class Place:
    """The state directory of one root, locked while `locked_place` holds it."""

    def __init__(self, directory: int, where: Path) -> None:
        self._directory = directory
        self.where = where

    def write(self, journal: Journal, files: Files) -> None:
        """Replaces the journal at once and for good. Raises `OSError`, and then the old one still stands."""
        content = json.dumps(asdict(journal), sort_keys=True).encode()
        name = f"{_JOURNAL}.new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._directory)
        files.create(self._directory, name, Document(RelPath(name), content, 0o600), None)
        files.rename(self._directory, name, self._directory, _JOURNAL)
        try:
            files.sync(self._directory)
        except OSError:
            # From here on "done" is what a reader finds, so the apply must be taken for done, even if a power failure
            # may yet bring back the earlier record and undo it whole.
            if journal.phase != "done":
                raise

    def read(self) -> Journal | None:
        """The journal that an apply left behind, or None. Raises `ApplyFailed` for one that cannot be understood."""
        document = read_document(self._directory, _JOURNAL, RelPath(_JOURNAL))
        if document is None:
            return None
        try:
            fields: dict[str, Any] = json.loads(document.data)
            if fields["version"] != VERSION or fields["phase"] not in ("begun", "done"):
                raise ValueError("another version wrote it")
            return Journal(
                fields["phase"],
                tuple(Step(**step) for step in fields["steps"]),
                tuple(MovedDirectory(**moved) for moved in fields["moved"]),
                tuple(str(path) for path in fields["made"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ApplyFailed(
                f"the record of an earlier apply cannot be read ({error})",
                hint=f"look for files named .octolimb-* in the repository, then remove {self.where / _JOURNAL}",
            ) from None

    def clear(self, files: Files) -> None:
        """Forgets the journal. Raises `OSError`."""
        for name in (f"{_JOURNAL}.new", _JOURNAL):
            if exists(self._directory, name):
                files.unlink(self._directory, name)
        files.sync(self._directory)


@contextlib.contextmanager
def locked_place(root: Path, state: Path) -> Iterator[Place]:
    """The state directory of `root` below `state`, made where it is missing, for this process alone.

    Raises `BadInput` where `state` is inside the root, and `ApplyFailed` where another process holds it or it cannot
    be made.
    """
    real_root, real_state = Path(os.path.realpath(root)), Path(os.path.realpath(state))
    if real_state == real_root or real_root in real_state.parents:
        raise BadInput(f"the state directory {state} is inside the repository", hint="keep it outside")
    where = real_state / "apply" / hashlib.sha256(os.fsencode(real_root)).hexdigest()[:32]
    try:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory = os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ApplyFailed(
            f"cannot keep a record in {where}: {error.strerror}", hint="make the state directory writable"
        ) from error
    try:
        lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=directory)
    except OSError as error:
        os.close(directory)
        raise ApplyFailed(f"cannot lock {where}: {error.strerror}", hint="make the state directory writable") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ApplyFailed("another apply to this repository is running", hint="try again when it is done") from None
        yield Place(directory, where)
    finally:
        os.close(lock)
        os.close(directory)


def undo(root: int, journal: Journal, files: Files) -> list[str]:
    """Puts every file back as it was before `journal` began, and removes what it left. Idempotent.

    Returns the paths that somebody else has changed since; those are left as they are, and so are their old versions,
    which stand aside. Raises `OSError` where the disk refuses; then it can be called again.
    """
    conflicts: list[str] = []
    touched: set[str] = set()
    steps = journal.steps[::-1]
    replaced = [step for step in steps if step.temporary is not None and step.before is not None]
    created = [step for step in steps if step.temporary is not None and step.before is None]
    removed = [step for step in steps if step.temporary is None]
    conflicts += [step.path for step in replaced if not _put_back(root, step, files)]
    conflicts += [step.path for step in created if not _take_back(root, step, files)]
    for path in reversed(journal.made):
        _remove_made(root, path, files)
    for moved in reversed(journal.moved):
        _move_back(root, moved, files)
    conflicts += [step.path for step in removed if not _put_back(root, step, files)]
    for step in steps:
        touched.update((step.stage, step.path.rpartition("/")[0]))
    sync_directories(root, touched, files)
    return conflicts


def finish(root: int, journal: Journal, files: Files) -> None:
    """Removes what stands aside once all is in place. Idempotent. Raises `OSError`; then it can be called again."""
    for step in journal.steps:
        with _stage(root, step.stage) as stage:
            for name in (step.aside, step.temporary):
                if stage is not None and name is not None and exists(stage, name):
                    files.unlink(stage, name)
    for moved in journal.moved:
        with _stage(root, moved.stage) as stage:
            if stage is not None and exists(stage, moved.aside):
                _remove_tree(stage, moved.aside, files)
    stages = {step.stage for step in journal.steps} | {moved.stage for moved in journal.moved}
    sync_directories(root, stages, files)


def sync_directories(root: int, paths: set[str], files: Files) -> None:
    """Makes the entries of these directories last; those that are gone are skipped. Raises `OSError`."""
    for path in sorted(paths):
        with _stage(root, path) as directory:
            if directory is not None:
                files.sync(directory)


def _put_back(root: int, step: Step, files: Files) -> bool:
    """The old file returns to its name, unless somebody else has put something there."""
    with _stage(root, step.stage) as stage:
        if stage is None:
            return True
        if step.temporary is not None and exists(stage, step.temporary):
            files.unlink(stage, step.temporary)
        if step.aside is None or not exists(stage, step.aside):
            return True
        try:
            with parent_of(root, step.path) as (directory, name):
                if same_file(directory, name, stage, step.aside):
                    files.unlink(stage, step.aside)
                    return True
                found = _digest_at(directory, name, step.path)
                if found == step.before:
                    # Somebody has put it back already.
                    files.unlink(stage, step.aside)
                    return True
                if found not in (None, step.after):
                    return False
                files.rename(stage, step.aside, directory, name)
                return True
        except (FileNotFoundError, NotADirectoryError):
            return False


def _take_back(root: int, step: Step, files: Files) -> bool:
    """A created file goes again, unless it was never put in place or somebody has changed it."""
    with _stage(root, step.stage) as stage:
        if stage is None or step.temporary is None:
            return True
        if exists(stage, step.temporary):
            files.unlink(stage, step.temporary)
            return True
        try:
            with parent_of(root, step.path) as (directory, name):
                found = _digest_at(directory, name, step.path)
                if found != step.after:
                    # Nothing, or a directory that was to make way and still stands, is as it was.
                    return found in (None, _NO_FILE)
                files.unlink(directory, name)
                return True
        except (FileNotFoundError, NotADirectoryError):
            return True


def _digest_at(directory: int, name: str, path: str) -> str | None:
    try:
        document = read_document(directory, name, RelPath(path))
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.EINVAL):
            return _NO_FILE
        raise
    return document.digest if document is not None else None


def _remove_made(root: int, path: str, files: Files) -> None:
    try:
        with parent_of(root, path) as (directory, name):
            files.remove_directory(directory, name)
    except OSError as error:
        # Gone already, never made, or in use by somebody else by now.
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST):
            raise


def _move_back(root: int, moved: MovedDirectory, files: Files) -> None:
    with _stage(root, moved.stage) as stage:
        if stage is not None and exists(stage, moved.aside):
            with parent_of(root, moved.path) as (directory, name):
                files.rename(stage, moved.aside, directory, name)


def _remove_tree(directory: int, name: str, files: Files) -> None:
    """Removes a tree of directories. It holds no files: `apply` made sure of that before it moved it here."""
    here = open_directory(directory, name)
    try:
        for below in os.listdir(here):
            _remove_tree(here, below, files)
    finally:
        os.close(here)
    files.remove_directory(directory, name)


@contextlib.contextmanager
def _stage(root: int, path: str) -> Iterator[int | None]:
    try:
        directory = open_directory(root, path)
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    try:
        yield directory
    finally:
        os.close(directory)
