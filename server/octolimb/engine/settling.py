"""Senses the editor's shadow whenever it moves, and tells what it found with the generation that it belongs to.

Two phases: syntax and lint of the open files at once, then types, and the files that import what changed. What a newer
generation has overtaken is dropped here and nowhere else. It runs no test and knows no protocol. For one event loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from octolimb.core.errors import OctolimbError
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, Isolation, SensorRun, Verdict
from octolimb.engine.editor import EditorCrate
from octolimb.sense.baseline import mark_new
from octolimb.sense.judgement import Evidence, is_complete, is_green, is_regressed
from octolimb.sense.live import LiveSensing, QuickFix, Settled
from octolimb.sense.sensing import without_echoes
from octolimb.sense.syntax import check_syntax

STATIC: Final = ("syntax", "lint", "types")
_SLOW_SECONDS: Final = 0.3
"""Where types take longer than this, what syntax and lint say is told before."""
_WHY_NO_TESTS: Final = "not asked for"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settlement:
    """What one generation's static sensors said of the open files and of the files near them.

    `findings` has a key for every file that was sensed. `causes` names, for each file that is not edited itself and has
    new findings, the unsaved files that it depends on. `final` is false for the first of the two phases.
    """

    snapshot: Snapshot
    findings: Mapping[RelPath, tuple[Finding, ...]]
    verdict: Verdict
    fixes: tuple[QuickFix, ...] = ()
    causes: Mapping[RelPath, tuple[RelPath, ...]] = field(default_factory=dict)
    final: bool = True

    @property
    def generation(self) -> int:
        return self.snapshot.generation


class Settler:
    """Keeps a settlement of the newest generation. `run` it as a task; `touch` it whenever the crate moved."""

    def __init__(
        self,
        crate: EditorCrate,
        live: LiveSensing,
        *,
        root: str,
        sensors: frozenset[str],
        isolation: Callable[[], Isolation],
        on_settled: Callable[[Settlement], None],
    ) -> None:
        self._crate = crate
        self._live = live
        self._root = root
        self.sensors = sensors
        self._isolation = isolation
        self._on_settled = on_settled
        self._moved = asyncio.Event()
        self._settled = asyncio.Condition()
        self._external: set[RelPath] | None = set()
        self._baseline: dict[RelPath, tuple[Finding, ...]] = {}
        self._epoch = -1
        self.latest: Settlement | None = None

    def touch(self) -> None:
        """The crate moved."""
        self._moved.set()

    def disk_changed(self, paths: Iterable[RelPath] | None) -> None:
        """Files changed outside of the editor, or were saved by it; None where it is not known which."""
        if paths is None or self._external is None:
            self._external = None
        else:
            self._external.update(paths)
        self._moved.set()

    async def at(self, generation: int) -> Settlement:
        """The first final settlement of that generation or a later one."""
        async with self._settled:
            await self._settled.wait_for(lambda: self._is_at(generation))
        assert self.latest is not None
        return self.latest

    async def run(self) -> None:
        """Until it is cancelled. What fails is logged, told of in the verdict, and tried again at the next move."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            try:
                await self._settle_newest()
            except OctolimbError as error:
                logger.error("cannot sense the shadow: %s", error.message)
                await self._publish(self._failed(self._crate.snapshot(), error))
            except Exception:
                logger.exception("while sensing the shadow")

    def _is_at(self, generation: int) -> bool:
        return self.latest is not None and self.latest.final and self.latest.generation >= generation

    async def _settle_newest(self) -> None:
        began = time.monotonic()
        if self._external is None or self._external:
            external, self._external = self._external, set()
            await self._live.disk_changed(external)
        snapshot = self._crate.snapshot()
        opened = [path for path in self._crate.open if is_python(path)]
        if self._epoch != self._crate.epoch:
            self._epoch = self._crate.epoch
            self._baseline.clear()
        syntax = await asyncio.to_thread(self._check_syntax, snapshot, opened)
        dirty = list(self._crate.dirty)
        near = await self._live.dependents(snapshot, dirty or opened)
        if self._is_overtaken(snapshot):
            return
        paths = list(dict.fromkeys([*opened, *near]))
        if dirty:
            await self._sense_baseline(paths)
        settling = asyncio.ensure_future(self._live.settle(snapshot, paths))
        try:
            async with asyncio.timeout(_SLOW_SECONDS):
                settled = await asyncio.shield(settling)
        except TimeoutError:
            if not self._is_overtaken(snapshot):
                early = Settled(snapshot.generation, dict.fromkeys(opened, ()), ())
                await self._publish(self._judge(snapshot, early, syntax, dirty, began, final=False))
            settled = await settling
        if self._is_overtaken(snapshot):
            return
        if not dirty:
            self._baseline.update(self._joined(settled, syntax))
        await self._publish(self._judge(snapshot, settled, syntax, dirty, began, final=True))

    def _is_overtaken(self, snapshot: Snapshot) -> bool:
        return snapshot.generation != self._crate.generation

    async def _sense_baseline(self, paths: Sequence[RelPath]) -> None:
        """What the disk alone says of files of which that is not known yet."""
        unknown = [path for path in paths if path not in self._baseline]
        if not unknown:
            return
        disk = self._crate.disk()
        syntax = await asyncio.to_thread(check_syntax_of, disk, unknown)
        settled = await self._live.settle(disk, unknown)
        self._baseline.update(self._joined(settled, syntax))

    def _check_syntax(self, snapshot: Snapshot, paths: Sequence[RelPath]) -> dict[RelPath, tuple[Finding, ...]]:
        return check_syntax_of(snapshot, paths) if "syntax" in self.sensors else {}

    def _joined(
        self, settled: Settled, syntax: Mapping[RelPath, tuple[Finding, ...]]
    ) -> dict[RelPath, tuple[Finding, ...]]:
        wanted = {
            path: [finding for finding in findings if finding.source in self.sensors]
            for path, findings in settled.findings.items()
        }
        return {path: (*syntax.get(path, ()), *wanted.get(path, ())) for path in dict.fromkeys([*wanted, *syntax])}

    def _judge(
        self,
        snapshot: Snapshot,
        settled: Settled,
        syntax: Mapping[RelPath, tuple[Finding, ...]],
        dirty: Sequence[RelPath],
        began: float,
        *,
        final: bool,
    ) -> Settlement:
        joined = self._joined(settled, syntax)
        if dirty:
            everything = [finding for findings in joined.values() for finding in findings]
            known = [finding for path in joined for finding in self._baseline.get(path, ())]
            marked: dict[RelPath, list[Finding]] = defaultdict(list)
            for finding in mark_new(everything, known, self._crate.disk(), snapshot):
                marked[finding.path].append(finding)
            joined = {path: tuple(marked.get(path, ())) for path in joined}
        # Only now: an echo of an old error may be new, in a file that is broken in another way than it was.
        joined = {path: tuple(without_echoes(found)) for path, found in joined.items()}
        findings = tuple(finding for found in joined.values() for finding in found)
        runs = self._runs(settled)
        complete = final and is_complete(self.sensors & set(STATIC), runs)
        verdict = Verdict(
            root=self._root,
            generation=snapshot.generation,
            green=is_green(Evidence(), findings, complete=complete),
            regressed=is_regressed(Evidence(), findings) if dirty else False,
            complete=complete,
            level="cold",
            isolation=self._isolation(),
            sensors=runs,
            findings=findings,
            ms=(time.monotonic() - began) * 1000,
        )
        causes = {
            path: tuple(dirty)
            for path, found in joined.items()
            if path not in self._crate.dirty and any(finding.new for finding in found)
        }
        return Settlement(snapshot, joined, verdict, settled.fixes, causes if dirty else {}, final)

    def _runs(self, settled: Settled) -> tuple[SensorRun, ...]:
        told = {run.name: run for run in settled.sensors}
        runs = []
        for name in STATIC:
            if name not in self.sensors:
                runs.append(SensorRun(name, "skipped", 0.0, "switched off"))
            elif name == "syntax":
                runs.append(SensorRun(name, "ran", 0.0))
            else:
                runs.append(told.get(name) or SensorRun(name, "skipped", 0.0, "not yet"))
        return (*runs, SensorRun("tests", "skipped", 0.0, _WHY_NO_TESTS))

    def _failed(self, snapshot: Snapshot, error: OctolimbError) -> Settlement:
        crashed = tuple(SensorRun(name, "crashed", 0.0, error.message, error.hint) for name in ("lint", "types"))
        return self._judge(snapshot, Settled(snapshot.generation, {}, crashed), {}, (), time.monotonic(), final=True)

    async def _publish(self, settlement: Settlement) -> None:
        async with self._settled:
            self.latest = settlement
            self._settled.notify_all()
        self._on_settled(settlement)


def check_syntax_of(snapshot: Snapshot, paths: Sequence[RelPath]) -> dict[RelPath, tuple[Finding, ...]]:
    """The syntax errors of each of these files."""
    found: dict[RelPath, list[Finding]] = {path: [] for path in paths}
    for finding in check_syntax(snapshot, paths) if paths else ():
        found.setdefault(finding.path, []).append(finding)
    return {path: tuple(findings) for path, findings in found.items()}


def is_python(path: RelPath) -> bool:
    return path.suffix in (".py", ".pyi", ".pyw")
