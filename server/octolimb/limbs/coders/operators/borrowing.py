"""Operators that reuse what is written elsewhere in the function: expressions for names, literals and arguments."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from octolimb.limbs.coders.scopes import NUMBERS, alike, base
from octolimb.limbs.coders.sites import Mutation, Site, on
from octolimb.limbs.coders.source import precedence

_MAX_BORROWED = 30


@on(ast.Name, ast.Constant, ast.Call, ast.Subscript, ast.Attribute, ast.BinOp, ast.UnaryOp)
def borrow_expression(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.expr)
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return
    parent = site.source.parents.get(node)
    if isinstance(parent, ast.Expr | ast.Attribute | ast.FormattedValue | ast.JoinedStr | ast.For):
        return
    if isinstance(parent, ast.Call) and parent.func is node:
        return
    own = site.source.of(node)
    if len(own) > 60 or (isinstance(node, ast.Name) and node.id in ("self", "cls", *site.scope.functions)):
        return
    kind = site.scope.infer(node)
    reach = set(site.names_at(node))
    ranked = []
    for order, (text, other) in enumerate(site.routine.expressions.items()):
        if other is node or text == own or not _reachable(site, other, reach):
            continue
        likeness = alike(kind, site.scope.infer(other))
        if likeness > 0.3:
            near = abs(other.lineno - node.lineno)
            ranked.append((2.0 + 1.4 * (1 - likeness) + 0.04 * near + 0.012 * len(text), order, text, other))
    ranked.sort(key=lambda entry: entry[:2])
    for rank, (cost, _, text, other) in enumerate(ranked[:_MAX_BORROWED]):
        yield site.replace("borrow-expression", cost + 0.06 * rank, node, text, precedence(other))


def _reachable(site: Site, node: ast.expr, reach: set[str]) -> bool:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and inner.id not in reach and inner.id in site.scope.locals:
            return False
    return True


@on(ast.Call, ast.Subscript, ast.BinOp, ast.Attribute, ast.UnaryOp, ast.ListComp, ast.IfExp, ast.Constant)
def replace_by_name(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """A whole expression where a name in reach, or its negative, is all that was wanted."""
    assert isinstance(node, ast.expr)
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return
    parent = site.source.parents.get(node)
    if isinstance(parent, ast.Expr | ast.Attribute | ast.FormattedValue | ast.JoinedStr):
        return
    if isinstance(parent, ast.Call) and parent.func is node:
        return
    kind = site.scope.infer(node)
    if isinstance(node, ast.Constant) and (
        node.value is None or isinstance(node.value, bool) or len(str(node.value)) > 20
    ):
        return
    whole = isinstance(parent, ast.Return | ast.Assign | ast.AugAssign)
    rank = 0
    for name in site.names_at(node):
        likeness = alike(kind, site.scope.kinds.get(name, ""))
        if likeness < 0.3 or name in ("self", "cls") or _own_target(site, name):
            continue
        cost = 2.0 + 1.4 * (1 - likeness) + 0.1 * rank + (0.0 if whole or isinstance(node, ast.Constant) else 0.3)
        yield site.replace("replace-by-name", cost, node, name)
        rank += 1
        if whole and base(kind) in (*NUMBERS, "") and likeness >= 0.6:
            yield site.replace("replace-by-name", cost + 0.6, node, f"-{name}", 12)


def _own_target(site: Site, name: str) -> bool:
    return isinstance(site.statement, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == name and site.scope.locals.get(name) == site.statement.lineno
        for target in site.statement.targets
    )


@on(ast.Name, ast.Subscript, ast.Call, ast.Constant)
def extend_by_term(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """A term that is missing: `x + name`, `x - name`, `x * name`, `x % name`."""
    assert isinstance(node, ast.expr)
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return
    parent = site.source.parents.get(node)
    if isinstance(parent, ast.Attribute | ast.Expr | ast.FormattedValue | ast.JoinedStr | ast.keyword):
        return
    if isinstance(parent, ast.Subscript) and parent.slice is not node:
        return
    if isinstance(parent, ast.Call) and parent.func is node:
        return
    kind = base(site.scope.infer(node))
    if kind not in (*NUMBERS, "", "str", "list") or (not kind and not isinstance(node, ast.Name)):
        return
    text = site.source.atom(node, 12)
    whole = 0.0 if isinstance(parent, ast.Return | ast.Assign | ast.AugAssign) else 0.5
    for rank, name in enumerate(site.names_at(node)[:6]):
        other = base(site.scope.kinds.get(name, ""))
        if name == text or name in ("self", "cls"):
            continue
        if (kind in NUMBERS and other in (*NUMBERS, "")) or (not kind and other in NUMBERS):
            for symbol, cost in (("+", 2.6), ("-", 2.6), ("*", 2.8), ("%", 3.2), ("//", 3.4)):
                strength = 10 if symbol in "+-" else 11
                yield site.replace("add-term", cost + whole + 0.1 * rank, node, f"{text} {symbol} {name}", strength)
        elif kind in ("str", "list") and other == kind:
            yield site.replace("add-term", 2.8 + whole + 0.1 * rank, node, f"{text} + {name}", 10)
            yield site.replace("add-term", 2.8 + whole + 0.1 * rank, node, f"{name} + {text}", 10)
    if isinstance(node, ast.Name) and kind in (*NUMBERS, "") and whole == 0.0:
        for suffix, cost in (
            (" * 2", 3.0),
            (" // 2", 3.0),
            (" / 2", 3.2),
            (" % 2", 3.2),
            (" * -1", 3.2),
            (" ** 2", 3.0),
        ):
            yield site.replace("add-term", cost, node, text + suffix, 11)


@on(ast.AugAssign)
def fix_update(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """A different variable is updated, in a different way: `odd += 1` for `even -= 1`."""
    assert isinstance(node, ast.AugAssign)
    if not isinstance(node.target, ast.Name):
        return
    start, end = site.source.span(node)
    value = site.source.of(node.value)
    kind = site.scope.kinds.get(node.target.id, "")
    flipped = {ast.Add: "-=", ast.Sub: "+="}.get(type(node.op))
    for rank, name in enumerate(site.names_at()):
        if name == node.target.id or alike(kind, site.scope.kinds.get(name, "")) < 0.9:
            continue
        if flipped and name in site.routine.changed:
            yield site.put("fix-update", 2.4 + 0.1 * rank, start, end, f"{name} {flipped} {value}")


@on(ast.Return)
def return_other(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """What is returned: nothing, a name, or one of the values that the tests want."""
    assert isinstance(node, ast.Return)
    start, end = site.source.span(node)
    if node.value is None:
        for rank, name in enumerate(site.names_at()):
            yield site.put("return-other", 1.6 + 0.1 * rank, start, end, f"return {name}")
    for rank, text in enumerate(("None", "[]", "0", "''", "False", "True", "-1", "1", "{}", "()")):
        if node.value is None or text != site.source.of(node.value):
            yield site.put("return-constant", 3.2 + 0.1 * rank, start, end, f"return {text}")
    for rank, text in enumerate(site.pain.expected[:8]):
        yield site.put("return-wanted", 4.4 + 0.1 * rank, start, end, f"return {text}")


@on(ast.Raise)
def swap_exception(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.Raise)
    named = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    if isinstance(named, ast.Name):
        kinds = ("ValueError", "TypeError", "KeyError", "IndexError", "RuntimeError", "AttributeError", "StopIteration")
        first = [site.pain.exception] if site.pain.exception in kinds else []
        for rank, kind in enumerate(dict.fromkeys([*first, *kinds])):
            if kind != named.id:
                yield site.replace("swap-exception", 1.8 + 0.2 * rank, named, kind)


@on(ast.JoinedStr)
def change_format(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """Parts of a format string: a literal part dropped or changed, a conversion added."""
    assert isinstance(node, ast.JoinedStr)
    raw = site.source.of(node)
    start, _ = site.source.span(node)
    for value in node.values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and raw.count(value.value) == 1:
            low = start + raw.index(value.value)
            yield site.put("change-format", 2.8, low, low + len(value.value), "")
            if value.value.strip() != value.value and value.value.strip():
                yield site.put("change-format", 2.8, low, low + len(value.value), value.value.strip())
        elif isinstance(value, ast.FormattedValue) and site.source.trustworthy(value) and value.conversion == -1:
            end = site.source.span(value.value)[1]
            if value.format_spec is None:
                yield site.put("change-format", 3.0, end, end, "!r")
