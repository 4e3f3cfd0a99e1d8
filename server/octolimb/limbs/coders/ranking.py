"""Orders candidates that all make the tests pass, so that the one that means the right thing comes first.

A patch that overfits is most often larger, or special-cases a value that only the tests know. It does NOT run
anything; agreement of the candidates' behaviour is the caller's to measure.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable, Sequence
from typing import Final

from octolimb.core.snapshot import Snapshot
from octolimb.limbs.candidates import Candidate
from octolimb.limbs.coders.equivalence import edited
from octolimb.limbs.coders.pain import PainHints

_TOKEN = re.compile(
    r"""[rRbBfFuU]{0,2}(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|\w+(?:\.\d+)?|\*\*=?|//=?|<<=?|>>=?|[-+*/%&|^@<>=!:]=|->|\S"""
)
_LITERAL = re.compile(r"""^(?:\d[\w.]*|[rRbBfFuU]{0,2}["'].*)$""")
_PLAIN: Final = frozenset({"0", "1", "2", "''", '""'})
_SPECIAL_CASES: Final = frozenset({"return-wanted", "insert-guard", "insert-return-if", "constant-test"})
_SIZE_WEIGHT = 0.08
_SPECIAL_WEIGHT = 2.5


def edit_size(before_text: str, after_text: str) -> int:
    """How many tokens changed: the greater of how many went and how many came."""
    before, after = _TOKEN.findall(before_text), _TOKEN.findall(after_text)
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    changed = [opcode for opcode in matcher.get_opcodes() if opcode[0] != "equal"]
    return max(sum(b - a for _, a, b, _, _ in changed), sum(d - c for _, _, _, c, d in changed))


def rank(winners: Sequence[Candidate], snapshot: Snapshot, *, pain: PainHints | None = None) -> list[Candidate]:
    """`winners`, best first: small and likely edits, then larger ones, then those that special-case a test's values.

    `snapshot` is what the candidates edit; `pain` the hints that they were made with. The order does not depend on
    the order they come in. Raises `NotFound` and `NotText` for candidates that `snapshot` cannot take.
    """
    mined = set() if pain is None else {*pain.constants, *pain.expected}

    def key(candidate: Candidate) -> tuple[float, str, tuple[tuple[str, int, int, str], ...]]:
        size, special = 0, candidate.operator in _SPECIAL_CASES
        for path in sorted(candidate.paths):
            before = snapshot.document(path).text
            edits = tuple((edit.start, edit.end, edit.text) for edit in candidate.edits if edit.path == path)
            size += edit_size(before, edited(before, edits))
            special = special or _mentions(before, [new for _, _, new in edits], mined)
        score = candidate.cost + _SIZE_WEIGHT * size + (_SPECIAL_WEIGHT if special else 0.0)
        return (
            round(score, 6),
            candidate.operator,
            tuple((edit.path, edit.start, edit.end, edit.text) for edit in candidate.edits),
        )

    return sorted(winners, key=key)


def spread(ranked: Sequence[Candidate], behaviours: Sequence[Hashable | None]) -> list[Candidate]:
    """`ranked` with the best of each behaviour first, so that no two of the first say the same in other words.

    `behaviours` are those of `ranked`, None where it is not known: such a one stands for itself.
    """
    seen: set[Hashable] = set()
    first: list[Candidate] = []
    rest: list[Candidate] = []
    for one, behaviour in zip(ranked, behaviours, strict=True):
        (rest if behaviour in seen else first).append(one)
        if behaviour is not None:
            seen.add(behaviour)
    return [*first, *rest]


def _mentions(before: str, added: list[str], mined: set[str]) -> bool:
    """True where the added text holds a literal that the tests know and the file did not."""
    for text in added:
        for token in _TOKEN.findall(text):
            if not _LITERAL.match(token) or token in _PLAIN or token in before:
                continue
            if token in mined or token.replace('"', "'") in mined:
                return True
    return False
