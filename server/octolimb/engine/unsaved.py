"""What editors hold unsaved of a repository, as their daemons tell it to other programs of the same user.

Each daemon listens for each of its folders on a socket of its own, in a directory that only the user may enter. Whoever
connects is told once, as one line of JSON, and can say nothing. Children in a view do not see it; one in a private copy
may ask, and learns names.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from platformdirs import user_state_path

from octolimb.core.errors import BadPath
from octolimb.core.paths import RelPath

_SECONDS: Final = 1.0
"""After that a daemon that does not answer counts as one that is not there."""
_MOST_BYTES: Final = 1 << 22


class Announcement:
    """A daemon's open ear for one folder. `close` it with the folder."""

    def __init__(self, path: Path, server: asyncio.Server) -> None:
        self.path = path
        self._server = server

    def close(self) -> None:
        """Idempotent."""
        self._server.close()
        with contextlib.suppress(OSError):
            self.path.unlink()


async def announce(root: Path, unsaved: Callable[[], Iterable[str]]) -> Announcement:
    """Tells whoever asks which files of `root` have unsaved buffers: `unsaved` is asked anew each time.

    Raises `OSError` where there is no private place for it.
    """

    async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(json.dumps({"pid": os.getpid(), "unsaved": sorted(unsaved())}).encode() + b"\n")
            await writer.drain()
        writer.close()

    path = _directory() / f"{_name(root)}{os.getpid()}.sock"
    # What stands there is of a process that had our number before.
    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(tell, path)
    path.chmod(0o600)
    return Announcement(path, server)


def unsaved_elsewhere(root: Path) -> frozenset[RelPath]:
    """The files of `root` that have unsaved buffers in an editor. Not from within an event loop.

    Sockets that nobody listens on any more are removed.
    """
    try:
        sockets = sorted(_directory().glob(f"{_name(root)}*.sock"))
    except OSError:
        return frozenset()
    return asyncio.run(_all_told(sockets)) if sockets else frozenset()


async def _all_told(sockets: list[Path]) -> frozenset[RelPath]:
    told = await asyncio.gather(*(_told(path) for path in sockets))
    return frozenset().union(*told)


async def _told(path: Path) -> frozenset[RelPath]:
    try:
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_unix_connection(path, limit=_MOST_BYTES)
            with contextlib.closing(writer):
                answer = json.loads(await reader.readline())
            return frozenset(RelPath(name) for name in answer["unsaved"])
    except ConnectionRefusedError:
        with contextlib.suppress(OSError):
            path.unlink()
    except (OSError, ValueError, KeyError, TypeError, BadPath):
        pass
    return frozenset()


def _name(root: Path) -> str:
    return hashlib.sha256(str(root.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16] + "-"


def _directory() -> Path:
    """Raises `OSError` where it is not ours alone."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    directory = Path(runtime, "octolimb") if runtime else user_state_path("octolimb", appauthor=False) / "run"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{directory} is not private")
    return directory
