"""Builders for tiny projects and their shadows. The linter and the type checker that run in them are the real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from octolimb.core.snapshot import Snapshot
from octolimb.shadow.host import ShadowHost
from octolimb.shadow.shadow import Shadow
from octolimb.workspace.disk import DiskBase

Files = Mapping[str, str | bytes]


@pytest.fixture
def write_project(tmp_path: Path) -> Callable[[Files], Path]:
    """Really writes a project; each call makes another one."""
    made: list[Path] = []

    def write(files: Files) -> Path:
        root = tmp_path / f"project{len(made)}"
        made.append(root)
        root.mkdir()
        for path, content in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content if isinstance(content, bytes) else content.encode())
        return root

    return write


@pytest.fixture
def make_snapshot(write_project: Callable[[Files], Path]) -> Callable[[Files], Snapshot]:
    """The snapshot of a project that is really on disk."""
    return lambda files: Snapshot(DiskBase(write_project(files)))


@pytest.fixture
def host_of() -> Iterator[Callable[[Snapshot], ShadowHost]]:
    """The host of a snapshot's shadows, closed with the test."""
    with ExitStack() as stack:

        def make(snapshot: Snapshot) -> ShadowHost:
            assert isinstance(snapshot.base, DiskBase)
            return stack.enter_context(ShadowHost(snapshot.base))

        yield make


@pytest.fixture
def shadow_of(host_of: Callable[[Snapshot], ShadowHost]) -> Iterator[Callable[[Snapshot], Shadow]]:
    """A snapshot's shadow, left with the test."""
    with ExitStack() as stack:
        yield lambda snapshot: stack.enter_context(host_of(snapshot).project(snapshot))
