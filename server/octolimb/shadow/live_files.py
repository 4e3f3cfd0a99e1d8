"""The two ways in which a live shadow has its files: an overlay over the disk, and a private copy. Standard library."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable

from octolimb.shadow import kernel
from octolimb.shadow.live_tree import TEMPORARY, LiveTree, Told, ancestors, is_at_or_below, mark_of, marks_below
from octolimb.shadow.reaping import standstill
from octolimb.shadow.view import Ground, bind_volumes, mount_shadow, remove


class LiveMount(LiveTree):
    """An overlay at the root's own path, in a mount and a PID namespace that are ours alone.

    Writes go through the mount, so that the kernel keeps its books; only what shows the disk again is taken out of the
    upper directory beneath it, which the kernel notices at the remount that follows.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._stage = f"/proc/self/fd/{ground.stage_fd}"
        self._mounts = 0
        self._mount()
        super().__init__(ground.root, f"{self._stage}/low")

    @property
    def _upper(self) -> str:
        return f"{self._stage}/upper{self._mounts}"

    def _mount(self) -> None:
        mount_shadow(self._ground, str(self._mounts), redirects=False)
        bind_volumes(self._ground)

    def _remount(self) -> None:
        """Drops every cached look-up that is not in use. The flags are said again, or they would be lost."""
        flags = kernel.MS_REMOUNT | kernel.MS_NOSUID | kernel.MS_NODEV
        kernel.mount(None, self.root, "", flags)

    def _reveal(self, paths: list[str]) -> None:
        for path in paths:
            remove(f"{self._upper}/{path}")
            self._copied -= {copied for copied in self._copied if copied == path or copied.startswith(path + "/")}
            prune_above(self._upper, path)
        self._remount()
        self._touch_above(paths)
        self._check(paths)

    def _touch_above(self, paths: Iterable[str]) -> None:
        """Has the directories above listed anew, and gives each a time of its own.

        A merged directory shows the upper one's time, which changes below it do not move. And its list of names is
        kept while any child has it open: only a name that comes or goes through the mount makes the kernel forget it.
        """
        for directory in sorted({"", *(above for path in paths for above in ancestors(path))}):
            merged = f"{self.root}/{directory}".removesuffix("/")
            if os.path.isdir(f"{self._upper}/{directory}"):
                with contextlib.suppress(OSError):
                    passing = self._temporary_beside(f"{merged}/x")
                    os.mkdir(passing)
                    os.rmdir(passing)
                    self.stamp(merged)

    def _take_over(self, told: list[Told], same_time: set[str], looked_at: Iterable[str]) -> None:
        paths = [one.path for one in told]
        for path in self._copied & set(paths):
            remove(f"{self._upper}/{path}")
            self._copied.discard(path)
            prune_above(self._upper, path)
        self._remount()
        # What came and went again is no event, but may still be listed.
        self._touch_above([*paths, *looked_at])
        for path in sorted(same_time):
            self._copy_up(path)

    def _copy_up(self, path: str) -> None:
        source = f"{self.disk}/{path}"
        # A link is read anew each time.
        with contextlib.suppress(FileNotFoundError):
            if not os.path.islink(source):
                self._put(f"{self.root}/{path}", None, stat.S_IMODE(os.stat(source).st_mode), source)
                self._copied.add(path)

    def _check(self, paths: Iterable[str]) -> None:
        paths = list(paths)
        # Where the disk moved on between the two looks, this is for nothing: its watcher will tell of that.
        if not (all(self._is_fresh(path) for path in paths) and self._are_listed(paths)):
            self._replace()

    def _is_fresh(self, path: str) -> bool:
        shown = mark_of(f"{self.root}/{path}")
        real = mark_of(f"{self.disk}/{path}")
        if shown is None or real is None:
            same = shown is real
        else:
            same = (shown.format, shown.mtime_ns, shown.size) == (real.format, real.mtime_ns, real.size)
        return same or path in self._copied or self._is_of_crate(path)

    def _are_listed(self, paths: Iterable[str]) -> bool:
        """Whether each directory above these lists what it has, no more and no less."""
        above = {directory for path in paths for directory in ("", *ancestors(path))}
        gone: dict[str, set[str]] = {directory: set() for directory in above}
        made: dict[str, set[str]] = {directory: set() for directory in above}
        for path, is_made in self._crate.items():
            inner = path
            while inner:
                directory, name = os.path.split(inner)
                if directory in above:
                    (made if is_made else gone)[directory].add(name)
                inner = directory if is_made else ""
        return all(
            names_in(f"{self.root}/{directory}")
            == (names_in(f"{self.disk}/{directory}") - gone[directory]) | made[directory]
            for directory in above
            # What the crate hides has no names of the disk, and what is reached through a link is another directory.
            if not any(hidden in self._crate for hidden in (directory, *ancestors(directory)))
            and self._place_of(f"{directory}/x") == f"{directory}/x"
        )

    def _is_of_crate(self, path: str) -> bool:
        if any(above in self._crate for above in (path, *ancestors(path))):
            return True
        return any(made and is_at_or_below(inner, path) for inner, made in self._crate.items())

    def _replace(self) -> None:
        """Mounts afresh, filled again, while every child stands still: for what is stale because it is in use."""
        old = self._upper
        with standstill():
            kernel.detach(self.root)
            self._mounts += 1
            self._mount()
            for path, made in self._crate.items():
                if not made:
                    remove(f"{self.root}/{path}")
            for path in [*(path for path, made in self._crate.items() if made), *self._copied]:
                self._move_over(f"{old}/{path}", f"{self.root}/{path}")
        shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(f"{self._stage}/work{self._mounts - 1}", ignore_errors=True)

    def _move_over(self, source: str, target: str) -> None:
        """The same file in the new overlay, with the same time: to children nothing happened."""
        status = os.lstat(source)
        self._make_parents(target)
        temporary = self._temporary_beside(target)
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(source), temporary)
        else:
            shutil.copyfile(source, temporary)
            os.chmod(temporary, stat.S_IMODE(status.st_mode))
            os.utime(temporary, ns=(status.st_mtime_ns, status.st_mtime_ns))
        self._rename(temporary, target)


