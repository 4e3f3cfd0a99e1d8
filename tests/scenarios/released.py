"""Real projects to work on: source distributions, pinned by hash, each with an environment of its own."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TOOLS = "pytest==9.0.3"


@dataclass(frozen=True)
class Released:
    """A source distribution. `package` is where its modules lie, relative to its root, and `tests` where its tests do.

    `installed` adds the project to its own environment in development mode, which projects need that read their own
    metadata or have their modules in `src`.
    """

    name: str
    release: str
    sha256: str
    package: str
    tests: str
    installed: bool = False

    def prepare(self, directory: Path) -> Path:
        """The root of the unpacked project, with an environment in `.venv`; what is there already is used again."""
        with tarfile.open(self.download(directory)) as archive:
            archive.extractall(directory, filter="data")
        root = directory / f"{self.name}-{self.release}"
        python = python_of(root)
        if not python.exists():
            venv.create(root / ".venv", with_pip=True)
            itself = ["--editable", str(root)] if self.installed else []
            quietly([python, "-m", "pip", "install", TOOLS, *itself])
        return root

    def download(self, directory: Path) -> Path:
        archive = directory / f"{self.name}-{self.release}.tar.gz"
        if not archive.exists():
            pinned = directory / f"{self.name}.txt"
            pinned.write_text(f"{self.name}=={self.release} --hash=sha256:{self.sha256}\n")
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", self.name]
            quietly([*command, "--require-hashes", "--dest", directory, "--requirement", pinned])
        if hashlib.sha256(archive.read_bytes()).hexdigest() != self.sha256:
            sys.exit(f"{archive} is not the release that was pinned")
        return archive


BOLTONS = Released(
    "boltons", "26.2.0", "d39cfd15c1a1c3bd4d705c82252fa9edb8e4f5e8cc039f8e39afac7b1b47e92c", "boltons", "tests"
)
TOOLZ = Released(
    "toolz", "1.2.0", "9667a038e9d6ecba37995e26cb2f59ec6420b6ad8dd9677de59db9b956b08490", "toolz", "toolz/tests"
)
CLICK = Released(
    "click",
    "8.5.1",
    "9bbfada76703fd1d784b83eea012e3e8c6a001a876543ef104fa56aaaeb072b4",
    "src/click",
    "tests",
    installed=True,
)
NETWORKX = Released(
    "networkx", "3.6.1", "26b7c357accc0c8cde558ad486283728b65b6a95d85ee1cd66bafab4c8168509", "networkx", "networkx"
)


def python_of(root: Path) -> Path:
    return root / ".venv" / "bin" / "python"


def quietly(command: Sequence[str | Path]) -> None:
    """Runs a command that must succeed; what it printed is shown only when it did not."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"failed: {' '.join(map(str, command))}\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
