"""What a person points a limb at: a test, a file, a line, or nothing in particular. It reads; it runs nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from octolimb.core.errors import BadInput, NotText
from octolimb.core.paths import RelPath, parse_directory
from octolimb.core.snapshot import Snapshot
from octolimb.sense.tests.layout import read_layout

_LINE = re.compile(r"(?P<path>.+?):(?P<line>[0-9]+)(?::[0-9]+)?")


@dataclass(frozen=True)
class Target:
    """`text` is what the person wrote. `line` is one-based. Exactly one of `node_id` and `path` is set."""

    text: str
    node_id: str | None = None
    path: str | None = None
    line: int | None = None

    @property
    def file(self) -> str:
        return self.path if self.path is not None else (self.node_id or "").partition("::")[0]


def parse_target(text: str, snapshot: Snapshot) -> Target:
    """A pytest node id, a path, or `path:line`. Raises `BadInput` where the file is not there."""
    file, separator, rest = text.partition("::")
    if separator:
        path = _existing(file, snapshot, text)
        return Target(text, node_id=f"{path}::{rest}")
    match = _LINE.fullmatch(text)
    if match and not _exists(text, snapshot):
        path = _existing(match["path"], snapshot, text)
        return _at_line(text, path, int(match["line"]), snapshot)
    return Target(text, path=_existing(text, snapshot, text))


def _at_line(text: str, path: str, line: int, snapshot: Snapshot) -> Target:
    """A line of a test file stands for the test around it."""
    if snapshot.kind(path) != "file":
        raise BadInput(f"{text}: {path} is a directory, which has no lines", path=path)
    rel = RelPath(path)
    if read_layout(snapshot).is_test_file(rel):
        names = _enclosing_test(snapshot, rel, line)
        if names:
            return Target(text, node_id="::".join((path, *names)))
    return Target(text, path=path, line=line)


def _enclosing_test(snapshot: Snapshot, path: RelPath, line: int) -> Sequence[str]:
    try:
        body: Sequence[ast.stmt] = ast.parse(snapshot.document(path).text).body
    except (NotText, SyntaxError, ValueError):
        return ()
    names: list[str] = []
    while True:
        around = next(
            (
                node
                for node in body
                if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                and min([node.lineno, *(mark.lineno for mark in node.decorator_list)]) <= line
                and line <= (node.end_lineno or node.lineno)
            ),
            None,
        )
        if around is None:
            return ()
        names.append(around.name)
        if not isinstance(around, ast.ClassDef):
            return names
        body = around.body


def _exists(raw: str, snapshot: Snapshot) -> bool:
    try:
        return snapshot.kind(parse_directory(raw)) is not None
    except BadInput:
        return False


def _existing(raw: str, snapshot: Snapshot, text: str) -> str:
    path = parse_directory(raw)
    if snapshot.kind(path) is None:
        raise BadInput(
            f"{text}: there is no {path} in the root",
            hint="a target is a pytest node id, a path, or path:line, relative to the root",
            path=raw,
        )
    return path
