"""Whatever a change set does to a tree, applying it makes the disk equal to the snapshot that it leads to."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.support.properties import examples

from octolimb.core.changes import changes_between
from octolimb.core.document import Document
from octolimb.core.overlay import GONE, Entry
from octolimb.core.paths import RelPath
from octolimb.core.proposals import Decision
from octolimb.core.snapshot import Snapshot
from octolimb.guard.apply import apply
from octolimb.workspace.disk import DiskBase

PATHS = st.sampled_from(["a", "b", "a/b", "a/c", "a/b/c", "a/b/d", "b/a", "\u00e9", "\u00e9/x"])
CONTENTS = st.sampled_from([b"", b"1\n", b"2\r\n", b"\0\xff"])
MODES = st.sampled_from([0o644, 0o755, 0o600])
LINKS = st.sampled_from([b"b", b"a/b"])


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for path in draw(st.lists(PATHS, max_size=5)):
        rel = RelPath(path)
        if any(above in found for above in rel.ancestors) or any(RelPath(other).is_below(path) for other in found):
            # One layer says of one place either that it is a file or what is below it.
            continue
        kind = draw(st.sampled_from(["file", "file", "file", "gone", "link"]))
        if kind == "gone":
            found[path] = GONE
        elif kind == "link" and "/" not in path:
            found[path] = Document(rel, draw(LINKS), 0o777, link=True)
        else:
            found[path] = Document(rel, draw(CONTENTS), draw(MODES))
    return found


def write(root: Path, tree: dict[str, Entry]) -> None:
    """As much of `tree` as one real tree can hold."""
    for path, entry in tree.items():
        place = root / path
        if isinstance(entry, Document) and not entry.link and not place.exists():
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(entry.data)
                place.chmod(entry.mode)
            except (NotADirectoryError, FileExistsError):
                continue


def contents(snapshot: Snapshot) -> dict[str, str]:
    return {path: snapshot.document(path).digest for path in snapshot.walk()}


@examples(150)
@given(entries(), st.lists(entries(), min_size=1, max_size=2))
def test_the_disk_becomes_the_snapshot(tree: dict[str, Entry], edits: list[dict[str, Entry]]) -> None:
    top = Path(tempfile.mkdtemp())
    try:
        root = top / "root"
        root.mkdir()
        write(root, tree)
        before = Snapshot(DiskBase(root))
        after = before
        for edit in edits:
            after = after.with_edits({RelPath(path): entry for path, entry in edit.items()})
        wanted = contents(after)
        change_set = changes_between(before, after)
        apply(root, change_set, Decision("allow", (), "", change_set.digest), state=top / "state")
        assert contents(Snapshot(DiskBase(root))) == wanted
        assert not list(root.rglob(".octolimb-*"))
    finally:
        shutil.rmtree(top)
