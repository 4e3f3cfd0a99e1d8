"""`octolimb fix`: sends a limb, shows what it proposes and, where asked, has the guard apply it."""

from __future__ import annotations

import shlex
from typing import Annotated, Literal

import typer
from rich.text import Text

from octolimb.cli.context import Exit, Invocation, invocation_of
from octolimb.cli.live import live_line
from octolimb.cli.show import show_proposal
from octolimb.documents.encode import fix_document
from octolimb.engine.engine import Engine
from octolimb.engine.fixing import FixRequest, FixResult, fix

_EXIT = {
    "proposed": Exit.OK,
    "applied": Exit.OK,
    "none": Exit.PAIN,
    "denied": Exit.DENIED,
    "ask": Exit.ASK,
    "stale": Exit.STALE,
}


def command(
    context: typer.Context,
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TARGET ...]", help="pytest node ids, paths or path:line; else every failing test."),
    ] = None,
    goal: Annotated[str | None, typer.Option(help="What to achieve, in words; for coders that read.")] = None,
    coder: Annotated[Literal["auto", "offline", "model"], typer.Option(help="Who generates the edits.")] = "auto",
    model: Annotated[str | None, typer.Option(help="The language model, for --coder model.")] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write the best allowed proposal: all of it or nothing.")
    ] = False,
    budget: Annotated[float, typer.Option(min=1, help="Seconds that the limb may take.")] = 60.0,
    proposals: Annotated[int, typer.Option(min=1, max=20, help="How many proposals at most.")] = 3,
) -> None:
    """Send a limb to repair what fails. It works in the shadow; your files stay as they are unless you say --apply."""
    invocation = invocation_of(context)
    request = FixRequest(tuple(targets or ()), goal, coder, model, budget, proposals, apply=apply)
    with (
        invocation.failures(),
        Engine(invocation.root, python=invocation.python) as engine,
        live_line(invocation) as live,
    ):
        result = fix(engine, request, progress=lambda at: live.update(at.line))
    if invocation.json:
        invocation.answer(fix_document(result))
    else:
        _show(invocation, result, request)
    raise typer.Exit(_EXIT[result.status])


def _show(invocation: Invocation, result: FixResult, request: FixRequest) -> None:
    console = invocation.out
    for line in result.pain_lines:
        console.print(Text.assemble(("pain      ", "red"), line), soft_wrap=True)
    if result.attempts:
        rate = f", {result.attempts / result.searched:.0f} a second" if result.searched > 0.05 else ""
        console.print(Text.assemble(("limb      ", "cyan"), f"{result.attempts} twitches{rate}"), soft_wrap=True)
    for proposal in result.proposals:
        console.print()
        show_proposal(invocation, proposal, of=len(result.proposals))
    console.print()
    style = "bold green" if _EXIT[result.status] is Exit.OK else "bold yellow"
    console.print(Text.assemble((result.status, style), f"  {result.message} ({result.seconds:.1f} s)"), soft_wrap=True)
    if result.status == "proposed":
        console.print(Text(f"apply with: {shlex.join(_applying(invocation, request))}"), soft_wrap=True)


def _applying(invocation: Invocation, request: FixRequest) -> list[str]:
    """The exact command that applies what was just proposed."""
    words = ["octolimb"]
    words += ["--root", str(invocation.root_option)] if invocation.root_option else []
    words += ["--python", str(invocation.python)] if invocation.python else []
    return [*words, "fix", *request.targets, "--apply"]
