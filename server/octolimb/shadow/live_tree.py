"""The files of a live shadow, as the process sees them that alone may change them. It knows no child and no message.

A `LiveTree` holds the disk under the crate, moves when either changes, and tells the exact difference between what was
to be seen before and after. `LiveMount` does it with an overlay, `LiveCopy` on a private copy. Standard library only.

Why so much care (measured, Linux 6.18): an overlay keeps showing what it once looked up, whatever happens below it,
until a remount drops what is not in use; ty takes a file or a listing for unchanged when its modification time is.
So each file gets a time of its own, a change that keeps the time is shown as a copy that does not, and what is still
stale after a remount makes us mount afresh.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, TypedDict

from octolimb.shadow.view import remove

SKIPPED: Final = frozenset(
    {".git", ".hg", ".svn", ".mypy_cache", ".pytest_cache", ".ruff_cache", "__pycache__", "node_modules"}
)
"""Directories whose content is no source: outside changes in them are no events."""
_RACY_NS: Final = 20_000_000
"""Kernels before 6.13 tell times apart by a tick of at most 10 ms: a file as young as that may change unseen."""
TEMPORARY: Final = ".octolimb~"


class Item(TypedDict):
    """One entry of the crate. `kind` is `file`, `link` or `gone`; the bytes lie at `offset` in the payload."""

    path: str
    kind: str
    mode: int
    offset: int
    length: int


class Orders(TypedDict):
    """How to come from one crate to the next, in this order.

    `revealed` show the disk again, they and all below them; `items` are then made, among them again whatever the next
    crate holds below a revealed path.
    """

    revealed: list[str]
    items: list[Item]


class Told(NamedTuple):
    """One effective change; `kind` is `created`, `changed` or `deleted`."""

    path: str
    kind: str
    directory: bool


class Mark(NamedTuple):
    """By what a file or directory is known again. Of a directory only that it is one counts."""

    format: int
    mtime_ns: int = 0
    size: int = 0
    ctime_ns: int = 0
    inode: int = 0
    is_racy: bool = False
    """Looked at so soon after its change that a second change could look the same."""

    @property
    def is_directory(self) -> bool:
        return self.format == stat.S_IFDIR


Marks = dict[str, Mark]


class LiveTree(ABC):
    """`root` is where children see it, `disk` where this process sees the real files. Paths are relative to both."""

    def __init__(self, root: str, disk: str) -> None:
        self.root = root
        self.disk = disk
        self._crate: dict[str, bool] = {}
        """Every path that the crate speaks of; false for a tombstone."""
        self._real: dict[str, str] = {}
        """Paths of the crate that lead through a link in the repository, and where they end."""
        self._copied: set[str] = set()
        """Files that are as on the disk, but for a modification time of their own."""
        self._stamp = 0
        self._temporaries = 0
        self._known: Marks = dict(marks_below(disk, ""))

    # -- the crate changes -------------------------------------------------------------------------------------

    def apply(self, orders: Orders, payload: memoryview) -> tuple[list[Told], dict[str, str]]:
        """Makes the next crate. What had to be told, and what could not be made, with the reason."""
        revealed = [self._real.pop(path, path) for path in orders["revealed"]]
        places = {item["path"]: self._place_of(item["path"]) for item in orders["items"]}
        targets = list(dict.fromkeys([*revealed, *(place for place in places.values() if place)]))
        before = self._seen_at(targets)
        if revealed:
            for path in revealed:
                for inner in [known for known in self._crate if is_at_or_below(known, path)]:
                    del self._crate[inner]
            self._reveal(revealed)
        refused: dict[str, str] = {}
        for item in orders["items"]:
            path = item["path"]
            place = places[path]
            try:
                if place is None:
                    raise OSError(errno.EXDEV, "it leads out of the root")
                self._make(place, item, payload[item["offset"] : item["offset"] + item["length"]])
            except OSError as error:
                refused[path] = error.strerror or str(error)
                continue
            self._crate[place] = item["kind"] != "gone"
            self._copied.discard(place)
            if place != path:
                self._real[path] = place
        told = differences(before, self._seen_at(targets))
        return [*told, *self._told_again(told, orders)], refused

    def _place_of(self, path: str) -> str | None:
        """The path itself, or where it leads through links in the repository; None where that is outside."""
        parent = os.path.dirname(f"{self.root}/{path}")
        real = os.path.realpath(parent)
        if real == parent:
            return path
        if not is_at_or_below(real, self.root):
            return None
        return os.path.relpath(f"{real}/{os.path.basename(path)}", self.root)

    def _told_again(self, told: list[Told], orders: Orders) -> list[Told]:
        """The same for the paths that lead to these through a link: whoever knows only those is told too."""
        asked = {*orders["revealed"], *(item["path"] for item in orders["items"])}
        kinds = {one.path: one for one in told}
        return [kinds[real]._replace(path=path) for path, real in self._real.items() if path in asked and real in kinds]

    def _make(self, place: str, item: Item, content: memoryview) -> None:
        path = f"{self.root}/{place}"
        if item["kind"] == "gone":
            remove(path)
        elif item["kind"] == "link":
            self._make_parents(path)
            temporary = self._temporary_beside(path)
            os.symlink(bytes(content), os.fsencode(temporary))
            self._rename(temporary, path)
        else:
            self._make_parents(path)
            self._put(path, content, item["mode"])

    # -- the disk changes --------------------------------------------------------------------------------------

    def follow_disk(self, paths: list[str] | None) -> list[Told]:
        """Makes outside changes visible at these paths, or wherever there are any. What had to be told."""
        before, after = self._disk_differences(paths)
        implied = {above for path, made in self._crate.items() if made for above in ancestors(path)}
        told = [
            one
            for one in differences(before, after, was_racy=True)
            # What the crate has there, or above, decides; and a directory that it needs is there in any case.
            if one.path not in implied and not any(path in self._crate for path in (one.path, *ancestors(one.path)))
        ]
        # Same time, other content: nothing that goes by the time would look again.
        same_time = {
            one.path
            for one in told
            if one.kind == "changed"
            and one.path not in self._copied
            and before[one.path].mtime_ns == after[one.path].mtime_ns
        }
        looked_at = [*self._known, *self._crate] if paths is None else [path for path in paths if not is_skipped(path)]
        self._take_over(told, same_time, looked_at)
        self._check([*(one.path for one in told), *looked_at])
        return told

    def _disk_differences(self, paths: list[str] | None) -> tuple[Marks, Marks]:
        """What was and what is on the disk, at and below the paths; from here on the latter is known."""
        if paths is None:
            before, self._known = self._known, dict(marks_below(self.disk, ""))
            return before, self._known
        before, after = {}, {}
        unknowable: set[str] = set()
        for path in paths:
            above = ancestors(path)
            if is_skipped(path):
                continue
            for directory in above:
                if directory not in self._known and (mark := mark_of(f"{self.disk}/{directory}")) is not None:
                    after[directory] = mark
            inside = dict(marks_below(self.disk, path))
            after.update(inside)
            if any(os.path.exists(f"{self.disk}/{directory}/pyvenv.cfg") for directory in above):
                # Installed packages are not known file by file: what is there is told as new.
                unknowable.update((path, *above, *inside))
                if not inside:
                    before[path] = Mark(stat.S_IFREG)
                continue
            was = self._known.get(path)
            if was is not None:
                before[path] = was
            if was is None or was.is_directory:
                before.update({inner: mark for inner, mark in self._known.items() if inner.startswith(path + "/")})
        for path in before:
            self._known.pop(path, None)
        self._known.update({path: mark for path, mark in after.items() if path not in unknowable})
        return before, after

    # -- what differs between overlay and copy -----------------------------------------------------------------

    @abstractmethod
    def _reveal(self, paths: list[str]) -> None:
        """Shows the disk at and below these paths again; of the crate nothing is left there."""

    @abstractmethod
    def _take_over(self, told: list[Told], same_time: set[str], looked_at: Iterable[str]) -> None:
        """Makes outside changes visible; those of `same_time` with a modification time of their own.

        At the paths that were `looked_at` something may have come and gone.
        """

    @abstractmethod
    def _check(self, paths: Iterable[str]) -> None:
        """Looks whether these are shown as they are, and sees to it. Raises `OSError` where that fails."""

    # -- writing through ---------------------------------------------------------------------------------------

    def _put(self, path: str, content: memoryview | None, mode: int, source: str = "") -> None:
        """Puts a file in one step in place of what is there, from bytes or a source, with a time of its own."""
        temporary = self._temporary_beside(path)
        try:
            if content is None:
                shutil.copyfile(source, temporary)
            else:
                with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                    file.write(content)
            os.chmod(temporary, mode)
            self.stamp(temporary)
            self._rename(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise

    def _rename(self, temporary: str, path: str) -> None:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        os.rename(temporary, path)

    def _temporary_beside(self, path: str) -> str:
        self._temporaries += 1
        return f"{os.path.dirname(path)}/{TEMPORARY}{self._temporaries}"

    def _make_parents(self, path: str) -> None:
        parent = os.path.dirname(path)
        if os.path.isdir(parent):
            return
        self._make_parents(parent)
        if os.path.lexists(parent):
            os.unlink(parent)
        os.mkdir(parent, 0o755)

    def stamp(self, path: str) -> None:
        """Gives a modification time that nothing here had before."""
        self._stamp = max(time.time_ns(), self._stamp + 1000)
        os.utime(path, ns=(self._stamp, self._stamp))

    def _seen_at(self, paths: Iterable[str]) -> Marks:
        """What children see at and below these paths, and of the directories above them."""
        found: Marks = {}
        for path in paths:
            for above in ancestors(path):
                if above not in found and (mark := mark_of(f"{self.root}/{above}")) is not None:
                    found[above] = mark
            found.update(marks_below(self.root, path))
        return found


def differences(before: Marks, after: Marks, *, was_racy: bool = False) -> list[Told]:
    """What to tell: what made room, new directories from the top, files, then directories that went, from the bottom.

    With `was_racy` a file that was looked at too soon after its change counts as changed.
    """
    room: list[Told] = []
    came: list[Told] = []
    files: list[Told] = []
    went: list[Told] = []
    for path in sorted(before.keys() | after.keys()):
        was, now = before.get(path), after.get(path)
        if was is not None and now is not None and was.is_directory == now.is_directory:
            if not now.is_directory and (was[:-1] != now[:-1] or (was_racy and was.is_racy)):
                files.append(Told(path, "changed", directory=False))
            continue
        if was is not None:
            gone = Told(path, "deleted", was.is_directory)
            (went if was.is_directory else files if now is None else room).append(gone)
        if now is not None:
            (came if now.is_directory else files).append(Told(path, "created", now.is_directory))
    made = {one.path for one in files if one.kind == "created"}
    # A file that takes the place of a directory comes after the directory went.
    late = [one for one in files if one.path in made and one.path in before]
    return [*room, *came, *(one for one in files if one not in late), *reversed(went), *late]


def is_skipped(path: str) -> bool:
    return not SKIPPED.isdisjoint(path.split("/"))


def ancestors(path: str) -> list[str]:
    """Every directory above a path, from the top."""
    return [path[:index] for index, letter in enumerate(path) if letter == "/"]


def is_at_or_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory + "/")


def marks_below(top: str, path: str) -> Iterator[tuple[str, Mark]]:
    """Everything at and below `path` ("" for all, itself left out), the content of skipped directories left out."""
    mark = mark_of(f"{top}/{path}") if path else Mark(stat.S_IFDIR)
    if mark is None:
        return
    if path:
        yield path, mark
    if not mark.is_directory:
        return
    pending = [] if path and os.path.exists(f"{top}/{path}/pyvenv.cfg") else [path]
    while pending:
        directory = pending.pop()
        try:
            with os.scandir(f"{top}/{directory}" if directory else top) as found:
                entries = list(found)
        except OSError:
            continue
        for entry in entries:
            below = f"{directory}/{entry.name}" if directory else entry.name
            if entry.name.startswith(TEMPORARY):
                continue
            if not entry.is_dir(follow_symlinks=False):
                if (mark := mark_of(entry.path)) is not None:
                    yield below, mark
                continue
            yield below, Mark(stat.S_IFDIR)
            if entry.name not in SKIPPED and not os.path.exists(f"{entry.path}/pyvenv.cfg"):
                pending.append(below)


def mark_of(path: str) -> Mark | None:
    """None where there is nothing, or nothing that can be looked at."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    form = stat.S_IFMT(status.st_mode)
    if form == stat.S_IFDIR:
        return Mark(form)
    is_racy = time.time_ns() - status.st_ctime_ns < _RACY_NS
    return Mark(form, status.st_mtime_ns, status.st_size, status.st_ctime_ns, status.st_ino, is_racy)
