"""Lint and types of an ever-changing snapshot, from a ruff and a ty that live on: some ten milliseconds an edit.

`LiveSensing` moves the live shadow, tells both children what moved, and pulls their findings, in one ordered step. A
finding is what `sense.lint` and `sense.types` would say of the same snapshot in a fresh process; only of a source that
is not UTF-8 ruff says nothing here. It knows no client: it publishes nothing, and debouncing is its caller's business.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Self, TypeVar

from octolimb.core.errors import BadInput, CannotSense, OctolimbError
from octolimb.core.paths import RelPath
from octolimb.core.positions import Span
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, SensorRun, Severity
from octolimb.sense import types
from octolimb.sense.servers.ruff import RuffServer
from octolimb.sense.servers.server import Server
from octolimb.sense.servers.ty import TyServer
from octolimb.sense.sources import PYTHON_SUFFIXES, start_of_file
from octolimb.sense.tests.imports import GrowingGraph
from octolimb.sense.tools import find_bundled
from octolimb.shadow.interpreter import Interpreter
from octolimb.shadow.live import LiveChild, LiveShadow, Moved
from octolimb.workspace.disk import DiskBase

_Result = TypeVar("_Result")
_NOT_UTF8: Final = "Failed to read file: stream did not contain valid UTF-8"
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

    Calls may overlap and be cancelled at any time: moves of the shadow are carried out whole, in the order of the
    calls, and each answer belongs to the snapshot that it was asked with. A call for another snapshot waits until
    the ones before have their answers: cancel those when their answer is of no use any more. Calls for one snapshot run
    side by side: ask for what a person looks at in a call of its own, and nothing of it waits for the rest.
    """

    def __init__(
        self,
        base: DiskBase,
        interpreter: Interpreter | None = None,
        *,
        on_recovery: Callable[[], None] | None = None,
    ) -> None:
        """`interpreter` is the project's where the root is trusted, else None, as for `SenseRequest`.

        `on_recovery` is called in the event loop when a sensor that was reported as crashed runs again. Raises
        `CannotSense` where ruff or ty is not installed with us.
        """
        tools = (find_bundled("ruff").parent, find_bundled("ty").parent)
        self._base = base
        self._interpreter = interpreter
        self._shadow = LiveShadow(base, keep=(*tools, *types.directories_for(interpreter)))
        recovered = on_recovery or (lambda: None)
        self._ruff = RuffServer(self._shadow, self._spawn, recovered)
        self._ty = TyServer(self._shadow, self._spawn, recovered)
        self._ty.interpreter = interpreter
        self._servers: tuple[Server, ...] = (self._ruff, self._ty)
        # One thread: the moves of the shadow keep their order. The graph has its own, since nothing waits for it.
        self._mover = ThreadPoolExecutor(1, thread_name_prefix="octolimb-live")
        self._grapher = ThreadPoolExecutor(1, thread_name_prefix="octolimb-graph")
        self._graph = GrowingGraph()
        self._moved_since_graph: set[RelPath] = set()
        self._shown: Snapshot | None = None
        self._refused: Mapping[RelPath, str] = {}
        self._turn = asyncio.Lock()
        self._moving: asyncio.Task[tuple[Moved, dict[RelPath, str]]] | None = None
        self._readers = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    async def start(self) -> None:
        """Starts the shadow and both children, and returns when they answer (200 to 500 ms).

        It may be left out: the first call of anything else starts them. Raises `CannotIsolate` where not even a copy
        can be made. A child that does not start is no exception: it shows as crashed in what is settled.
        """
        async with self._at(self._shown or Snapshot(self._base)):
            await asyncio.gather(*(server.ready() for server in self._servers), return_exceptions=True)

    async def close(self) -> None:
        """Ends the children and the shadow. Idempotent; calls that still wait raise `CannotSense`."""
        if self._closed:
            return
        self._closed = True
        await asyncio.gather(*(server.close() for server in self._servers))
        await asyncio.to_thread(self._shadow.close)
        self._mover.shutdown(wait=False, cancel_futures=True)
        self._grapher.shutdown(wait=False, cancel_futures=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    def status(self) -> tuple[SensorRun, ...]:
        """The state of `lint` and of `types`, in this order; `ms` is how long it has been so.

        `ran` while it answers, `skipped` while it is being started, `crashed` with the reason while it is down or
        cannot read its configuration.
        """
        return tuple(server.status() for server in self._servers)

    async def settle(self, snapshot: Snapshot, paths: Collection[RelPath]) -> Settled:
        """Shows the snapshot to both children and returns what they find in `paths`.

        Paths that are no Python sources, or not there, have no findings. Raises `CannotIsolate` where the shadow
        itself cannot be made, and `CannotSense` once it is closed.
        """
        began = time.monotonic()
        fixes: list[QuickFix] = []
        async with self._at(snapshot, paths) as (moved, texts):

            async def lint(path: RelPath) -> list[Finding]:
                told = await self._ruff.findings(path, texts[path])
                fixes.extend(QuickFix(finding, title, edits) for finding, title, edits in told if edits)
                return [finding for finding, _, _ in told]

            (linted, lint_run), (typed, types_run) = await asyncio.gather(
                self._pull(self._ruff, texts, lint),
                self._pull(self._ty, texts, lambda path: self._ty.findings(snapshot, path, texts[path])),
            )
            if types_run.status == "ran":
                typed.update(await self._on_mover(lambda: self._unreadable(snapshot, set(paths) - texts.keys())))
        findings = {path: (*linted.get(path, ()), *typed.get(path, ())) for path in paths}
        changed = frozenset(event.path for event in moved.events)
        ms = (time.monotonic() - began) * 1000
        return Settled(snapshot.generation, findings, (lint_run, types_run), tuple(fixes), changed, ms)

    async def disk_changed(self, paths: Iterable[RelPath] | None) -> frozenset[RelPath]:
        """Makes outside changes visible: what a watcher named (files or directories), or None where events were lost.

        Returns the paths whose effective content or existence changed: not those that unsaved edits hide. To be
        called before the `settle` that is to see them. Raises `CannotIsolate`.
        """
        named = None if paths is None else list(paths)
        moved, _ = await self._move_alone(lambda: self._shadow.disk_changed(named))
        if named is None and self._has_packages_inside():
            # Installed packages are not verified file by file.
            self._ty.restart()
        return frozenset(event.path for event in moved.events)

    async def dependents(
        self, snapshot: Snapshot, changed: Iterable[RelPath], *, most: int = MOST_DEPENDENTS
    ) -> list[RelPath]:
        """The files that import what changed, nearest first and at most `most`; the changed files are left out.

        `changed` may name files that are gone: who imports them still counts. The first call reads the project's
        sources (some 100 ms for 600 files, off the event loop); later ones only what moved.
        """
        changed = list(changed)
        async with self._at(snapshot):
            moved, self._moved_since_graph = self._moved_since_graph, set()

            def find() -> list[RelPath]:
                self._graph.update(snapshot, {*moved, *changed})
                return self._graph.nearest(changed, most)

            # Not to be left half done: what moved is known to this call only.
            return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._grapher, find))

    async def ask(self, snapshot: Snapshot, method: str, params: Mapping[str, Any]) -> Any:
        """Forwards one request about types to ty, as the snapshot is, and returns its raw result.

        `method` is one of `FORWARDED`; params and result are LSP JSON with the repository's own URIs. The document that
        `params` names is opened in the child as it is in the snapshot. Columns are UTF-16. Raises `BadInput` for
        another method, and `CannotSense` where ty is down or refuses.
        """
        if method not in FORWARDED:
            raise BadInput(f"{method} is not forwarded to ty")
        path = self._shadow.real_path_of(params.get("textDocument", {}).get("uri", ""))
        async with self._at(snapshot, [] if path is None else [path]) as (_, texts):
            mapped = self._shadow.to_child(dict(params))
            return self._shadow.from_child(
                await self._with_restart(self._ty, texts, lambda: self._ty.request(method, mapped))
            )

    # -- taking turns ------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _at(
        self, snapshot: Snapshot, paths: Iterable[RelPath] = ()
    ) -> AsyncIterator[tuple[Moved, dict[RelPath, str]]]:
        """While the block runs the shadow shows this snapshot; `paths` are open in both children, with these texts."""
        wanted = [path for path in paths if path.suffix in PYTHON_SUFFIXES]
        self._refuse_closed()
        async with self._turn:
            await self._end_of_move()
            if self._shown is None or self._shown.overlays != snapshot.overlays:
                await self._idle.wait()
            told = await self._move(lambda: self._shadow.update(snapshot), snapshot, wanted)
            self._readers += 1
            self._idle.clear()
        try:
            yield told
        finally:
            self._readers -= 1
            if self._readers == 0:
                self._idle.set()

    async def _move_alone(self, step: Callable[[], Moved]) -> tuple[Moved, dict[RelPath, str]]:
        self._refuse_closed()
        async with self._turn:
            await self._end_of_move()
            await self._idle.wait()
            return await self._move(step, self._shown or Snapshot(self._base), [])

    async def _end_of_move(self) -> None:
        """Waits for a move whose caller was cancelled."""
        if self._moving is not None and not self._moving.done():
            await asyncio.wait([self._moving])

    async def _move(
        self, step: Callable[[], Moved], snapshot: Snapshot, wanted: Sequence[RelPath]
    ) -> tuple[Moved, dict[RelPath, str]]:
        """Carries out one move to its end, cancelled or not: an event that is not told leaves a child stale."""
        self._moving = asyncio.create_task(self._carry_out(step, snapshot, wanted))
        # Whoever waits for it is told how it failed; where nobody waits any more, nobody needs to be.
        self._moving.add_done_callback(lambda moving: moving.cancelled() or moving.exception())
        return await asyncio.shield(self._moving)

    async def _carry_out(
        self, step: Callable[[], Moved], snapshot: Snapshot, wanted: Sequence[RelPath]
    ) -> tuple[Moved, dict[RelPath, str]]:
        def work() -> tuple[Moved, dict[RelPath, str]]:
            self._revive()
            moved = step()
            return moved, {path: text for path in wanted if (text := _utf8_text(snapshot, path)) is not None}

        first = self._shown is None
        moved, texts = await self._on_mover(work)
        self._shown = snapshot
        self._refused = moved.refused
        self._moved_since_graph.update(event.path for event in moved.events)
        if first or any(event.path.suffix == ".toml" for event in moved.events):
            self._ruff.prepare(snapshot)
            self._ty.prepare(snapshot)
        for server in self._servers:
            server.start()
            server.sync(moved.events, texts)
        return moved, texts

    # -- the children ------------------------------------------------------------------------------------------

    async def _pull(
        self, server: Server, texts: Mapping[RelPath, str], findings: Callable[[RelPath], Awaitable[list[Finding]]]
    ) -> tuple[dict[RelPath, Sequence[Finding]], SensorRun]:
        began = time.monotonic()
        found: dict[RelPath, Sequence[Finding]] = {}

        async def pull_all() -> None:
            for path, told in zip(texts, await _all_of([findings(path) for path in texts]), strict=True):
                found[path] = told

        try:
            await self._with_restart(server, texts, pull_all)
            run = SensorRun(server.sensor, "ran", (time.monotonic() - began) * 1000, self._why(server))
            if server.complaint is not None:
                # It fell back to a configuration that is not the project's.
                found, run = {}, replace(run, status="crashed", why=await server.explain())
        except CannotSense as error:
            run = SensorRun(server.sensor, "crashed", (time.monotonic() - began) * 1000, error.message)
            found = {}
        return found, run

    async def _with_restart(
        self, server: Server, texts: Mapping[RelPath, str], step: Callable[[], Awaitable[_Result]]
    ) -> _Result:
        """Does the step; once more where the child died at it and could be started again at once."""
        await server.ready()
        server.sync((), texts)
        try:
            return await step()
        except CannotSense:
            if server.is_up:
                raise
        await server.ready()
        server.sync((), texts)
        return await step()

    def _why(self, server: Server) -> str | None:
        if self._refused:
            path, reason = next(iter(self._refused.items()))
            more = f" and {len(self._refused) - 1} more" if len(self._refused) > 1 else ""
            return f"it sees the saved state of {path}{more}: {reason}"
        return types.NO_INTERPRETER if server is self._ty and self._interpreter is None else None

    def _unreadable(self, snapshot: Snapshot, paths: Iterable[RelPath]) -> dict[RelPath, Sequence[Finding]]:
        """What ty says of sources that it cannot read; it is not asked, since a text that it is shown it can read."""
        found: dict[RelPath, Sequence[Finding]] = {}
        for path in paths:
            if path.suffix in PYTHON_SUFFIXES and snapshot.kind(path) == "file":
                span = start_of_file()
                code = types.UNREADABLE
                found[path] = [
                    types.finding_of(snapshot, self._interpreter, path, span, Severity.WARNING, code, _NOT_UTF8)
                ]
        return found

    async def _spawn(self, command: Sequence[str]) -> LiveChild:
        def work() -> LiveChild:
            self._revive()
            return self._shadow.spawn(command)

        return await self._on_mover(work)

    def _revive(self) -> None:
        """Starts the host where it is not running; on the mover's thread. Both children died with the one before."""
        if not self._shadow.alive:
            self._shadow.start()
            if self._shown is not None:
                self._shadow.update(self._shown)

    async def _on_mover(self, work: Callable[[], _Result]) -> _Result:
        self._refuse_closed()
        return await asyncio.get_running_loop().run_in_executor(self._mover, work)

    def _refuse_closed(self) -> None:
        if self._closed:
            raise CannotSense("live sensing is closed")

    def _has_packages_inside(self) -> bool:
        kept = self._interpreter.keep if self._interpreter is not None else ()
        return any(place.is_relative_to(self._base.root) for place in kept)


async def _all_of(steps: Sequence[Awaitable[_Result]]) -> list[_Result]:
    """All results, or the first error once every step is done, so that none goes on unseen."""
    done = await asyncio.gather(*steps, return_exceptions=True)
    results: list[_Result] = []
    for one in done:
        if isinstance(one, BaseException):
            raise one
        results.append(one)
    return results


def _utf8_text(snapshot: Snapshot, path: RelPath) -> str | None:
    try:
        document = snapshot.get(path)
        if document is None or document.link:
            return None
        return document.data.decode("utf-8-sig")
    except (OctolimbError, UnicodeDecodeError):
        return None


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
