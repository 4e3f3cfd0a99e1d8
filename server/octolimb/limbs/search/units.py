"""Decides how a candidate can be tried: by exchanging function bodies, or only by importing its files afresh.

Pure: it reads a snapshot's documents and runs nothing. It does not know whether a function already ran at import;
the worker does, and refuses.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from octolimb.core.errors import NotFound, NotText
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.limbs.candidates import Candidate, TextEdit

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Unit:
    """One outermost function with a new body.

    `first` is the one-based line where it begins, decorators included; `wrappers` are the lines of the classes and
    blocks around it, outermost first, each with its own indentation; `text` is the whole function, indented as in the
    file.
    """

    path: RelPath
    name: str
    first: int
    wrappers: tuple[str, ...]
    decorated: bool
    text: str

    @property
    def place(self) -> tuple[RelPath, int, str]:
        return self.path, self.first, self.name


@dataclass(frozen=True)
class BodyPlan:
    """Only bodies of functions change."""

    units: tuple[Unit, ...]


@dataclass(frozen=True)
class FilePlan:
    """Whole files have to be imported afresh: path to new text."""

    sources: dict[RelPath, str]


@dataclass(frozen=True)
class NoPlan:
    """Nothing can be tried. `broken` where the candidate is no valid program, else it is merely beyond us."""

    why: str
    broken: bool


class Planner:
    """Plans candidates against one snapshot, and parses each file of it once."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._files: dict[RelPath, _File | NoPlan] = {}

    def plan(self, candidate: Candidate) -> BodyPlan | NoPlan | None:
        """How to try a candidate by exchanging bodies; None where only `file_plan` will do."""
        if not candidate.edits:
            return NoPlan("it changes nothing", broken=False)
        units: list[Unit] = []
        for path in sorted(candidate.paths):
            file = self._file(path)
            if isinstance(file, NoPlan):
                return file
            found = file.units([edit for edit in candidate.edits if edit.path == path])
            if found is None or isinstance(found, NoPlan):
                return found
            units += found
        return BodyPlan(tuple(units))

    def file_plan(self, candidate: Candidate) -> FilePlan | NoPlan:
        """The way that is always sound, though slower."""
        sources: dict[RelPath, str] = {}
        for path in sorted(candidate.paths):
            file = self._file(path)
            if isinstance(file, NoPlan):
                return file
            text = _edited(file.text, 0, [edit for edit in candidate.edits if edit.path == path])
            # What our own interpreter could not parse before may be a newer language, so it says nothing now.
            if file.parsed and _parse(text) is None:
                return NoPlan(f"{path} would have a syntax error", broken=True)
            sources[path] = text
        return FilePlan(sources)

    def import_lines(self, path: RelPath) -> frozenset[int]:
        """One-based first lines of the statements that run when the file is imported and that may compute something."""
        file = self._file(path)
        return frozenset() if isinstance(file, NoPlan) else file.import_lines

    def body_lines(self, path: RelPath, first: int | None = None) -> frozenset[int]:
        """One-based first lines of the statements in functions, or in the outermost one that begins on line `first`."""
        file = self._file(path)
        if isinstance(file, NoPlan):
            return frozenset()
        return frozenset(
            line for one in file.functions if first is None or one.first == first for line in one.body_lines
        )

    def _file(self, path: RelPath) -> _File | NoPlan:
        if path not in self._files:
            self._files[path] = self._read(path)
        return self._files[path]

    def _read(self, path: RelPath) -> _File | NoPlan:
        if path.suffix != ".py":
            return NoPlan(f"{path} is no Python source, and only those can be tried warm", broken=False)
        try:
            return _File(path, self._snapshot.document(path).text)
        except (NotFound, NotText) as error:
            return NoPlan(str(error), broken=False)


@dataclass(frozen=True)
class _Function:
    """An outermost function: where it begins, where its body begins and where its last line ends, in code points.

    It holds no syntax tree: those of a project's files would take more memory than all else.
    """

    name: str
    kind: type[ast.stmt]
    decorators: int
    body_lines: tuple[int, ...]
    wrappers: tuple[str, ...]
    first: int
    start: int
    body: int
    end: int


