"""The published JSON Schemas, made from the models and from nothing else."""

from __future__ import annotations

import hashlib
import json
from typing import Final, Literal

from pydantic import BaseModel

from octolimb.core.errors import BadInput
from octolimb.documents import models, wire

DOCUMENTS: Final[dict[str, type[BaseModel]]] = {
    "crate": models.Crate,
    "decision": models.DecisionDocument,
    "doctor": models.DoctorDocument,
    "error": models.ErrorDocument,
    "fix": models.FixDocument,
    "schemas": models.SchemasDocument,
    "trust": models.TrustDocument,
    "verdict": models.VerdictDocument,
    "wire-accepted": wire.Accepted,
    "wire-cause": wire.CauseFound,
    "wire-limb": wire.LimbStatus,
    "wire-limb-start": wire.LimbStart,
    "wire-proposal": wire.ProposalEvent,
    "wire-proposal-accept": wire.ProposalAccept,
    "wire-proposal-shown": wire.ProposalShown,
    "wire-proposals": wire.ProposalsListed,
    "wire-sense": wire.SenseRequestParams,
    "wire-shadow-content": wire.ShadowContent,
    "wire-tests": wire.TestsListed,
    "wire-went-back": wire.WentBack,
}


def schema_of(name: str) -> dict[str, object]:
    """The JSON Schema of one document. Raises `BadInput` for a name that is not in `DOCUMENTS`."""
    model = DOCUMENTS.get(name)
    if model is None:
        raise BadInput(f"no document is called {name!r}", hint="one of: " + ", ".join(DOCUMENTS))
    schema: dict[str, object] = model.model_json_schema(by_alias=True, mode=_mode(name))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"octolimb/{name}/1", **schema}


def _mode(name: str) -> Literal["validation", "serialization"]:
    """A request is what we read, everything else what we write."""
    return "validation" if issubclass(DOCUMENTS[name], (models.Crate, wire.WireRequest)) else "serialization"


def all_schemas() -> dict[str, dict[str, object]]:
    """Document name to JSON Schema, for all of them."""
    return {name: schema_of(name) for name in DOCUMENTS}


def schemas_digest() -> str:
    """SHA-256, in hex, of all schemas: two programs with one digest speak the same documents."""
    return hashlib.sha256(json.dumps(all_schemas(), sort_keys=True).encode()).hexdigest()
