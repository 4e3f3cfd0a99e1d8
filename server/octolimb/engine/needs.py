"""Which hunks of a proposal cannot do without which others: found by trying, so that what it says is so.

It runs for as long as it is let; a front calls it in the background and has the store keep what it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from octolimb.engine.engine import Engine
from octolimb.engine.proposals import StoredProposal
from octolimb.engine.stopping import never


def find_needs(
    engine: Engine,
    stored: StoredProposal,
    *,
    deadline: float,
    cancelled: Callable[[], bool] = never,
    found: Callable[[str, tuple[str, ...]], None] | None = None,
) -> Mapping[str, tuple[str, ...]]:
    """For each hunk, the fewest others with which it breaks nothing that it breaks alone; () for most.

    Tried on the state that the limb set out from: an error that is new there, or a test that passed there and fails or
    is lost, is something broken. `found` is told of each hunk when it is known. After `deadline` seconds, or when
    `cancelled`, what was not found yet is left out.
    """
    raise NotImplementedError
