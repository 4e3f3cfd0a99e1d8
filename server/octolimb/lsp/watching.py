"""Hears of changes on the disk, for a client that does not watch files itself. It reads none of them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from watchfiles import Change, awatch

from octolimb.core.errors import BadInput
from octolimb.core.paths import RelPath
from octolimb.shadow.live_tree import is_skipped

_STEP_MS: Final = 20
_MOST_WAIT_MS: Final = 200
"""How long changes are gathered while more keep coming."""

logger = logging.getLogger(__name__)


async def watch(root: Path, tell: Callable[[list[RelPath] | None], None], unable: Callable[[str], None]) -> None:
    """Tells of every path below `root` that changed, until it is cancelled; None where it is not known which.

    `unable` is told why, once, where the system does not let us watch: then it ends.
    """

    def matters(_: Change, path: str) -> bool:
        return not is_skipped(os.path.relpath(path, root))

    try:
        async for changes in awatch(
            root, watch_filter=matters, step=_STEP_MS, debounce=_MOST_WAIT_MS, ignore_permission_denied=True
        ):
            tell(_below(root, {path for _, path in changes}))
    except OSError as error:
        logger.warning("cannot watch %s: %s", root, error)
        unable(str(error))


def _below(root: Path, paths: set[str]) -> list[RelPath] | None:
    found: list[RelPath] = []
    for path in sorted(paths):
        if path == str(root):
            return None
        try:
            found.append(RelPath(os.path.relpath(path, root)))
        except BadInput:
            # Under a name that we do not take.
            return None
    return found
