"""Ends work that nobody waits for any more, promptly and in every state: by ending the children that it waits for.

It does not interrupt our own computing between two children; who computes long asks by himself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from octolimb.core.errors import Cancelled, TimeIsUp
from octolimb.engine.engine import Engine

_LOOK_SECONDS: Final = 0.05


def never() -> bool:
    return False


@contextmanager
def stoppable(engine: Engine, cancelled: Callable[[], bool], *, deadline: float | None = None) -> Iterator[Engine]:
    """An engine of the same repository for use inside only, whose children end as soon as `cancelled` says so.

    `deadline` is in seconds from now, None for none. Whatever the body raises or returns after that counts for nothing:
    leaving raises `Cancelled` or `TimeIsUp` in its place. `cancelled` is asked from another thread too.
    """
    limit = None if deadline is None else time.monotonic() + deadline

    def is_late() -> bool:
        return limit is not None and time.monotonic() >= limit

    with engine.aside() as own:
        done = threading.Event()
        stopped = threading.Event()

        def watch() -> None:
            while not done.wait(_LOOK_SECONDS):
                if cancelled() or is_late():
                    stopped.set()
                    own.host.end_children()
                    return

        watcher = threading.Thread(target=watch, name="octolimb-stopping", daemon=True)
        watcher.start()
        try:
            yield own
        except Exception:
            # What was cut short fails in many ways, and none of them says anything.
            if not (stopped.is_set() or cancelled()):
                raise
        finally:
            done.set()
            watcher.join()
        if cancelled():
            raise Cancelled("stopped before there was an answer")
        if stopped.is_set():
            raise TimeIsUp(f"no answer within {deadline:.0f} s", hint="try again when the machine is less busy")
