"""`octolimb/limb/start`, `/cancel` and the notifications of what each limb is at."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from typing import Any, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from octolimb.core.errors import BadInput, Cancelled, OctolimbError
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.documents.wire import LimbCancel, LimbStart, LimbStarted, LimbStatus
from octolimb.engine.driver import LimbProgress
from octolimb.engine.fixing import FixRequest, FixResult, fix
from octolimb.engine.targets import parse_target
from octolimb.limbs.effects import LimbState
from octolimb.lsp.daemon import Daemon
from octolimb.lsp.features.proposals import ProposalDesk
from octolimb.lsp.folder import Folder

_BUDGET: Final = 60.0
_PROPOSALS: Final = 3
_BETWEEN_SECONDS: Final = 0.25
"""Between two notifications of one state."""
_ENDS: Final = frozenset({LimbState.PROPOSED, LimbState.SURRENDERED, LimbState.CANCELLED, LimbState.FAILED})
_CONTENT_MODIFIED: Final = -32801

logger = logging.getLogger(__name__)


class Limb:
    """One limb at work; `cancel` may be called from any thread and more than once."""

    def __init__(self, name: str, request: LimbStart, folder: Folder, target: str, snapshot: Snapshot) -> None:
        self.name = name
        self.request = request
        self.folder = folder
        self.target = target
        self.snapshot = snapshot
        self.epoch = folder.crate.epoch
        self.began = time.monotonic()
        self.progress = LimbProgress(LimbState.QUEUED, 0, 0.0, "")
        self._cancelled = threading.Event()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def cancel(self) -> None:
        self._cancelled.set()


class LimbDesk:
    """One limb works at a time, the others wait their turn: two would only slow each other, and the person."""

    def __init__(self, daemon: Daemon, proposals: ProposalDesk) -> None:
        self._daemon = daemon
        self._proposals = proposals
        self._numbers = itertools.count(1)
        self._turn = asyncio.Lock()
        self._limbs: dict[str, Limb] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._told: dict[str, tuple[LimbState, float]] = {}

    async def start(self, request: LimbStart) -> dict[str, Any]:
        """Raises `BadInput` for what no limb can do here, and for a document that moved on meanwhile."""
        folder, path = self._daemon.need(request.uri)
        if not folder.options.trusted:
            raise BadInput("this workspace is not trusted, so no limb may run its tests", hint="trust the workspace")
        if request.kind in ("goal", "refactor"):
            raise BadInput(f"there is no limb for a {request.kind} yet", hint="a diagnostic or a test can be mended")
        folder.refuse_lost([path])
        if request.version is not None:
            buffer = self._daemon.buffers.get(request.uri)
            if buffer is None or buffer.version != request.version:
                raise JsonRpcException("the document changed meanwhile; ask again", code=_CONTENT_MODIFIED)
        snapshot = folder.snapshot()
        target = _target(request, path)
        await asyncio.to_thread(parse_target, target, snapshot)
        limb = Limb(f"l{next(self._numbers)}", request, folder, target, snapshot)
        self._limbs[limb.name] = limb
        self._tell(limb)
        task = asyncio.create_task(self._work(limb))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return LimbStarted(limb=limb.name).as_json()

    async def cancel(self, request: LimbCancel) -> None:
        limb = self._limbs.get(request.limb)
        if limb is not None:
            limb.cancel()

    def cancel_all(self) -> None:
        for limb in list(self._limbs.values()):
            limb.cancel()

    async def _work(self, limb: Limb) -> None:
        proposals: list[str] = []
        state, detail = LimbState.FAILED, ""
        try:
            async with self._turn:
                title = f"Octolimb: a limb at {limb.target}"
                async with self._daemon.client.progress(title, on_cancel=limb.cancel) as shown:
                    loop = asyncio.get_running_loop()

                    def report(progress: LimbProgress) -> None:
                        loop.call_soon_threadsafe(self._progress, limb, progress)
                        shown.say(f"{progress.state.value} {progress.attempts or ''} {progress.detail}".strip())

                    result = await asyncio.to_thread(_send, limb, report)
            stored = self._proposals.take(limb.folder, limb.name, result, epoch=limb.epoch)
            proposals = [one.id for one in stored]
            state, detail = result.state, result.message
        except OctolimbError as error:
            state, detail = LimbState.FAILED, error.message + (f" ({error.hint})" if error.hint else "")
        except Exception as error:
            logger.exception("limb %s at %s", limb.name, limb.target)
            detail = f"something went wrong: {type(error).__name__}; the log has the details"
        finally:
            if limb.cancelled:
                state, detail = LimbState.CANCELLED, "cancelled"
            self._limbs.pop(limb.name, None)
            self._told.pop(limb.name, None)
            limb.progress = LimbProgress(state, limb.progress.attempts, time.monotonic() - limb.began, detail)
            self._tell(limb, proposals)
        self._say_aloud(limb, proposals)

    def _progress(self, limb: Limb, progress: LimbProgress) -> None:
        """In the event loop: what the limb is at, not more often than a person can read."""
        if limb.name not in self._limbs or progress.state in _ENDS:
            # How it ended is told once, with what it proposes.
            return
        limb.progress = progress
        state, at = self._told.get(limb.name, (None, 0.0))
        if state is not progress.state or time.monotonic() - at >= _BETWEEN_SECONDS:
            self._tell(limb)

    def _tell(self, limb: Limb, proposals: list[str] | None = None) -> None:
        progress = limb.progress
        self._told[limb.name] = (progress.state, time.monotonic())
        status = LimbStatus(
            limb=limb.name,
            state=progress.state.value,
            kind=limb.request.kind,
            uri=limb.request.uri,
            attempts=progress.attempts,
            seconds=round(time.monotonic() - limb.began, 2),
            detail=progress.detail,
            proposals=proposals or [],
        )
        self._daemon.client.notify("octolimb/limb", status.as_json())

    def _say_aloud(self, limb: Limb, proposals: list[str]) -> None:
        """For an editor that does not know limbs: one message at the end."""
        if self._daemon.client.knows_proposals or limb.cancelled:
            return
        if proposals:
            self._proposals.offer(limb.folder, proposals)
        else:
            message = f"Octolimb: {limb.target}: {limb.progress.detail}"
            params = types.ShowMessageParams(types.MessageType.Info, message)
            self._daemon.client.notify(types.WINDOW_SHOW_MESSAGE, params)


def _send(limb: Limb, report: Any) -> FixResult:
    """In a thread of its own; the limb has children of its own, which end when it is cancelled."""
    if limb.cancelled:
        raise Cancelled("cancelled before it began")
    options = limb.folder.options
    request = FixRequest(
        targets=(limb.target,),
        coder="offline" if options.coder in (None, "auto") else options.coder,
        model=options.model,
        budget=_BUDGET,
        proposals=_PROPOSALS,
    )
    return fix(
        limb.folder.engine,
        request,
        progress=report,
        cancelled=lambda: limb.cancelled,
        snapshot=limb.snapshot,
    )


def _target(request: LimbStart, path: RelPath) -> str:
    if request.kind == "test" and request.text:
        return request.text
    return f"{path}:{request.range.start.line + 1}" if request.range is not None else path
