"""What goes over the language server's custom methods, `octolimb/*`: every request, answer and notification as a model.

Keys are camelCase, as the protocol has them; the documents inside (a verdict, a decision) keep their own spelling. What
we are sent is checked strictly: an unknown key is refused.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from octolimb.documents.models import DecisionDocument, Document, Range, TestsDocument, VerdictDocument


class WireRequest(BaseModel):
    """Parameters that a client sends."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel)


class WireDocument(Document):
    """An answer, or the parameters of a notification."""

    model_config = ConfigDict(
        frozen=True, populate_by_name=True, serialize_by_alias=True, alias_generator=to_camel, extra="ignore"
    )


# -- requests ----------------------------------------------------------------------------------------------------------


class WirePosition(WireRequest):
    line: Annotated[int, Field(ge=0)]
    character: Annotated[int, Field(ge=0)]


class WireRange(WireRequest):
    start: WirePosition
    end: WirePosition


class LimbStart(WireRequest):
    """`octolimb/limb/start`, answered with `LimbStarted`. `text` is a goal in words, or for a test its node id."""

    kind: Literal["diagnostic", "test", "goal", "refactor"]
    uri: str
    range: WireRange | None = None
    version: int | None = None
    text: str | None = None


class LimbCancel(WireRequest):
    """`octolimb/limb/cancel`, answered with null; a limb that has ended is no error."""

    limb: str


class ProposalList(WireRequest):
    """`octolimb/proposal/list`, answered with `ProposalsListed`."""


class ProposalShow(WireRequest):
    """`octolimb/proposal/show`, answered with `ProposalShown`."""

    id: str


class ProposalAccept(WireRequest):
    """`octolimb/proposal/accept`, answered with `Accepted`. `hunks` left out means all that are not rejected.

    `confirmed` says that the person has read what the guard asks, and said yes.
    """

    id: str
    hunks: list[str] | None = None
    confirmed: bool = False


class ProposalReject(WireRequest):
    """`octolimb/proposal/reject` and `octolimb/proposal/restore`, answered with `ProposalSummary`."""

    id: str
    hunks: list[str] | None = None


class ProposalTry(WireRequest):
    """`octolimb/proposal/try`: senses some hunks as what they are, without accepting; answered with `Accepted`."""

    id: str
    hunks: list[str]


class ShadowContentRequest(WireRequest):
    """`octolimb/shadow/content`, answered with `ShadowContent`. With a proposal, `side` chooses before or after it."""

    uri: str
    proposal: str | None = None
    side: Literal["before", "after"] = "after"


class SenseRequestParams(WireRequest):
    """`octolimb/sense`, answered with a verdict. `named` are node ids that must run."""

    uris: list[str] | None = None
    tests: Literal["impacted", "full", "none"] | None = None
    named: list[str] | None = None


class TestsListRequest(WireRequest):
    """`octolimb/tests/list`, answered with `TestsListed`: found by reading, nothing is run."""

    __test__ = False

    uri: str | None = None


class StandBack(WireRequest):
    """`octolimb/standBack`, a notification: another extension already reports what these sensors find in open files."""

    sensors: list[Literal["syntax", "lint", "types", "tests"]]


class FolderRequest(WireRequest):
    """`octolimb/green/back`, `/green/cause` and `octolimb/doctor`: `uri` picks the folder, the first if absent."""

    uri: str | None = None


# -- answers and notifications -----------------------------------------------------------------------------------------


class LimbStarted(WireDocument):
    limb: str


class LimbStatus(WireDocument):
    """`octolimb/limb`, a notification at each change of state and, while it works, now and then."""

    limb: str
    state: Literal[
        "queued",
        "generating",
        "staging",
        "sensing",
        "twitching",
        "confirming",
        "judging",
        "proposed",
        "surrendered",
        "cancelled",
        "failed",
    ]
    kind: Literal["diagnostic", "test", "goal", "refactor"]
    uri: str
    attempts: int = Field(description="Candidates tried so far.")
    seconds: float
    detail: str = Field("", description="One line for a person.")
    proposals: list[str] = Field([], description="The ids of what it proposes, best first.")


class WireHunk(WireDocument):
    id: str
    uri: str
    range: Range = Field(description="In the file before the change.")
    after: Range = Field(description="In the file after the change.")
    old_text: str
    new_text: str
    needs: list[str] = Field(description="Hunks without which this one breaks something.")
    rejected: bool = False


class WireFile(WireDocument):
    uri: str
    kind: Literal["create", "modify", "delete", "rename"]
    old_uri: str | None = None


class ProposalSummary(WireDocument):
    """A proposal as lists show it. `stale`: its files changed, and accepting will merge or tell of a conflict."""

    id: str
    limb: str
    rank: int = Field(description="1 is the best of its limb.")
    state: Literal["open", "stale", "accepted", "rejected"]
    files: list[WireFile]
    hunks: list[WireHunk]
    why: str
    pain: list[str] = Field([], description="What hurt, in at most three lines.")
    coder: str
    attempts: int
    decision: DecisionDocument
    green: bool
    tests: TestsDocument
    generation: int = Field(description="Of the state that it was made for.")
    revision: int = Field(description="Rises with every change of this proposal; part of a virtual document's URI.")


class ProposalsListed(WireDocument):
    proposals: list[ProposalSummary]


class ProposalShown(WireDocument):
    """A proposal in full."""

    proposal: ProposalSummary
    diff: str
    verdict: VerdictDocument
    receipt: str


class ProposalEvent(WireDocument):
    """`octolimb/proposal`, a notification."""

    event: Literal["new", "changed", "gone"]
    id: str
    proposal: ProposalSummary | None = None


class Accepted(WireDocument):
    """How accepting ended. Only `applied` changed anything; every other status says in `message` what to do.

    `ask`: the guard wants a person's explicit yes: ask, then accept again with `confirmed`. `regressed`: what was
    chosen breaks something, and `needs` names the hunks that would mend it. `tried`: sensed, as was wished.
    """

    status: Literal["applied", "tried", "ask", "denied", "regressed", "conflict", "stale", "failed"]
    message: str
    needs: list[str] = Field([])
    conflicts: list[str] = Field([], description="URIs of files that cannot be merged.")
    decision: DecisionDocument | None = None
    verdict: VerdictDocument | None = None


class ShadowContent(WireDocument):
    """`text` is null where the file does not exist there, or is not text."""

    text: str | None
    generation: int


class WireTest(WireDocument):
    """A test, a class of tests, or a file of them; `id` is pytest's node id, without parameters."""

    id: str
    label: str
    uri: str
    range: Range | None = None
    children: list[WireTest] = Field([])


class TestsListed(WireDocument):
    __test__ = False

    generation: int
    tests: list[WireTest]


class WentBack(WireDocument):
    """`octolimb/green/back`: `applied` where buffers were changed back, `nothing` where there is nothing to undo."""

    status: Literal["applied", "nothing", "unknown", "failed"]
    message: str
    generation: int | None = Field(None, description="Of the green state that was gone back to.")
    uris: list[str] = Field([])


class CauseFound(WireDocument):
    """`octolimb/green/cause`: the smallest set of edits since the last green that makes the pain, by trying."""

    status: Literal["found", "nothing", "unknown"]
    message: str
    hunks: list[WireHunk] = Field([])
    pains: list[str] = Field([])
    tried: int = 0
