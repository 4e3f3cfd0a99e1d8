"""Running the product as a person does: the real command, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Answer:
    """What `octolimb --json ...` answered."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on standard output; anything else there fails the test."""
        (line,) = self.out.splitlines()
        document: dict[str, Any] = json.loads(line)
        return document

    @property
    def error(self) -> str:
        message: str = self.document["error"]["message"]
        return message


Octolimb = Callable[..., Answer]
Build = Callable[[Mapping[str, str | bytes]], Path]


@pytest.fixture
def octolimb(tmp_path: Path) -> Octolimb:
    """Runs `octolimb --json` with state of its own, so that no test trusts a root for another."""

    def run(*arguments: str | Path, stdin: str | None = None, env: Mapping[str, str] | None = None) -> Answer:
        done = subprocess.run(
            [sys.executable, "-m", "octolimb", "--json", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), **(env or {})},
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Writes a small project and returns its root."""

    def write(files: Mapping[str, str | bytes]) -> Path:
        root = tmp_path / "project"
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return root

    return write
