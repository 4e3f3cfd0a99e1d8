"""Python sources as syntax trees, parsed once for all rules of a judgement. It never raises for bad code."""

from __future__ import annotations

import ast
import warnings
from functools import lru_cache
from typing import Final

from octolimb.core.document import Document


def is_python(document: Document) -> bool:
    """True for what Python would run from this repository, by name or by its first line."""
    if document.link:
        return False
    return document.path.suffix in (".py", ".pyi", ".pyw") or (
        not document.path.suffix and document.data.startswith(b"#!") and b"python" in document.data.split(b"\n", 1)[0]
    )


def parse_python(document: Document | None) -> ast.Module | None:
    """The tree, shared and not to be changed; None for what is absent, not text, not Python or does not parse.

    Raises `RecursionError` or `MemoryError` for nesting that the parser cannot hold: a rule that sees it must deny.
    """
    if document is None or not is_python(document) or not document.is_text:
        return None
    return _parse(document.text)


@lru_cache(maxsize=128)
def nodes_of(tree: ast.Module) -> tuple[ast.AST, ...]:
    """Every node of a tree, parents before children, in source order; contexts and operators left out.

    Several rules look at all nodes of one tree, and walking costs more than parsing: hence once, and kept.
    """
    found: list[ast.AST] = []
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        found.append(node)
        below: list[ast.AST] = []
        for name in node._fields:
            value = getattr(node, name, None)
            if type(value) is list:
                below += [item for item in value if isinstance(item, ast.AST) and not isinstance(item, _MARKS)]
            elif isinstance(value, ast.AST) and not isinstance(value, _MARKS):
                below.append(value)
        pending += below[::-1]
    return tuple(found)


_MARKS: Final = (ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)


@lru_cache(maxsize=128)
def _parse(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            # An invalid escape in somebody's source is no news of ours.
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError):
        return None
