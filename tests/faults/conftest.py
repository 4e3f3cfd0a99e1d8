"""Builders for trees that a change set is applied to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from octolimb.core.changes import ChangeSet, changes_between
from octolimb.core.document import Document
from octolimb.core.overlay import Entry
from octolimb.core.paths import RelPath
from octolimb.core.proposals import Decision
from octolimb.core.snapshot import Snapshot
from octolimb.workspace.disk import DiskBase

Tree = dict[str, tuple[str, int, bytes]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small repository with a file of every sort."""
    root = tmp_path / "repo"
    for name, content in {
        "src/app.py": b"one = 1\r\ntwo = 2",
        "src/old_name.py": b"moved = True\n",
        "src/gone/deep.py": b"x = 1\n",
        "run.sh": b"#!/bin/sh\n",
        "becomes_directory": b"a file\n",
        "becomes_file/a/b.txt": b"below\n",
        "untouched.bin": b"\0\xff",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("src/app.py")
    return root


@pytest.fixture
def changes(root: Path) -> Callable[..., ChangeSet]:
    """Makes a change set over the tree as it is now: path to new bytes or entry; renames as new to old."""

    def build(entries: dict[str, bytes | Document | Entry], renames: dict[str, str] | None = None) -> ChangeSet:
        base = Snapshot(DiskBase(root))
        spelt = {
            RelPath(path): Document(RelPath(path), entry) if isinstance(entry, bytes) else entry
            for path, entry in entries.items()
        }
        moves = {RelPath(new): RelPath(old) for new, old in (renames or {}).items()}
        return changes_between(base, base.with_edits(spelt, moves))

    return build


@pytest.fixture
def allow() -> Callable[[ChangeSet], Decision]:
    def decide(change_set: ChangeSet) -> Decision:
        return Decision("allow", (), "policies", change_set.digest)

    return decide


@pytest.fixture
def tree_of() -> Callable[[Path], Tree]:
    """Everything below a directory: kind, mode and bytes, directories included."""

    def scan(root: Path) -> Tree:
        found: Tree = {}
        for path in sorted(root.rglob("*")):
            name = str(path.relative_to(root))
            if path.is_symlink():
                found[name] = ("link", 0, os.readlink(path).encode())
            elif path.is_dir():
                found[name] = ("directory", path.stat().st_mode & 0o7777, b"")
            else:
                found[name] = ("file", path.stat().st_mode & 0o7777, path.read_bytes())
        return found

    return scan
