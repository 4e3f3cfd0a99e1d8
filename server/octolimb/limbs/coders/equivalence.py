"""Tells whether an edited file parses, and whether two edits leave the same program.

It compares syntax trees, statement by statement where an edit stays within one. It does NOT know about behaviour.
"""

from __future__ import annotations

import ast

from octolimb.limbs.coders.sites import Mutation
from octolimb.limbs.coders.source import Source, parse

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


class Distinct:
    """Lets each different program through once, the original never."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._seen: dict[tuple[int, int], set[int]] = {}

    def admits(self, mutation: Mutation, statement: ast.stmt, owner: ast.stmt) -> bool:
        """True the first time that an edit of `statement`, in the function `owner`, gives this program.

        False for one that does not parse.
        """
        region = owner if mutation.wide or not self._within(mutation, statement) else statement
        start, end = self._bounds(region)
        try:
            edited = hash(shape(self._parsed(start, end, mutation.edits)))
            seen = self._seen.get((start, end))
            if seen is None:
                seen = self._seen[start, end] = {hash(shape(self._parsed(start, end, ())))}
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
        if edited in seen:
            return False
        seen.add(edited)
        return True

    def _within(self, mutation: Mutation, statement: ast.stmt) -> bool:
        start, end = self._bounds(statement)
        if self._source.text.startswith("elif", start):
            return False
        return all(start <= low and high <= end for low, high, _ in mutation.edits)

    def _bounds(self, statement: ast.stmt) -> tuple[int, int]:
        start, end = self._source.span(statement)
        decorators = getattr(statement, "decorator_list", ())
        if decorators:
            start = self._source.text.rindex("@", 0, self._source.span(decorators[0])[0] + 1)
        body = getattr(statement, "body", None)
        simple_header = isinstance(body, list) and body and isinstance(body[0], ast.stmt)
        return start, (end if not simple_header else max(end, self._source.line_end(statement.end_lineno or 1)))

    def _parsed(self, start: int, end: int, edits: tuple[tuple[int, int, str], ...]) -> ast.Module:
        text = self._source.text
        line = self._source.line_of(start)
        head = text[self._source.line_start(line) : start]
        piece = edited(text[start:end], tuple((low - start, high - start, new) for low, high, new in edits))
        if head.strip():
            return parse(f"if 1:\n    {piece}\n")
        return parse(f"if 1:\n{head}{piece}\n") if head else parse(piece)


def edited(text: str, edits: tuple[tuple[int, int, str], ...]) -> str:
    """`text` with the edits made, which do not overlap; offsets are those of `text`."""
    for start, end, new in sorted(edits, key=lambda edit: (-edit[0], -edit[1])):
        text = text[:start] + new + text[end:]
    return text
