"""`octolimb serve`: the language server."""

from __future__ import annotations

from typing import Annotated

import typer

from octolimb.cli.context import invocation_of
from octolimb.documents.schemas import schemas_digest


def command(
    context: typer.Context,
    tcp: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Listen on loopback instead of standard input and output.")
    ] = None,
) -> None:
    """Run the language server, on standard input and output unless told otherwise."""
    from octolimb.lsp.server import serve

    invocation = invocation_of(context)
    with invocation.failures():
        serve(invocation.root_option, tcp=tcp, schemas=schemas_digest())
