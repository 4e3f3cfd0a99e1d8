"""The product as a person meets it: the real command in a process of its own, and what it may leave behind: nothing."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

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

    `python` has pytest and nothing else; it runs the projects' tests.
    """

    place: Path
    python: Path
    ordinary: bool = False
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
    """A named pipe in the interpreter's own environment, which children see: who has it open is alive.

    `write` is Python source for a test that opens it and says so once; whoever is forked from there holds it too.
    """

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        path.chmod(0o666)
        self.write = f"import os; beacon = os.open({str(path)!r}, os.O_WRONLY); os.set_inheritable(beacon, True); "
        self.write += "os.write(beacon, b'!')"
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        # While we hold the writing end too, the pipe does not end whenever one test has and the next has not begun.
        self._keeper: int | None = os.open(path, os.O_WRONLY | os.O_NONBLOCK)

    def wait(self, times: int = 1) -> None:
        """Until `times` more bytes were written."""
        while times > 0:
            assert select.select([self._fd], [], [], PATIENCE)[0], "no test has started"
            times -= len(os.read(self._fd, times))

    def nobody_is_left(self) -> bool:
        """True where no process holds the pipe: only then does reading it come to an end."""
        self._let_go()
        try:
            while os.read(self._fd, 4096):
                continue
        except BlockingIOError:
            return False
        return True

    def wait_for_the_end(self, seconds: float) -> None:
        """Until no process holds the pipe, which its reader is told by the kernel."""
        self._let_go()
        poll = select.poll()
        poll.register(self._fd, select.POLLHUP)
        assert poll.poll(seconds * 1000), "somebody still holds the pipe"

    def close(self) -> None:
        self._let_go()
        os.close(self._fd)

    def _let_go(self) -> None:
        if self._keeper is not None:
            os.close(self._keeper)
            self._keeper = None


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
