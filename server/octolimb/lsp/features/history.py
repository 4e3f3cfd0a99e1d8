"""`octolimb/green/back` and `octolimb/green/cause`: the way back to the last green, and what broke it since."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from octolimb.core.errors import Cancelled
from octolimb.core.verdicts import Finding, Verdict
from octolimb.documents.wire import CauseFound, FolderRequest, WentBack
from octolimb.engine.cause import CauseProgress, find_cause
from octolimb.engine.history import Colour, VerdictHistory, WayBack
from octolimb.engine.settling import Settlement
from octolimb.lsp.daemon import Daemon
from octolimb.lsp.edits import apply_edit
from octolimb.lsp.features.proposals import encode_hunk
from octolimb.lsp.folder import Folder

_NO_GREEN = "nothing was green yet since the editor was started"
_SETTLING_SECONDS = 5.0


class HistoryDesk:
    """One history a folder, fed by what settles while typing; a run of tests on demand changes nothing in it."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._histories: dict[Folder, VerdictHistory] = {}
        daemon.on_folder.append(self._open)
        daemon.on_folder_gone.append(self._close)

    async def back(self, request: FolderRequest) -> dict[str, Any]:
        folder = self._daemon.folder_of(request.uri)
        way = self._histories[folder].way_back(folder.snapshot())
        if way is None:
            return WentBack(status="unknown", message=_NO_GREEN).as_json()
        if not way.changes:
            said = "the editor holds what was green last: there is nothing to undo"
            return WentBack(status="nothing", message=said, generation=way.generation).as_json()
        applied = await apply_edit(self._daemon, folder, way.changes, "Octolimb: back to the last green")
        if not applied.done:
            return WentBack(status="failed", message=applied.why).as_json()
        uris = [folder.places.uri_of(path) for path in way.changes.paths]
        said = f"back to what was green last; {', '.join(way.changes.paths)}"
        return WentBack(status="applied", message=said, generation=way.generation, uris=uris).as_json()

    async def cause(self, request: FolderRequest) -> dict[str, Any]:
        folder = self._daemon.folder_of(request.uri)
        verdict = await self._newest(folder)
        now = folder.snapshot()
        way = self._histories[folder].way_back(now)
        if verdict is None or verdict.generation != now.generation:
            return CauseFound(status="unknown", message="what hurts now is not known yet; ask again").as_json()
        pains = verdict.pains
        if not pains:
            return CauseFound(status="nothing", message="nothing hurts now").as_json()
        if way is None or not way.changes:
            return CauseFound(status="unknown", message=_NO_GREEN).as_json()
        return (await self._find(folder, way, pains[0])).as_json()

    async def _newest(self, folder: Folder) -> Verdict | None:
        """The verdict on what the editor holds now. Right after a keystroke that takes a moment."""
        try:
            async with asyncio.timeout(_SETTLING_SECONDS):
                return (await folder.settler.at(folder.generation)).verdict
        except TimeoutError:
            return None

    async def _find(self, folder: Folder, way: WayBack, pain: Finding) -> CauseFound:
        cancelled = threading.Event()
        engine = folder.engine.aside()
        now = folder.snapshot()

        def cancel() -> None:
            cancelled.set()
            engine.close()

        try:
            async with self._daemon.client.progress("Octolimb: what broke it?", on_cancel=cancel) as progress:

                def say(at: CauseProgress) -> None:
                    progress.say(f"{at.tried} tried, {at.left} edits left")

                cause = await asyncio.to_thread(
                    find_cause, engine, way.green, now, pain, cancelled=cancelled.is_set, progress=say
                )
        except Cancelled:
            return CauseFound(status="unknown", message="cancelled")
        finally:
            cancelled.set()
            await asyncio.shield(asyncio.to_thread(engine.close))
        told = f"{pain.path}:{pain.span.start.line + 1}: {pain.message}"
        hunks = [encode_hunk(edit, folder.places) for edit in cause.edits]
        return CauseFound(status=cause.status, message=cause.message, hunks=hunks, pains=[told], tried=cause.tried)

    def _open(self, folder: Folder) -> None:
        self._histories[folder] = VerdictHistory()
        folder.subscribe(lambda settlement: self._settled(folder, settlement))
        history = self._histories[folder]
        folder.on_opened.append(lambda document: history.opened(document, folder.generation))
        folder.on_disk.append(lambda paths: history.disk_changed(paths, folder.generation))

    def _settled(self, folder: Folder, settlement: Settlement) -> None:
        verdict = settlement.verdict
        if settlement.final and verdict.generation == folder.generation:
            colour: Colour = "unknown" if not verdict.complete else "green" if verdict.green else "red"
            opened = folder.crate.documents.values()
            self._histories[folder].settled(settlement.snapshot, colour, opened)

    def _close(self, folder: Folder) -> None:
        self._histories.pop(folder, None)
