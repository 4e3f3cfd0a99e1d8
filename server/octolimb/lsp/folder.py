"""One folder of the editor: its buffers over its disk, the sensors on them, and what they last said.

It decodes no message. Diagnostics, limbs and proposals are its readers: they subscribe to settlements.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Final

from octolimb.core.document import Document
from octolimb.core.errors import BadInput, CannotIsolate
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Isolation
from octolimb.engine.editor import EditorCrate
from octolimb.engine.engine import SENSORS, Engine
from octolimb.engine.settling import Settlement, Settler
from octolimb.engine.unsaved import announce
from octolimb.lsp.buffers import Buffer
from octolimb.lsp.options import Options
from octolimb.lsp.places import Places
from octolimb.lsp.watching import watch
from octolimb.sense.live import LiveSensing

UNKNOWN_ISOLATION: Final = Isolation("copy", "none", network=False)

logger = logging.getLogger(__name__)


class Folder:
    """For one event loop. Raises `BadInput` where the folder or the interpreter that the options name is not there."""

    def __init__(self, directory: Path, options: Options) -> None:
        python = Path(options.python) if options.python and options.trusted else None
        self.options = options
        self.engine = Engine(directory, python=python, trusted=options.trusted)
        self.root = self.engine.root
        self.places = Places(self.root, directory)
        self.crate = EditorCrate(self.engine.base)
        self.live = LiveSensing(
            self.engine.base, self.engine.interpreter if options.trusted else None, on_recovery=self._recovered
        )
        self.isolation = UNKNOWN_ISOLATION
        self.settler = Settler(
            self.crate,
            self.live,
            root=str(self.root),
            sensors=frozenset(options.sensors) if options.sensors is not None else SENSORS,
            isolation=lambda: self.isolation,
            on_settled=self._tell,
        )
        self.on_opened: list[Callable[[Document], None]] = []
        """Called with each buffer that was opened, as a file."""
        self.on_disk: list[Callable[[Collection[RelPath]], None]] = []
        """Called with what changed on the disk, before anything reads it anew."""
        self.lost: set[RelPath] = set()
        """What the editor has open with a text that is not known."""
        self._listeners: list[Callable[[Settlement], None]] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def generation(self) -> int:
        return self.crate.generation

    def snapshot(self) -> Snapshot:
        """The editor's shadow as it is now."""
        return self.crate.snapshot()

    def subscribe(self, listener: Callable[[Settlement], None]) -> None:
        self._listeners.append(listener)

    # -- its life ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        works = (self._warm_up(), self.settler.run(), self._announce())
        self._tasks = [asyncio.create_task(work) for work in works]

    def watch(self, unable: Callable[[str], None]) -> None:
        """From here on it hears of the disk's changes by itself. `unable` is told, once, where that is not possible."""
        self._tasks.append(asyncio.create_task(watch(self.root, self._saw, unable)))

    def _saw(self, paths: list[RelPath] | None) -> None:
        try:
            self.disk_changed(paths)
        except Exception:
            logger.exception("while following the disk below %s", self.root)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.live.close()
        await asyncio.to_thread(self.engine.close)

    async def _announce(self) -> None:
        """Other programs of this user may ask what is unsaved."""
        try:
            announcement = await announce(self.root, lambda: self.crate.dirty)
        except (OSError, NotImplementedError, AttributeError) as error:
            logger.warning("other programs cannot ask what is unsaved below %s: %s", self.root, error)
            return
        try:
            await asyncio.Event().wait()
        finally:
            announcement.close()

    async def _warm_up(self) -> None:
        try:
            await self.live.start()
            probed = await asyncio.to_thread(self.engine.host.probe)
            self.isolation = probed.isolation
            self.settler.touch()
        except CannotIsolate as error:
            logger.error("no shadow for %s: %s", self.root, error.message)
        except Exception:
            logger.exception("while starting the sensors of %s", self.root)

    # -- what moves it -----------------------------------------------------------------------------------------

    def put(self, path: RelPath, buffer: Buffer) -> None:
        """A buffer of this folder was opened or changed."""
        is_new = path not in self.crate.open
        self.lost.discard(path)
        self.crate.put(path, buffer.text)
        if is_new and (document := self.crate.documents.get(path)) is not None:
            for listener in self.on_opened:
                listener(document)
        self.settler.touch()

    def drop(self, path: RelPath) -> None:
        """A buffer of this folder was closed."""
        self.lost.discard(path)
        self.crate.drop(path)
        self.settler.touch()

    def lose(self, path: RelPath) -> None:
        """What a buffer of this folder holds is not known any more: until it is opened anew, the disk stands for it."""
        self.drop(path)
        self.lost.add(path)

    def refuse_lost(self, paths: Iterable[RelPath]) -> None:
        """Raises `BadInput` where one of these is lost: nothing may be built on it."""
        if lost := sorted(self.lost.intersection(paths)):
            raise BadInput(
                f"what the editor has of {', '.join(lost)} is not known", hint="close the file and open it again"
            )

    def disk_changed(self, paths: Iterable[RelPath] | None) -> None:
        """Files changed on the disk; None where it is not known which."""
        told = None if paths is None else list(paths)
        for listener in self.on_disk:
            listener(self.crate.open if told is None else told)
        self.crate.disk_changed(told)
        self.settler.disk_changed(told)

    def _recovered(self) -> None:
        self.crate.begin_generation()
        self.settler.touch()

    def _tell(self, settlement: Settlement) -> None:
        for listener in self._listeners:
            try:
                listener(settlement)
            except Exception:
                logger.exception("while telling of generation %d", settlement.generation)
