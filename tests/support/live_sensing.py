"""A person at work: unsaved state over a real project, live sensing on it, and the fresh truth beside it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
from pathlib import Path

from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding
from octolimb.sense.lint import check_lint
from octolimb.sense.live import LiveSensing
from octolimb.sense.sources import python_files
from octolimb.sense.types import check_types
from octolimb.shadow.host import ShadowHost
from octolimb.shadow.reaping import descendants
from octolimb.workspace.disk import DiskBase
from octolimb.workspace.limb_workspace import LimbWorkspace

BODIES = (
    "def price(name: str) -> int:\n    return len(name)\n",
    "def price(name: str) -> str:\n    return name\n",
    "def price() -> float:\n    return undefined\n",
    "from shop.cart import total\n\nprice = total\n",
    "import os\n",
    "def (:\n",
    "",
)
PATHS = ("src/shop/prices.py", "src/shop/cart.py", "tool.py", "src/shop/new.py", "src/other/__init__.py", "top.py")
CONFIGURATIONS = (
    '[tool.ruff.lint]\nselect = ["F", "E"]\n',
    '[tool.ruff.lint]\nselect = ["W"]\n',
    '[tool.ty.rules]\nunresolved-reference = "warn"\n',
    '[tool.ruff]\nexclude = ["tool.py"]\n[tool.ruff.lint]\nignore = ["F821"]\n',
)


def order(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda one: (one.source, one.path, one.span, one.code, one.message))


def fresh(snapshot: Snapshot) -> list[Finding]:
    """What fresh processes say."""
    assert isinstance(snapshot.base, DiskBase)
    with ShadowHost(snapshot.base) as host, host.project(snapshot) as shadow:
        return order(check_lint(shadow, snapshot) + check_types(shadow, snapshot, None))


class Editor:
    """`snapshot` is the unsaved state; `live` senses it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.base = DiskBase(root)
        self.recovered = asyncio.Event()
        self.live = LiveSensing(self.base, on_recovery=self.recovered.set)
        self.workspace = LimbWorkspace(root, base=Snapshot(self.base))
        self.before = descendants(os.getpid())

    @property
    def snapshot(self) -> Snapshot:
        return self.workspace.snapshot

    def uri(self, path: str) -> str:
        return (self.root / path).as_uri()

    def sources(self, snapshot: Snapshot) -> list[RelPath]:
        return list(python_files(snapshot))

    async def settled(self, snapshot: Snapshot) -> list[Finding]:
        """What live sensing says of all sources; both must have run."""
        settled = await self.live.settle(snapshot, self.sources(snapshot))
        for _ in range(100):
            if not any("died" in (run.why or "") for run in settled.sensors):
                break
            await asyncio.sleep(0.2)
            settled = await self.live.settle(snapshot, self.sources(snapshot))
        assert [run.status for run in settled.sensors] == ["ran", "ran"], settled.sensors
        return order([finding for found in settled.findings.values() for finding in found])

    async def check(self) -> None:
        assert await self.settled(self.snapshot) == fresh(self.snapshot)

    async def check_after(self, *paths: str) -> None:
        await self.live.disk_changed([RelPath(path) for path in paths])
        await self.check()

    @property
    def host_pid(self) -> int:
        pid = self.live._shadow.host_pid
        assert pid is not None
        return pid

    def kill(self, name: str) -> None:
        """Kills the child of that name, if it runs."""
        for pid in descendants(self.host_pid):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                    os.kill(pid, signal.SIGKILL)

    async def random_step(self, numbers: random.Random) -> str:
        """One thing that a person, another program or bad luck does."""
        path = numbers.choice(PATHS)
        target = self.root / path
        step = numbers.choice(("type",) * 5 + ("delete", "undo", "configure") + ("save", "in place", "vanish") * 2
                              + ("same time", "lost", "kill", "rename"))  # fmt: skip
        body = numbers.choice(BODIES)
        if step == "type":
            self.workspace.write(path, body)
        elif step == "delete" and self.workspace.exists(path):
            self.workspace.delete(path)
        elif step == "undo":
            self.workspace = LimbWorkspace(self.root, base=Snapshot(self.base))
        elif step == "configure":
            self.workspace.write("pyproject.toml", numbers.choice(CONFIGURATIONS))
        elif step == "rename" and self.workspace.exists("src/shop") and not self.workspace.exists("src/store"):
            self.workspace.rename("src/shop", "src/store")
        elif step in ("save", "in place", "same time", "lost"):
            status = target.stat() if target.exists() else None
            target.parent.mkdir(parents=True, exist_ok=True)
            if step == "in place":
                target.write_text(body)
            else:
                (self.root / "t.tmp").write_text(body)
                (self.root / "t.tmp").rename(target)
            if step == "same time" and status is not None:
                os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
            await self.live.disk_changed(None if step == "lost" else [RelPath(path)])
        elif step == "vanish":
            target.unlink(missing_ok=True)
            shutil.rmtree(self.root / "src/other", ignore_errors=True)
            await self.live.disk_changed([RelPath(path), RelPath("src/other")])
        elif step == "kill":
            self.kill(numbers.choice(("ruff", "ty")))
        return f"{step} {path}"
