"""`octolimb/sense`, `octolimb/verdict`, `octolimb/shadow/content`, `octolimb/tests/list` and `octolimb/doctor`."""

from __future__ import annotations

import asyncio
from typing import Any

from octolimb.core.verdicts import Finding, Verdict
from octolimb.documents.encode import doctor_document, verdict_document
from octolimb.documents.wire import FolderRequest, SenseRequestParams, ShadowContent, TestsListed, TestsListRequest
from octolimb.engine.engine import Sensing
from octolimb.engine.health import examine
from octolimb.engine.settling import Settlement
from octolimb.engine.test_list import find_tests
from octolimb.lsp.daemon import Daemon
from octolimb.lsp.features.diagnostics import Diagnostics
from octolimb.lsp.folder import Folder
from octolimb.lsp.messages import encode_test


class SensingDesk:
    """Senses on request, one run of tests a folder at a time, and tells every verdict that settles."""

    def __init__(self, daemon: Daemon, diagnostics: Diagnostics) -> None:
        self._daemon = daemon
        self._diagnostics = diagnostics
        self._turns: dict[Folder, asyncio.Lock] = {}
        daemon.on_folder.append(lambda folder: folder.subscribe(lambda settled: self._tell(folder, settled)))
        daemon.on_folder_gone.append(lambda folder: self._turns.pop(folder, None))

    async def sense(self, request: SenseRequestParams) -> dict[str, Any]:
        """Raises `CannotSense`, `CannotIsolate` and `BadInput`; cancelling it ends the children."""
        folder = self._daemon.folder_of(request.uris[0] if request.uris else None)
        verdict = await self.run(folder, request)
        self._show(folder, verdict)
        return verdict_document(verdict).as_json()

    async def run(self, folder: Folder, request: SenseRequestParams) -> Verdict:
        snapshot = folder.snapshot()
        baseline = folder.crate.disk() if folder.crate.dirty else None
        paths = [folder.places.directory_of(uri) or "." for uri in request.uris or () if folder.places.holds(uri)]
        tests = request.tests or folder.options.tests
        sensing = Sensing(tests=tests, paths=(*paths, *(request.named or ())), sensors=folder.settler.sensors)
        async with self._turns.setdefault(folder, asyncio.Lock()):
            # Children of its own, so that cancelling ends them and nothing else.
            engine = folder.engine.aside()
            try:
                async with self._daemon.client.progress(
                    "Octolimb: sensing the shadow", on_cancel=engine.close
                ) as progress:
                    return await asyncio.to_thread(engine.sense, snapshot, baseline, sensing, progress=progress.say)
            finally:
                await asyncio.shield(asyncio.to_thread(engine.close))

    def content(self, folder: Folder, uri: str) -> ShadowContent:
        """The text of a file as the shadow has it now."""
        path = folder.places.path_of(uri)
        # What the editor has open counts, though the disk may have moved on and nobody has told of it yet.
        document = (folder.crate.document(path) or folder.snapshot().get(path)) if path is not None else None
        text = document.text if document is not None and document.is_text else None
        return ShadowContent(text=text, generation=folder.generation)

    async def tests(self, request: TestsListRequest) -> dict[str, Any]:
        folder = self._daemon.folder_of(request.uri)
        snapshot = folder.snapshot()
        within = folder.places.directory_of(request.uri) if request.uri else ""
        found = await asyncio.to_thread(find_tests, snapshot, within or "")
        encoded = [encode_test(test, folder.places) for test in found]
        return TestsListed(generation=snapshot.generation, tests=encoded).as_json()

    async def doctor(self, request: FolderRequest) -> dict[str, Any]:
        folder = self._daemon.folder_of(request.uri)
        return doctor_document(await asyncio.to_thread(examine, folder.engine)).as_json()

    def _show(self, folder: Folder, verdict: Verdict) -> None:
        if verdict.generation != folder.generation:
            return
        failing: list[Finding] = [finding for finding in verdict.findings if finding.source == "tests"]
        self._diagnostics.show_tests(folder, verdict.generation, failing)
        self._daemon.client.notify("octolimb/verdict", verdict_document(verdict).as_json())

    def _tell(self, folder: Folder, settlement: Settlement) -> None:
        if settlement.final and settlement.generation == folder.generation:
            self._daemon.client.notify("octolimb/verdict", verdict_document(settlement.verdict).as_json())
