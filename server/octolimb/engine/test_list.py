"""The tests of a project, found by reading its test files. Nothing is imported or run, so parameters are not known."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from octolimb.core.paths import RelPath
from octolimb.core.positions import Position, Span, split_lines, utf16_length
from octolimb.core.snapshot import Snapshot
from octolimb.sense.sources import python_files, text_of
from octolimb.sense.tests.layout import read_layout

_MOST_FILES = 5_000


@dataclass(frozen=True)
class ListedTest:
    """A file, class or function of tests. `id` is pytest's node id; `span` is its definition, decorators left out."""

    id: str
    label: str
    path: RelPath
    span: Span | None = None
    children: tuple[ListedTest, ...] = field(default=())


def find_tests(snapshot: Snapshot, within: str = "") -> list[ListedTest]:
    """The test files in or below `within` ("" for the root) that hold tests, in path order."""
    layout = read_layout(snapshot)
    found: list[ListedTest] = []
    for path in python_files(snapshot, (within,) if within else ()):
        if layout.is_test_file(path):
            children = tuple(_tests_of(snapshot, path))
            if children:
                found.append(ListedTest(path, path.name, path, None, children))
        if len(found) >= _MOST_FILES:
            break
    return found


def _tests_of(snapshot: Snapshot, path: RelPath) -> Iterator[ListedTest]:
    text = text_of(snapshot, path)
    if text is None:
        return
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    yield from _listed(module.body, path, path, split_lines(text))


def _listed(body: Sequence[ast.stmt], path: RelPath, prefix: str, lines: Sequence[str]) -> Iterator[ListedTest]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield ListedTest(f"{prefix}::{node.name}", node.name, path, _span(node, lines))
        elif isinstance(node, ast.ClassDef) and _holds_tests(node):
            name = f"{prefix}::{node.name}"
            children = tuple(_listed(node.body, path, name, lines))
            if children:
                yield ListedTest(name, node.name, path, _span(node, lines), children)


def _holds_tests(node: ast.ClassDef) -> bool:
    """By pytest's default naming, or by inheriting from something that is called a test case."""
    bases = [base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases]
    return node.name.startswith("Test") or any("TestCase" in base for base in bases)


def _span(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, lines: Sequence[str]) -> Span:
    assert node.end_lineno is not None
    return Span(
        _position(lines, node.lineno - 1, node.col_offset),
        _position(lines, node.end_lineno - 1, node.end_col_offset or 0),
    )


def _position(lines: Sequence[str], line: int, column: int) -> Position:
    """From a column in UTF-8 bytes, as `ast` counts; a form feed ends no line for us and none for Python."""
    text = lines[line].encode("utf-8", "surrogatepass")[:column] if line < len(lines) else b""
    return Position(line, utf16_length(text.decode("utf-8", "ignore")))
