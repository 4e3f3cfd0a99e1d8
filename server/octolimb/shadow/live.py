"""A shadow that lives on: long-lived children see an ever-changing snapshot as real files, and never a stale one.

`LiveShadow` is our end. The files are made by one small process (`live_host.py`): in namespaces of its own with an
overlay at the very path of the root, or, where namespaces are refused, over a private copy. Nothing below the real
root is ever written. What a child must be told about a change is returned, never sent: that is for whoever speaks its
protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.workspace.disk import DiskBase

EventKind = Literal["created", "changed", "deleted"]


@dataclass(frozen=True)
class Event:
    """One effective change of what children see. `directory` is true for a directory that came or went."""

    path: RelPath
    kind: EventKind
    directory: bool = False


@dataclass(frozen=True)
class Moved:
    """What a move of the shadow did.

    `events` are all that children have to be told, in the order in which to tell it: new directories from the top,
    then files, then directories that went, from the bottom. `refused` are files that could not be made, with the
    reason in words; children see the disk's state in their place, and every later update tries again.
    `ms` is the time of the move alone.
    """

    events: tuple[Event, ...] = ()
    refused: Mapping[RelPath, str] = {}  # noqa: RUF012
    ms: float = 0.0


@dataclass(frozen=True)
class LiveChild:
    """A child in the live shadow. The descriptors are the caller's to close; the end of `stdout` tells of its death.

    It dies when `stdin` is closed by us or by our death, when the host dies, and when the shadow is closed.
    """

    pid: int
    """As the host sees it; for `LiveShadow.kill` and `LiveShadow.fate_of` only."""
    stdin: int
    stdout: int
    stderr: int


class LiveShadow:
    """The ever-changing shadow of one root. Safe to share between threads, which take turns.

    Every method blocks (`start` for 50 to 500 ms, a small `update` for about 1 ms): call them off an event loop.
    """

    def __init__(self, base: DiskBase, *, keep: Sequence[Path] = ()) -> None:
        """`keep`: further directories that children must be able to read, such as an interpreter's."""
        raise NotImplementedError

    # -- its life ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts the host, or starts it again after it died; it then shows the disk. Raises `CannotIsolate`.

        After a restart the children are gone, and the next `update` projects its whole snapshot.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Ends the host and every child, and removes a copy. Idempotent; also done when the interpreter exits."""
        raise NotImplementedError

    @property
    def alive(self) -> bool:
        """False before `start`, after `close` and once the host died."""
        raise NotImplementedError

    @property
    def files(self) -> Literal["overlay", "reflink", "copy"]:
        """How the files come about."""
        raise NotImplementedError

    @property
    def root(self) -> Path:
        """Where children see the repository: its own path under the overlay, else the copy's."""
        raise NotImplementedError

    # -- what it shows -----------------------------------------------------------------------------------------

    def update(self, snapshot: Snapshot) -> Moved:
        """Moves the shadow from the snapshot that it showed to this one, which must have the same base.

        Raises `CannotIsolate` where the host is dead or died at it.
        """
        raise NotImplementedError

    def disk_changed(self, paths: Iterable[RelPath] | None) -> Moved:
        """Makes changes of the real disk visible: files and directories that a watcher named, in any order.

        `None` says that events were lost: then everything is verified. What the snapshot hides is no event. Raises
        `CannotIsolate` where the host is dead or died at it.
        """
        raise NotImplementedError

    # -- children ----------------------------------------------------------------------------------------------

    def spawn(self, command: Sequence[str], *, env: Mapping[str, str] = {}) -> LiveChild:
        """Starts a child in the shadow, its directory `/`. Its environment is a short list; `env` comes on top.

        Raises `CannotIsolate` where the host is dead. A command that cannot be executed ends at once, see `fate_of`.
        """
        raise NotImplementedError

    def fate_of(self, child: LiveChild) -> str | None:
        """How the child ended, in words for people; None while it runs."""
        raise NotImplementedError

    def kill(self, child: LiveChild) -> None:
        """Kills a child. Idempotent."""
        raise NotImplementedError

    # -- names -------------------------------------------------------------------------------------------------

    def uri_of(self, path: str) -> str:
        """The `file:` URI under which children know a path of the repository ("" for the root)."""
        raise NotImplementedError

    def path_of(self, uri: str) -> RelPath | None:
        """The repository's path for a child's URI; None for one outside the root, or the root itself."""
        raise NotImplementedError

    def to_child(self, value: object) -> object:
        """A JSON value with every `file:` URI below the real root, keys too, as children know it."""
        raise NotImplementedError

    def from_child(self, value: object) -> object:
        """The reverse of `to_child`."""
        raise NotImplementedError
