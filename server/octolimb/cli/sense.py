"""`octolimb sense`: the shadow truth, disk plus crate, as a verdict."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from octolimb.cli.context import Exit, invocation_of
from octolimb.cli.live import live_line
from octolimb.cli.show import show_verdict
from octolimb.core.errors import BadInput, CannotSense
from octolimb.core.snapshot import Snapshot
from octolimb.documents.decode import crate_from_json
from octolimb.documents.encode import verdict_document
from octolimb.documents.models import Crate
from octolimb.engine.engine import SENSORS, Engine, Sensing
from octolimb.engine.revisions import snapshot_at

Tests = Literal["impacted", "full", "none"]


def command(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(help="Limit the findings to these; test files and node ids among them are the tests to run."),
    ] = None,
    crate: Annotated[
        Path | None, typer.Option(metavar="F", help="Edits to lay over the disk, as JSON; - is standard input.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="disk,none,REV", help="What counts as old. With a crate, disk; else none.")
    ] = None,
    tests: Annotated[
        Tests | None, typer.Option(help="Which tests to run. In a trusted root impacted, else none.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(metavar="LIST", help="Only these sensors, comma-separated: syntax,lint,types,tests.")
    ] = None,
    deadline: Annotated[float, typer.Option(min=1, help="Seconds after which what still runs is ended.")] = 600.0,
) -> None:
    """Sense the shadow: syntax, lint, types and tests on what is not saved. Nothing is written."""
    invocation = invocation_of(context)
    sensors = frozenset(only.replace(" ", "").split(",")) if only else SENSORS
    with invocation.failures():
        staged = read_crate(crate) if crate else None
        with Engine(invocation.root, python=invocation.python) as engine, live_line(invocation) as live:
            snapshot = engine.snapshot(staged.files, staged.renames) if staged else engine.disk()
            before = _baseline(engine, baseline, with_crate=staged is not None)
            verdict = engine.sense(
                snapshot, before, Sensing(tests, sensors, tuple(paths or ()), deadline), progress=live.update
            )
    crashed = next((sensor for sensor in verdict.sensors if sensor.status == "crashed"), None)
    if not invocation.json:
        show_verdict(invocation, verdict)
    elif crashed is None:
        invocation.answer(verdict_document(verdict))
    else:
        # What the other sensors saw is no verdict, so programs get an error and cannot mistake it for one.
        invocation.fail(CannotSense(f"{crashed.name} could not run: {crashed.why}", hint=crashed.hint))
    if crashed is not None:
        raise typer.Exit(Exit.COULD_NOT_SENSE)
    raise typer.Exit(Exit.OK if verdict.green else Exit.PAIN)


def read_crate(file: Path) -> Crate:
    """The crate in `file`, or on standard input for `-`. Raises `BadInput`."""
    name = "the crate on standard input" if str(file) == "-" else str(file)
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read the crate {file}: {error.strerror}", path=str(file)) from None
    return crate_from_json(raw, name=name)


def _baseline(engine: Engine, wanted: str | None, *, with_crate: bool) -> Snapshot | None:
    if wanted is None:
        wanted = "disk" if with_crate else "none"
    if wanted == "none":
        return None
    return engine.disk() if wanted == "disk" else snapshot_at(engine, wanted)
