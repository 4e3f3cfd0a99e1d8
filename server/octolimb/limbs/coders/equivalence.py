"""Tells whether an edited file parses, and whether two edits leave the same program.

It compares syntax trees, statement by statement where an edit stays within one. It does NOT know about behaviour.
"""

from __future__ import annotations

import ast
from typing import NamedTuple

from octolimb.limbs.coders.sites import Mutation
from octolimb.limbs.coders.source import Source, parse

Edits = tuple[tuple[int, int, str], ...]
_HEADED = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.FunctionDef, ast.AsyncFunctionDef)
_UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)

_IGNORED = frozenset({"ctx", "kind", "type_comment"})
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}


def shape(node: object) -> object:
    """A hashable value that equal syntax trees share, positions and formatting left out; 1, 1.0 and True differ."""
    if isinstance(node, ast.AST):
        kind = type(node)
        fields = _FIELDS.get(kind)
        if fields is None:
            fields = _FIELDS[kind] = tuple(name for name in kind._fields if name not in _IGNORED)
        return (kind, *[shape(getattr(node, name, None)) for name in fields])
    if isinstance(node, list):
        return tuple([shape(child) for child in node])
    return node if isinstance(node, str) else (type(node), repr(node))


class _Region(NamedTuple):
    """Text from `start` to `end`; a `header` is a compound statement up to its block."""

    start: int
    end: int
    header: bool = False


class Distinct:
    """Lets each different program through once, the original never."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._edits: set[Edits] = set()
        self._seen: dict[_Region, set[tuple[int, str]]] = {}

    def admits(self, mutation: Mutation, statement: ast.stmt, owner: ast.stmt) -> bool:
        """True the first time that an edit of `statement`, in the function `owner`, gives this program.

        False for one that does not parse.
        """
        if mutation.edits in self._edits:
            return False
        self._edits.add(mutation.edits)
        region = self._region(statement, mutation)
        whole = self._whole(owner)
        try:
            return self._differs(region or whole, mutation.edits)
        except _UNPARSABLE:
            # `if` to `elif` parses in its place only.
            if region is None or not mutation.wide:
                return False
        try:
            return self._differs(whole, mutation.edits)
        except _UNPARSABLE:
            return False

    def _differs(self, region: _Region, edits: Edits) -> bool:
        fingerprint = self._fingerprint(region, edits)
        seen = self._seen.get(region)
        if seen is None:
            seen = self._seen[region] = {self._fingerprint(region, ())}
        if fingerprint in seen:
            return False
        seen.add(fingerprint)
        return True

    def _region(self, statement: ast.stmt, mutation: Mutation) -> _Region | None:
        """The smallest piece of text that holds the edits and parses by itself; None where there is none."""
        start, end, _ = self._whole(statement)
        chained, edits = self._source.text.startswith("elif", start), mutation.edits
        if chained and mutation.wide:
            return None
        if not mutation.wide and isinstance(statement, _HEADED) and statement.body[0].lineno > statement.lineno:
            first = statement.body[0]
            line = min([first.lineno, *(node.lineno for node in getattr(first, "decorator_list", ()))])
            body = self._source.line_start(line)
            if all(start <= low and high < body for low, high, _ in edits):
                return _Region(start, body, header=True)
        if chained:
            return None
        return _Region(start, end) if all(start <= low and high <= end for low, high, _ in edits) else None

    def _whole(self, statement: ast.stmt) -> _Region:
        lines = self._source.own_lines(statement)
        return _Region(*(lines if lines is not None else self._source.span(statement)))

    def _fingerprint(self, region: _Region, edits: Edits) -> tuple[int, str]:
        """A hash of the region's tree after the edits, and its indentation. Raises what `parse` raises."""
        text, start = self._source.text, region.start
        piece = edited(text[start : region.end], tuple((low - start, high - start, new) for low, high, new in edits))
        bare = piece.lstrip()
        if not bare:
            return 0, ""
        before = text[self._source.line_start(self._source.line_of(start)) : start]
        indent = before if not before.strip() else "  "
        if before:
            piece = indent + piece
        indent = piece[: len(piece) - len(piece.lstrip(" \t\f"))]
        if text.startswith("elif", start) and bare.startswith("elif"):
            piece = indent + bare[2:]
        if region.header:
            piece = f"{piece.rstrip()}\n{indent} pass"
        return hash(shape(parse(f"if 1:\n{piece}\n" if indent else f"{piece}\n"))), indent


def edited(text: str, edits: tuple[tuple[int, int, str], ...]) -> str:
    """`text` with the edits made, which do not overlap; offsets are those of `text`."""
    for start, end, new in sorted(edits, key=lambda edit: (-edit[0], -edit[1])):
        text = text[:start] + new + text[end:]
    return text
