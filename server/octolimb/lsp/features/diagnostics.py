"""Findings as diagnostics: sent for what the editor does not ask about, answered for what it does. Never both.

A client that pulls is answered for open documents, and told to pull again where another document's edit changed what
one of them says; files that are not open are sent. A client that does not pull, or could not be told to pull again, is
sent everything. A finding that the
editor is sent is always of the newest settled generation, and is withdrawn with it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from octolimb.core.paths import RelPath
from octolimb.core.verdicts import Finding, Severity
from octolimb.engine.settling import Settlement
from octolimb.lsp.daemon import Daemon
from octolimb.lsp.folder import Folder
from octolimb.lsp.positions import LineIndex

SOURCE: Final = "octolimb"
_SEVERITIES: Final = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.INFORMATION: types.DiagnosticSeverity.Information,
    Severity.HINT: types.DiagnosticSeverity.Hint,
}
_UNUSED: Final = frozenset({"F401", "F811", "F841"})
_COLD_SECONDS: Final = 2.0
"""How long an answer waits for sensors that are still starting; then it tells what there is, and asks to be asked."""
_MOST_NAMES: Final = 2

logger = logging.getLogger(__name__)


class Diagnostics:
    """One connection's diagnostics. `standing_back` names sensors whose findings another extension shows already."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._sent: dict[str, str] = {}
        self._answered: dict[str, str] = {}
        self._tests: dict[Folder, tuple[int, tuple[Finding, ...]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.standing_back: frozenset[str] = frozenset()
        daemon.on_folder.append(lambda folder: folder.subscribe(lambda settled: self.publish(folder, settled)))
        daemon.on_folder_gone.append(self._withdraw)

    def show_tests(self, folder: Folder, generation: int, findings: Sequence[Finding]) -> None:
        """Failing tests stand beside the other findings until the shadow moves on."""
        self._tests[folder] = (generation, tuple(findings))
        self.refresh(folder)

    def stand_back(self, sensors: frozenset[str]) -> None:
        self.standing_back = sensors
        for folder in self._daemon.folders:
            self.refresh(folder)

    def refresh(self, folder: Folder) -> None:
        if folder.settler.latest is not None:
            self.publish(folder, folder.settler.latest)

    def publish(self, folder: Folder, settlement: Settlement) -> None:
        """Sends what changed. A settlement that the crate has moved away from is dropped."""
        if settlement.generation != folder.generation:
            return
        shown = self._shown(folder, settlement)
        wanted: dict[str, Sequence[types.Diagnostic]] = {}
        pull_again = False
        for path in shown:
            uri = folder.places.uri_of(path)
            buffer = self._daemon.buffers.get(uri)
            diagnostics: Sequence[types.Diagnostic] = self._diagnostics(folder, path, settlement, shown[path])
            if buffer is not None and self._daemon.client.pulls:
                pull_again |= uri in self._answered and self._answered[uri] != _digest(diagnostics)
                diagnostics = []
            wanted[uri] = diagnostics
        # A file that is sensed no more was sensed for an edit that is gone.
        for uri in list(self._sent):
            if uri not in wanted and folder.places.holds(uri):
                wanted[uri] = []
        for uri, diagnostics in wanted.items():
            self._send(uri, diagnostics)
        if pull_again and settlement.final:
            self._ask_to_pull()

    async def answer(self, params: types.DocumentDiagnosticParams) -> types.DocumentDiagnosticReport:
        """The findings of one document, of the generation that stands when asked or a newer one."""
        uri = params.text_document.uri
        located = self._daemon.locate(uri)
        if located is None:
            return types.RelatedFullDocumentDiagnosticReport(items=[])
        folder, path = located
        try:
            async with asyncio.timeout(_COLD_SECONDS):
                settlement = await folder.settler.at(folder.generation)
        except TimeoutError:
            latest = folder.settler.latest
            if latest is None or path not in latest.findings:
                self._answered[uri] = ""
                return types.RelatedFullDocumentDiagnosticReport(items=[])
            settlement = latest
        diagnostics = self._diagnostics(folder, path, settlement, self._shown(folder, settlement).get(path, ()))
        result = _digest(diagnostics)
        self._answered[uri] = result
        if params.previous_result_id == result:
            return types.RelatedUnchangedDocumentDiagnosticReport(result_id=result)
        return types.RelatedFullDocumentDiagnosticReport(items=diagnostics, result_id=result)

    def closed(self, uri: str) -> None:
        self._answered.pop(uri, None)

    # -- private -----------------------------------------------------------------------------------------------

    def _withdraw(self, folder: Folder) -> None:
        """Nothing is said any more of a folder that was closed."""
        self._tests.pop(folder, None)
        for uri in [uri for uri in self._sent if folder.places.holds(uri)]:
            self._send(uri, [])

    def _shown(self, folder: Folder, settlement: Settlement) -> Mapping[RelPath, Sequence[Finding]]:
        """All findings of open files; of others only what the unsaved state made worse than the disk."""
        opened = set(folder.crate.open)
        unsaved = bool(folder.crate.dirty)
        shown: dict[RelPath, list[Finding]] = {path: [] for path in (*settlement.findings, *opened)}
        generation, tests = self._tests.get(folder, (0, ()))
        findings = [finding for found in settlement.findings.values() for finding in found]
        if generation == settlement.generation:
            findings += tests
        for finding in findings:
            if finding.path in opened:
                if finding.source not in self.standing_back:
                    shown[finding.path].append(finding)
            elif finding.source == "tests" or (unsaved and finding.new):
                shown.setdefault(finding.path, []).append(finding)
        return shown

    def _diagnostics(
        self, folder: Folder, path: RelPath, settlement: Settlement, findings: Sequence[Finding]
    ) -> list[types.Diagnostic]:
        if not findings:
            return []
        index = self._daemon.index_of(folder, path)
        return [self._diagnostic(folder, index, finding, settlement.causes.get(path, ())) for finding in findings]

    def _diagnostic(
        self, folder: Folder, index: LineIndex, finding: Finding, causes: Sequence[RelPath]
    ) -> types.Diagnostic:
        message = finding.message
        if causes and finding.new:
            names = ", ".join(causes[:_MOST_NAMES]) + (" and others" if len(causes) > _MOST_NAMES else "")
            message += f" (unsaved: caused by {names})"
        return types.Diagnostic(
            range=index.to_client(finding.span, self._daemon.encoding),
            message=message,
            severity=_SEVERITIES[finding.severity],
            code=finding.code,
            source=f"{SOURCE} {finding.source}",
            tags=[types.DiagnosticTag.Unnecessary] if finding.code in _UNUSED else None,
            data={
                "new": finding.new,
                "generation": folder.generation,
                **({"test": finding.test} if finding.test else {}),
            },
        )

    def _send(self, uri: str, diagnostics: Sequence[types.Diagnostic]) -> None:
        buffer = self._daemon.buffers.get(uri)
        digest = _digest(diagnostics) if diagnostics else ""
        if self._sent.get(uri, "") == digest:
            return
        if diagnostics:
            self._sent[uri] = digest
        else:
            self._sent.pop(uri, None)
        version = buffer.version if buffer is not None else None
        params = types.PublishDiagnosticsParams(uri, list(diagnostics), version)
        self._daemon.client.notify(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, params)

    def _ask_to_pull(self) -> None:
        task = asyncio.ensure_future(self._pull_again())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pull_again(self) -> None:
        try:
            await self._daemon.client.ask(types.WORKSPACE_DIAGNOSTIC_REFRESH, None)
        except JsonRpcException as error:
            logger.info("the client does not pull again: %s", error.message)


def _digest(diagnostics: Sequence[types.Diagnostic]) -> str:
    """What an editor shows of them, in short; the generation is left out, which changes with every keystroke."""
    told = [
        (
            item.range,
            item.message,
            item.severity,
            item.code,
            item.source,
            isinstance(item.data, dict) and item.data.get("test"),
        )
        for item in diagnostics
    ]
    return hashlib.sha256(repr(told).encode("utf-8", "replace")).hexdigest()[:16]
