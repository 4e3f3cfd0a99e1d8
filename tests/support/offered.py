"""What a limb would hand over, without a limb: results that propose given texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from octolimb.core.changes import changes_between
from octolimb.core.document import text_document
from octolimb.core.overlay import GONE, Entry
from octolimb.core.paths import RelPath
from octolimb.core.proposals import Decision, Proposal, Receipt
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Isolation, Verdict
from octolimb.engine.fixing import FixResult, Solution
from octolimb.guard.rulings import Role
from octolimb.workspace.pinned import PinnedBase

GREEN = Verdict("/", 1, True, False, True, "cold", Isolation("overlay", "full", True))
Texts = Mapping[str, str | None]


def edited(snapshot: Snapshot, texts: Texts) -> Snapshot:
    """The snapshot with these texts; None deletes."""
    entries: dict[RelPath, Entry] = {
        RelPath(path): GONE if text is None else text_document(RelPath(path), text) for path, text in texts.items()
    }
    return snapshot.with_edits(entries)


def offered(before: Snapshot, *solutions: Texts, goal: tuple[str, ...] = (), role: Role = "repair") -> FixResult:
    """The result of a limb that proposes these texts on `before`, best first, confirmed green and allowed."""
    start = replace(before, base=PinnedBase(before.base))
    found = []
    for rank, texts in enumerate(solutions, start=1):
        after = edited(start.fork(), texts)
        change_set = changes_between(start, after)
        decision = Decision("allow", (), "policies", change_set.digest)
        receipt = Receipt("base", change_set.digest, "policies", "tools", f"results{rank}")
        proposal = Proposal(f"p{rank}", rank, change_set, GREEN, decision, "because", "offline/search", 9, 0, receipt)
        found.append(Solution(proposal, start, after, goal, ("it hurts",), role))
    return FixResult("proposed", "the pain stopped", 1.0, tuple(one.proposal for one in found), solutions=tuple(found))
