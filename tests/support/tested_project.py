"""A tiny project on disk whose tests really run: in a shadow, with the pytest of an interpreter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from octolimb.core.document import text_document
from octolimb.core.overlay import GONE, Entry
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding
from octolimb.sense.tests.run import TestRun, TestSelection, findings_of, run_tests
from octolimb.shadow.host import ShadowHost
from octolimb.shadow.interpreter import find_interpreter

PATIENCE = 120.0


@dataclass
class Project:
    """A project on disk, and the snapshot of it that is tested. `python` runs its tests."""

    root: Path
    python: str
    host: ShadowHost
    snapshot: Snapshot

    def edit(self, edits: Mapping[str, str | None]) -> Project:
        """The same project under unsaved edits; None deletes."""
        entries: dict[RelPath, Entry] = {
            RelPath(path): GONE if text is None else text_document(RelPath(path), text) for path, text in edits.items()
        }
        return Project(self.root, self.python, self.host, self.snapshot.with_edits(entries))

    def run(
        self,
        *ids: str,
        named: bool = False,
        python: str | None = None,
        deadline: float = PATIENCE,
        collect_only: bool = False,
        stop_first: bool = False,
    ) -> TestRun:
        selection = TestSelection("full", ids, None, ids if named else ())
        interpreter = find_interpreter(self.root, Path(python or self.python))
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


def outcomes_of(run: TestRun) -> dict[str, str]:
    """A run's outcomes, by the name of each test without its file."""
    return {node_id.partition("::")[2] or node_id: str(result.outcome) for node_id, result in run.results.items()}


MakeProject = Callable[[Mapping[str, str]], Project]
