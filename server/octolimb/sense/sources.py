"""Which files of a snapshot are Python sources, and where in them a tool's one-based places are. It parses nothing."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from octolimb.core.document import Document
from octolimb.core.errors import OctolimbError
from octolimb.core.paths import RelPath, join
from octolimb.core.positions import Position, Span, point, split_lines, utf16_column, utf16_length
from octolimb.core.snapshot import Snapshot

PYTHON_SUFFIXES: Final = (".py", ".pyi")

# The directories that ruff leaves out by default, and compiled files: what is in them is not the project's source.
_NOT_SOURCE: Final = frozenset(
    {
        ".bzr",
        ".direnv",
        ".eggs",
        ".git",
        ".git-rewrite",
        ".hg",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".nox",
        ".pants.d",
        ".pyenv",
        ".pytest_cache",
        ".pytype",
        ".ruff_cache",
        ".svn",
        ".tox",
        ".venv",
        ".vscode",
        "__pycache__",
        "__pypackages__",
        "_build",
        "buck-out",
        "dist",
        "node_modules",
        "site-packages",
        "venv",
    }
)


def python_files(snapshot: Snapshot, paths: Sequence[str] = ()) -> Iterator[RelPath]:
    """The project's Python files in path order; only those in or below `paths` where there are any.

    Directories that hold no source (caches, virtual environments under any name, version control) are left out
    unless `paths` names them or something in them.
    """
    if not paths:
        yield from _walk(snapshot, "")
        return
    found: set[RelPath] = set()
    for path in paths:
        kind = snapshot.kind(path)
        if kind == "directory":
            found.update(_walk(snapshot, path))
        elif kind == "file" and RelPath(path).suffix in PYTHON_SUFFIXES:
            found.add(RelPath(path))
    yield from sorted(found)


def is_within(path: RelPath, paths: Sequence[str]) -> bool:
    """True where `path` is one of `paths`, or below one, or where there are none."""
    return not paths or any(path == limit or path.is_below(limit) for limit in paths)


def text_of(snapshot: Snapshot, path: RelPath) -> str | None:
    """The text of a file, or None where it is gone, unreadable or not text."""
    try:
        document = snapshot.get(path)
        return document.text if document is not None else None
    except OctolimbError:
        return None


def read_settings(snapshot: Snapshot, path: str) -> dict[str, Any]:
    """A TOML file's content; empty where it is missing or cannot be read, for the tools themselves complain of that."""
    try:
        return tomllib.loads(text_of(snapshot, RelPath(path)) or "")
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def table_in(settings: object, *keys: str) -> dict[str, Any]:
    """The table below these keys; empty where there is none, or something else in its place."""
    for key in keys:
        settings = settings.get(key) if isinstance(settings, dict) else None
    return settings if isinstance(settings, dict) else {}


class Places:
    """One file's lines, to turn one-based lines and code-point columns into spans and offsets.

    What lies past the end of a line or of the file becomes that end: tools count a final line end as one more place.
    Without a text (`None`) lines are kept and columns taken as they are.
    """

    def __init__(self, text: str | None) -> None:
        self._lines = split_lines(text) if text is not None else None
        self._starts: list[int] | None = None

    @classmethod
    def of(cls, document: Document | None) -> Places:
        return cls(document.text if document is not None and document.is_text else None)

    def span(self, line: int, column: int, end_line: int | None = None, end_column: int | None = None) -> Span:
        """The span from one-based `line` and `column`; empty where the end is unknown or lies before the start."""
        start = self.position(line, column)
        if end_line is None or end_column is None:
            return Span(start, start)
        return Span(start, max(start, self.position(end_line, end_column)))

    def position(self, line: int, column: int) -> Position:
        index, characters = max(line - 1, 0), max(column - 1, 0)
        if self._lines is None:
            return Position(index, characters)
        if index >= len(self._lines):
            return self.end
        return Position(index, utf16_column(self._lines[index].rstrip("\r\n"), characters))

    def lsp_span(self, place: Mapping[str, Mapping[str, int]]) -> Span:
        """The span of a range on the wire of the language server protocol, which counts from zero and in UTF-16."""
        start = self._lsp_position(place["start"])
        return Span(start, max(start, self._lsp_position(place["end"])))

    def _lsp_position(self, place: Mapping[str, int]) -> Position:
        line, character = place["line"], place["character"]
        if self._lines is None:
            return Position(line, character)
        if line >= len(self._lines):
            return self.end
        return Position(line, min(character, utf16_length(self._lines[line].rstrip("\r\n"))))

    def offset(self, line: int, column: int) -> int:
        """The same place as an index into the text, in code points. Past the end of a line counts its line end."""
        if self._lines is None:
            return 0
        if self._starts is None:
            self._starts = [0]
            for text in self._lines:
                self._starts.append(self._starts[-1] + len(text))
        index = max(line - 1, 0)
        if index >= len(self._lines):
            return self._starts[-1]
        return min(self._starts[index] + max(column - 1, 0), self._starts[index + 1])

    def line(self, line: int) -> str:
        """The one-based line without its end; empty where there is none."""
        if self._lines is None or not 0 < line <= len(self._lines):
            return ""
        return self._lines[line - 1].rstrip("\r\n")

    @property
    def end(self) -> Position:
        """Where the text ends: on a line of its own where its last line has an end."""
        if not self._lines:
            return Position(0, 0)
        last = self._lines[-1]
        if last.endswith(("\n", "\r")):
            return Position(len(self._lines), 0)
        return Position(len(self._lines) - 1, utf16_column(last, len(last)))


def start_of_file() -> Span:
    """Where a finding stands that concerns a whole file."""
    return point(0)


def _walk(snapshot: Snapshot, directory: str) -> Iterator[RelPath]:
    for name, kind in snapshot.names(directory).items():
        path = join(directory, name)
        if kind == "file" and path.suffix in PYTHON_SUFFIXES:
            yield path
        elif kind == "directory" and name not in _NOT_SOURCE and snapshot.kind(path + "/pyvenv.cfg") is None:
            yield from _walk(snapshot, path)
