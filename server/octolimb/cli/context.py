"""What every command shares: the global options, where answers go, and how failures end."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console

from octolimb.core.errors import ApplyFailed, BadInput, CannotIsolate, CannotSense, OctolimbError, Stale
from octolimb.documents.failures import error_document
from octolimb.documents.models import Document

_MARKERS = (".intent", "pyproject.toml", ".git")


class Exit(IntEnum):
    """The exit codes that all commands share; the README lists what each means for which command."""

    OK = 0
    PAIN = 1
    USAGE = 2
    COULD_NOT_SENSE = 3
    DENIED = 4
    ASK = 5
    STALE = 6
    INTERRUPTED = 130


@dataclass(frozen=True)
class Invocation:
    """One run of the command: `root` and `python` as given, and whether one JSON document is the whole answer."""

    root_option: Path | None
    python: Path | None
    json: bool
    out: Console
    err: Console

    @property
    def root(self) -> Path:
        """The root: the option, else upward from here to a marker, else here."""
        if self.root_option is not None:
            return self.root_option
        here = Path.cwd()
        return next((above for above in (here, *here.parents) if any((above / m).exists() for m in _MARKERS)), here)

    def answer(self, document: Document) -> None:
        """Prints a document as the one JSON value on standard output."""
        self.answer_json(document.as_json())

    def answer_json(self, value: object) -> None:
        sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
        sys.stdout.flush()

    def fail(self, error: OctolimbError) -> NoReturn:
        """Says in one line what happened and what to do next, then ends with the code that fits."""
        if self.json:
            self.answer(error_document(error))
        hint = f" ({error.hint})" if error.hint else ""
        self.err.print(
            f"octolimb: {error.message}{hint}", style="bold red", markup=False, highlight=False, soft_wrap=True
        )
        sys.exit(_exit_code(error))

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Inside, an `OctolimbError` ends the command as `fail` does."""
        try:
            yield
        except OctolimbError as error:
            self.fail(error)


def make_invocation(root: Path | None, python: Path | None, *, json: bool) -> Invocation:
    # Under --json standard output belongs to the document alone, so both consoles write to standard error.
    out = Console(stderr=json, highlight=False)
    return Invocation(root, python, json, out, Console(stderr=True, highlight=False))


def _exit_code(error: OctolimbError) -> Exit:
    match error:
        case BadInput():
            return Exit.USAGE
        case CannotSense() | CannotIsolate():
            return Exit.COULD_NOT_SENSE
        case Stale():
            return Exit.STALE
        case ApplyFailed():
            return Exit.PAIN
        case _:
            return Exit.COULD_NOT_SENSE


def invocation_of(context: typer.Context) -> Invocation:
    """The global options of this run."""
    found = context.find_object(Invocation)
    assert found is not None
    return found
