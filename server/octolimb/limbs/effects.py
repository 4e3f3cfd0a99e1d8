"""What a limb asks of the world, and what it is answered.

Pure values, so that a test can play the world with canned replies. Nothing here carries anything out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from octolimb.core.proposals import Decision
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Verdict
from octolimb.limbs.candidates import Candidate, CandidateBatch, Trial
from octolimb.limbs.pain import Pain


class LimbState(StrEnum):
    QUEUED = "queued"
    GENERATING = "generating"
    STAGING = "staging"
    SENSING = "sensing"
    TWITCHING = "twitching"
    CONFIRMING = "confirming"
    JUDGING = "judging"
    PROPOSED = "proposed"
    SURRENDERED = "surrendered"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True)
class Sense:
    """Sense the goal cold on `snapshot`. Answered with `Pain`."""

    snapshot: Snapshot


@dataclass(frozen=True)
class Generate:
    """Ask one coder for its next candidates on `snapshot`. Answered with a `CandidateBatch`; false means spent."""

    coder: str
    snapshot: Snapshot
    pain: Pain


@dataclass(frozen=True)
class Twitch:
    """Stage and try candidates, quickly; never a verdict. Answered with a tuple of `Trial`, perhaps of fewer.

    After the first that passes, the rest is tried for `grace` seconds only, in the hope of something simpler.
    """

    snapshot: Snapshot
    pain: Pain
    candidates: Iterable[Candidate]
    grace: float


@dataclass(frozen=True)
class Rank:
    """Order candidates that all passed. Answered with them as a tuple of `Candidate`, best first."""

    snapshot: Snapshot
    pain: Pain
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Stage:
    """Make a candidate's edits in the limb's layer. Answered with the new `Snapshot`."""

    snapshot: Snapshot
    candidate: Candidate


@dataclass(frozen=True)
class Confirm:
    """Sense `snapshot` in full, cold, in a fresh process. Answered with a `Verdict`.

    `spared` are goal tests that still fail and that this solution does not claim to fix.
    """

    snapshot: Snapshot
    spared: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judge:
    """Ask the guard about what leads from the limb's start to `snapshot`. Answered with a `Decision`."""

    snapshot: Snapshot


Effect = Sense | Generate | Twitch | Rank | Stage | Confirm | Judge
Reply = Pain | CandidateBatch | tuple[Candidate, ...] | tuple[Trial, ...] | Snapshot | Verdict | Decision


@dataclass(frozen=True)
class Retracted:
    """One confirmed and judged solution, in the limb's order of preference; `spared` as in `Confirm`."""

    snapshot: Snapshot
    verdict: Verdict
    decision: Decision
    candidates: tuple[Candidate, ...]
    coder: str
    attempts: int
    spared: tuple[str, ...] = ()


@dataclass(frozen=True)
class LimbOutcome:
    """How a limb ended: `why` is one line for a person. `refused` tells what passed warm and did not hold."""

    state: LimbState
    why: str
    retracted: Sequence[Retracted] = ()
    attempts: int = 0
    pain: Pain = field(default_factory=Pain)
    refused: Sequence[str] = ()