@dataclass
class _File:
    path: RelPath
    text: str
    parsed: bool = False
    functions: list[_Function] = field(default_factory=list)
    import_lines: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        tree = _parse(self.text)
        self._starts = [0, *(end.end() for end in _LINE_END.finditer(self.text))]
        if tree is not None:
            self.parsed = True
            self.functions = sorted(self._outermost(tree.body, ()), key=lambda function: function.start)
            self.import_lines = frozenset(_import_lines(tree.body))
        self._function_starts = [function.start for function in self.functions]

    def units(self, edits: list[TextEdit]) -> list[Unit] | NoPlan | None:
        """The functions that these edits change, or None where they change more than bodies."""
        by_function: dict[int, list[TextEdit]] = {}
        for edit in edits:
            position = bisect_right(self._function_starts, edit.start) - 1
            if position < 0:
                return None
            function = self.functions[position]
            if not function.body <= edit.start <= edit.end <= function.end:
                return None
            by_function.setdefault(position, []).append(edit)
        found: list[Unit] = []
        for position, its_edits in by_function.items():
            unit = self._unit(self.functions[position], its_edits)
            if not isinstance(unit, Unit):
                return unit
            found.append(unit)
        return found

    def _unit(self, function: _Function, edits: list[TextEdit]) -> Unit | NoPlan | None:
        """Everything before the body is the same text, so name, signature and decorators are the same too.

        What is left to see is that the function still ends where it did: an edit that leaves its indentation would
        become code of the module.
        """
        text = _edited(self.text[function.start : function.end], function.start, edits)
        if self.text[function.end - 1 : function.end] in ("\n", "\r") and not text.endswith(("\n", "\r")):
            return None
        tree = _parse("".join(f"{wrapper}\n" for wrapper in function.wrappers) + text)
        if tree is None:
            return NoPlan(f"{self.path} would have a syntax error", broken=True)
        body: list[ast.stmt] = tree.body
        for _ in function.wrappers:
            if len(body) != 1 or not isinstance(body[0], ast.ClassDef | ast.If):
                return None
            body = body[0].body
        if len(body) != 1:
            return None
        node = body[0]
        if type(node) is not function.kind or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return None
        if node.name != function.name or len(node.decorator_list) != function.decorators:
            return None
        return Unit(self.path, function.name, function.first, function.wrappers, bool(function.decorators), text)

    def _outermost(self, body: list[ast.stmt], wrappers: tuple[str, ...]) -> Iterator[_Function]:
        for statement in body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                yield self._function(statement, wrappers)
            elif isinstance(statement, ast.ClassDef):
                inner = (*wrappers, f"{self._indentation(statement.lineno)}class {statement.name}:")
                yield from self._outermost(statement.body, inner)
            else:
                inner = (*wrappers, f"{self._indentation(statement.lineno)}if 1:")
                for block in _blocks(statement):
                    yield from self._outermost(block, inner)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, wrappers: tuple[str, ...]) -> _Function:
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        last = node.end_lineno or node.lineno
        end = self._starts[last] if last < len(self._starts) else len(self.text)
        start = self._starts[first - 1]
        return _Function(
            node.name,
            type(node),
            len(node.decorator_list),
            tuple(sorted(set(_lines_below(node)))),
            wrappers,
            first,
            start,
            self._offset(_body_start(node)),
            end,
        )

    def _offset(self, place: tuple[int, int]) -> int:
        """Code points into the text, for a line from one and a column in UTF-8 bytes, as `ast` counts."""
        line, column = place
        start = self._starts[line - 1]
        end = self._starts[line] if line < len(self._starts) else len(self.text)
        content = self.text[start:end]
        return start + (column if content.isascii() else len(content.encode()[:column].decode(errors="ignore")))

    def _indentation(self, line: int) -> str:
        start = self._starts[line - 1]
        content = self.text[start : self._starts[line] if line < len(self._starts) else len(self.text)]
        return content[: len(content) - len(content.lstrip(" \t\f"))]


def _body_start(node: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[int, int]:
    """Where the body begins; a decorated inner definition begins at its first decorator's at sign."""
    statement = node.body[0]
    place = (statement.lineno, statement.col_offset)
    decorators = getattr(statement, "decorator_list", [])
    if decorators:
        # The column is that of the definition; the at sign stands in the same column, some lines above.
        place = (min(decorator.lineno for decorator in decorators), statement.col_offset)
    return place


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The blocks of a compound statement that is neither a function nor a class."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(statement, name, None)
        if isinstance(block, list):
            yield block
    for name in ("handlers", "cases"):
        for part in getattr(statement, name, []):
            yield part.body


def _import_lines(body: list[ast.stmt]) -> Iterator[int]:
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            if statement.args.defaults or any(statement.args.kw_defaults) or statement.decorator_list:
                yield statement.lineno
        elif isinstance(statement, ast.ClassDef):
            yield from _import_lines(statement.body)
        elif isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass):
            continue
        elif not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            yield statement.lineno
            for block in _blocks(statement):
                yield from _import_lines(block)


def _lines_below(node: ast.AST) -> Iterator[int]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.stmt) and inner is not node:
            yield inner.lineno


def _edited(text: str, offset: int, edits: list[TextEdit]) -> str:
    for edit in sorted(edits, key=lambda edit: -edit.start):
        text = text[: edit.start - offset] + edit.text + text[edit.end - offset :]
    return text


def _parse(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
