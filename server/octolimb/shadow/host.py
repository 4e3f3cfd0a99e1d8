"""The host of a repository's shadows: settles once how isolated they can be, and gives each snapshot a `Shadow`.

It writes nothing below the root. Under the overlay it writes nothing to any disk; a private copy lies in a temporary
directory of mode 0700 until its shadow is left.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from octolimb.core.document import Document
from octolimb.core.errors import BadInput, CannotIsolate
from octolimb.core.overlay import Entry
from octolimb.core.paths import parse_directory
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Isolation
from octolimb.shadow.copies import PrivateCopy, supports_reflinks
from octolimb.shadow.environment import child_environment
from octolimb.shadow.landlock import Fence
from octolimb.shadow.launcher import CHANNEL_FD, REPORT_FD, LaunchRequest
from octolimb.shadow.launching import Launched, Launcher
from octolimb.shadow.plan import fence_copy, fence_view, own_directories, plan_view
from octolimb.shadow.shadow import Order, Shadow
from octolimb.shadow.view import CrateEntry, ViewRequest
from octolimb.workspace.disk import DiskBase

LAYERS: Final = ("landlock", "seccomp")
"""What needs no namespace, and so may hold in a copy too."""
OPTIONAL_PARTS: Final = ("ipc", "network", "devices", "processes", *LAYERS)
"""What a shadow can be without, and is then only partly a sandbox; but for those of the next line."""
_DOUBLED_PARTS: Final = frozenset({"landlock"})
"""In a view all that these stop is stopped by another part as well."""
AREA_BYTES: Final = 1 << 30
_LEAST_MEMORY_BYTES: Final = 16 << 30
_PROBE_SECONDS: Final = 20.0
_RELOCATION: Final = Path(__file__).parent / "in_project" / "relocation"
FORCING_VARIABLE: Final = "OCTOLIMB_ISOLATION"


@dataclass(frozen=True)
class Probed:
    """What was found at the first need. `missing` holds lines of `part: reason`; `refusal` says why no overlay."""

    isolation: Isolation
    missing: tuple[str, ...] = ()
    refusal: str | None = None


class ShadowHost:
    """One per root; a context manager; safe to share between threads. Its launcher starts with the first need."""

    def __init__(
        self,
        base: DiskBase,
        *,
        keep: Sequence[Path] = (),
        area_bytes: int = AREA_BYTES,
        _without: Collection[str] = (),
    ) -> None:
        """`keep`: further directories that children must be able to read.

        `area_bytes` is the most that one child may write to the repository's shadow, and to each private directory.
        `_without` is for tests, which show what each of `LAYERS`, or `namespaces`, is good for by leaving it out.
        """
        self._without = frozenset(_without)
        self.root = base.root
        self._base = base
        self._further = tuple(keep)
        self._keep = (*own_directories(), *keep)
        self._area_bytes = area_bytes
        self._launcher = Launcher()
        self._lock = threading.Lock()
        self._lock_stamps = threading.Lock()
        self._probed: Probed | None = None
        self._last_stamp = 0
        self._shadows: weakref.WeakSet[Shadow] = weakref.WeakSet()
        self._at_exit = weakref.finalize(self, _clean_up, self._shadows, self._launcher)

    @property
    def isolation(self) -> Isolation:
        """What really holds around children here; probed once, with a child that does nothing."""
        return self.probe().isolation

    def project(self, snapshot: Snapshot) -> Shadow:
        """Makes a snapshot of this root visible to commands. Raises `CannotIsolate`.

        Under the overlay this costs nothing yet: each command mounts afresh, over the disk as it is then.
        """
        crate = Crate.of(snapshot)
        if self.isolation.files == "overlay":
            shadow = Shadow(_OverlayProjection(self, crate))
        else:
            copy = PrivateCopy.of(self.root)
            try:
                copy.apply(crate.entries(self._take_stamps(len(crate.files))), b"".join(crate.contents))
            except BaseException:
                copy.drop()
                raise
            shadow = Shadow(_CopyProjection(self, copy))
        self._shadows.add(shadow)
        return shadow

    def sibling(self) -> ShadowHost:
        """Another host for the same root, with a launcher of its own; what was probed is not probed again."""
        other = ShadowHost(self._base, keep=self._further, area_bytes=self._area_bytes, _without=self._without)
        other._probed = self.probe()
        return other

    def end_children(self) -> None:
        """Kills every child and starts no more, for a thread that must not wait for those that use this host.

        Each of them learns of it as of a child that was killed, or by `CannotIsolate`; copies stay until `close`.
        """
        self._launcher.close()

    def close(self) -> None:
        """Kills every child and removes every copy. Idempotent; also done when the interpreter exits."""
        self._at_exit()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def probe(self) -> Probed:
        """`isolation` with its reasons, for people who ask why."""
        with self._lock:
            if self._probed is None:
                self._probed = self._try_out()
            return self._probed

    @property
    def launcher_pid(self) -> int | None:
        """The process id of the launcher while it runs."""
        return self._launcher.pid

    def _try_out(self) -> Probed:
        order = Order(["true"], "", {}, (), time.monotonic() + _PROBE_SECONDS)
        if os.environ.get(FORCING_VARIABLE) == "copy":
            return self._fall_back(order, f"{FORCING_VARIABLE}=copy asks for a private copy")
        if "namespaces" in self._without:
            return self._fall_back(order, "namespaces are left out")
        try:
            missing = _missing_of(self.launch_in_view(order, Crate(), required=[]), order)
        except CannotIsolate as error:
            return self._fall_back(order, error.message)
        names = {_part_of(line) for line in missing}
        isolation = Isolation("overlay", "partial" if names - _DOUBLED_PARTS else "full", "network" not in names)
        return Probed(isolation, missing)

    def _fall_back(self, order: Order, refusal: str) -> Probed:
        files: Literal["reflink", "copy"] = "reflink" if supports_reflinks(self.root) else "copy"
        try:
            # A copy of the repository is not needed to see what holds around a child there.
            launched = self._launch_aside(order, Path("/"), Path("/"), Path("/"), [], required=[])
            missing = _missing_of(launched, order)
        except CannotIsolate as error:
            missing = tuple(f"{layer}: {error.message}" for layer in LAYERS)
        return Probed(Isolation(files, "none", network=False), missing, refusal)

    # -- what the projections call -----------------------------------------------------------------------------

    def launch_in_view(self, order: Order, crate: Crate, *, required: list[str]) -> Launched:
        plan = plan_view(self.root, (*self._keep, *order.keep), area_bytes=self._area_bytes)
        fence = fence_view(plan, network=order.network)
        request = self._request(order, self.root, plan.home, "/tmp", plan.request, fence)  # noqa: S108  The child's.
        request["mode"] = "overlay"
        request["make"] = [plan.home]
        request["required"] = required
        request["entries"] = crate.entries(self._take_stamps(len(crate.files)))
        return self._launcher.launch(request, crate.contents, stdin=order.stdin)

    def launch_in_copy(self, order: Order, copy: PrivateCopy, *, required: list[str]) -> Launched:
        # Editable installations name the root: in a Python here they lead to the copy.
        order = replace(
            order,
            env={
                **order.env,
                "PYTHONPATH": os.pathsep.join([str(_RELOCATION), *filter(None, [order.env.get("PYTHONPATH")])]),
                "OCTOLIMB_MOVED_FROM": str(self.root),
                "OCTOLIMB_MOVED_TO": str(copy.root),
            },
            keep=(*order.keep, _RELOCATION),
        )
        write = [copy.root, copy.home, copy.temporary]
        return self._launch_aside(order, copy.root, copy.home, copy.temporary, write, required=required)

    def held_parts(self, parts: Sequence[str] = OPTIONAL_PARTS) -> list[str]:
        """Those of `parts` that held when probed: without them nothing runs from then on."""
        missing = {_part_of(line) for line in self.probe().missing}
        return [part for part in parts if part not in missing]

    def _launch_aside(
        self, order: Order, root: Path, home: Path, temporary: Path, write: list[Path], *, required: list[str]
    ) -> Launched:
        nothing: ViewRequest = {"root": "", "hide": [], "hide_in_kept": [], "links": [], "keep": [], "area_bytes": 0}
        keep = (*self._keep, *order.keep)
        fence = fence_copy(plan_view(self.root, keep, area_bytes=0), keep, write, network=order.network)
        request = self._request(order, root, str(home), str(temporary), nothing, fence)
        request["required"] = required
        return self._launcher.launch(request, [], stdin=order.stdin)

    def _request(
        self, order: Order, root: Path, home: str, temporary: str, view: ViewRequest, fence: Fence
    ) -> LaunchRequest:
        _refuse_malformed(order)
        numbers = {"OCTOLIMB_REPORT_FD": str(REPORT_FD)}
        if order.channel:
            numbers["OCTOLIMB_CHANNEL_FD"] = str(CHANNEL_FD)
        extra = {**order.env, **numbers}
        return {
            "mode": "copy",
            "command": list(order.command),
            "directory": str(root / order.cwd),
            "environment": child_environment(os.environ, extra, home=home, temporary=temporary),
            "make": [],
            "deadline": order.deadline,
            "file_bytes": max(self._area_bytes, 4 << 30),
            "memory_bytes": max(_physical_memory_bytes(), _LEAST_MEMORY_BYTES),
            "required": [],
            "without": sorted(self._without),
            "fence": fence,
            "network": order.network,
            "has_stdin": order.stdin is not None,
            "has_channel": order.channel,
            "view": view,
            "entries": [],
        }

    def _take_stamps(self, number: int) -> int:
        """The first of `number` whole seconds that no file on the disk has yet and no crate had before.

        A `.pyc` file is taken for valid by its source's size and modification time in whole seconds.
        """
        with self._lock_stamps:
            first = max(int(time.time()), self._last_stamp) + 1
            self._last_stamp = first + number
        return first


@dataclass(frozen=True)
class Crate:
    """A snapshot's edits, at paths as the disk spells them, in the order in which they can be made there."""

    files: tuple[tuple[str, Entry], ...] = ()
    contents: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, snapshot: Snapshot) -> Crate:
        effective = snapshot.effective()
        documents = (entry for entry in effective.values() if isinstance(entry, Document))
        files = ((snapshot.spelling(path), entry) for path, entry in effective.items())
        return cls(tuple(files), tuple(document.data for document in documents))

    def entries(self, first_stamp: int) -> list[CrateEntry]:
        """The entries with their places in the joined contents, each with a modification time of its own."""
        found: list[CrateEntry] = []
        offset = 0
        for number, (path, entry) in enumerate(self.files):
            document = entry if isinstance(entry, Document) else None
            length = len(document.data) if document else 0
            found.append(
                {
                    "path": path,
                    "kind": "gone" if document is None else "link" if document.link else "file",
                    "mode": document.mode if document else 0,
                    "offset": offset,
                    "length": length,
                    "stamp": first_stamp + number,
                }
            )
            offset += length
        return found


