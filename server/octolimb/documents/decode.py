"""From what others hand us to our values, or a refusal that says where it is wrong."""

from __future__ import annotations

import json
from typing import Final

from pydantic import ValidationError

from octolimb.core.errors import BadInput
from octolimb.documents.models import Crate

_MAX_BYTES: Final = 64 << 20


def crate_from_json(raw: bytes, *, name: str) -> Crate:
    """The crate in `raw`. Raises `BadInput` for anything that is not exactly one; `name` is what to call it."""
    if len(raw) > _MAX_BYTES:
        raise BadInput(f"{name} is over {_MAX_BYTES >> 20} MB")
    try:
        decoded = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_without_duplicates)
    except UnicodeDecodeError:
        raise BadInput(f"{name} is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise BadInput(f"{name} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise BadInput(f"{name} is nested too deeply to be a crate") from None
    try:
        return Crate.model_validate(decoded)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"]) or "the document"
        raise BadInput(
            f"{name} is not a crate: {where}: {first['msg'].lower()}",
            hint='a crate is {"files": {"rel/path": "text" or null}, "renames": {"old": "new"}}',
        ) from None


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise BadInput(f"the key {key!r} stands twice in one object; which one rules would be a guess")
        found[key] = value
    return found
