"""The documents themselves. Names on the wire are camelCase-free here: the command line speaks snake_case."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Document(BaseModel):
    """What we send. Readers ignore keys that they do not know, so adding one is no change of version."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    def as_json(self) -> dict[str, object]:
        """The document as JSON values; an optional key without a value is absent, not null."""
        return {
            field.alias or name: _as_json(value)
            for name, field in type(self).model_fields.items()
            if (value := getattr(self, name)) is not None or field.is_required()
        }


def _as_json(value: object) -> object:
    if isinstance(value, Document):
        return value.as_json()
    return [_as_json(item) for item in value] if isinstance(value, list) else value


class _Request(BaseModel):
    """What we are sent. Unknown keys are refused: a typing error must not pass as a wish fulfilled."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ErrorBody(Document):
    code: str = Field(description="A stable name for programs, such as `bad-path` or `cannot-sense`.")
    message: str = Field(description="One line: what happened, and where.")
    hint: str | None = Field(None, description="One line: what to do next.")
    path: str | None = Field(None, description="The path that it is about, as it was given.")


class ErrorDocument(Document):
    schema_: Literal["octolimb/error/1"] = Field("octolimb/error/1", alias="schema")
    error: ErrorBody


class Crate(_Request):
    """Edits that lie over the disk. Renames are made first, then files."""

    schema_: Literal["octolimb/crate/1"] | None = Field(None, alias="schema")
    files: dict[str, str | None] = Field({}, description="Relative path to its text; null deletes it.")
    renames: dict[str, str] = Field({}, description="Old relative path to new; directories move whole.")


class Place(Document):
    line: Annotated[int, Field(ge=0, description="Zero-based.")]
    character: Annotated[int, Field(ge=0, description="Zero-based column in UTF-16 code units.")]


class Range(Document):
    start: Place
    end: Place


class FindingDocument(Document):
    path: str
    range: Range
    severity: Literal["error", "warning", "information", "hint"]
    source: str = Field(description="The sensor: `syntax`, `lint`, `types` or `tests`.")
    code: str
    message: str
    new: bool = Field(description="Not in the baseline.")
    test: str | None = Field(None, description="The pytest node id, for a failing test.")
    detail: str | None = Field(None, description="The long form, such as a traceback.")


class SensorDocument(Document):
    name: str
    status: Literal["ran", "skipped", "crashed"]
    ms: float
    why: str | None = None
    hint: str | None = Field(None, description="What to do, where it crashed.")


class IsolationDocument(Document):
    files: Literal["overlay", "reflink", "copy"]
    sandbox: Literal["full", "partial", "none"]
    network: bool = Field(description="True where the children were cut off from the network.")


class TestsDocument(Document):
    mode: Literal["impacted", "full", "none"]
    selected: int
    passed: int
    failed: int
    errors: int
    skipped: int
    failures: list[str] = Field(description="pytest node ids.")


class VerdictDocument(Document):
    schema_: Literal["octolimb/verdict/1"] = Field("octolimb/verdict/1", alias="schema")
    root: str
    generation: int
    green: bool
    regressed: bool
    complete: bool
    level: Literal["cold", "L0", "L1", "L2", "L3"]
    isolation: IsolationDocument
    sensors: list[SensorDocument]
    findings: list[FindingDocument]
    tests: TestsDocument
    ms: float


class ReasonDocument(Document):
    policy: str
    path: str | None
    range: Range | None = None
    message: str
    fix: str | None = None


class DecisionDocument(Document):
    schema_: Literal["octolimb/decision/1"] = Field("octolimb/decision/1", alias="schema")
    decision: Literal["allow", "ask", "deny"]
    reasons: list[ReasonDocument]
    policies: str = Field(description="SHA-256 of the policy set that judged.")


class HunkDocument(Document):
    id: str
    path: str
    range: Range = Field(description="In the file before the change.")
    needs: list[str] = Field(description="Hunks without which this one is of no use.")


class ProposalDocument(Document):
    id: str
    rank: int = Field(description="1 is the best.")
    files: list[str]
    diff: str = Field(description="A unified diff that `git apply -p1` takes.")
    hunks: list[HunkDocument]
    verdict: VerdictDocument
    decision: DecisionDocument
    why: str
    coder: str
    attempts: int
    tokens: int
    receipt: str


class FixDocument(Document):
    schema_: Literal["octolimb/fix/1"] = Field("octolimb/fix/1", alias="schema")
    status: Literal["proposed", "applied", "none", "denied", "ask", "stale"]
    proposals: list[ProposalDocument]
    seconds: float
    message: str = Field("", description="One line for a person.")
    pain: list[str] = Field([], description="What hurt, in at most three lines.")
    refused: list[str] = Field([], description="What passed at first and did not hold when confirmed.")
    attempts: int = Field(0, description="Candidates tried.")
    searched: float = Field(0.0, description="Seconds spent trying them.")


class CapabilityDocument(Document):
    name: str
    holds: bool
    advice: str = Field(description="What it means, and where it does not hold, how to get it.")


class DoctorDocument(Document):
    schema_: Literal["octolimb/doctor/1"] = Field("octolimb/doctor/1", alias="schema")
    version: str
    root: str
    trusted: bool
    python: str = Field(description="The project's interpreter.")
    isolation: IsolationDocument
    capabilities: list[CapabilityDocument]
    ready: bool = Field(description="Everything that sensing needs is there.")


class TrustDocument(Document):
    schema_: Literal["octolimb/trust/1"] = Field("octolimb/trust/1", alias="schema")
    root: str
    trusted: bool


class SchemasDocument(Document):
    schema_: Literal["octolimb/schemas/1"] = Field("octolimb/schemas/1", alias="schema")
    schemas: dict[str, dict[str, object]] = Field(description="Document name to its JSON Schema.")
