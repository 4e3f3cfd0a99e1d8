"""`octolimb doctor`: what works here, in words that a person can act on."""

from __future__ import annotations

import typer
from rich.text import Text

from octolimb.cli.context import Exit, invocation_of
from octolimb.documents.encode import doctor_document
from octolimb.engine.engine import Engine
from octolimb.engine.health import examine


def command(context: typer.Context) -> None:
    """Say what works here: isolation, sensors, the project's interpreter, trust."""
    invocation = invocation_of(context)
    with invocation.failures(), Engine(invocation.root, python=invocation.python) as engine:
        health = examine(engine)
    if invocation.json:
        invocation.answer(doctor_document(health))
    else:
        console = invocation.out
        console.print(Text.assemble(("octolimb ", "bold"), f"{health.version} in {health.root}"), soft_wrap=True)
        for capability in health.capabilities:
            mark = ("✓ ", "green") if capability.holds else ("✗ ", "red")
            console.print(Text.assemble(mark, (f"{capability.name:12}", "bold"), capability.advice), soft_wrap=True)
        console.print(Text("ready" if health.ready else "not ready: see ✗ above", style="bold"))
    raise typer.Exit(Exit.OK if health.ready else Exit.COULD_NOT_SENSE)
