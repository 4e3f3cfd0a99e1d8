"""`octolimb schema [NAME]`: the JSON Schema of every document."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from octolimb.cli.context import invocation_of
from octolimb.documents.models import SchemasDocument
from octolimb.documents.schemas import all_schemas, schema_of


def command(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="One document; else all of them.")] = None,
) -> None:
    """Print the JSON Schema of every document that crosses our doors."""
    invocation = invocation_of(context)
    with invocation.failures():
        value = SchemasDocument(schemas=all_schemas()).as_json() if name is None else schema_of(name)
    if invocation.json:
        invocation.answer_json(value)
    else:
        typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
