"""Which findings a change made: those that its baseline does not have. It reads two snapshots and runs nothing."""

from __future__ import annotations

import difflib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from octolimb.core.changes import changes_between
from octolimb.core.paths import RelPath
from octolimb.core.positions import split_lines
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding
from octolimb.sense.sources import text_of

_Key = tuple[str, str, str, str]
# Python and the tools put the numbers of other lines into messages; those move without the mistake being another one.
_LINE_NUMBER: Final = re.compile(r"\b(lines?) \d+")
# Above this many pairs of lines a full diff may take seconds; what then moves is left to the count of equals.
_MOST_LINE_PAIRS: Final = 25_000_000


def mark_new(
    findings: Iterable[Finding], baseline_findings: Iterable[Finding], before: Snapshot, after: Snapshot
) -> list[Finding]:
    """`findings` of `after`, in their order, each with `new` set against the findings of `before`.

    One is not new where the baseline has one of the same path (renames followed), source, code and message at the line
    that a line diff maps it to. What is left is matched by count alone, so a line that merely moved, or a finding whose
    line was edited, stays old; each finding of the baseline excuses one. The snapshots must share one base.
    """
    moved = renames_between(before, after)
    remaining: dict[_Key, Counter[int]] = defaultdict(Counter)
    for finding in baseline_findings:
        remaining[_key(finding, finding.path)][finding.span.start.line] += 1
    current = list(findings)
    is_new = [True] * len(current)
    lines: dict[RelPath, Callable[[int], int | None]] = {}
    for index, finding in enumerate(current):
        old_path = moved.get(finding.path, finding.path)
        known = remaining.get(_key(finding, old_path))
        if not known:
            continue
        if finding.path not in lines:
            lines[finding.path] = line_map(text_of(before, old_path), text_of(after, finding.path))
        line = lines[finding.path](finding.span.start.line)
        if line is not None and known[line] > 0:
            known[line] -= 1
            is_new[index] = False
    counts = {key: known.total() for key, known in remaining.items()}
    for index, finding in enumerate(current):
        key = _key(finding, moved.get(finding.path, finding.path))
        if is_new[index] and counts.get(key, 0) > 0:
            counts[key] -= 1
            is_new[index] = False
    return [replace(finding, new=new) for finding, new in zip(current, is_new, strict=True)]


def renames_between(before: Snapshot, after: Snapshot) -> dict[RelPath, RelPath]:
    """New paths to the ones that they had in `before`."""
    return {change.path: change.old_path for change in changes_between(before, after) if change.kind == "rename"}


def line_map(old: str | None, new: str | None) -> Callable[[int], int | None]:
    """From a zero-based line of `new` to the same line of `old`; None for a line that `old` does not have.

    A file that is not text on either side maps every line to itself. The place just past the last line maps to its
    like, because tools report an unexpected end of file there.
    """
    if old is None or new is None or old == new:
        return lambda line: line
    a, b = split_lines(old), split_lines(new)
    head = 0
    while head < min(len(a), len(b)) and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    mapped: dict[int, int] = {line: line for line in range(head)}
    mapped.update({len(b) - back: len(a) - back for back in range(tail + 1)})
    middle_a, middle_b = a[head : len(a) - tail], b[head : len(b) - tail]
    if len(middle_a) * len(middle_b) <= _MOST_LINE_PAIRS:
        for block in difflib.SequenceMatcher(None, middle_a, middle_b, autojunk=False).get_matching_blocks():
            mapped.update({head + block.b + step: head + block.a + step for step in range(block.size)})
    return mapped.get


def _key(finding: Finding, path: RelPath) -> _Key:
    return (path, finding.source, finding.code, _LINE_NUMBER.sub(r"\1 #", finding.message))
