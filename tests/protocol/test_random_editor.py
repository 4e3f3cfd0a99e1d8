"""An editor that does whatever comes to its mind: the server's text is the editor's at every step, and what it says in
the end is what a fresh run says.

`OCTOLIMB_EXAMPLES` is the number of steps; the seed is printed with a failure.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.protocol.conftest import CAPABILITIES, Editor, call
from tests.support.properties import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.protocol.conftest import RawServer

STEPS = int(os.environ.get(VARIABLE) or 150)
FEW = 250
"""Steps between two looks at what is said of the state."""
SEEDS = range(1 if STEPS <= FEW else 4)
FILES = ("a.py", "b.py", "pkg/__init__.py", "pkg/c.py", "new.py", "pkg/deep/d.py")
PIECES = (
    "x = 1\n", "def f(n: int) -> int:\n    return n\n", "from a import f\n", "from b import f as g\n", "import os\n",
    "print(f('no'))\n", "f(1)\n", "from pkg.c import f\n", "\r\n", "\n", "\f\n", "    ", "\u00e9", "\U0001f419",
    "# \u2028\n", "'''\n", "(", ")", "value: str = f(2)\n", "\t", "import pkg.deep.d\n", "e\u0301",
)  # fmt: skip
START = {
    "a.py": "def f(n: int) -> int:\n    return n + 1\n",
    "b.py": "from a import f\n\n\ndef g(n: int) -> int:\n    return f(n)\n",
    "pkg/__init__.py": "",
    "pkg/c.py": "from b import g\n\nVALUE: int = g(1)\n",
    "pyproject.toml": '[project]\nname = "random"\nversion = "1"\n',
}


class Whim:
    """One random session. `steps` counts what it did."""

    def __init__(self, editor: Editor, seed: int, encoding: str) -> None:
        self.editor = editor
        self.random = random.Random(seed)
        self.encoding = encoding
        self.undone: dict[str, list[str]] = {}
        self.steps = 0
        self.number = 0

    def step(self) -> None:
        self.steps += 1
        path = self.random.choice(FILES)
        is_open = self.editor.uri(path) in self.editor.buffers
        actions = (
            [self.edit, self.edit, self.edit, self.undo, self.close, self.save, self.ask] if is_open else [self.open]
        )
        self.random.choice([*actions, self.change_outside, self.rename_outside, self.delete_outside])(path)
        for uri, (_, text) in self.editor.buffers.items():
            content = self.editor.request("octolimb/shadow/content", {"uri": uri})["text"]
            assert content == text, f"step {self.steps}: {uri}"

    def open(self, path: str) -> None:
        file = self.editor.root / path
        text = file.read_bytes().decode() if file.is_file() else ""
        self.editor.open(path, text)
        self.undone[path] = []

    def edit(self, path: str) -> None:
        """One to three changes in one message, each of the text that the one before left."""
        text = self.editor.text(path)
        self.undone[path].append(text)
        changes: list[dict[str, Any]] = []
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            start = self.random.randint(0, len(text))
            end = min(len(text), start + self.random.choice((0, 0, 1, 5, 40)))
            # Between a carriage return and its line feed there is no place that a position could name.
            start, end = (at - 1 if text[at - 1 : at + 1] == "\r\n" else at for at in (start, end))
            piece = self.random.choice((*PIECES, ""))
            changes.append({"range": {"start": self.place(text, start), "end": self.place(text, end)}, "text": piece})
            text = text[:start] + piece + text[end:]
        self.editor._changed(self.editor.uri(path), text, changes)

    def undo(self, path: str) -> None:
        if self.undone[path]:
            self.editor.type(path, self.undone[path].pop())

    def close(self, path: str) -> None:
        self.editor.close(path)

    def save(self, path: str) -> None:
        (self.editor.root / path).parent.mkdir(parents=True, exist_ok=True)
        self.editor.save(path)

    def ask(self, path: str) -> None:
        """Something that is called off at once."""
        self.number += 1
        position = {"line": self.random.randint(0, 9), "character": self.random.randint(0, 9)}
        params = {"textDocument": {"uri": self.editor.uri(path)}, "position": position}
        self.editor.server.send(
            call("textDocument/hover", params, message_id=f"r{self.number}"),
            call("$/cancelRequest", {"id": f"r{self.number}"}),
        )

    def change_outside(self, path: str) -> None:
        file = self.editor.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes("".join(self.random.choices(PIECES, k=3)).encode())

    def rename_outside(self, path: str) -> None:
        file = self.editor.root / path
        target = self.editor.root / self.random.choice(FILES)
        if file.is_file() and target.parent.is_dir():
            file.rename(target)

    def delete_outside(self, path: str) -> None:
        (self.editor.root / path).unlink(missing_ok=True)

    def place(self, text: str, at: int) -> dict[str, int]:
        """Lines end at LF, CRLF and CR; the column is counted as was agreed."""
        lines = text[:at].replace("\r\n", "\n").replace("\r", "\n").split("\n")
        units = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
        codec, width = units[self.encoding]
        return {"line": len(lines) - 1, "character": len(lines[-1].encode(codec)) // width}

    # -- what is said in the end -------------------------------------------------------------------------------

    def settle(self) -> None:
        """Waits until the server has heard of all that happened on the disk, and has said what it has to say of it.

        It hears of things in their order, so it has heard of all once it knows the name that was made last.
        """
        self.number += 1
        name = f"LAST_{self.number}"
        self.editor.type("probe.py", f"from last import {name}\n\nprint({name})\n")
        self.editor.pains("probe.py", lambda messages: any(name in one or "`last`" in one for one in messages))
        (self.editor.root / "last.py").write_text(f"{name} = 1\n")
        self.editor.pains("probe.py", lambda messages: not any(name in one or "`last`" in one for one in messages))
        while True:
            generation = self._generation()
            self.editor.wait_for("octolimb/verdict", generation=generation)
            if self._generation() == generation:
                self.editor.notes.clear()
                return

    def _generation(self) -> int:
        content = self.editor.request("octolimb/shadow/content", {"uri": self.editor.uri("a.py")})
        assert isinstance(content["generation"], int)
        return content["generation"]

    def said(self) -> set[tuple[str, str, int, str]]:
        found = set()
        for uri, diagnostics in self.editor.diagnostics.items():
            path = str(Path(uri.removeprefix("file://")).relative_to(self.editor.root))
            for item in diagnostics:
                message = item["message"].partition(" (unsaved: caused by")[0]
                found.add((path, item["source"], item["range"]["start"]["line"], message))
        return found

    def fresh(self, python: Path) -> set[tuple[str, str, int, str]]:
        """What a new process says of the same state, as far as the editor shows it."""
        paths = {
            str(Path(uri.removeprefix("file://")).relative_to(self.editor.root)): text
            for uri, (_, text) in self.editor.buffers.items()
        }
        dirty = {path: text for path, text in paths.items() if self.on_disk(path) != text.encode()}
        command = [sys.executable, "-m", "octolimb", "--root", str(self.editor.root), "--python", str(python), "--json"]
        done = subprocess.run(
            [*command, "sense", "--tests", "none", "--crate", "-"],
            input=json.dumps({"files": dirty}).encode(), capture_output=True, check=False, timeout=120,
        )  # fmt: skip
        verdict = json.loads(done.stdout)
        return {
            (one["path"], f"octolimb {one['source']}", one["range"]["start"]["line"], one["message"])
            for one in verdict["findings"]
            if one["path"] in paths or (dirty and one["new"])
        }

    def on_disk(self, path: str) -> bytes | None:
        file = self.editor.root / path
        return file.read_bytes() if file.is_file() else None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_editor_and_the_server_never_part(
    seed: int, encoding: str, tmp_path: Path, start: Callable[..., RawServer], bare_python: Path
) -> None:
    root = tmp_path / "project"
    for name, text in START.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    editor = Editor(start(), root, bare_python)
    chosen = editor.start(capabilities={**CAPABILITIES, "general": {"positionEncodings": [encoding]}})
    assert chosen["capabilities"]["positionEncoding"] == encoding
    editor.open("probe.py", "")
    whim = Whim(editor, seed, encoding)
    steps = max(1, STEPS // (3 * len(SEEDS)))
    while whim.steps < steps:
        for _ in range(min(FEW, steps - whim.steps)):
            whim.step()
        whim.settle()
        said, fresh = whim.said(), whim.fresh(bare_python)
        assert (said - fresh, fresh - said) == (set(), set()), f"seed {seed}, {whim.steps} steps"
