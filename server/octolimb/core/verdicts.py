"""What sensing a snapshot said. Pure values; nothing here runs a sensor."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from octolimb.core.paths import RelPath
from octolimb.core.positions import Span

Level = Literal["cold", "L0", "L1", "L2", "L3"]
TestMode = Literal["impacted", "full", "none"]
SensorStatus = Literal["ran", "skipped", "crashed"]


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"
    HINT = "hint"


@dataclass(frozen=True)
class Finding:
    """One pain: a diagnostic or a test failure. `source` is the sensor: `syntax`, `lint`, `types` or `tests`.

    `test` is the pytest node id where a test failed. `detail` is the long form for people and coders: for a test, its
    traceback. `new` is relative to the baseline that the verdict names.
    """

    path: RelPath
    span: Span
    severity: Severity
    source: str
    code: str
    message: str
    new: bool = True
    test: str | None = None
    detail: str = ""


@dataclass(frozen=True)
class SensorRun:
    """One sensor's run; `why` says for people why it was skipped or crashed, or what it fell back to.

    `hint` says what to do about a crash.
    """

    name: str
    status: SensorStatus
    ms: float
    why: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class Isolation:
    """What held around the children that ran. `network` is true where it was cut off."""

    files: Literal["overlay", "reflink", "copy"]
    sandbox: Literal["full", "partial", "none"]
    network: bool


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"
    LOST = "lost"
    """Collected but never reported: the run ended before, or something swallowed it."""


@dataclass(frozen=True)
class TestResult:
    """One test's outcome over its phases; `ms` is their sum, `place` the file and one-based line where it failed."""

    __test__ = False

    node_id: str
    outcome: Outcome
    ms: float
    message: str = ""
    detail: str = ""
    place: tuple[RelPath, int] | None = None


@dataclass(frozen=True)
class TestSummary:
    """Counts over the selected tests; `errors` counts broken set-up, tear-down, import and collection."""

    __test__ = False

    mode: TestMode = "none"
    selected: int = 0
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """`green`, `regressed` and `complete` as the README defines them; `ms` is the wall time of the whole sensing."""

    root: str
    generation: int
    green: bool
    regressed: bool
    complete: bool
    level: Level
    isolation: Isolation
    sensors: tuple[SensorRun, ...] = ()
    findings: tuple[Finding, ...] = ()
    tests: TestSummary = field(default_factory=TestSummary)
    ms: float = 0.0

    @property
    def pains(self) -> tuple[Finding, ...]:
        """The findings that keep it from green: new errors."""
        return tuple(finding for finding in self.findings if finding.new and finding.severity is Severity.ERROR)