class _OverlayProjection:
    def __init__(self, host: ShadowHost, crate: Crate) -> None:
        self._host = host
        self._crate = crate
        self._required = host.held_parts()

    @property
    def root(self) -> Path:
        return self._host.root

    @property
    def displaced(self) -> Mapping[str, str]:
        return {}

    def launch(self, order: Order) -> Launched:
        return self._host.launch_in_view(order, self._crate, required=self._required)

    def drop(self) -> None:
        """The view went with each child."""


class _CopyProjection:
    def __init__(self, host: ShadowHost, copy: PrivateCopy) -> None:
        self._host = host
        self._copy = copy
        self._required = host.held_parts(LAYERS)

    @property
    def root(self) -> Path:
        return self._copy.root

    @property
    def displaced(self) -> Mapping[str, str]:
        copy = self._copy
        return {str(copy.root): str(self._host.root), str(copy.temporary): "/tmp", str(copy.home): "~"}  # noqa: S108

    def launch(self, order: Order) -> Launched:
        return self._host.launch_in_copy(order, self._copy, required=self._required)

    def drop(self) -> None:
        self._copy.drop()


def _clean_up(shadows: weakref.WeakSet[Shadow], launcher: Launcher) -> None:
    """Children first: what still runs would write into a copy that is being removed."""
    for shadow in list(shadows):
        shadow.close()
    launcher.close()


def _missing_of(launched: Launched, order: Order) -> tuple[str, ...]:
    """What a child that has begun is without, once it has ended."""
    try:
        launched.pump({}, order.deadline)
    finally:
        launched.close()
    return launched.missing


def _part_of(line: str) -> str:
    return line.partition(":")[0]


def _refuse_malformed(order: Order) -> None:
    """What no kernel would execute is refused before a process exists. Raises `BadInput`."""
    if not order.command or not order.command[0]:
        raise BadInput("there is no command to run")
    parse_directory(order.cwd)
    if any("\0" in text for text in (*order.command, *order.env, *order.env.values())):
        raise BadInput("a command and its environment cannot hold NUL characters")
    if any(not name or "=" in name for name in order.env):
        raise BadInput("a name in the environment cannot be empty or hold '='")


def _physical_memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
