"""One Python file, parsed once, with offsets an edit can use.

It maps syntax nodes to code-point offsets, knows which parentheses a replacement needs, and finds items, operators
and statement lines. It does NOT decide what to change, and it does not resolve names (see `scopes`).
"""

from __future__ import annotations

import ast
import keyword
import re
import sys
import warnings
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise

_LINE_END = re.compile(r"\r\n|\r|\n")
_BLOCKS = ("body", "orelse", "finalbody")

ATOM = 15
_BINARY = {
    ast.BitOr: 6, ast.BitXor: 7, ast.BitAnd: 8, ast.LShift: 9, ast.RShift: 9, ast.Add: 10, ast.Sub: 10,
    ast.Mult: 11, ast.Div: 11, ast.FloorDiv: 11, ast.Mod: 11, ast.MatMult: 11, ast.Pow: 13,
}  # fmt: skip
_LOOSE = (ast.NamedExpr, ast.Yield, ast.YieldFrom, ast.GeneratorExp, ast.Starred)
_NOT_HEADER = (
    ast.stmt, ast.ExceptHandler, ast.match_case, ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip

Span = tuple[int, int]
Block = list[ast.stmt]
Function = ast.FunctionDef | ast.AsyncFunctionDef
Loop = ast.For | ast.AsyncFor | ast.While


def parse(text: str) -> ast.Module:
    """The syntax tree, without warnings about the text. Raises `SyntaxError`, and `ValueError` for null characters."""
    if "\\" not in text:
        return ast.parse(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def precedence(node: ast.AST) -> int:
    """How tightly an expression binds, from 0 (loosest) to `ATOM`."""
    if isinstance(node, ast.BinOp):
        return _BINARY[type(node.op)]
    if isinstance(node, ast.BoolOp):
        return 2 if isinstance(node.op, ast.Or) else 3
    if isinstance(node, ast.UnaryOp):
        return 4 if isinstance(node.op, ast.Not) else 12
    if isinstance(node, ast.Compare):
        return 5
    if isinstance(node, ast.Await):
        return 14
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return 14  # `1.real` is no attribute access.
    if isinstance(node, ast.IfExp | ast.Lambda):
        return 1
    return 0 if isinstance(node, _LOOSE) else ATOM


class Source:
    """A parsed file. Offsets are code points into `text`; lines are one-based. Raises `SyntaxError` where it has to."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = parse(text)
        self._starts = [0, *(match.end() for match in _LINE_END.finditer(text))]
        self._ascii = text.isascii()
        self.parents: dict[ast.AST, ast.AST] = {}
        self._adopt()

    def _adopt(self) -> None:
        # This visits every node of the file, so it does without the slower generators of `ast`.
        stack: list[ast.AST] = [self.tree]
        parents = self.parents
        while stack:
            node = stack.pop()
            for value in vars(node).values():
                if isinstance(value, ast.AST):
                    parents[value] = node
                    stack.append(value)
                elif isinstance(value, list):
                    for child in value:
                        if isinstance(child, ast.AST):
                            parents[child] = node
                            stack.append(child)

    # -- places ------------------------------------------------------------------------------------------------

    def offset(self, line: int, column: int) -> int:
        """The offset of a one-based line and a column in UTF-8 bytes, as syntax nodes give them."""
        start = self._starts[line - 1]
        if self._ascii or not column:
            return start + column
        row = self.text[start : self.line_end(line)]
        return start + (column if row.isascii() else len(row.encode()[:column].decode("utf-8", "ignore")))

    def line_start(self, line: int) -> int:
        return self._starts[line - 1]

    def line_end(self, line: int) -> int:
        """Where the line ends, its line end included."""
        return self._starts[line] if line < len(self._starts) else len(self.text)

    def line_of(self, offset: int) -> int:
        low, high = 0, len(self._starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._starts[middle] <= offset else (low, middle)
        return low + 1

    def span(self, node: ast.AST) -> Span:
        """Start and end of an expression or statement. Surrounding parentheses do not belong to it."""
        assert isinstance(node, ast.expr | ast.stmt | ast.arg | ast.keyword | ast.ExceptHandler)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset)

    def of(self, node: ast.AST) -> str:
        """The node's own text."""
        start, end = self.span(node)
        return self.text[start:end]

    def grouping(self, node: ast.AST) -> Span | None:
        """The span with the one pair of parentheses that only groups the node; None where there is no such pair."""
        start, end = self.span(node)
        if self.text[start - 1 : start] != "(" or self.text[end : end + 1] != ")":
            return None
        before = self.text[: start - 1].rstrip(" ")
        if before[-1:].isalnum() or before[-1:] in ("_", ")", "]", "}", '"', "'"):
            word = re.search(r"[A-Za-z_]+$", before)
            if word is None or not keyword.iskeyword(word[0]) or before == self.text[: start - 1]:
                return None
        return start - 1, end + 1

    def atom(self, node: ast.expr, need: int = ATOM) -> str:
        """The node's text, in parentheses where it binds less tightly than `need`."""
        return bracket(self.of(node), precedence(node), need)

    @cached_property
    def newline(self) -> str:
        crlf = self.text.count("\r\n")
        return "\r\n" if crlf * 2 > self.text.count("\n") else "\n"

    @cached_property
    def indent_unit(self) -> str:
        """What one level of indentation adds; four spaces where nothing is indented."""
        for node in ast.walk(self.tree):
            body = getattr(node, "body", None)
            if isinstance(node, ast.stmt) and isinstance(body, list) and body and body[0].lineno > node.lineno:
                outer, inner = self.indent(node.lineno), self.indent(body[0].lineno)
                if inner.startswith(outer) and len(inner) > len(outer):
                    return inner[len(outer) :]
        return "    "

    def indent(self, line: int) -> str:
        """The white space that the line opens with."""
        row = self.text[self.line_start(line) : self.line_end(line)]
        return row[: len(row) - len(row.lstrip(" \t\f"))]

    # -- syntax ------------------------------------------------------------------------------------------------

    def needs(self, node: ast.AST) -> int:
        """How tightly whatever stands in the node's place has to bind, to need no parentheses there."""
        parent = self.parents.get(node)
        if isinstance(parent, ast.BinOp):
            strength = _BINARY[type(parent.op)]
            if isinstance(parent.op, ast.Pow):
                return 14 if node is parent.left else 12
            return strength if node is parent.left else strength + 1
        if isinstance(parent, ast.Compare):
            return 6
        if isinstance(parent, ast.BoolOp | ast.UnaryOp):
            return precedence(parent) + (1 if isinstance(parent, ast.BoolOp) else 0)
        if isinstance(parent, ast.Attribute | ast.Await) or (
            isinstance(parent, ast.Subscript | ast.Call) and node in (getattr(parent, "value", None), _func(parent))
        ):
            return ATOM
        if isinstance(parent, ast.IfExp):
            return 1 if node is parent.orelse else 2
        if isinstance(parent, ast.comprehension | ast.Starred):
            return 6 if isinstance(parent, ast.Starred) else 2
        return 1

    def operator_span(self, left: ast.AST, right: ast.AST, symbol: str) -> Span | None:
        """Where the operator `symbol` (words separated by one space) stands between two operands."""
        start, end = self.span(left)[1], self.span(right)[0]
        gap = self.text[start:end]
        if "#" in gap:
            return None
        pattern = r"\s+".join(map(re.escape, symbol.split(" ")))
        match = re.search(rf"\b{pattern}\b" if symbol[0].isalpha() else pattern, gap)
        return None if match is None else (start + match.start(), start + match.end())

    def items(self, node: ast.AST) -> list[Span]:
        """The comma-separated items of a display or a call, white space left off; empty where they cannot be told."""
        parts: list[ast.AST]
        start, end = self.span(node)
        if isinstance(node, ast.Call):
            parts = sorted([*node.args, *node.keywords], key=lambda part: self.span(part)[0])
            start = self.text.find("(", self.span(node.func)[1]) + 1
            end -= 1
        elif isinstance(node, ast.List | ast.Set | ast.Tuple):
            parts = list(node.elts)
            if not isinstance(node, ast.Tuple) or self.text[start] == "(":
                start, end = start + 1, end - 1
        else:
            return []
        if not parts or (isinstance(node, ast.Call) and len(parts) == 1 and isinstance(parts[0], ast.GeneratorExp)):
            return []
        edges = [start]
        for before, after in pairwise(parts):
            gap_start, gap_end = self.span(before)[1], self.span(after)[0]
            gap = self.text[gap_start:gap_end]
            if "#" in gap or gap.count(",") != 1:
                return []
            edges.append(gap_start + gap.index(",") + 1)
        last_end = self.span(parts[-1])[1]
        tail = self.text[last_end:end]
        if "#" in tail:
            return []
        trailing = last_end + tail.index(",") + 1 if "," in tail else end + 1
        edges.append(trailing)
        found: list[Span] = []
        for low, high in pairwise(edges):
            piece = self.text[low : high - 1]
            if "#" in piece:
                return []
            found.append((low + len(piece) - len(piece.lstrip()), high - 1 - (len(piece) - len(piece.rstrip()))))
        return found

    def own_lines(self, statement: ast.stmt) -> Span | None:
        """The whole lines of a statement, or None where it shares them with another statement."""
        start, end = self.span(statement)
        first = min([statement.lineno, *(node.lineno for node in getattr(statement, "decorator_list", ()))])
        assert statement.end_lineno is not None
        low, high = self.line_start(first), self.line_end(statement.end_lineno)
        head = self.text[low : self.span(statement)[0]] if first == statement.lineno else ""
        tail = self.text[end:high].strip()
        if head.strip() or (tail and not tail.startswith("#")) or self.text.startswith("elif", start):
            return None
        return low, high

    def shifted(self, lines: Span, old: str, new: str) -> str:
        """Whole lines with indentation `old` replaced by `new`; the inside of strings over several lines stays."""
        start, end = lines
        line = self.line_of(start)
        rows = []
        while start < end:
            stop = min(self.line_end(line), end)
            row = self.text[start:stop]
            rows.append(new + row[len(old) :] if row.startswith(old) and line not in self._inside_strings else row)
            start, line = stop, line + 1
        return "".join(rows)

    @cached_property
    def _inside_strings(self) -> frozenset[int]:
        found: set[int] = set()
        for node in self.parents:
            if isinstance(node, ast.JoinedStr | ast.Constant) and node.end_lineno != node.lineno:
                assert node.end_lineno is not None
                found.update(range(node.lineno + 1, node.end_lineno + 1))
        return frozenset(found)

    def header_lines(self, statement: ast.stmt) -> range:
        """The lines of a simple statement, or those of a compound one before its first block."""
        assert statement.end_lineno is not None
        body = getattr(statement, "body", None)
        last = statement.end_lineno
        if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
            last = max(statement.lineno, body[0].lineno - 1)
        return range(statement.lineno, last + 1)

    def trustworthy(self, node: ast.FormattedValue) -> bool:
        """True where the positions inside a format string can be relied on (before Python 3.12 not all can)."""
        if sys.version_info >= (3, 12):
            return True
        start, end = self.span(node.value)
        try:
            found = ast.parse(self.text[start:end], mode="eval").body
        except (SyntaxError, ValueError):
            return False
        return ast.dump(found) == ast.dump(node.value)


def bracket(text: str, strength: int, need: int) -> str:
    """`text` in parentheses where its `strength` is below what its place needs."""
    return f"({text})" if strength < need else text


def blocks(node: ast.AST) -> Iterator[Block]:
    """The statement lists that a statement, handler or case holds directly."""
    for name in _BLOCKS:
        block = getattr(node, name, None)
        if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
            yield block
    for handler in getattr(node, "handlers", ()):
        yield handler.body
    for case in getattr(node, "cases", ()):
        yield case.body


def header_nodes(source: Source, statement: ast.stmt) -> Iterator[ast.AST]:
    """Every node below a statement that is not in one of its blocks, annotations and decorators left out."""
    skipped = {id(node) for node in getattr(statement, "decorator_list", ())}
    for name in ("annotation", "returns"):
        skipped.add(id(getattr(statement, name, None)))
    stack = [child for child in ast.iter_child_nodes(statement) if id(child) not in skipped]
    stack.reverse()
    while stack:
        node = stack.pop()
        if isinstance(node, _NOT_HEADER):
            continue
        yield node
        if isinstance(node, ast.JoinedStr):
            inner = [value for value in node.values if isinstance(value, ast.FormattedValue)]
            stack.extend(value.value for value in reversed(inner) if source.trustworthy(value))
        elif not isinstance(node, ast.arg):
            stack.extend(reversed(list(ast.iter_child_nodes(node))))


def _func(node: ast.AST) -> ast.AST | None:
    return node.func if isinstance(node, ast.Call) else None
