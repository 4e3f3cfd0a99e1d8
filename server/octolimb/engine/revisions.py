"""Change sets and snapshots that git or a diff describes, as values. It reads; git is run without its configuration.

No git command here looks at the work tree's content, since filters that a repository configures would run then.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from unidiff.errors import UnidiffParseError
from unidiff.patch import Hunk as DiffHunk
from unidiff.patch import PatchedFile, PatchSet

from octolimb.core.changes import Change, ChangeKind, ChangeSet, changes_between
from octolimb.core.document import Document
from octolimb.core.errors import BadInput
from octolimb.core.overlay import GONE, Entry
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.engine.engine import Engine
from octolimb.shadow.git import run_git

_LINK_MODE: Final = "120000"
_SUBMODULE_MODE: Final = "160000"
_EMPTY_TREE: Final = {
    "sha1": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "sha256": "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
"""The tree without files, which every git repository knows."""
_ESCAPE = re.compile(rb'\\([0-7]{3}|[abfnrtv"\\])')
_ESCAPED: Final = {b"a": 7, b"b": 8, b"f": 12, b"n": 10, b"r": 13, b"t": 9, b"v": 11, b'"': 34, b"\\": 92}


def snapshot_at(engine: Engine, revision: str) -> Snapshot:
    """The repository as it was at a git revision; what git ignores stays as it is on disk. Raises `BadInput`."""
    if revision.startswith("-"):
        raise BadInput(f"{revision!r} is no revision")
    commit = _commit(engine, revision)
    if commit is None:
        raise BadInput(f"git knows no revision {revision!r} here")
    disk = Snapshot(engine.base)
    entries: dict[RelPath, Entry] = {}
    then: set[RelPath] = set()
    for record in _records(run_git(engine.root, "ls-tree", "-r", "-z", "--full-tree", commit)):
        head, _, raw_path = record.partition(b"\t")
        mode, _, blob = head.decode().split(" ")
        if mode == _SUBMODULE_MODE:
            continue
        path = RelPath(raw_path.decode())
        then.add(path)
        now = disk.get(path)
        if now is None or _blob_id(now.data, len(blob)) != blob or _git_mode(now) != mode:
            entries[path] = _document(engine, path, mode, blob)
    listed = run_git(engine.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--full-name")
    for raw_path in _records(listed):
        path = RelPath(raw_path.decode())
        if path not in then and disk.kind(path) in ("file", "link"):
            entries[path] = GONE
    return replace(disk.with_edits(entries), generation=engine.disk().generation)


def staged_changes(engine: Engine) -> ChangeSet:
    """What git would commit now: from HEAD (nothing, in a repository without a commit) to the index."""
    head = _commit(engine, "HEAD")
    if head is None:
        sha256 = run_git(engine.root, "rev-parse", "--show-object-format").strip() == b"sha256"
        head = _EMPTY_TREE["sha256" if sha256 else "sha1"]
    raw = run_git(engine.root, "diff-index", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev", head)
    fields = _records(raw)
    changes: list[Change] = []
    for info in fields:
        old_mode, new_mode, old_blob, new_blob, _ = info.decode().lstrip(":").split(" ")
        path = RelPath(next(fields).decode())
        before = _document(engine, path, old_mode, old_blob) if int(old_blob, 16) else None
        after = _document(engine, path, new_mode, new_blob) if int(new_blob, 16) else None
        kind: ChangeKind = "create" if before is None else "delete" if after is None else "modify"
        changes.append(Change(kind, path, path, before, after))
    return ChangeSet(tuple(sorted(changes, key=lambda change: change.path)))


def changes_in_diff(engine: Engine, raw: bytes) -> ChangeSet:
    """What a unified diff would do to the disk. Raises `BadInput` where it does not fit or cannot be read in full."""
    # One character a byte: file contents pass through unchanged, whatever their encoding.
    lines = (line + "\n" for line in raw.decode("latin-1").removesuffix("\n").split("\n"))
    try:
        files = PatchSet(lines)
    except (UnidiffParseError, ValueError) as error:
        raise BadInput(f"this is no unified diff: {str(error).strip()}") from None
    if not files and raw.strip():
        raise BadInput("the diff names no file")
    disk = engine.disk()
    after = disk
    for file in files:
        after = _patched(file, after)
    return changes_between(disk, after)


def _patched(file: PatchedFile, snapshot: Snapshot) -> Snapshot:
    source, target = _diff_path(file.source_file), _diff_path(file.target_file)
    if file.is_binary_file:
        raise BadInput(f"the diff of {target or source} is binary, so it cannot be judged", path=target or source)
    old = snapshot.get(source) if source else None
    if source and old is None:
        raise BadInput(f"the diff changes {source}, which is not there", path=source)
    if source is None and target and snapshot.kind(target) is not None:
        raise BadInput(f"the diff creates {target}, which is there already", path=target)
    data = b"".join(_patched_lines(file, old.data if old else b""))
    if target is None:
        return snapshot.with_edits({source: GONE}) if source else snapshot
    mode = file.target_mode or (_git_mode(old) if old else "100644")
    document = Document(target, data, int(mode, 8) & 0o777 or 0o777, link=mode == _LINK_MODE)
    if old is not None and _git_mode(old) == mode:
        document = replace(document, mode=old.mode)
    entries: dict[RelPath, Entry] = {target: document}
    renames: dict[RelPath, RelPath] = {}
    if source and source != target and file.is_rename:
        entries[source] = GONE
        renames[target] = source
    return snapshot.with_edits(entries, renames)


def _patched_lines(file: PatchedFile, old: bytes) -> Iterator[bytes]:
    lines = old.splitlines(keepends=True) if b"\r" not in old else [part + b"\n" for part in old.split(b"\n")]
    if b"\r" in old:
        lines = lines[:-1] + ([lines[-1][:-1]] if lines[-1] != b"\n" else [])
    at = 0
    for hunk in file:
        start = hunk.source_start - 1 if hunk.source_length else hunk.source_start
        yield from lines[at:start]
        removed = [value for kind, value in _hunk_lines(hunk) if kind in " -"]
        if lines[start : start + len(removed)] != removed:
            raise BadInput(f"the diff does not fit {file.path} at line {hunk.source_start}", path=file.path)
        yield from (value for kind, value in _hunk_lines(hunk) if kind in " +")
        at = start + len(removed)
    yield from lines[at:]


def _hunk_lines(hunk: DiffHunk) -> Iterator[tuple[str, bytes]]:
    lines = list(hunk)
    for index, line in enumerate(lines):
        if line.line_type in (" ", "+", "-"):
            value = str(line.value).encode("latin-1")
            unended = index + 1 < len(lines) and lines[index + 1].line_type == "\\"
            yield line.line_type, value.removesuffix(b"\n") if unended else value


def _diff_path(raw: str) -> RelPath | None:
    name = raw.encode("latin-1")
    if name == b"/dev/null":
        return None
    if name.startswith(b'"') and name.endswith(b'"'):
        name = _ESCAPE.sub(lambda found: bytes([_ESCAPED.get(found[1]) or int(found[1], 8)]), name[1:-1])
    try:
        path = name.decode()
    except UnicodeDecodeError:
        raise BadInput(f"the diff names a file that is not UTF-8: {name!r}") from None
    return RelPath(path[2:] if path.startswith(("a/", "b/")) else path)


def _commit(engine: Engine, revision: str) -> str | None:
    """The commit's id; None where git does not know it. Raises `BadInput` where the root is no git repository."""
    run_git(engine.root, "rev-parse", "--git-dir")
    try:
        return (
            run_git(engine.root, "rev-parse", "--verify", "--end-of-options", revision + "^{commit}").decode().strip()
        )
    except BadInput:
        return None


def _document(engine: Engine, path: RelPath, mode: str, blob: str) -> Document:
    if mode == _SUBMODULE_MODE:
        return Document(path, blob.encode(), 0o755)
    data = run_git(engine.root, "cat-file", "blob", blob)
    return Document(path, data, 0o777 if mode == _LINK_MODE else int(mode, 8) & 0o777, link=mode == _LINK_MODE)


def _git_mode(document: Document) -> str:
    return _LINK_MODE if document.link else "100755" if document.mode & 0o100 else "100644"


def _blob_id(data: bytes, length: int) -> str:
    algorithm = "sha256" if length == 64 else "sha1"
    return hashlib.new(algorithm, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _records(raw: bytes) -> Iterator[bytes]:
    return iter(raw.rstrip(b"\0").split(b"\0") if raw else [])
