"""What turns one snapshot into another, with the digests that bind it to both. It renders diffs but applies nothing."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from octolimb.core.document import Document
from octolimb.core.lines import edited_blocks
from octolimb.core.paths import RelPath
from octolimb.core.positions import Position, Span
from octolimb.core.snapshot import Snapshot

ChangeKind = Literal["create", "modify", "delete", "rename"]


@dataclass(frozen=True)
class Change:
    """One file's change. `old_path` differs from `path` for a rename only, which may change the content too."""

    kind: ChangeKind
    path: RelPath
    old_path: RelPath
    before: Document | None
    after: Document | None

    @property
    def added_lines(self) -> list[tuple[int, str]]:
        """Zero-based line numbers in the new file, and the texts, of the lines that the old one did not have."""
        new = _lines(self.after)
        matcher = difflib.SequenceMatcher(None, _lines(self.before), new, autojunk=False)
        return [
            (line, new[line])
            for tag, _, _, low, high in matcher.get_opcodes()
            if tag != "equal"
            for line in range(low, high)
        ]


@dataclass(frozen=True)
class Hunk:
    """One contiguous edit of a file. `span` is in the old file; `needs` names the hunks without which it is no use."""

    id: str
    path: RelPath
    span: Span
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChangeSet:
    """Changes in path order. Two sets with one digest make the same files out of the same files."""

    changes: tuple[Change, ...] = field(default=())

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def paths(self) -> tuple[RelPath, ...]:
        """Every path that is touched, a rename's old one included."""
        return tuple(sorted({path for change in self for path in (change.path, change.old_path)}))

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of kinds, paths and the digests before and after."""
        total = hashlib.sha256()
        for change in self:
            before = change.before.digest if change.before else "-"
            after = change.after.digest if change.after else "-"
            total.update("\0".join((change.kind, change.old_path, change.path, before, after, "")).encode())
        return total.hexdigest()

    @cached_property
    def diff(self) -> str:
        """A unified diff that `git apply -p1` takes; files that are not UTF-8 text are named, not shown."""
        return "".join(_file_diff(change) for change in self)

    @cached_property
    def hunks(self) -> tuple[Hunk, ...]:
        """The separate edits, numbered `h1`, `h2` and so on in path order; a create, delete or rename is one hunk."""
        found: list[Hunk] = []
        for change in self:
            for block in edited_blocks(change):
                span = Span(Position(block.old_low, 0), Position(block.old_high, 0))
                found.append(Hunk(f"h{len(found) + 1}", change.path, span))
        return tuple(found)


def changes_between(before: Snapshot, after: Snapshot) -> ChangeSet:
    """The change set from `before` to `after`, which must share one base. O(size of the overlays)."""
    paths = _touched(before, after)
    moved = {new: old for overlay in after.overlays for new, old in overlay.renames.items()}
    changes: list[Change] = []
    renamed_from: set[RelPath] = set()
    for new, old in moved.items():
        was, now = before.get(old), after.get(new)
        moved_away = after.get(old) is None and before.get(new) is None and old not in renamed_from
        if was is not None and now is not None and moved_away:
            changes.append(Change("rename", new, old, was, now))
            renamed_from.add(old)
    done = renamed_from | {change.path for change in changes}
    for path in paths - done:
        was, now = before.get(path), after.get(path)
        if was is None and now is not None:
            changes.append(Change("create", path, path, None, now))
        elif was is not None and now is None:
            changes.append(Change("delete", path, path, was, None))
        elif was is not None and now is not None and was.digest != now.digest:
            changes.append(Change("modify", path, path, was, now))
    return ChangeSet(tuple(sorted(changes, key=lambda change: change.path)))


def _touched(before: Snapshot, after: Snapshot) -> set[RelPath]:
    """Paths of files that an overlay of either speaks of; a tombstoned directory is spelt out."""
    touched: set[RelPath] = set()
    for snapshot, other in ((before, after), (after, before)):
        for path, entry in snapshot.effective().items():
            if isinstance(entry, Document):
                touched.add(path)
            # What stood under a tombstone, or under a file that replaced a directory.
            if other.kind(path) == "directory":
                touched.update(other.walk(path))
            else:
                touched.add(path)
            # What stood where an overlay's directory now is.
            touched.update(above for above in path.ancestors if other.kind(above) in ("file", "link"))
    return touched


def _lines(document: Document | None) -> list[str]:
    """Lines split on LF only, as git does, ends kept; none for what is not text."""
    if document is None or not document.is_text:
        return []
    text = ("\ufeff" if document.bom else "") + document.text
    return [line + "\n" for line in text.split("\n")[:-1]] + ([last] if (last := text.rpartition("\n")[2]) else [])


def _file_diff(change: Change) -> str:
    before, after = change.before, change.after
    head = [f"diff --git {_quoted('a/' + change.old_path)} {_quoted('b/' + change.path)}"]
    if before is None and after is not None:
        head.append(f"new file mode {_git_mode(after)}")
    elif after is None and before is not None:
        head.append(f"deleted file mode {_git_mode(before)}")
    elif before is not None and after is not None and _git_mode(before) != _git_mode(after):
        head += [f"old mode {_git_mode(before)}", f"new mode {_git_mode(after)}"]
    if change.kind == "rename":
        head += [f"rename from {_quoted(change.old_path)}", f"rename to {_quoted(change.path)}"]
    old_data, new_data = (document.data if document else b"" for document in (before, after))
    if old_data == new_data:
        return "\n".join(head) + "\n"
    old_name = "/dev/null" if before is None else _quoted("a/" + change.old_path)
    new_name = "/dev/null" if after is None else _quoted("b/" + change.path)
    try:
        old, new = (data.decode("utf-8") for data in (old_data, new_data))
    except UnicodeDecodeError:
        return "\n".join([*head, f"Binary files {old_name} and {new_name} differ", ""])
    if "\0" in old or "\0" in new:
        return "\n".join([*head, f"Binary files {old_name} and {new_name} differ", ""])
    return "\n".join(head) + "\n" + _unified(_split(old), _split(new), old_name, new_name)


def _unified(old: Sequence[str], new: Sequence[str], old_name: str, new_name: str) -> str:
    parts = [
        line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(old, new, old_name, new_name)
    ]
    # git reads a name up to a tab; without one a name with a space would be cut.
    for index in range(min(2, len(parts))):
        if " " in parts[index].rstrip("\n")[4:]:
            parts[index] = parts[index].rstrip("\n") + "\t\n"
    return "".join(parts)


def _split(text: str) -> list[str]:
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _git_mode(document: Document) -> str:
    return "120000" if document.link else "100755" if document.mode & 0o100 else "100644"


def _quoted(name: str) -> str:
    """As git quotes a path: in double quotes with octal escapes where it holds a quote or non-ASCII."""
    if name.isascii() and '"' not in name:
        return name
    escaped = "".join(
        "\\" + chr(byte) if byte in b'"\\' else chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"
        for byte in name.encode()
    )
    return f'"{escaped}"'
