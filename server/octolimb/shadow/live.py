"""A shadow that lives on: long-lived children see an ever-changing snapshot as real files, and never a stale one.

`LiveShadow` is our end. The files are made by one small process (`live_host.py`): in namespaces of its own with an
overlay at the very path of the root, or, where namespaces are refused, over a private copy. Nothing below the real
root is ever written. What a child must be told about a change is returned, never sent: that is for whoever speaks its
protocol.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote_to_bytes

from octolimb.core.document import Document
from octolimb.core.errors import BadPath, CannotIsolate
from octolimb.core.overlay import Entry
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.shadow.copies import PrivateCopy, supports_reflinks
from octolimb.shadow.environment import child_environment
from octolimb.shadow.host import AREA_BYTES, FORCING_VARIABLE
from octolimb.shadow.launching import memory_file, start_helper
from octolimb.shadow.live_host import HEADER_LENGTH_BYTES
from octolimb.shadow.live_tree import Item, Orders
from octolimb.shadow.plan import own_directories, plan_view
from octolimb.workspace.disk import DiskBase

_MESSAGE_BYTES: Final = 16
_ANSWER_SECONDS: Final = 120.0
_GRACE_SECONDS: Final = 10.0
_SCHEME: Final = "file://"

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
    refused: Mapping[RelPath, str] = field(default_factory=dict)
    ms: float = 0.0


@dataclass(frozen=True)
class LiveChild:
    """A child in the live shadow. The descriptors are the caller's to close; the end of `stdout` tells of its death.

    It dies with the host, when the shadow is closed and when this process dies, however that happens.
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
        self._real_root = base.root
        self._keep = (*own_directories(), *keep)
        self._lock = threading.RLock()
        self._held = _Held()
        self._files: Literal["overlay", "reflink", "copy"] = "overlay"
        self._home, self._temporary = "", "/tmp"  # noqa: S108  The child's own.
        self._crate: dict[RelPath, Entry] = {}
        self._closed = False
        self._at_exit = weakref.finalize(self, self._held.end)

    # -- its life ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts the host, or starts it again after it died; it then shows the disk. Raises `CannotIsolate`.

        After a restart the children are gone, and the next `update` projects its whole snapshot.
        """
        with self._lock:
            if self._closed:
                raise CannotIsolate("the live shadow is closed")
            if self.alive:
                return
            self._held.end()
            self._crate = {}
            forced = os.environ.get(FORCING_VARIABLE) == "copy"
            if forced or not self._start_overlay():
                self._start_copy()

    def close(self) -> None:
        """Ends the host and every child, and removes a copy. Idempotent; also done when the interpreter exits."""
        with self._lock:
            self._closed = True
            self._held.end()

    @property
    def alive(self) -> bool:
        """False before `start`, after `close` and once the host died."""
        return self._held.is_running

    @property
    def files(self) -> Literal["overlay", "reflink", "copy"]:
        """How the files come about."""
        return self._files

    @property
    def root(self) -> Path:
        """Where children see the repository: its own path under the overlay, else the copy's."""
        return self._real_root if self._held.copy is None else self._held.copy.root

    @property
    def host_pid(self) -> int | None:
        """The process id of the host's outer process while it runs."""
        return self._held.process.pid if self._held.process is not None and self.alive else None

    # -- what it shows -----------------------------------------------------------------------------------------

    def update(self, snapshot: Snapshot) -> Moved:
        """Moves the shadow from the snapshot that it showed to this one, which must have the same base.

        Raises `CannotIsolate` where the host is dead or died at it.
        """
        with self._lock:
            self._refuse_dead()
            crate = snapshot.effective()
            orders, contents = plan_orders(self._crate, crate)
            if not orders["revealed"] and not orders["items"]:
                return Moved()
            answer = self._ask({"do": "apply", "orders": orders}, contents)
            refused = {RelPath(path): reason for path, reason in answer["refused"].items()}
            self._crate = {path: entry for path, entry in crate.items() if path not in refused}
            return Moved(_events(answer["told"]), refused, answer["ms"])

    def disk_changed(self, paths: Iterable[RelPath] | None) -> Moved:
        """Makes changes of the real disk visible: files and directories that a watcher named, in any order.

        `None` says that events were lost: then everything is verified, but for what is in virtual environments. What
        the snapshot hides is no event. Raises `CannotIsolate` where the host is dead or died at it.
        """
        with self._lock:
            self._refuse_dead()
            named = None if paths is None else sorted(set(paths))
            answer = self._ask({"do": "follow", "paths": named})
            return Moved(_events(answer["told"]), {}, answer["ms"])

    # -- children ----------------------------------------------------------------------------------------------

    def spawn(self, command: Sequence[str], *, env: Mapping[str, str] = {}) -> LiveChild:
        """Starts a child in the shadow, its directory `/`. Its environment is a short list; `env` comes on top.

        Raises `CannotIsolate` where the host is dead. A command that cannot be executed ends at once, see `fate_of`.
        """
        environment = child_environment(os.environ, env, home=self._home, temporary=self._temporary)
        with self._lock, contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            self._refuse_dead()
            pipes = [os.pipe() for _ in range(3)]
            (their_in, our_in), (our_out, their_out), (our_err, their_err) = pipes
            for fd in (their_in, their_out, their_err):
                theirs.callback(os.close, fd)
            for fd in (our_in, our_out, our_err):
                ours.callback(os.close, fd)
            request = {"do": "spawn", "command": list(command), "environment": environment}
            answer = self._ask(request, fds=[their_in, their_out, their_err])
            ours.pop_all()
            return LiveChild(answer["pid"], our_in, our_out, our_err)

    def fate_of(self, child: LiveChild) -> str | None:
        """How the child ended, in words for people; None while it runs."""
        with self._lock:
            if not self.alive:
                return "the host of the live shadow died"
            try:
                status = self._ask({"do": "fate", "pid": child.pid})["status"]
            except CannotIsolate as error:
                return error.message
        if status is None:
            return None
        code = os.waitstatus_to_exitcode(status)
        return f"it was killed by {_signal_name(-code)}" if code < 0 else f"it ended with status {code}"

    def kill(self, child: LiveChild) -> None:
        """Kills a child. Idempotent."""
        with self._lock, contextlib.suppress(CannotIsolate):
            if self.alive:
                self._ask({"do": "kill", "pid": child.pid})

    # -- names -------------------------------------------------------------------------------------------------

    def uri_of(self, path: str) -> str:
        """The `file:` URI under which children know a path of the repository ("" for the root)."""
        return (self.root / path).as_uri()

    def path_of(self, uri: str) -> RelPath | None:
        """The repository's path for a child's URI; None for one outside the root, or the root itself."""
        return _path_below(self.root, uri)

    def real_path_of(self, uri: str) -> RelPath | None:
        """The same for a URI of the real repository, as a client has it. It needs no running host."""
        return _path_below(self._real_root, uri)

    def to_child(self, value: Any) -> Any:
        """A JSON value with every `file:` URI below the real root, keys too, spelt as children know it."""
        return _map_uris(value, self._real_root, self.root)

    def from_child(self, value: Any) -> Any:
        """The reverse of `to_child`."""
        return _map_uris(value, self.root, self._real_root)

    # -- private -----------------------------------------------------------------------------------------------

    def _start_overlay(self) -> bool:
        plan = plan_view(self._real_root, self._keep, area_bytes=AREA_BYTES)
        self._held.process, self._held.socket = start_helper("live_host")
        self._held.socket.settimeout(_ANSWER_SECONDS)
        try:
            self._ask({"mode": "overlay", "view": plan.request, "home": plan.home})
        except CannotIsolate:
            return False
        self._files, self._home, self._temporary = "overlay", plan.home, "/tmp"  # noqa: S108  The child's own.
        return True

    def _start_copy(self) -> None:
        copy = PrivateCopy.reserve(self._real_root)
        self._held.copy = copy
        try:
            self._held.process, self._held.socket = start_helper("live_host")
            self._held.socket.settimeout(_ANSWER_SECONDS)
            self._ask({"mode": "copy", "root": str(copy.root), "disk": str(self._real_root)})
            # Only now: the host has looked at the disk before, and knows later changes as such.
            copy.fill(self._real_root)
        except BaseException:
            self._held.end()
            raise
        self._files = "reflink" if supports_reflinks(self._real_root) else "copy"
        self._home, self._temporary = str(copy.home), str(copy.temporary)

    def _refuse_dead(self) -> None:
        if not self.alive:
            raise CannotIsolate("the host of the live shadow is not running")

    def _ask(self, request: Mapping[str, Any], contents: Sequence[bytes] = (), fds: Sequence[int] = ()) -> Any:
        """One request and its answer. A host that fails at one is ended: what it shows would be a guess."""
        header = json.dumps(request).encode("ascii")
        payload = memory_file(
            "octolimb-request", [len(header).to_bytes(HEADER_LENGTH_BYTES, "little"), header, *contents]
        )
        assert self._held.socket is not None
        try:
            socket.send_fds(self._held.socket, [b"request"], [payload, *fds])
            message, received, _, _ = socket.recv_fds(self._held.socket, _MESSAGE_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            message, received = b"", []
        finally:
            os.close(payload)
        if not message:
            self._held.end_process()
            raise CannotIsolate("the host of the live shadow died")
        with open(received[0], "rb") as file:
            answer = json.loads(file.read(int.from_bytes(file.read(HEADER_LENGTH_BYTES), "little")))
        if "error" in answer:
            self._held.end_process()
            place = f" at {answer['path']}" if answer.get("path") else ""
            raise CannotIsolate(f"the live shadow failed: {answer['error']}{place}")
        return answer


@dataclass
class _Held:
    """What has to be ended and removed, apart from the shadow itself so that its finalizer can hold it."""

    process: subprocess.Popen[bytes] | None = None
    socket: socket.socket | None = None
    copy: PrivateCopy | None = None

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.socket is not None and self.process.poll() is None

    def end(self) -> None:
        self.end_process()
        if self.copy is not None:
            self.copy.drop()
            self.copy = None

    def end_process(self) -> None:
        """It ends its children at the end of its input; where it is stuck it is killed, and they with it."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        if self.process is not None:
            try:
                self.process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


def plan_orders(old: Mapping[RelPath, Entry], new: Mapping[RelPath, Entry]) -> tuple[Orders, list[bytes]]:
    """How the host comes from one crate to the next, and the bytes that it needs for it.

    Both are as `Snapshot.effective` gives them: in path order, so that a directory stands before what is below it.
    """
    differing = [path for path in sorted(old.keys() | new.keys()) if old.get(path) != new.get(path)]
    above = {directory for path in (*old, *new) for directory in path.ancestors}
    # What a tombstone or a file hid below it comes back with it, and is then hidden again piece by piece.
    shown = {path for path in differing if path not in new or path in above}
    # Below a tombstone that stays there is nothing of the disk to go back to: what is above is made anew.
    shown |= {directory for path in differing if path not in new for directory in path.ancestors if directory in new}
    revealed = [path for path in sorted(shown) if shown.isdisjoint(path.ancestors)]
    tops = frozenset(revealed)
    made = set(differing).union(path for path in new if path in tops or not tops.isdisjoint(path.ancestors))
    items: list[Item] = []
    contents: list[bytes] = []
    offset = 0
    for path, entry in new.items():
        if path not in made:
            continue
        if not isinstance(entry, Document):
            items.append({"path": path, "kind": "gone", "mode": 0, "offset": offset, "length": 0})
            continue
        length = len(entry.data)
        kind = "link" if entry.link else "file"
        items.append({"path": path, "kind": kind, "mode": entry.mode, "offset": offset, "length": length})
        contents.append(entry.data)
        offset += length
    return {"revealed": [*revealed], "items": items}, contents


def _events(told: Iterable[tuple[str, EventKind, bool]]) -> tuple[Event, ...]:
    events: list[Event] = []
    for raw, kind, directory in told:
        # A name that no path here can spell is no file of any snapshot.
        with contextlib.suppress(BadPath):
            events.append(Event(RelPath(raw), kind, directory))
    return tuple(events)


def _path_below(root: Path, uri: str) -> RelPath | None:
    if not uri.startswith(_SCHEME + "/"):
        return None
    path = os.fsdecode(unquote_to_bytes(uri.removeprefix(_SCHEME)))
    if not path.startswith(f"{root}/"):
        return None
    try:
        return RelPath(path.removeprefix(f"{root}/"))
    except BadPath:
        return None


def _map_uris(value: Any, source: Path, target: Path) -> Any:
    if isinstance(value, str):
        if value.startswith(_SCHEME):
            path = _path_below(source, value)
            if path is not None:
                return (target / path).as_uri()
            return target.as_uri() if value.rstrip("/") == source.as_uri() else value
        return value if source == target else value.replace(str(source), str(target))
    if isinstance(value, list):
        return [_map_uris(item, source, target) for item in value]
    if isinstance(value, dict):
        return {_map_uris(key, source, target): _map_uris(item, source, target) for key, item in value.items()}
    return value


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
