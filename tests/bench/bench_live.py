"""From an unsaved edit to the findings of a file that imports what was edited, beside ty alone on saved files."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import tarfile
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from released import BOLTONS, CLICK, NETWORKX, Released

from octolimb.core.document import Document
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.sense.lint import check_lint
from octolimb.sense.live import LiveSensing
from octolimb.sense.servers.wire import Connection
from octolimb.sense.tools import find_bundled
from octolimb.sense.types import check_types, environment_of
from octolimb.shadow.host import ShadowHost
from octolimb.workspace.disk import DiskBase

EDITED = ((BOLTONS, "boltons/iterutils.py"), (CLICK, "src/click/types.py"), (NETWORKX, "networkx/utils/decorators.py"))
LIMIT_MS = 30.0
LIVE = "live, of the dependent"
FLOOR = "ty alone, saved, of the dependent"
BOTH = "live, of both files"
FRESH = "fresh ruff and ty, of the dependent"


def run(rounds: int) -> None:
    for project, edited in EDITED:
        with TemporaryDirectory(prefix="octolimb-bench-") as directory:
            asyncio.run(_measure(_unpack(project, Path(directory)), RelPath(edited), max(rounds, 3) * 5))


def _unpack(project: Released, directory: Path) -> Path:
    with tarfile.open(project.download(directory)) as archive:
        archive.extractall(directory, filter="data")
    return directory / f"{project.name}-{project.release}"


async def _measure(root: Path, edited: RelPath, rounds: int) -> None:
    base = DiskBase(root)
    saved = Snapshot(base)
    original = saved.document(edited)
    taken: dict[str, list[float]] = {name: [] for name in (LIVE, FLOOR, BOTH, FRESH)}
    began = time.perf_counter()
    async with LiveSensing(base) as live:
        await live.settle(saved, [edited])
        first = (time.perf_counter() - began) * 1000
        began = time.perf_counter()
        dependent = (await live.dependents(saved, [edited]))[0]
        graph = (time.perf_counter() - began) * 1000
        print(f" {root.name}: {edited} and {dependent}; ready in {first:.0f} ms, graph read in {graph:.0f} ms")
        alone = await _Alone.start(root, edited, dependent, saved)
        with ShadowHost(base) as host:
            for turn in range(rounds + 1):
                took: dict[str, float] = {}
                snapshot = _edited(saved, original, 2 * turn)
                began = time.perf_counter()
                settled = await live.settle(snapshot, [dependent])
                took[LIVE] = (time.perf_counter() - began) * 1000
                assert [run.status for run in settled.sensors] == ["ran", "ran"]
                snapshot = _edited(saved, original, 2 * turn + 1)
                began = time.perf_counter()
                settled = await live.settle(snapshot, [edited, dependent])
                took[BOTH] = (time.perf_counter() - began) * 1000
                assert settled.findings[edited]
                took[FLOOR] = await alone.edit(snapshot.document(edited).data)
                (root / edited).write_bytes(original.data)
                await live.disk_changed([edited])
                if turn % 5 == 0:
                    began = time.perf_counter()
                    with host.project(snapshot) as shadow:
                        check_lint(shadow, snapshot, [dependent])
                        check_types(shadow, snapshot, None, [dependent])
                    took[FRESH] = (time.perf_counter() - began) * 1000
                for name, ms in took.items():
                    if turn:
                        taken[name].append(ms)
        alone.close()
    medians = {name: statistics.median(times) for name, times in taken.items()}
    for name, times in taken.items():
        print(f"  {name:36}  {medians[name]:8.1f} ms  ({min(times):.1f} to {max(times):.1f})")
    verdict = "under" if medians[LIVE] < LIMIT_MS else "OVER"
    print(f"  the median of a dependent is {verdict} {LIMIT_MS:.0f} ms")


def _edited(saved: Snapshot, original: Document, number: int) -> Snapshot:
    text = original.data + f"\n\ndef octolimb_{number}() -> int:\n    return 'x'\n".encode()
    return saved.with_edits({original.path: Document(original.path, text, original.mode)})


class _Alone:
    """A ty server on the real tree, told of a save: what no shadow could be faster than."""

    _wire: Connection

    def __init__(self, root: Path, edited: RelPath, dependent: RelPath, process: subprocess.Popen[bytes]) -> None:
        self._root, self._edited, self._dependent, self._process = root, edited, dependent, process
        self._version = 1

    @classmethod
    async def start(cls, root: Path, edited: RelPath, dependent: RelPath, saved: Snapshot) -> _Alone:
        process = subprocess.Popen(
            [str(find_bundled("ty")), "server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
        )
        alone = cls(root, edited, dependent, process)
        settings = {"diagnosticMode": "openFilesOnly", "configuration": {"environment": environment_of(saved, None)}}

        def answer(method: str, params: Any) -> Any:
            return [settings for _ in params["items"]] if method == "workspace/configuration" else None

        alone._wire = Connection(answer, lambda method, params: None)
        streams = (process.stdin, process.stdout, process.stderr)
        await alone._wire.open(*(os.dup(stream.fileno()) for stream in streams if stream is not None))
        for stream in streams:
            if stream is not None:
                stream.close()
        capabilities = {"textDocument": {"diagnostic": {}}, "workspace": {"configuration": True}}
        folder = {"uri": root.as_uri(), "name": "root"}
        hello = {
            "processId": None,
            "rootUri": root.as_uri(),
            "workspaceFolders": [folder],
            "capabilities": capabilities,
        }
        await alone._wire.request("initialize", hello)
        alone._wire.notify("initialized", {})
        for path in (edited, dependent):
            text = saved.document(path).text
            document = {"uri": (root / path).as_uri(), "languageId": "python", "version": 1, "text": text}
            alone._wire.notify("textDocument/didOpen", {"textDocument": document})
        await alone._pull()
        return alone

    async def edit(self, text: bytes) -> float:
        """Milliseconds from before the save to the report."""
        began = time.perf_counter()
        (self._root / self._edited).write_bytes(text)
        self._version += 1
        identity = {"uri": (self._root / self._edited).as_uri(), "version": self._version}
        self._wire.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": identity["uri"], "type": 2}]})
        changes = {"textDocument": identity, "contentChanges": [{"text": text.decode()}]}
        self._wire.notify("textDocument/didChange", changes)
        await self._pull()
        return (time.perf_counter() - began) * 1000

    async def _pull(self) -> None:
        place = {"uri": (self._root / self._dependent).as_uri()}
        await self._wire.request("textDocument/diagnostic", {"textDocument": place})

    def close(self) -> None:
        self._wire.close()
        self._process.kill()
        self._process.wait()
