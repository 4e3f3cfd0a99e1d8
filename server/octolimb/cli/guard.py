"""`octolimb guard`: judges a change set before anyone applies it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from octolimb.cli.context import Exit, invocation_of
from octolimb.cli.sense import read_crate
from octolimb.cli.show import show_decision
from octolimb.core.changes import ChangeSet
from octolimb.core.errors import BadInput
from octolimb.documents.encode import decision_document
from octolimb.engine.engine import Engine
from octolimb.engine.revisions import changes_in_diff, staged_changes

app = typer.Typer(help="Judge a change set against the policies that hold here.", no_args_is_help=True)
_EXIT = {"allow": Exit.OK, "deny": Exit.PAIN, "ask": Exit.ASK}


@app.callback()
def group() -> None:
    """Judge a change set against the policies that hold here."""


@app.command("check")
def check(
    context: typer.Context,
    crate: Annotated[Path | None, typer.Option(metavar="F", help="A crate, as JSON; - is standard input.")] = None,
    diff: Annotated[Path | None, typer.Option(metavar="F", help="A unified diff; - is standard input.")] = None,
    staged: Annotated[bool, typer.Option("--staged", help="What git has staged for the next commit.")] = False,
) -> None:
    """Judge a crate, a diff or what is staged; nothing is written."""
    invocation = invocation_of(context)
    with invocation.failures():
        if (crate is not None) + (diff is not None) + staged != 1:
            raise BadInput("say what to judge: one of --crate F, --diff F, --staged")
        with Engine(invocation.root, python=invocation.python) as engine:
            decision = engine.judge(_change_set(engine, crate, diff), role="person")
    if invocation.json:
        invocation.answer(decision_document(decision))
    else:
        show_decision(invocation.out, decision)
    raise typer.Exit(_EXIT[decision.decision])


def _change_set(engine: Engine, crate: Path | None, diff: Path | None) -> ChangeSet:
    if crate is not None:
        staged = read_crate(crate)
        return engine.changes(engine.disk(), engine.snapshot(staged.files, staged.renames))
    if diff is None:
        return staged_changes(engine)
    try:
        raw = sys.stdin.buffer.read() if str(diff) == "-" else diff.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read the diff {diff}: {error.strerror}", path=str(diff)) from None
    return changes_in_diff(engine, raw)
