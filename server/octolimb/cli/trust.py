"""`octolimb trust [--forget]`: lets this repository's own code run."""

from __future__ import annotations

from typing import Annotated

import typer

from octolimb.cli.context import invocation_of
from octolimb.documents.models import TrustDocument
from octolimb.engine.engine import Engine


def command(
    context: typer.Context,
    forget: Annotated[bool, typer.Option("--forget", help="Take the trust back.")] = False,
) -> None:
    """Let this repository's own code run: its tests, conftest, plugins and interpreter."""
    invocation = invocation_of(context)
    with invocation.failures(), Engine(invocation.root, python=invocation.python) as engine:
        if forget:
            engine.trust.forget(engine.root)
        else:
            engine.trust.trust(engine.root)
        trusted = engine.trust.is_trusted(engine.root)
        root = str(engine.root)
    if invocation.json:
        invocation.answer(TrustDocument(root=root, trusted=trusted))
    elif trusted:
        invocation.out.print(f"{root} is trusted: its tests may run, in the shadow", markup=False)
    else:
        invocation.out.print(f"{root} is not trusted: only syntax, lint and types are sensed", markup=False)
