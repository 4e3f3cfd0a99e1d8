"""Builders for change sets that need no disk."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from octolimb.core.changes import Change, ChangeKind, ChangeSet
from octolimb.core.document import Document, text_document
from octolimb.core.paths import RelPath

Version = str | bytes | Document | None


def _document(path: RelPath, version: Version) -> Document | None:
    if version is None or isinstance(version, Document):
        return version
    return Document(path, version) if isinstance(version, bytes) else text_document(path, version)


@pytest.fixture
def edit() -> Callable[..., ChangeSet]:
    """One file's change: `edit(path, before, after)`; None for "not there", `moved_from` for a rename."""

    def build(path: str, before: Version, after: Version, *, moved_from: str | None = None) -> ChangeSet:
        new, old = RelPath(path), RelPath(moved_from or path)
        was, now = _document(old, before), _document(new, after)
        kind: ChangeKind = (
            "rename" if moved_from else "create" if was is None else "delete" if now is None else "modify"
        )
        return ChangeSet((Change(kind, new, old, was, now),))

    return build


@pytest.fixture
def together() -> Callable[..., ChangeSet]:
    """Several change sets as one."""

    def build(*change_sets: ChangeSet) -> ChangeSet:
        return ChangeSet(tuple(sorted((change for one in change_sets for change in one), key=lambda one: one.path)))

    return build
