"""The `octolimb` command: global options, the table of commands, and the outermost handling of failure."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import click
import typer

from octolimb import __version__
from octolimb.cli.context import Exit, make_invocation
from octolimb.core.errors import BadInput, OctolimbError

app = typer.Typer(
    name="octolimb",
    help="Try edits in a shadow of your repository; nothing is written until you say so.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"octolimb {__version__}")
        raise typer.Exit


@app.callback()
def global_options(
    context: typer.Context,
    root: Annotated[
        Path | None, typer.Option(help="The repository; else upward from here to .intent, pyproject.toml or .git.")
    ] = None,
    python: Annotated[
        Path | None, typer.Option(help="The project's interpreter; else .venv in the root, $VIRTUAL_ENV, our own.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    context.obj = make_invocation(root, python, json=json)


def _register() -> None:
    # Each command's module imports only what that command needs, and is itself small.
    from octolimb.cli import doctor, fix, guard, schema, sense, serve, trust

    app.command("sense")(sense.command)
    app.command("fix")(fix.command)
    app.add_typer(guard.app, name="guard")
    app.command("trust")(trust.command)
    app.command("schema")(schema.command)
    app.command("doctor")(doctor.command)
    app.command("serve")(serve.command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command and ends the process. Ctrl-C ends it with 130 after everything that it started is gone."""
    given = _global_options_first(list(sys.argv[1:] if arguments is None else arguments))
    wants_json = "--json" in given
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        _register()
        result = app(given, standalone_mode=False, prog_name="octolimb")
    except click.exceptions.Abort:
        _interrupted()
    except KeyboardInterrupt:
        _interrupted()
    except click.UsageError as error:
        _usage(error, wants_json=wants_json)
    except click.ClickException as error:
        _usage(click.UsageError(error.format_message()), wants_json=wants_json)
    except OctolimbError as error:
        make_invocation(None, None, json=wants_json).fail(error)
    except BrokenPipeError:
        # The reader went away, as `| head` does; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.PAIN)
    sys.exit(result if isinstance(result, int) else Exit.OK)


def _global_options_first(arguments: list[str]) -> list[str]:
    """The same arguments with `--json`, `--root` and `--python` in front, so that they may stand anywhere."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word == "--json":
            front.append(word)
        elif word in ("--root", "--python"):
            front += [word, *([value] if (value := next(words, None)) is not None else [])]
        elif word.startswith(("--root=", "--python=")):
            front.append(word)
        else:
            rest.append(word)
    return front + rest


def _usage(error: click.UsageError, *, wants_json: bool) -> None:
    command = error.ctx.command_path if error.ctx else "octolimb"
    refused = BadInput(error.format_message().rstrip("."), hint=f"see {command} --help")
    make_invocation(None, None, json=wants_json).fail(refused)


def _as_interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def _interrupted() -> None:
    sys.stderr.write("octolimb: stopped; nothing was written\n")
    sys.exit(Exit.INTERRUPTED)
