"""Which tests to run, and what running them said. Pure values; nothing here selects or runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from octolimb.core.paths import RelPath
from octolimb.core.verdicts import Finding, Outcome, TestMode, TestResult

FAILING = frozenset({Outcome.FAILED, Outcome.ERROR, Outcome.LOST})


@dataclass(frozen=True)
class TestSelection:
    """What to run.

    `ids` are files, directories or node ids, relative to the root; none of them, with a mode other than `none`, is the
    whole suite. `named` are those that a person named: they run though the project's configuration would not collect
    them, and each must be found. Mode `none` runs nothing. `why` says for people what was chosen.
    """

    __test__ = False

    mode: TestMode
    ids: tuple[str, ...] = ()
    why: str | None = None
    named: tuple[str, ...] = ()


@dataclass(frozen=True)
class Site:
    """Where a person should look for one test that did not pass: in the test's file if possible. `line` is one-based.

    `kind` is the type of the exception, or `failed`, `lost`, `skipped` and the like where there was none.
    """

    kind: str
    path: RelPath | None
    line: int


@dataclass(frozen=True)
class TestRun:
    """What one run of pytest said.

    `results` has every collected test, every named one that was not found (lost), and every module that skipped itself
    while it was imported; a test's `place` there has a one-based line. `collected` is in the order of the run, after
    deselection. `errors` are failures outside of a test: import, collection, configuration, a run that contradicts
    itself. `exit_status` is the process's, negative for a signal, None where the deadline ended it. `why` says in one
    line why the run is not whole or has no tests. `ms` is wall time.
    """

    __test__ = False

    results: Mapping[str, TestResult]
    collected: tuple[str, ...]
    errors: tuple[Finding, ...]
    exit_status: int | None
    ms: float
    why: str | None = None
    timed_out: bool = False
    sites: Mapping[str, Site] = field(default_factory=dict)

    @property
    def failures(self) -> tuple[str, ...]:
        """The ids of the tests that failed, broke or were lost, in the order of the run."""
        return tuple(node_id for node_id, result in self.results.items() if result.outcome in FAILING)
