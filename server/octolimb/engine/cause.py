"""What broke it: the fewest edits since the last green state that make a pain, found by trying (delta debugging).

After Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", IEEE TSE 28(2), 2002.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from octolimb.core.hunks import Edit
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding
from octolimb.engine.engine import Engine
from octolimb.engine.stopping import never


@dataclass(frozen=True)
class CauseProgress:
    """`tried` sets of edits so far; `left` edits are still suspected."""

    tried: int
    left: int


@dataclass(frozen=True)
class Cause:
    """`found`: the `edits`, from the green state to now, make the pain, and without any one of them it is not there.

    `minimal` is false where time ran out: the edits make the pain, and some of them may not be needed for it.
    `nothing`: the pain was there before these edits, or there are none. `unknown`: it did not show again.
    """

    status: Literal["found", "nothing", "unknown"]
    message: str
    edits: tuple[Edit, ...] = ()
    pain: Finding | None = None
    tried: int = 0
    minimal: bool = True


def find_cause(
    engine: Engine,
    green: Snapshot,
    now: Snapshot,
    pain: Finding,
    *,
    deadline: float = 120.0,
    cancelled: Callable[[], bool] = never,
    progress: Callable[[CauseProgress], None] | None = None,
) -> Cause:
    """The 1-minimal set of edits between `green` and `now`, of one base, that makes `pain`, a finding of `now`.

    A failing test is run for each set, once the set has no syntax error of its own; any other finding is looked for by
    its sensor. `deadline` is in seconds. Raises `Cancelled`, `CannotSense` and `CannotIsolate`.
    """
    raise NotImplementedError
