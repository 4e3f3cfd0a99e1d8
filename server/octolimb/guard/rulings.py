"""What one rule says of one change, before the judge weighs all of them. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from octolimb.core.proposals import Outcome, Reason

Role = Literal["repair", "person"]
"""Whose change it is: an autonomous repair limb's, or that of a person (or of a limb that a person sent to edit)."""

PROTECTED_PATHS = "protected-paths"
NO_SECRETS = "no-secrets"
TEST_WEAKENED = "test-weakened"
POLICY_FILES = "policy-files"
"""The id under which the guard reports that it cannot read its own policies."""

BUILT_IN = frozenset({PROTECTED_PATHS, NO_SECRETS, TEST_WEAKENED, POLICY_FILES})


@dataclass(frozen=True)
class Ruling:
    """`outcome` is what the rule demands; an `allow` with a reason is a warning."""

    outcome: Outcome
    reason: Reason
