"""The handle that a limb or a tool holds: one repository, read as if every edit in the crate were already made.

It writes to memory only. What reads it (sensors, guard, previews) works on `snapshot`.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from pathlib import Path

from octolimb.core.changes import ChangeSet, changes_between
from octolimb.core.document import DEFAULT_MODE, Document, text_document
from octolimb.core.errors import BadInput, NotFound
from octolimb.core.overlay import GONE, Entry
from octolimb.core.paths import RelPath, parse_directory
from octolimb.core.snapshot import Snapshot
from octolimb.workspace.disk import DiskBase
from octolimb.workspace.merge import rebase_changes


class LimbWorkspace:
    """A mutable handle on immutable snapshots. Not for use from several threads at once; `fork` for each."""

    def __init__(
        self,
        repo_root: Path | str,
        crate_files: Mapping[str, str | None] | None = None,
        *,
        base: Snapshot | None = None,
    ) -> None:
        """`crate_files` maps paths to their proposed text, or None for a deleted one.

        With `base` the edits lie in a layer of their own on that snapshot, else on the disk; O(1) either way. Raises
        `BadInput` for a root that cannot be read and `BadPath` for a path that is not plainly below it.
        """
        self.repo_root = Path(repo_root).resolve()
        self._base = Snapshot(DiskBase(self.repo_root)) if base is None else base
        self._snapshot = self._base.fork()
        if crate_files:
            self.update_crate(crate_files)

    @property
    def snapshot(self) -> Snapshot:
        """What this workspace holds now, as a value that later edits do not change."""
        return self._snapshot

    # -- reading -----------------------------------------------------------------------------------------------

    def read_bytes(self, rel_path: str) -> bytes:
        """The exact bytes, symbolic links followed. Raises `NotFound`."""
        return self._follow(RelPath(rel_path)).data

    def read_text(self, rel_path: str) -> str:
        """The exact text in the file's own encoding, line ends as they are. Raises `NotFound` and `NotText`."""
        return self._follow(RelPath(rel_path)).text

    def exists(self, rel_path: str) -> bool:
        """True for a file, a directory (also one that only the crate implies) and a link."""
        return self._snapshot.kind(parse_directory(rel_path)) is not None

    def is_dir(self, rel_path: str) -> bool:
        return self._snapshot.kind(parse_directory(rel_path)) == "directory"

    def list_files(self, directory: str = "", pattern: str = "*.py") -> list[RelPath]:
        """Files at any depth below `directory` ("" for the root) whose name matches the shell pattern, sorted."""
        below = parse_directory(directory)
        return sorted(path for path in self._snapshot.walk(below) if fnmatch.fnmatchcase(path.name, pattern))

    def glob(self, pattern: str) -> list[RelPath]:
        """Files whose whole path matches, sorted; `**` stands for any number of directories."""
        segments = RelPath(pattern).split("/")
        return sorted(path for path in self._snapshot.walk() if _matches(path.split("/"), segments))

    # -- writing (memory only) ---------------------------------------------------------------------------------

    def write(self, rel_path: str, content: str | bytes) -> None:
        """Stages a file, links followed as when reading.

        Text keeps the encoding, byte-order mark and mode that the file has; bytes keep the mode.
        Raises `BadInput` where a parent is a file or the path is a directory, and `NotText` where the text cannot be
        written in the file's encoding, and `NotFound` for a link that leads nowhere in the root.
        """
        path = self._place(rel_path, last=True)
        self._refuse_blocked(path)
        old = self._snapshot.get(path)
        if isinstance(content, bytes):
            staged = Document(path, content, old.mode if old else DEFAULT_MODE)
        else:
            staged = old.with_text(content) if old else text_document(path, content)
        self._edit({path: staged})

    def delete(self, rel_path: str) -> None:
        """Stages the removal of a file, or of a directory with all that is in it. Raises `NotFound`."""
        path = self._place(rel_path)
        if self._snapshot.kind(path) is None:
            raise NotFound(f"cannot delete {path}: no such file", path=path)
        self._edit({path: GONE})

    def rename(self, old_path: str, new_path: str) -> None:
        """Stages a move of a file or directory. Raises `NotFound`, and `BadInput` where the new path is taken."""
        old, new = self._place(old_path), self._place(new_path)
        if self._snapshot.kind(old) is None:
            raise NotFound(f"cannot rename {old}: no such file", path=old)
        if self._snapshot.kind(new) is not None or new.is_below(old):
            raise BadInput(f"cannot rename {old} to {new}: the new path is taken", path=new)
        self._refuse_blocked(new)
        sources = list(self._snapshot.walk(old)) if self._snapshot.kind(old) == "directory" else [old]
        moves = {RelPath(new + source[len(old) :]): source for source in sources}
        entries: dict[RelPath, Entry] = {old: GONE}
        for target, source in moves.items():
            document = self._snapshot.document(source)
            entries[target] = Document(target, document.data, document.mode, document.link)
        self._edit(entries, moves)

    def update_crate(self, files: Mapping[str, str | None]) -> None:
        """Stages many texts at once, None for a deletion; all of them or, where one is refused, none."""
        before = self._snapshot
        try:
            for path, text in files.items():
                if text is None:
                    self.delete(path)
                else:
                    self.write(path, text)
        except Exception:
            self._snapshot = before
            raise

    def get_crate_content(self) -> dict[str, str]:
        """The texts that are staged here and differ from the base, by path; deletions and binary files left out."""
        return {
            change.path: change.after.text
            for change in self.diff()
            if change.after is not None and change.after.is_text
        }

    # -- deriving ----------------------------------------------------------------------------------------------

    def fork(self) -> LimbWorkspace:
        """Another workspace over this one's present state; neither sees the other's later edits. O(1)."""
        return LimbWorkspace(self.repo_root, base=self._snapshot)

    def diff(self) -> ChangeSet:
        """What this workspace changed since it was made or forked."""
        return changes_between(self._base, self._snapshot)

    def rebase(self, base: Snapshot) -> list[RelPath]:
        """Moves this workspace's edits onto another base by three-way merge.

        Returns the paths in conflict; where there are any, nothing is changed.
        """
        merged, conflicts = rebase_changes(self.diff(), self._base, base)
        if not conflicts:
            self._base = base
            self._snapshot = merged
        return conflicts

    # -- private -----------------------------------------------------------------------------------------------

    def _edit(self, entries: Mapping[RelPath, Entry], renames: Mapping[RelPath, RelPath] | None = None) -> None:
        self._snapshot = self._snapshot.with_edits(entries, renames)

    def _follow(self, path: RelPath) -> Document:
        return self._snapshot.document(self._place(path, last=True))

    def _place(self, rel_path: str, *, last: bool = False) -> RelPath:
        """Where a path really is, links on its way followed, one at its end if `last`. Raises `NotFound`."""
        path = RelPath(rel_path)
        real = self._snapshot.resolve(path, last=last)
        if not real:
            raise NotFound(f"{path} leads by symbolic links out of the root, or nowhere", path=path)
        return RelPath(real)

    def _refuse_blocked(self, path: RelPath) -> None:
        if self._snapshot.kind(path) == "directory":
            raise BadInput(f"cannot write {path}: it is a directory", path=path)
        for above in path.ancestors:
            if self._snapshot.kind(above) in ("file", "link"):
                raise BadInput(f"cannot write {path}: {above} is not a directory", path=path)


def _matches(names: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not names
    if pattern[0] == "**":
        return any(_matches(names[skipped:], pattern[1:]) for skipped in range(len(names) + 1))
    return bool(names) and fnmatch.fnmatchcase(names[0], pattern[0]) and _matches(names[1:], pattern[1:])
