"""Findings from the results of tests: each failure at its place, in the snapshot that was tested.

It does not know how the tests were run, nor what is new against a baseline.
"""

from __future__ import annotations

import re

from octolimb.core.errors import OctolimbError
from octolimb.core.paths import RelPath
from octolimb.core.positions import Position, Span, point, split_lines, utf16_length
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, Outcome, Severity
from octolimb.sense.tests.layout import CONFIGURATION_FILES
from octolimb.sense.tests.stream import Place
from octolimb.sense.tests.values import Site, TestRun


def findings_of(run: TestRun, snapshot: Snapshot) -> list[Finding]:
    """The run's errors, then one finding for each test that failed, broke or was lost.

    Tests that were lost only because the run broke off before them share one finding; it counts them.
    """
    findings = list(run.errors)
    unreached: list[str] = []
    for node_id in run.failures:
        result = run.results[node_id]
        site = run.sites.get(node_id, Site("failed", None, 1))
        if result.outcome is Outcome.LOST and result.message.startswith("not run"):
            unreached.append(node_id)
            continue
        place = None if site.path is None else (site.path, site.line)
        findings.append(
            error_finding(snapshot, place, code=site.kind, message=result.message, detail=result.detail, test=node_id)
        )
    if unreached:
        first = unreached[0]
        site = run.sites.get(first, Site("lost", None, 1))
        message = run.results[first].message
        if len(unreached) > 1:
            message = f"{len(unreached)} tests were {message}" if message.startswith("not run") else message
        place = None if site.path is None else (site.path, _definition(snapshot, site.path, first) or site.line)
        test = first if len(unreached) == 1 else None
        detail = "\n".join(unreached)
        findings.append(error_finding(snapshot, place, code=site.kind, message=message, detail=detail, test=test))
    return findings


def error_finding(
    snapshot: Snapshot,
    place: Place | None,
    *,
    code: str,
    message: str,
    detail: str = "",
    test: str | None = None,
) -> Finding:
    """An error of the source `tests` at a file and one-based line; without a place, at the project's configuration."""
    path, line = place if place is not None else (_configuration(snapshot), 1)
    return Finding(
        path, _span_of_line(snapshot, path, line), Severity.ERROR, "tests", code, message, test=test, detail=detail
    )


def _span_of_line(snapshot: Snapshot, path: RelPath, line: int) -> Span:
    """The line without its indentation and end; an empty span where the file has no such line."""
    lines = _lines(snapshot, path)
    if not 1 <= line <= len(lines):
        return point(0)
    text = lines[line - 1].rstrip()
    start = utf16_length(text) - utf16_length(text.lstrip())
    return Span(Position(line - 1, start), Position(line - 1, utf16_length(text)))


def _definition(snapshot: Snapshot, path: RelPath, node_id: str) -> int | None:
    """The one-based line where a test that never started is defined, as far as its text tells."""
    name = node_id.partition("[")[0].rpartition("::")[2]
    pattern = re.compile(rf"\s*(?:async\s+)?def\s+{re.escape(name)}\b")
    for number, text in enumerate(_lines(snapshot, path), start=1):
        if pattern.match(text):
            return number
    return None


def _lines(snapshot: Snapshot, path: RelPath) -> list[str]:
    try:
        document = snapshot.get(path)
        return split_lines(document.text) if document is not None else []
    except OctolimbError:
        # A file that is unreadable or no text still is where the failure was.
        return []


def _configuration(snapshot: Snapshot) -> RelPath:
    for name in CONFIGURATION_FILES:
        if snapshot.kind(name) == "file":
            return RelPath(name)
    return RelPath("pyproject.toml")
