"""What the editor tells the server at its start: `initializationOptions`, whose names are the settings `octolimb.*`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from octolimb.core.errors import BadInput


class Options(BaseModel):
    """Checked options. Left out means: the server's own choice."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", alias_generator=to_camel)

    trusted: bool = False
    python: str | None = None
    server_python: str | None = None
    sensors: list[Literal["syntax", "lint", "types", "tests"]] | None = None
    tests: Literal["impacted", "full", "none"] | None = None
    coder: Literal["auto", "offline", "model"] | None = None
    model: str | None = None
    code_intelligence: Literal["auto", "on", "off"] | bool | None = None
    token: str | None = None  # Proof, over TCP, that the client may connect.

    @property
    def is_code_intelligent(self) -> bool:
        """Whether definition, rename and the like are to be served. Standing back for others is the client's word."""
        return self.code_intelligence not in ("off", False)


def read_options(raw: object) -> tuple[Options, tuple[str, ...]]:
    """The checked options, and the names that we do not know, sorted: a newer client's settings are no failure.

    `raw` is decoded JSON, None when the client sent nothing. Raises `BadInput` that names the first wrong option.
    """
    if raw is None:
        return Options(), ()
    if not isinstance(raw, dict):
        raise BadInput("initializationOptions: an object is needed")
    values: dict[str, Any] = {name: value for name, value in raw.items() if value is not None}
    try:
        options = Options.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in ("initializationOptions", *first["loc"]))
        raise BadInput(f"{place}: {first['msg']}") from error
    known = {field.alias for field in Options.model_fields.values()}
    return options, tuple(sorted(name for name in values if name not in known))
