"""A small repository with its live shadow, and a long-lived child that tells what it sees there."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.shadow_repository import FILES

from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.shadow.live import LiveChild, LiveShadow, Moved
from octolimb.workspace.disk import DiskBase
from octolimb.workspace.limb_workspace import LimbWorkspace

# It looks at everything again and again in a thread when asked to hammer, so that the kernel has it all in use.
_READER = """
import json, os, sys, threading
root = sys.argv[1]
held = []
def tree():
    found = {}
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if name not in (".git", "__pycache__")]
        for name in names:
            found[os.path.relpath(os.path.join(directory, name), root) + "/"] = ""
        for name in files:
            path = os.path.join(directory, name)
            try:
                found[os.path.relpath(path, root)] = open(path, "rb").read().decode("latin-1")
            except OSError as error:
                found[os.path.relpath(path, root)] = error.strerror
    return found
def hammer():
    while True:
        tree()
for line in sys.stdin:
    order, path = json.loads(line)
    full = os.path.join(root, path)
    if order == "tree":
        answer = tree()
    elif order == "mtime":
        answer = os.stat(full).st_mtime_ns
    elif order == "hold":
        held.append(open(full))
        answer = None
    elif order == "hammer":
        for _ in range(2):
            threading.Thread(target=hammer, daemon=True).start()
        answer = None
    else:
        try:
            answer = eval(path)
        except Exception as error:
            answer = repr(error)
    print(json.dumps(answer), flush=True)
"""


class LiveRepository:
    """`workspace` is the editor's state; `update` shows it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, text in FILES.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.base = DiskBase(root)
        self.shadow = LiveShadow(self.base)
        self.workspace = LimbWorkspace(root, base=Snapshot(self.base))
        self._readers: list[LiveChild] = []

    def start(self) -> None:
        self.shadow.start()
        self.start_reader()

    def start_reader(self) -> LiveChild:
        child = self.shadow.spawn([sys.executable, "-c", _READER, str(self.shadow.root)])
        self._readers.append(child)
        return child

    def ask(self, order: str, path: str = "") -> Any:
        """What the newest reader answers."""
        child = self._readers[-1]
        os.write(child.stdin, json.dumps([order, path]).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            block = os.read(child.stdout, 1 << 16)
            assert block, os.read(child.stderr, 1 << 16)
            answer += block
        return json.loads(answer)

    def update(self) -> Moved:
        return self.shadow.update(self.workspace.snapshot)

    def reset(self) -> Moved:
        """All edits undone."""
        self.workspace = LimbWorkspace(self.root, base=Snapshot(self.base))
        return self.update()

    def saved(self, *paths: str) -> Moved:
        """What a watcher would tell."""
        return self.shadow.disk_changed([RelPath(path) for path in paths])

    def expected(self) -> dict[str, str]:
        """The files and directories of the snapshot: what the child must see."""
        snapshot = self.workspace.snapshot
        found: dict[str, str] = {}
        pending = [""]
        while pending:
            directory = pending.pop()
            for name, kind in snapshot.names(directory).items():
                path = f"{directory}/{name}" if directory else name
                if kind != "directory":
                    found[path] = snapshot.document(RelPath(path)).data.decode("latin-1")
                elif name not in (".git", "__pycache__"):
                    found[path + "/"] = ""
                    pending.append(path)
        return found

    def check(self) -> None:
        """Nothing is stale, missing or too much, and nothing was written to the real tree."""
        assert self.ask("tree") == self.expected()

    def close(self) -> None:
        self.shadow.close()
        for child in self._readers:
            for fd in (child.stdin, child.stdout, child.stderr):
                os.close(fd)


@contextmanager
def live_repository(root: Path) -> Iterator[LiveRepository]:
    repository = LiveRepository(root)
    try:
        repository.start()
        yield repository
    finally:
        repository.close()


def told(moved: Moved) -> Mapping[str, str]:
    """Events by path, directories with a slash at the end."""
    assert not moved.refused
    found = {event.path + ("/" if event.directory else ""): event.kind for event in moved.events}
    assert len(found) == len(moved.events), moved.events
    return found
