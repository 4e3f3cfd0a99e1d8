"""A private copy of the repository, for machines on which nothing can be mounted. Files share blocks where they can.

Exact in names, bytes, modes, modification times and symbolic links; but an absolute link into the repository leads into
the copy, and pytest's own caches of rewritten modules, which name the files that they were made from, are left out. So
are installed things that tests do not read as sources: virtual environments and `node_modules`; run those at their real
place. Of `.git` the objects are not copied but named as alternates, so git sees all of them and writes none. Sockets,
pipes and devices are left out.
No hard link is ever made: through one, a write in the copy would reach the user's file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import stat
import tempfile
import weakref
from pathlib import Path
from typing import Final

from octolimb.core.errors import CannotIsolate
from octolimb.shadow.view import CrateEntry, write_crate

_FICLONE: Final = 0x40049409
"""From linux/fs.h; btrfs, XFS, bcachefs and overlayfs above them know it."""
_LEFT_OUT: Final = frozenset({"node_modules"})
_PREFIX: Final = "octolimb-copy-"
_LOCK: Final = "lock"
_REWRITTEN: Final = re.compile(r"-pytest-[^/]*\.py[co]$")
"""Python puts the path from which it loads into a module's code; before 9.2 pytest left in what its cache has."""


class PrivateCopy:
    """One copy below a temporary directory that only this user can enter. Removed by `drop`."""

    def __init__(self, scratch: Path, name: str, source: Path) -> None:
        self.scratch = scratch
        self._source = source
        self.root = scratch / name
        self.home = scratch / "home"
        self.temporary = scratch / "tmp"
        self._times: dict[Path, os.stat_result] = {}
        # Whoever finds this lock free finds a copy whose owner was killed: so it gets its name only when it is held.
        nameless = scratch / f"{_LOCK}.new"
        self._lock = os.open(nameless, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        nameless.rename(scratch / _LOCK)
        self._removal = weakref.finalize(self, _remove, str(scratch), self._lock)
        # At the exit the host closes its shadows, in an order that finalizers do not have.
        self._removal.atexit = False

    @classmethod
    def of(cls, root: Path) -> PrivateCopy:
        """Copies the tree as it is now. Raises `CannotIsolate` where it cannot be read or there is no room."""
        copy = cls.reserve(root)
        copy.fill(root)
        return copy

    @classmethod
    def reserve(cls, root: Path) -> PrivateCopy:
        """A copy of `root` with nothing in it yet; see `fill`. Raises `CannotIsolate`."""
        copy: PrivateCopy | None = None
        place = scratch_place(root)
        remove_abandoned(place)
        try:
            copy = cls(Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place)).resolve(), f"root-{root.name}", root)
            for directory in (copy.root, copy.home, copy.temporary):
                directory.mkdir(mode=0o700)
        except OSError as error:
            if copy is not None:
                copy.drop()
            raise _refusal(error) from None
        return copy

    def fill(self, root: Path) -> None:
        """Copies the tree as it is now. Raises `CannotIsolate`; then the copy is dropped."""
        try:
            self._fill(root)
        except OSError as error:
            self.drop()
            raise _refusal(error) from None
        except BaseException:
            self.drop()
            raise

    def apply(self, entries: list[CrateEntry], contents: bytes) -> None:
        """Makes the edits, then gives every directory that they did not touch its own mode and time again."""
        try:
            write_crate(str(self.root), *self._relocated(entries, contents))
        except OSError as error:
            raise _refusal(error) from None
        touched = {(self.root / entry["path"]).parent for entry in entries}
        for directory, status in sorted(self._times.items(), reverse=True):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                if directory not in touched:
                    os.utime(directory, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)
                directory.chmod(stat.S_IMODE(status.st_mode))

    def _relocated(self, entries: list[CrateEntry], contents: bytes) -> tuple[list[CrateEntry], memoryview]:
        """The crate with links into the repository led into the copy, as `_fill` does."""
        targets = bytearray()
        moved: list[CrateEntry] = []
        for entry in entries:
            end = entry["offset"] + entry["length"]
            target = os.fsdecode(contents[entry["offset"] : end]) if entry["kind"] == "link" else ""
            now = relocated(target, str(self._source), str(self.root))
            if now == target:
                moved.append(entry)
            else:
                encoded = os.fsencode(now)
                moved.append({**entry, "offset": len(contents) + len(targets), "length": len(encoded)})
                targets += encoded
        return moved, memoryview(contents + targets if targets else contents)

    def drop(self) -> None:
        """Removes it. Idempotent."""
        self._removal()

    def _fill(self, root: Path) -> None:
        pending = [(root, self.root)]
        prefix = str(root)
        while pending:
            source, target = pending.pop()
            self._times[target] = source.stat()
            with os.scandir(source) as found:
                for entry in found:
                    place = target / entry.name
                    if entry.is_symlink():
                        _copy_link(Path(entry.path), place, prefix, str(self.root))
                    elif entry.is_dir():
                        if entry.name not in _LEFT_OUT and not os.path.exists(f"{entry.path}/pyvenv.cfg"):
                            place.mkdir(mode=0o700)
                            pending += [(Path(entry.path), place)] if not self._link_objects(entry, place) else []
                    elif entry.is_file() and not _REWRITTEN.search(entry.name):
                        copy_file(entry.path, str(place))

    @staticmethod
    def _link_objects(entry: os.DirEntry[str], place: Path) -> bool:
        """For git's store of objects: an empty one that names the real one. False for any other directory."""
        if entry.name != "objects" or not os.path.exists(f"{entry.path}/../HEAD") or place.parent.name != ".git":
            return False
        (place / "info").mkdir()
        (place / "pack").mkdir()
        (place / "info" / "alternates").write_bytes(os.fsencode(os.path.realpath(entry.path)) + b"\n")
        return True


