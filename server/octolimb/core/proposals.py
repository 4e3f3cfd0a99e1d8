"""What the guard decides and what a person is shown. Pure values."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from octolimb.core.changes import ChangeSet
from octolimb.core.paths import RelPath
from octolimb.core.positions import Span
from octolimb.core.verdicts import Verdict

Outcome = Literal["allow", "ask", "deny"]


@dataclass(frozen=True)
class Reason:
    """A policy that determined a decision; `message` never holds a secret, `fix` says what would make it pass."""

    policy: str
    path: RelPath | None
    message: str
    span: Span | None = None
    fix: str | None = None


@dataclass(frozen=True)
class Decision:
    """`policies` is the SHA-256 of the whole policy set that judged; `change_set` the digest of what it judged."""

    decision: Outcome
    reasons: tuple[Reason, ...]
    policies: str
    change_set: str


@dataclass(frozen=True)
class Receipt:
    """Binds a proposal to what it was judged on: a receipt whose digests no longer hold cannot be applied."""

    base: str
    change_set: str
    policies: str
    tools: str
    results: str

    @property
    def id(self) -> str:
        parts = (self.base, self.change_set, self.policies, self.tools, self.results)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Proposal:
    """A change set with all that a person needs to accept or reject it. `attempts` counts candidates tried for it."""

    id: str
    rank: int
    change_set: ChangeSet
    verdict: Verdict
    decision: Decision
    why: str
    coder: str
    attempts: int
    tokens: int
    receipt: Receipt
