"""The one live line that a person sees while something works. Silent under `--json` and where nobody looks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from octolimb.cli.context import Invocation


class LiveLine:
    """Shows a state and the seconds so far; `update` may be called from any thread."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._state = "starting"
        self._spinner = Spinner("dots")

    def update(self, state: str) -> None:
        self._state = state

    def __rich__(self) -> Spinner:
        seconds = time.monotonic() - self._began
        self._spinner.update(text=Text(f"{self._state}, {seconds:.1f} s   (Ctrl-C stops; nothing is written)"))
        return self._spinner


@contextmanager
def live_line(invocation: Invocation) -> Iterator[LiveLine]:
    """A line that disappears when the work is done."""
    line = LiveLine()
    if invocation.json or not invocation.err.is_terminal:
        yield line
        return
    with Live(line, console=invocation.err, transient=True, refresh_per_second=8):
        yield line
