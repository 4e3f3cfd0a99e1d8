"""A tiny project on disk whose tests really run: in a shadow, with the pytest of the interpreter that runs these."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from octolimb.core.document import text_document
from octolimb.core.overlay import GONE, Entry
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding
from octolimb.sense.tests.run import TestRun, TestSelection, findings_of, run_tests
from octolimb.shadow.host import ShadowHost
from octolimb.shadow.interpreter import find_interpreter
from octolimb.workspace.disk import DiskBase

PATIENCE = 120.0


@dataclass
class Project:
    """`edits` lie over the disk, as an editor's unsaved buffers do; None deletes."""

    root: Path
    host: ShadowHost
    snapshot: Snapshot

    def edit(self, edits: Mapping[str, str | None]) -> Project:
        entries: dict[RelPath, Entry] = {
            RelPath(path): GONE if text is None else text_document(RelPath(path), text) for path, text in edits.items()
        }
        return Project(self.root, self.host, self.snapshot.with_edits(entries))

    def run(
        self,
        *ids: str,
        named: bool = False,
        python: str = sys.executable,
        deadline: float = PATIENCE,
        collect_only: bool = False,
        stop_first: bool = False,
    ) -> TestRun:
        selection = TestSelection("full", ids, None, ids if named else ())
        interpreter = find_interpreter(self.root, Path(python))
        with self.host.project(self.snapshot) as shadow:
            return run_tests(
                shadow,
                self.snapshot,
                interpreter,
                selection,
                deadline=deadline,
                collect_only=collect_only,
                stop_first=stop_first,
            )

    def findings(self, run: TestRun) -> list[Finding]:
        return findings_of(run, self.snapshot)


MakeProject = Callable[..., Project]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[MakeProject]:
    """Writes a project from keyword-free files: `project({"test_a.py": "..."})`."""
    hosts: list[ShadowHost] = []

    def make(files: Mapping[str, str]) -> Project:
        root = tmp_path / f"project{len(hosts)}"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        base = DiskBase(root)
        host = ShadowHost(base)
        hosts.append(host)
        return Project(root, host, Snapshot(base))

    yield make
    for host in hosts:
        host.close()


@pytest.fixture
def outcomes() -> Callable[[TestRun], dict[str, str]]:
    """A run's outcomes by the short name of each test."""

    def read(run: TestRun) -> dict[str, str]:
        return {node_id.partition("::")[2] or node_id: str(result.outcome) for node_id, result in run.results.items()}

    return read
