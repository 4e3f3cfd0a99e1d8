"""What hurts, in the form that a limb works from: failing tests and errors, all of it from sensing."""

from __future__ import annotations

from dataclasses import dataclass

from octolimb.core.verdicts import Finding, TestResult


@dataclass(frozen=True)
class Pain:
    """`tests` are the failing target tests; `findings` the errors that a person pointed at, and broken collections."""

    tests: tuple[TestResult, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def hurts(self) -> bool:
        return bool(self.tests or self.findings)

    @property
    def count(self) -> int:
        return len(self.tests) + len(self.findings)

    @property
    def summary(self) -> str:
        """One line for a person: the first pain, and how many more there are."""
        if self.tests:
            first = f"{self.tests[0].node_id}: {self.tests[0].message}"
        elif self.findings:
            finding = self.findings[0]
            first = f"{finding.path}:{finding.span.start.line + 1}: {finding.message}"
        else:
            return "nothing hurts"
        return first if self.count == 1 else f"{first} (and {self.count - 1} more)"
