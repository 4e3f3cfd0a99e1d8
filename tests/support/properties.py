"""How many examples a property test tries: few in `make test`, many in `make campaign`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

VARIABLE = "OCTOLIMB_EXAMPLES"


def examples(number: int, *, cost: int = 1) -> settings:
    """`number` examples, or as many as the campaign asks for; one that starts processes has a higher `cost`."""
    asked = os.environ.get(VARIABLE)
    many = max(1, int(asked) // cost) if asked else number
    return settings(max_examples=many, deadline=None, suppress_health_check=[HealthCheck.too_slow])
