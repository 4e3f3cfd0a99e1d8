"""A real tree that gets the operations that a workspace gets, by plain system calls: what every view must agree with.

Its rules are those of a disk with two exceptions that the product makes: new names are in NFC, but for those that lie
below, and a directory that only edits made is there as long as something is in it.
"""

from __future__ import annotations

import os
import shutil
import stat
import unicodedata
from pathlib import Path

Tree = dict[str, tuple[str, int, bytes]]
"""By path as the disk spells it: kind, permission bits (none for a link), and bytes or target."""


class Refused(Exception):
    """What no disk would do either."""


class RealTree:
    def __init__(self, root: Path, disk: Path) -> None:
        """`root` holds what `disk` held, which is not written to and only tells spellings."""
        self.root = root
        self._disk = disk
        self.kept = {str(path) for path in directories(root)}
        self.touched: set[str] = set()
        self.staged: set[str] = set()

    def write(self, path: str, data: bytes) -> None:
        place = self.place(path, last=True)
        if place.is_dir():
            raise Refused
        self._make_parents(place)
        mode = place.stat().st_mode if place.exists() else 0o644
        place.write_bytes(data)
        place.chmod(stat.S_IMODE(mode))
        self._note(place)
        self.staged.add(str(place))

    def delete(self, path: str) -> None:
        place = self.place(path)
        if not os.path.lexists(place):
            raise Refused
        self._remove(place)
        self._note(place)

    def rename(self, old: str, new: str) -> None:
        source, target = self.place(old), self.place(new)
        if not os.path.lexists(source) or os.path.lexists(target) or source in target.parents:
            raise Refused
        self._make_parents(target)
        moved = [source, *source.rglob("*")] if not source.is_symlink() else [source]
        os.rename(source, target)
        for path in moved:
            place = target / path.relative_to(source)
            if not place.is_dir() or place.is_symlink():
                # A move stages its file anew, under names in NFC.
                self._respell(place)
        self._forget(source)
        self._note(source)
        self._note(target)
        self._prune()

    def place(self, raw: str, *, last: bool = False) -> Path:
        """Where a path leads, found as the kernel does it; new names in NFC. Raises `Refused` outside the root."""
        here = self.root
        *parents, name = normal(raw).split("/")
        for segment in parents:
            here = self._follow(here / self._spelt(here, segment))
        here = here / self._spelt(here, name)
        return self._follow(here) if last else here

    def _follow(self, step: Path) -> Path:
        if not step.is_symlink():
            return step
        real = Path(os.path.realpath(step))
        # What is looked up without the kernel climbs out of directories that are not there; a loop leads to itself.
        climbs = ".." in os.readlink(step) and not (step.parent / os.readlink(step)).parent.is_dir()
        if climbs or real.is_symlink() or not real.is_relative_to(self.root):
            raise Refused
        # Under the name that the link has nothing can be made.
        other = not os.path.lexists(real) and self._spelt(real.parent, normal(real.name)) != real.name
        if other:
            raise Refused
        return real

    def _spelt(self, directory: Path, name: str) -> str:
        found = spelt(directory, name)
        return spelt(self._disk / directory.relative_to(self.root), name) if found == name else found

    def _make_parents(self, place: Path) -> None:
        for above in reversed(place.parents):
            if above.is_relative_to(self.root) and not above.is_dir():
                if os.path.lexists(above):
                    raise Refused
                above.mkdir(mode=0o755)

    def _remove(self, place: Path) -> None:
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
            self._forget(place)
        else:
            place.unlink()
        self._prune()

    def _respell(self, place: Path) -> None:
        respelt = self.root
        for segment in place.relative_to(self.root).parts:
            name = normal(segment)
            respelt /= spelt(self._disk / respelt.relative_to(self.root), name)
        if respelt != place:
            respelt.parent.mkdir(parents=True, exist_ok=True)
            place.rename(respelt)

    def _forget(self, place: Path) -> None:
        self.kept = {path for path in self.kept if path != str(place) and not path.startswith(f"{place}/")}

    def _note(self, place: Path) -> None:
        self.touched.add(str(place))
        self.staged = {path for path in self.staged if path != str(place) and not path.startswith(f"{place}/")}

    def _prune(self) -> None:
        for path in sorted(directories(self.root), reverse=True):
            if str(path) not in self.kept and not any(path.iterdir()):
                path.rmdir()


def normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def spelt(directory: Path, name: str) -> str:
    """A name in NFC as the disk spells it; itself where it is new."""
    if os.path.lexists(directory / name) or not directory.is_dir():
        return name
    others = sorted(other for other in os.listdir(directory) if normal(other) == name)
    return others[0] if others else name


def directories(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_dir() and not path.is_symlink()]


def described(root: Path) -> Tree:
    """A tree with its directories; links that name the tree itself by an absolute path say `ROOT` there."""
    tree: Tree = {}
    for path in root.rglob("*"):
        status = path.lstat()
        name = str(path.relative_to(root))
        if stat.S_ISLNK(status.st_mode):
            tree[name] = "link", 0, os.fsencode(os.readlink(path)).replace(os.fsencode(root), b"ROOT")
        elif stat.S_ISDIR(status.st_mode):
            tree[name] = "directory", stat.S_IMODE(status.st_mode), b""
        else:
            tree[name] = "file", stat.S_IMODE(status.st_mode), path.read_bytes()
    return tree
