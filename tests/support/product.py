"""The product as a person meets it: the real command in a process of its own, and what it may leave behind: nothing."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from tests.conftest import IS_ROOT
from tests.support.ordinary_user import ORDINARY_UID, ordinary_command

from octolimb.documents.schemas import DOCUMENTS

PATIENCE: Final = 60.0
"""Seconds; far more than anything here takes, so that what hangs fails."""


@dataclass(frozen=True)
class Answer:
    """What `octolimb --json ...` answered."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on standard output; anything else there, or one unlike its schema, fails the test."""
        (line,) = self.out.splitlines()
        document: dict[str, Any] = json.loads(line)
        prefix, name, number = document["schema"].split("/")
        assert (prefix, number) == ("octolimb", "1")
        DOCUMENTS[name].model_validate_json(line, strict=True, extra="forbid")
        return document

    @property
    def error(self) -> str:
        message: str = self.document["error"]["message"]
        return message


@dataclass(frozen=True)
class Started:
    """A command under way."""

    process: subprocess.Popen[str]

    def answer(self, stdin: str | None = None) -> Answer:
        out, err = self.process.communicate(stdin, timeout=PATIENCE)
        assert "Traceback" not in err, err
        return Answer(self.process.returncode, out, err)


@dataclass(frozen=True)
class Octolimb:
    """`octolimb --json` for one person, with state and temporary directory of its own below `place`.

    `projection` is how it shows snapshots; `copy` as on a machine that refuses mounts.

    `python` has pytest and nothing else; it runs the projects' tests.
    """

    place: Path
    python: Path
    ordinary: bool = False
    projection: Literal["overlay", "copy"] = "overlay"
    started: list[Started] = field(default_factory=list)

    @property
    def scratch(self) -> Path:
        """The temporary directory of the command itself."""
        return self.place / "scratch"

    def __call__(
        self, *arguments: str | Path, stdin: str | None = None, env: Mapping[str, str] | None = None
    ) -> Answer:
        return self.start(*arguments, env=env).answer(stdin)

    def start(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Started:
        """The command as leader of a process group of its own, as a shell starts it in a terminal."""
        self.scratch.mkdir(exist_ok=True)
        self.scratch.chmod(0o777)
        own = {"TMPDIR": self.scratch, "XDG_STATE_HOME": self.place / f"state-{self.ordinary}", **(env or {})}
        if self.projection == "copy":
            own["OCTOLIMB_ISOLATION"] = "copy"
        if self.ordinary:
            self.place.chmod(0o777)
        command = ["env", *(f"{name}={value}" for name, value in own.items())]
        command += [sys.executable, "-m", "octolimb", "--json"]
        words = [str(word) for word in arguments]
        command += [*words] if "--python" in words else ["--python", str(self.python), *words]
        pipe = subprocess.PIPE
        started = Started(
            subprocess.Popen(
                ordinary_command(command) if self.ordinary else command,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                text=True,
                start_new_session=True,
            )
        )
        self.started.append(started)
        return started

    def close(self) -> None:
        """Ends what a failed test left under way."""
        for started in self.started:
            with started.process as process:
                process.kill()

    def build(self, files: Mapping[str, str | bytes], name: str = "project") -> Path:
        """Writes a project, owned by the person who works on it, and returns its root."""
        root = self.place / name
        root.mkdir()
        for path, content in files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        if self.ordinary and IS_ROOT:
            for made in [root, *root.rglob("*")]:
                os.chown(made, ORDINARY_UID, ORDINARY_UID, follow_symlinks=False)
        return root


class Beacon:
    """A socket in the interpreter's own environment, which children see: who holds a connection to it is alive.

    `write` is Python source for a test that connects and says so once; whoever is forked from there holds it too.
    """

    def __init__(self, path: Path) -> None:
        self.write = f"import socket; beacon = socket.socket(socket.AF_UNIX); beacon.connect({str(path)!r}); "
        self.write += "beacon.set_inheritable(True); beacon.send(b'!')"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        path.chmod(0o666)
        self._listener.listen(1024)
        self._connections: list[socket.socket] = []

    def wait(self, times: int = 1) -> None:
        """Until `times` more bytes were sent."""
        while times > 0:
            ready = select.select([self._listener, *self._connections], [], [], PATIENCE)[0]
            assert ready, "no test has started"
            for one in ready:
                if one is self._listener:
                    self._accept()
                elif said := one.recv(1):
                    times -= len(said)
                else:
                    self._connections.remove(one)
                    one.close()

    def nobody_is_left(self) -> bool:
        """True where no process holds a connection: only then does reading them come to an end."""
        self._accept_all()
        try:
            for connection in self._connections:
                while connection.recv(4096, socket.MSG_DONTWAIT):
                    continue
        except BlockingIOError:
            return False
        return True

    def wait_for_the_end(self, seconds: float) -> None:
        """Until no process holds a connection, which the kernel tells."""
        self._accept_all()
        end = time.monotonic() + seconds
        for connection in self._connections:
            connection.settimeout(max(0.01, end - time.monotonic()))
            while connection.recv(4096):
                continue

    def close(self) -> None:
        for held in (self._listener, *self._connections):
            held.close()

    def _accept_all(self) -> None:
        while select.select([self._listener], [], [], 0)[0]:
            self._accept()

    def _accept(self) -> None:
        self._connections.append(self._listener.accept()[0])


def fingerprint(root: Path) -> list[tuple[str, int, int, int, bytes]]:
    """All that a person could notice of a tree: names, modes, modification times, owners, links and bytes."""
    found = []
    for path in [root, *root.rglob("*")]:
        status = path.lstat()
        link = path.is_symlink()
        content = os.fsencode(path.readlink()) if link else path.read_bytes() if path.is_file() else b""
        found.append((str(path), status.st_mode, status.st_mtime_ns, status.st_uid, content))
    return sorted(found)


def strangers(place: Path) -> list[str]:
    """Processes that bear the place's name in their command line, environment or working directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            texts = [
                (entry / "cmdline").read_bytes(),
                (entry / "environ").read_bytes(),
                os.readlink(entry / "cwd").encode(),
            ]
        except OSError:
            continue
        if any(place.name.encode() in text for text in texts):
            found.append(texts[0].replace(b"\0", b" ").decode("utf-8", "replace"))
    return found


def assert_nothing_is_left(octolimb: Octolimb) -> None:
    """No process, no mount and no scratch file of a command that has ended."""
    assert strangers(octolimb.place) == []
    assert octolimb.place.name not in Path("/proc/self/mountinfo").read_text()
    assert list(octolimb.scratch.iterdir()) == []
