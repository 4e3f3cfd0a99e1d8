"""The judge: policies and a change set in, one decision out. The worst ruling wins, and a rule that fails denies.

It reads the disk only to learn where paths really lead, and writes nothing. It does not decide whether an `ask` has
been answered, and knows neither who proposed a change nor why.
"""

from __future__ import annotations

import hashlib
import logging
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from octolimb.core.changes import ChangeSet
from octolimb.core.positions import Position
from octolimb.core.proposals import Decision, Outcome, Reason
from octolimb.guard import protected, secrets, weakening
from octolimb.guard.policies import PolicySet
from octolimb.guard.protected import Disk, FileSystem, judge_paths
from octolimb.guard.rulings import NO_SECRETS, PROTECTED_PATHS, TEST_WEAKENED, Role, Ruling
from octolimb.guard.secrets import Scanner, judge_secrets
from octolimb.guard.weakening import judge_weakening

_log = logging.getLogger(__name__)

_WEIGHT: Final[dict[Outcome, int]] = {"allow": 0, "ask": 1, "deny": 2}
_BUILT_IN_VERSIONS: Final = (
    (NO_SECRETS, secrets.VERSION),
    (PROTECTED_PATHS, protected.VERSION),
    (TEST_WEAKENED, weakening.VERSION),
)


def judge(
    policies: PolicySet,
    change_set: ChangeSet,
    *,
    role: Role = "person",
    root: Path | None = None,
    files: FileSystem | None = None,
    scanner: Scanner | None = None,
) -> Decision:
    """What may become of `change_set`; the reasons are those that determined it, in a fixed order.

    With `root` the links on its disk are followed; `files` and `scanner` stand in for the disk and the token scanner.
    Never raises for anything in the change: a rule that fails denies and says so. An `allow` may carry warnings.
    """
    disk = files or (Disk(root) if root is not None else None)
    rules: list[tuple[str, Callable[[], list[Ruling]]]] = [
        (PROTECTED_PATHS, lambda: judge_paths(change_set, disk)),
        (TEST_WEAKENED, lambda: judge_weakening(change_set, role)),
        (NO_SECRETS, lambda: judge_secrets(change_set, scanner)),
    ]
    rules += [(policy.id, lambda policy=policy: policy.judge(change_set)) for policy in policies.policies]  # type: ignore[misc]
    rulings = [Ruling("deny", problem) for problem in policies.problems]
    for name, rule in rules:
        rulings += _rule(name, rule)
    return weigh(rulings, policies=digest_of(policies), change_set=change_set.digest)


def weigh(rulings: Iterable[Ruling], *, policies: str, change_set: str) -> Decision:
    """The decision that the rulings come to: the worst of them, with every reason for that one."""
    listed = list(rulings)
    outcomes: list[Outcome] = ["allow", *(ruling.outcome for ruling in listed)]
    worst = max(outcomes, key=lambda outcome: _WEIGHT[outcome])
    reasons = {ruling.reason for ruling in listed if ruling.outcome == worst}
    return Decision(worst, tuple(sorted(reasons, key=_order)), policies, change_set)


def digest_of(policies: PolicySet) -> str:
    """SHA-256, in hex, of all that judges: the built-in rules by id and version, and every file of the policies."""
    total = hashlib.sha256()
    for name, version in _BUILT_IN_VERSIONS:
        total.update(f"{name}\0{version}\0".encode())
    total.update(policies.files_digest.encode())
    return total.hexdigest()


def _rule(name: str, rule: Callable[[], list[Ruling]]) -> list[Ruling]:
    try:
        return rule()
    except Exception as error:  # noqa: BLE001 - Whatever a rule dies of, a change that it has not passed is denied.
        kind = type(error).__name__
        # Neither log nor message holds the error's own text: it may quote the file, and with it a secret.
        _log.error("the rule %s failed with %s:\n%s", name, kind, "".join(traceback.format_tb(error.__traceback__)))
        message = f"the rule {name} failed ({kind}), so nothing was judged by it; that denies"
        return [Ruling("deny", Reason(name, None, message, fix="report this; the log has the details"))]


def _order(reason: Reason) -> tuple[str, str, Position, str]:
    start = reason.span.start if reason.span else Position(-1, 0)
    return reason.policy, reason.path or "", start, reason.message
