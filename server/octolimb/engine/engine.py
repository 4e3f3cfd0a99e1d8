"""One repository's engine: what every front calls. It decodes nothing and prints nothing."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from platformdirs import user_state_path

from octolimb.core.changes import ChangeSet, changes_between
from octolimb.core.errors import BadInput, Stale
from octolimb.core.paths import RelPath, parse_directory
from octolimb.core.proposals import Decision
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import TestMode, Verdict
from octolimb.engine.trust import TrustStore
from octolimb.engine.unsaved import unsaved_elsewhere
from octolimb.guard.apply import apply, recover
from octolimb.guard.judge import judge
from octolimb.guard.policies import load_policies
from octolimb.guard.rulings import Role
from octolimb.sense.sensing import SenseRequest, sense
from octolimb.shadow.host import ShadowHost
from octolimb.shadow.interpreter import Interpreter, find_interpreter
from octolimb.workspace.crate import snapshot_with_crate
from octolimb.workspace.disk import DiskBase

SENSORS: Final = frozenset({"syntax", "lint", "types", "tests"})
Progress = Callable[[str], None]


def _silent(_: str) -> None:
    return


@dataclass(frozen=True)
class Sensing:
    """What a person asked to have sensed. `tests` None means: impacted where the root is trusted, else none.

    `paths` are files and directories that limit the findings, and test files and node ids that name tests.
    """

    tests: TestMode | None = None
    sensors: frozenset[str] = SENSORS
    paths: tuple[str, ...] = ()
    deadline: float = 600.0


class Engine:
    """A context manager; leaving it ends every child and removes every scratch file."""

    def __init__(
        self, root: Path, *, python: Path | None = None, state: Path | None = None, trusted: bool | None = None
    ) -> None:
        """`python` overrides the project's interpreter; `state` is where trust and journals are kept.

        `trusted` is an editor's word on whether this repository's own code may run; None asks what was remembered.
        Raises `BadInput` for a root or an interpreter that is not there.
        """
        self.base = DiskBase(root)
        self.root = self.base.root
        self.state = state or user_state_path("octolimb", appauthor=False)
        self.trust = TrustStore(self.state)
        self.interpreter: Interpreter = find_interpreter(self.root, python)
        self.host = ShadowHost(self.base)
        self._trusted = trusted
        self._generations = itertools.count(1)
        self._stack = ExitStack()
        self._stack.callback(self.host.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends every child and removes every scratch file. Idempotent."""
        self._stack.close()

    def aside(self) -> Engine:
        """An engine of the same repository with children of its own: closing it ends those and no others."""
        other = copy.copy(self)
        other.host = self.host.sibling()
        other._stack = ExitStack()  # noqa: SLF001 - It is one of us.
        other._stack.callback(other.host.close)  # noqa: SLF001
        return other

    @property
    def is_trusted(self) -> bool:
        """Whether this repository's own code may run without a person's word for this very run."""
        return self.trust.is_trusted(self.root) if self._trusted is None else self._trusted

    # -- snapshots ---------------------------------------------------------------------------------------------

    def snapshot(
        self, files: Mapping[str, str | None] | None = None, renames: Mapping[str, str] | None = None
    ) -> Snapshot:
        """The disk with a crate over it, at a generation of its own. Raises `BadInput` for a hostile crate."""
        snapshot = snapshot_with_crate(self.base, files or {}, renames or {})
        return replace(snapshot, generation=next(self._generations))

    def disk(self) -> Snapshot:
        return replace(Snapshot(self.base), generation=next(self._generations))

    # -- sensing -----------------------------------------------------------------------------------------------

    def sense(
        self, snapshot: Snapshot, baseline: Snapshot | None, sensing: Sensing, *, progress: Progress = _silent
    ) -> Verdict:
        """Senses `snapshot` against `baseline`, None for no baseline. Raises `CannotSense` and `CannotIsolate`."""
        unknown = sorted(sensing.sensors - SENSORS)
        if unknown:
            raise BadInput(f"no sensor is called {unknown[0]!r}", hint="the sensors are " + ", ".join(sorted(SENSORS)))
        trusted = self.is_trusted
        # Naming a mode of tests is consent for this run, but where an editor knows that the person does not trust it;
        # without it an untrusted root's code stays unread by Python.
        consent = trusted or (self._trusted is None and sensing.tests in ("impacted", "full"))
        mode: TestMode = (sensing.tests or "impacted") if consent else "none"
        why = None
        if mode == "none":
            why = "switched off" if sensing.tests == "none" else "this root is not trusted"
            if why != "switched off" and self._trusted is None:
                why += "; run `octolimb trust`, or name --tests"
        paths, named = self._split(sensing.paths, snapshot)
        request = SenseRequest(
            snapshot=snapshot,
            baseline=baseline,
            tests=mode if "tests" in sensing.sensors else "none",
            sensors=sensing.sensors,
            paths=paths,
            named=named,
            interpreter=self.interpreter if consent else None,
            deadline=sensing.deadline,
            why_no_tests=why,
        )
        return sense(self.host, request, progress=progress)

    def _split(self, raw_paths: Sequence[str], snapshot: Snapshot) -> tuple[tuple[RelPath, ...], tuple[str, ...]]:
        """Paths that limit the findings, and named tests. A path that is nowhere is a mistake worth telling."""
        paths: list[RelPath] = []
        named: list[str] = []
        for raw in raw_paths:
            file, separator, rest = raw.partition("::")
            path = parse_directory(file)
            if snapshot.kind(path) is None:
                raise BadInput(f"there is no {path} in the root", path=raw)
            if path:
                paths.append(RelPath(path))
            named.append(f"{path}::{rest}" if separator else path)
        return tuple(paths), tuple(named)

    # -- judging and applying ----------------------------------------------------------------------------------

    def judge(self, change_set: ChangeSet, *, role: Role) -> Decision:
        """The guard's decision under the policies that stand on disk now."""
        return judge(load_policies(self.base), change_set, role=role, root=self.root)

    def changes(self, before: Snapshot, after: Snapshot) -> ChangeSet:
        return changes_between(before, after)

    def apply(self, change_set: ChangeSet, decision: Decision) -> None:
        """Writes all of an allowed change set or none of it. Raises `Stale` and `ApplyFailed`.

        A file that an editor holds unsaved counts as stale: what is there is not what a person sees.
        """
        if held := sorted(unsaved_elsewhere(self.root).intersection(change_set.paths)):
            verb = "has" if len(held) == 1 else "have"
            raise Stale(
                f"{', '.join(held)} {verb} unsaved changes in an editor", hint="save them or close the files there"
            )
        recover(self.root, self.state)
        apply(self.root, change_set, decision, state=self.state)