def copy_file(source: str, target: str) -> None:
    """Bytes, mode and times; the blocks are shared where the file system does that. Raises `OSError`."""
    with Path(source).open("rb") as reading, Path(target).open("xb") as writing:
        if not _clone(reading.fileno(), writing.fileno()):
            shutil.copyfileobj(reading, writing, 1 << 20)
    shutil.copystat(source, target)


def supports_reflinks(root: Path) -> bool:
    """Whether a copy of this root would share its blocks; tried with an empty clone of a file of our own there."""
    place = scratch_place(root)
    return os.stat(place).st_dev == os.stat(root).st_dev and _clones_in(place)


def remove_abandoned(place: str) -> None:
    """Removes the copies of this user whose owners were killed before they could."""
    for scratch in Path(place).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            # A copy that is just being made has no lock yet, and is left alone.
            if scratch.lstat().st_uid != os.getuid():
                continue
            lock = os.open(scratch / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove_tree(str(scratch))
            finally:
                os.close(lock)


def scratch_place(root: Path) -> str:
    """Where copies go: the cache directory where blocks can be shared there, else the usual temporary directory."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    for place in (tempfile.gettempdir(), cache):
        with contextlib.suppress(OSError):
            if os.stat(place).st_dev == os.stat(root).st_dev and _clones_in(place):
                return place
    return tempfile.gettempdir()


def _clones_in(place: str) -> bool:
    try:
        with tempfile.TemporaryFile(dir=place) as source, tempfile.TemporaryFile(dir=place) as target:
            source.write(b"x" * 4096)
            source.flush()
            return _clone(source.fileno(), target.fileno())
    except OSError:
        return False


def _clone(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def relocated(target: str, root: str, copy: str) -> str:
    """Where a link with this target leads in the copy: what is absolute and below `root` is below `copy` there."""
    return copy + target[len(root) :] if f"{target}/".startswith(f"{root}/") else target


def _copy_link(source: Path, target: Path, root: str, copy: str) -> None:
    os.symlink(relocated(os.readlink(source), root, copy), target)
    status = source.lstat()
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)


def _refusal(error: OSError) -> CannotIsolate:
    place = f" ({error.filename})" if error.filename else ""
    return CannotIsolate(
        f"cannot make a private copy of the repository: {error.strerror}{place}",
        hint="set TMPDIR to a directory with room that you may write",
    )


def _remove(scratch: str, lock: int) -> None:
    _remove_tree(scratch)
    os.close(lock)


def _remove_tree(path: str) -> None:
    """Also what children left without write permission, or are still writing while they are being killed."""

    def open_up(_function: object, failed: str, _error: BaseException) -> None:
        with contextlib.suppress(OSError):
            os.chmod(os.path.dirname(failed), 0o700)
            if os.path.islink(failed) or not os.path.isdir(failed):
                os.unlink(failed)
            else:
                os.chmod(failed, 0o700)
                _remove_tree(failed)

    if os.path.lexists(path):
        shutil.rmtree(path, onerror=lambda function, failed, info: open_up(function, failed, info[1]))
