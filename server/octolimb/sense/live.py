"""Lint and types of an ever-changing snapshot, from a ruff and a ty that live on: some ten milliseconds an edit.

`LiveSensing` moves the live shadow, tells both children what moved, and pulls their findings, in one ordered step. A
finding is what `sense.lint` and `sense.types` would say of the same snapshot in a fresh process. It knows no
client: it publishes nothing, and debouncing is its caller's business.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from octolimb.core.paths import RelPath
from octolimb.core.positions import Span
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, SensorRun
from octolimb.shadow.interpreter import Interpreter
from octolimb.workspace.disk import DiskBase

MOST_DEPENDENTS: Final = 20


@dataclass(frozen=True)
class QuickFix:
    """What ruff proposes for one finding: `edits` replace spans of the file's text, and do not overlap."""

    finding: Finding
    title: str
    edits: tuple[tuple[Span, str], ...]


@dataclass(frozen=True)
class Settled:
    """What both children say of one snapshot.

    `findings` has a key for each path that was asked about, with no findings where there are none, in the order lint,
    types, then by place. `sensors` tells for `lint` and `types` whether it ran: one that crashed has no findings here,
    which is not the same as clean. `moved` are the paths whose content or existence changed on the way from the
    snapshot before to this one, in the editor's crate or on the disk.
    """

    generation: int
    findings: Mapping[RelPath, tuple[Finding, ...]]
    sensors: tuple[SensorRun, ...]
    fixes: tuple[QuickFix, ...] = ()
    moved: frozenset[RelPath] = frozenset()
    ms: float = 0.0


class LiveSensing:
    """The live sensors of one root. For one event loop; no method blocks it.

    Usage:

        live = LiveSensing(base, interpreter, on_recovery=resense)
        await live.start()
        moved = await live.disk_changed(paths)                 # From a watcher; None where events were lost.
        near = await live.dependents(snapshot, [edited])
        settled = await live.settle(snapshot, [edited, *near])
        hover = await live.ask(snapshot, "textDocument/hover", params)
        await live.close()

    Calls may overlap and be cancelled at any time: moves of the shadow are carried out in the order of the calls, whole,
    and each answer belongs to the snapshot that it was asked with. A call that waits for others is best cancelled when a
    newer snapshot makes its answer useless.
    """

    def __init__(
        self,
        base: DiskBase,
        interpreter: Interpreter | None = None,
        *,
        on_recovery: Callable[[], None] | None = None,
    ) -> None:
        """`interpreter` is the project's where the root is trusted, else None, as for `SenseRequest`.

        `on_recovery` is called in the event loop when a sensor that was reported as crashed runs again.
        """
        raise NotImplementedError

    async def start(self) -> None:
        """Starts the shadow and both children, and returns when they answer (200 to 500 ms).

        It may be left out: the first call of anything else starts them. Raises `CannotIsolate` where not even a copy
        can be made. A child that does not start is no exception: it shows as crashed in what is settled.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Ends the children and the shadow. Idempotent; calls that still wait raise `CannotSense`."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        raise NotImplementedError

    async def __aexit__(self, *error: object) -> None:
        raise NotImplementedError

    def status(self) -> tuple[SensorRun, ...]:
        """For `lint` and `types`, in this order: `ran` while it answers, `skipped` before its start, `crashed` with
        the reason while it is down. `ms` is how long it has been so.
        """
        raise NotImplementedError

    async def settle(self, snapshot: Snapshot, paths: Collection[RelPath]) -> Settled:
        """Shows the snapshot to both children and returns what they find in `paths`.

        Paths that are no Python sources, or not there, have no findings. Raises `CannotIsolate` where the shadow
        itself cannot be made, and `CannotSense` once it is closed.
        """
        raise NotImplementedError

    async def disk_changed(self, paths: Iterable[RelPath] | None) -> frozenset[RelPath]:
        """Makes outside changes visible: what a watcher named (files or directories), or None where events were lost.

        Returns the paths whose effective content or existence changed: not those that unsaved edits hide. To be
        called before the `settle` that is to see them.
        """
        raise NotImplementedError

    async def dependents(
        self, snapshot: Snapshot, changed: Iterable[RelPath], *, most: int = MOST_DEPENDENTS
    ) -> list[RelPath]:
        """The files that import what changed, nearest first and at most `most`; the changed files are left out.

        `changed` may name files that are gone: who imports them still counts. The first call reads the project's
        sources (some 100 ms for 600 files, off the event loop); later ones only what moved.
        """
        raise NotImplementedError

    async def ask(self, snapshot: Snapshot, method: str, params: Mapping[str, Any]) -> Any:
        """Forwards one request about types to ty, as the snapshot is, and returns its raw result.

        `method` is one of `FORWARDED`; params and result are LSP JSON with the repository's own URIs. The document that
        `params` names is opened in the child as it is in the snapshot. Columns are UTF-16. Raises `CannotSense` where
        ty is down, refuses, or does not know the method.
        """
        raise NotImplementedError


FORWARDED: Final[frozenset[str]] = frozenset(
    {
        "textDocument/completion",
        "textDocument/definition",
        "textDocument/declaration",
        "textDocument/typeDefinition",
        "textDocument/documentHighlight",
        "textDocument/documentSymbol",
        "textDocument/hover",
        "textDocument/prepareRename",
        "textDocument/references",
        "textDocument/rename",
        "textDocument/signatureHelp",
        "workspace/symbol",
        "workspace/willRenameFiles",
    }
)
