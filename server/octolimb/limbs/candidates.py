"""What coders propose and what trying it said. Pure values; nothing here generates or runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from octolimb.core.overlay import Entry
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot

Suspicion = Mapping[RelPath, Mapping[int, float]]
"""How likely each line is at fault: path to one-based line number to a score from 0 to 1; lines left out score 0."""


@dataclass(frozen=True)
class TextEdit:
    """Replaces the characters from `start` up to `end` (code points into the document's text) with `text`."""

    path: RelPath
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Candidate:
    """One hypothesis. `cost` orders candidates, cheap first; `note` says for a person what it does.

    The edits do not overlap and all refer to the text before any of them.
    """

    edits: tuple[TextEdit, ...]
    operator: str
    cost: float
    note: str

    @property
    def paths(self) -> frozenset[RelPath]:
        return frozenset(edit.path for edit in self.edits)

    def apply(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with the edits made. Raises `NotFound` and `NotText`."""
        entries: dict[RelPath, Entry] = {}
        for path in sorted(self.paths):
            document = snapshot.document(path)
            text = document.text
            for edit in sorted((edit for edit in self.edits if edit.path == path), key=lambda edit: -edit.start):
                text = text[: edit.start] + edit.text + text[edit.end :]
            entries[path] = document.with_text(text)
        return snapshot.with_edits(entries)


class CandidateBatch:
    """The next candidates of a stream, at most `most` of them; false where there are none.

    All but the first are made only when they are asked for, so that some are tried while others are still being made.
    To be gone through once; what was not taken stays in the stream.
    """

    def __init__(self, stream: Iterator[Candidate], most: int) -> None:
        self._first = tuple(islice(stream, 1))
        self._rest = islice(stream, most - 1)

    def __bool__(self) -> bool:
        return bool(self._first)

    def __iter__(self) -> Iterator[Candidate]:
        yield from self._first
        yield from self._rest


TrialStatus = Literal["passed", "failed", "hung", "crashed", "unsupported"]


@dataclass(frozen=True)
class Trial:
    """What a quick, warm try of one candidate said; never a verdict. `passed` counts the target tests that passed.

    `unsupported`: the candidate could not be tried warm, for the reason in `why`; it is not known to be wrong.
    """

    candidate: Candidate
    status: TrialStatus
    passed: int = 0
    why: str = ""
