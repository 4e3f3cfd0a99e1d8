"""Operators on operators: comparison, boolean, arithmetic, bit and augmented swaps, operand swaps and removals."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from octolimb.limbs.coders.scopes import CONTAINERS, NUMBERS, alike, base
from octolimb.limbs.coders.sites import Mutation, Site, on
from octolimb.limbs.coders.source import precedence

COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.In: "in",
    ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not",
}  # fmt: skip
_COMPARISON_SWAPS: dict[str, dict[str, float]] = {
    "<": {"<=": 0.6, ">": 0.9, ">=": 1.1, "==": 1.8, "!=": 2.2},
    "<=": {"<": 0.6, ">=": 1.0, ">": 1.1, "==": 1.7, "!=": 2.2},
    ">": {">=": 0.6, "<": 0.9, "<=": 1.1, "==": 1.7, "!=": 2.2},
    ">=": {">": 0.6, "<=": 1.0, "<": 1.1, "==": 1.8, "!=": 2.2},
    "==": {"!=": 0.8, ">=": 1.6, "<=": 1.6, ">": 1.9, "<": 1.9, "in": 2.3, "is": 3.2},
    "!=": {"==": 0.8, "<": 1.7, ">": 1.7, ">=": 2.1, "<=": 2.1, "not in": 2.5, "is not": 3.2},
    "in": {"not in": 0.8, "==": 2.3},
    "not in": {"in": 0.8, "!=": 2.3},
    "is": {"is not": 0.8, "==": 1.6},
    "is not": {"is": 0.8, "!=": 1.6},
}
BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>", ast.MatMult: "@",
}  # fmt: skip
_BINARY_SWAPS: dict[str, dict[str, float]] = {
    "+": {"-": 0.8, "*": 1.6, "//": 2.8, "%": 2.8, "/": 2.8, "|": 3.2, "**": 3.2},
    "-": {"+": 0.8, "%": 2.0, "*": 2.2, "//": 2.4, "/": 2.6, "^": 3.2},
    "*": {"+": 1.4, "/": 1.4, "//": 1.6, "**": 1.7, "-": 2.4, "%": 2.4},
    "/": {"//": 0.8, "*": 1.2, "%": 1.6, "-": 2.6},
    "//": {"/": 0.8, "%": 1.2, "*": 1.4, "-": 2.4, ">>": 3.2},
    "%": {"//": 1.0, "/": 1.4, "*": 2.0, "-": 2.2, "+": 2.6},
    "**": {"*": 1.0, "//": 2.6, "+": 2.6},
    "&": {"|": 0.8, "^": 1.0, "+": 3.0},
    "|": {"&": 0.8, "^": 1.0, "+": 3.0},
    "^": {"&": 0.8, "|": 1.0, "**": 1.4, "+": 3.0},
    "<<": {">>": 0.8},
    ">>": {"<<": 0.8, "//": 3.0},
}
_COMMUTATIVE = frozenset({"+", "*", "&", "|", "^"})


@on(ast.Compare)
def swap_comparison(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.Compare)
    operands = [node.left, *node.comparators]
    for left, op, right in zip(operands, node.ops, operands[1:], strict=False):
        symbol = COMPARISONS[type(op)]
        span = site.source.operator_span(left, right, symbol)
        if span is None:
            continue
        ordered = _may_be_ordered(left, right)
        for other, cost in _COMPARISON_SWAPS[symbol].items():
            if other[0] in "<>" and not ordered:
                continue
            if other in ("in", "not in") and base(site.scope.infer(right)) in NUMBERS:
                continue
            if other in ("is", "is not") and not isinstance(right, ast.Constant):
                continue
            yield site.put("swap-comparison", cost, *span, other)
        if symbol in ("in", "not in") and len(node.ops) == 1:
            yield _swapped(site, "swap-comparison-operands", 2.4, left, right)


def _may_be_ordered(left: ast.expr, right: ast.expr) -> bool:
    for side in (left, right):
        if isinstance(side, ast.Constant) and (side.value is None or isinstance(side.value, bool)):
            return False
        if isinstance(side, ast.List | ast.Dict) and not getattr(side, "elts", ()):
            return False
    return not (isinstance(right, ast.Constant) and isinstance(right.value, str) and len(right.value) != 1)


@on(ast.Compare)
def drop_from_chain(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.Compare)
    if len(node.ops) < 2:
        return
    (start, _), (_, end) = site.source.span(node.left), site.source.span(node.comparators[-1])
    yield site.put("drop-chained-comparison", 2.6, site.source.span(node.comparators[-2])[1], end, "")
    yield site.put("drop-chained-comparison", 2.6, start, site.source.span(node.comparators[0])[0], "")


@on(ast.BoolOp)
def swap_boolean(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.BoolOp)
    symbol, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    spans = [
        site.source.operator_span(left, right, symbol)
        for left, right in zip(node.values, node.values[1:], strict=False)
    ]
    found = [span for span in spans if span is not None]
    if len(found) == len(spans):
        yield Mutation("swap-boolean", 0.8, tuple((*span, other) for span in found))
    if len(found) > 1:
        for span in found:
            yield site.put("swap-one-boolean", 2.0, *span, other)


@on(ast.BoolOp)
def drop_clause(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.BoolOp)
    word = " and " if isinstance(node.op, ast.And) else " or "
    for index in range(len(node.values)):
        rest = [value for position, value in enumerate(node.values) if position != index]
        need = precedence(node) + 1 if len(rest) > 1 else 0
        text = word.join(site.source.atom(value, need) for value in rest)
        yield site.replace("drop-clause", 1.6, node, text, precedence(node if len(rest) > 1 else rest[0]))


@on(ast.UnaryOp)
def drop_unary(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.UnaryOp)
    if isinstance(node.op, ast.Not):
        yield site.instead("drop-not", 0.9, node, node.operand)
        if isinstance(node.operand, ast.BoolOp) and len(node.operand.values) == 2:
            first, second = node.operand.values
            word = "and" if isinstance(node.operand.op, ast.And) else "or"
            text = f"not {site.source.atom(first, 4)} {word} {site.source.atom(second, 4)}"
            yield site.replace("move-not", 2.6, node, text, 2)
    elif isinstance(node.op, ast.USub | ast.Invert):
        yield site.instead("drop-sign", 1.3, node, node.operand)
    if isinstance(node.op, ast.Invert):
        yield site.replace("swap-unary", 1.8, node, f"-{site.source.atom(node.operand, 12)}", 12)


@on(ast.BinOp)
def swap_arithmetic(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.BinOp)
    symbol = BINARY[type(node.op)]
    span = site.source.operator_span(node.left, node.right, symbol)
    left, right = base(site.scope.infer(node.left)), base(site.scope.infer(node.right))
    if left == "str" and symbol in ("+", "%"):
        return
    penalty = 1.4 if {left, right} & CONTAINERS and not left == right == "set" else 0.0
    if span is not None:
        for other, cost in _BINARY_SWAPS.get(symbol, {}).items():
            yield site.put("swap-arithmetic", cost + penalty, *span, other)
        if symbol in ("*", "/", "//") and isinstance(node.right, ast.Constant) and node.right.value == 2:
            start, end = site.source.span(node)
            power = f"{site.source.atom(node.left, 14)} ** 2"
            yield site.put("swap-arithmetic", 2.8, start, end, power)


@on(ast.BinOp)
def swap_operands(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.BinOp)
    symbol = BINARY[type(node.op)]
    kinds = {base(site.scope.infer(node.left)), base(site.scope.infer(node.right))}
    if symbol not in _COMMUTATIVE or (symbol == "+" and not kinds & NUMBERS):
        yield _swapped(site, "swap-operands", 1.4 if symbol != "+" else 2.0, node.left, node.right)


@on(ast.BinOp)
def drop_operand(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.BinOp)
    simple = isinstance(node.right, ast.Constant | ast.Name)
    yield site.instead("drop-operand", 1.3 if simple else 1.7, node, node.left)
    yield site.instead("drop-operand", 1.9, node, node.right)
    inner = node.left
    if isinstance(inner, ast.BinOp):
        # In `a + b - c` each operand may be the one too many: `a - c`, `b - c` (text-wise, as a person deletes).
        start, end = site.source.span(node)
        first, middle = site.source.span(inner.left)[1], site.source.span(inner)[1]
        opened = site.source.text[start : site.source.span(inner)[0]].strip()
        if not opened:
            yield site.put("drop-middle-operand", 1.9, first, middle, "")
            span = site.source.operator_span(node.left, node.right, BINARY[type(node.op)])
            inner_span = site.source.operator_span(inner.left, inner.right, BINARY[type(inner.op)])
            if span and inner_span:
                right = site.source.text[span[1] : end].strip()
                head = site.source.text[start : inner_span[1]]
                yield site.put("drop-middle-operand", 1.9, start, end, f"{head} {right}")


@on(ast.BinOp)
def regroup(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.BinOp)
    source = site.source
    for inner, other, left in ((node.left, node.right, True), (node.right, node.left, False)):
        if isinstance(inner, ast.BinOp) and (type(inner.op) is not type(node.op) or not isinstance(node.op, ast.Add)):
            kept, moved = (inner.left, inner.right) if left else (inner.right, inner.left)
            outer_symbol, inner_symbol = BINARY[type(node.op)], BINARY[type(inner.op)]
            if left:
                group = f"({source.atom(moved, 12)} {outer_symbol} {source.atom(other, 12)})"
                text = f"{source.atom(kept, 12)} {inner_symbol} {group}"
            else:
                group = f"({source.atom(other, 12)} {outer_symbol} {source.atom(moved, 12)})"
                text = f"{group} {inner_symbol} {source.atom(kept, 12)}"
            yield site.replace("regroup", 2.6, node, text, precedence(inner))


@on(ast.AugAssign)
def swap_augmented(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.AugAssign)
    symbol = BINARY[type(node.op)]
    span = site.source.operator_span(node.target, node.value, symbol + "=")
    if span is None:
        return
    textual = alike(site.scope.infer(node.value), "int") < 0.5
    for other, cost in _BINARY_SWAPS.get(symbol, {}).items():
        yield site.put("swap-augmented", cost + (2.0 if textual else 0.1), *span, other + "=")
    yield site.put("augmented-to-plain", 1.8, *span, "=")
    if isinstance(node.target, ast.Name) and not isinstance(node.value, ast.Constant) and symbol in ("+", "*"):
        start, end = site.source.span(node)
        name = site.source.of(node.target)
        yield site.put(
            "augmented-operands", 2.2, start, end, f"{name} = {site.source.atom(node.value, 12)} {symbol} {name}"
        )


@on(ast.Assign)
def plain_to_augmented(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.Assign)
    if len(node.targets) != 1 or not site.loops or not isinstance(node.targets[0], ast.Name | ast.Subscript):
        return
    span = site.source.operator_span(node.targets[0], node.value, "=")
    if span is not None:
        for symbol, cost in (("+=", 2.2), ("-=", 3.0), ("*=", 3.0), ("//=", 3.4)):
            yield site.put("plain-to-augmented", cost, *span, symbol)


def _swapped(site: Site, operator: str, cost: float, left: ast.AST, right: ast.AST) -> Mutation:
    (start, middle), (second, end) = site.source.span(left), site.source.span(right)
    text = site.source.text
    first = site.source.atom(right, site.source.needs(left)) if isinstance(right, ast.expr) else text[second:end]
    last = site.source.atom(left, site.source.needs(right)) if isinstance(left, ast.expr) else text[start:middle]
    return site.put(operator, cost, start, end, first + text[middle:second] + last)
