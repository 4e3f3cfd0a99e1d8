"""What was already sensed of one baseline, so that many snapshots can be compared with it at the price of one.

It holds answers only; it does not know how they came about, nor whether the disk moved since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, Outcome, TestResult
from octolimb.sense.tests.values import TestRun, TestSelection


@dataclass
class BaselineMemory:
    """Pass one to several calls of `sense` with the same `baseline` and interpreter while the disk does not change.

    Whoever sees the disk move drops it. Only whole answers are kept: a sensor that crashed and a test that was lost are
    asked again. Safe to share between threads, since entries are only ever added.
    """

    baseline: Snapshot
    _findings: dict[tuple[str, tuple[RelPath, ...]], tuple[Finding, ...]] = field(default_factory=dict)
    _collected: dict[TestSelection, TestRun] = field(default_factory=dict)
    _results: dict[str, TestResult] = field(default_factory=dict)

    def findings(self, sensor: str, paths: tuple[RelPath, ...]) -> tuple[Finding, ...] | None:
        """What a static sensor found in the baseline's `paths`, or None where it did not run yet."""
        return self._findings.get((sensor, paths))

    def keep_findings(self, sensor: str, paths: tuple[RelPath, ...], findings: tuple[Finding, ...]) -> None:
        self._findings[sensor, paths] = findings

    def collected(self, selection: TestSelection) -> TestRun | None:
        """The baseline's collection of exactly this selection, or None."""
        return self._collected.get(selection)

    def keep_collected(self, selection: TestSelection, run: TestRun) -> None:
        if not run.timed_out:
            self._collected[selection] = run

    @property
    def results(self) -> Mapping[str, TestResult]:
        """The outcomes of the baseline's tests that ran so far, by their node ids there."""
        return self._results

    def keep_results(self, run: TestRun) -> None:
        known = {node_id: result for node_id, result in run.results.items() if result.outcome is not Outcome.LOST}
        self._results.update(known)
