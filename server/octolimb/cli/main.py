"""The `octolimb` command: global options, the table of commands, and the outermost handling of failure."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

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
        Path | None,
        typer.Option(readable=False, help="The repository; else upward from here to .intent, pyproject.toml or .git."),
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


_COMMANDS = ("sense", "fix", "guard", "trust", "schema", "doctor", "serve")


def _register(arguments: Sequence[str]) -> None:
    """Makes the commands known; only the one that the arguments name, where they do: each takes a while to import."""
    named = arguments[:1] if arguments[:1] and arguments[0] in _COMMANDS else _COMMANDS
    for name in named:
        module = importlib.import_module(f"octolimb.cli.{name}")
        if name == "guard":
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(module.command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command and ends the process. Ctrl-C ends it with 130 after everything that it started is gone."""
    front, rest = _global_options_first(sys.argv[1:] if arguments is None else arguments)
    wants_json = "--json" in front
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _as_interrupt)
    try:
        _register(rest)
        result = app([*front, *rest], standalone_mode=False, prog_name="octolimb")
    except (KeyboardInterrupt, typer.Abort):
        _interrupted()
    except typer.TyperException as error:
        message = error.format_message().rstrip(".").replace("Value error, ", "")
        if not message:  # Called without a command: the help was printed.
            sys.exit(Exit.USAGE)
        refused = BadInput(message, hint="see octolimb --help")
        make_invocation(None, None, json=wants_json).fail(refused)
    except OctolimbError as error:
        make_invocation(None, None, json=wants_json).fail(error)
    except BrokenPipeError:
        # The reader went away, as `| head` does; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.PAIN)
    if result == Exit.INTERRUPTED:  # What the command line library makes of a KeyboardInterrupt.
        _interrupted()
    sys.exit(result if isinstance(result, int) else Exit.OK)


def _global_options_first(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """`--json`, `--root` and `--python` with their values, which may stand anywhere; and the other arguments."""
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
    return front, rest


def _as_interrupt(_signum: int, _frame: object) -> None:
    # An impatient second Ctrl-C must not cut short the cleaning up that the first one began.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _interrupted() -> None:
    sys.stderr.write("octolimb: stopped; nothing was written\n")
    sys.exit(Exit.INTERRUPTED)