class LiveCopy(LiveTree):
    """A private copy that exists already; the disk is copied into it piece by piece as it changes."""

    def _reveal(self, paths: list[str]) -> None:
        for path in paths:
            self._copy(path)

    def _take_over(self, told: list[Told], same_time: set[str], looked_at: Iterable[str]) -> None:
        del same_time, looked_at  # Each file that is copied gets a time of its own, and each list is read afresh.
        for one in told:
            if one.kind == "deleted":
                remove(f"{self.root}/{one.path}")
            elif not one.directory:
                self._copy(one.path)
            elif not os.path.isdir(f"{self.root}/{one.path}"):
                self._make_parents(f"{self.root}/{one.path}/x")

    def _check(self, paths: Iterable[str]) -> None:
        """Nothing is cached: what was copied is what is shown."""

    def _copy(self, path: str) -> None:
        """Makes the copy at and below `path` as the disk is, and removes directories above that it does not have."""
        target = f"{self.root}/{path}"
        real = dict(marks_below(self.disk, path))
        if path not in real or not real[path].is_directory:
            remove(target)
        for inner, mark in real.items():
            source, place = f"{self.disk}/{inner}", f"{self.root}/{inner}"
            with contextlib.suppress(FileNotFoundError):
                if mark.is_directory:
                    self._make_parents(f"{place}/x")
                elif stat.S_ISLNK(mark.format):
                    self._make_parents(place)
                    temporary = self._temporary_beside(place)
                    os.symlink(os.readlink(source), temporary)
                    self._rename(temporary, place)
                elif stat.S_ISREG(mark.format):
                    self._make_parents(place)
                    self._put(place, None, stat.S_IMODE(os.stat(source).st_mode), source)
        for inner, _ in list(marks_below(self.root, path)):
            if inner not in real:
                remove(f"{self.root}/{inner}")
        prune_above(self.root, path, keep=self.disk)


def names_in(directory: str) -> set[str]:
    """What a directory lists, but for files of ours in the making; empty where there is none to be read."""
    try:
        return {name for name in os.listdir(directory) if not name.startswith(TEMPORARY)}
    except OSError:
        return set()


def prune_above(top: str, path: str, *, keep: str | None = None) -> None:
    """Removes the directories above `path` that are empty, but for those that there are below `keep` too."""
    for above in reversed(ancestors(path)):
        if keep is not None and os.path.lexists(f"{keep}/{above}"):
            return
        try:
            os.rmdir(f"{top}/{above}")
        except FileNotFoundError:
            continue
        except OSError:
            return
