"""Operators on indices, slices, ranges and everything else that is off by one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from octolimb.limbs.coders.scopes import NUMBERS, SEQUENCES, base, element
from octolimb.limbs.coders.sites import Mutation, Site, on
from octolimb.limbs.coders.source import Function, precedence

_AGGREGATES = ("sum", "max", "min", "len", "sorted")


@on(ast.Name, ast.Call, ast.BinOp, ast.Subscript, ast.Attribute)
def off_by_one(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """One more or one less wherever a whole number counts something."""
    assert isinstance(node, ast.expr)
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return
    cost = _place_cost(site, node)
    if cost is None:
        return
    kind = base(site.scope.infer(node))
    if kind and kind not in NUMBERS:
        return
    if not kind:
        cost += 0.9
    if isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant) and node.right.value == 1:
        cost += 0.6  # Changing or dropping the 1 comes from other operators.
    text = site.source.atom(node, 10)
    yield site.replace("off-by-one", cost, node, f"{text} + 1", 10)
    yield site.replace("off-by-one", cost, node, f"{text} - 1", 10)


def _place_cost(site: Site, node: ast.expr) -> float | None:
    parent = site.source.parents.get(node)
    match parent:
        case ast.Call(func=ast.Name(id="range")) if node is not parent.func:
            return 1.2
        case ast.Slice() | ast.Subscript() if node is not getattr(parent, "value", None):
            return 1.4
        case ast.Compare():
            return 2.0
        case ast.Return() | ast.Assign() | ast.AugAssign() | ast.keyword():
            return 2.1
        case ast.Call() if node is not parent.func:
            return 2.3
        case ast.BinOp() if node is parent.right or isinstance(parent.op, ast.Mult | ast.Div | ast.FloorDiv | ast.Mod):
            return 2.3
        case ast.IfExp() | ast.BoolOp() | ast.Tuple() | ast.List():
            return 2.6
        case _:
            return None


@on(ast.Call)
def fix_range(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.Call)
    if not (isinstance(node.func, ast.Name) and node.func.id in ("range", "xrange")) or node.keywords:
        return
    texts = [site.source.of(argument) for argument in node.args]
    name = node.func.id
    if len(texts) == 1:
        yield site.replace("range-bounds", 1.4, node, f"{name}(1, {texts[0]})")
        yield site.replace("range-bounds", 1.9, node, f"{name}(1, {texts[0]} + 1)")
        yield site.replace("range-bounds", 2.6, node, f"{name}({texts[0]} - 1, -1, -1)")
        yield site.replace("range-bounds", 2.4, node, f"{name}(0, {texts[0]}, 2)")
        yield site.replace("range-bounds", 2.4, node, f"{name}(2, {texts[0]})")
        for other in site.numbers_at(node)[:4]:
            if other != texts[0]:
                yield site.replace("range-bounds", 2.4, node, f"{name}({other}, {texts[0]})")
                yield site.replace("range-bounds", 2.7, node, f"{name}({other} + 1, {texts[0]})")
    elif len(texts) == 2:
        yield site.replace("range-bounds", 1.3, node, f"{name}({texts[1]})")
        yield site.replace("range-bounds", 2.2, node, f"{name}({texts[0]})")
        yield site.replace("range-bounds", 2.2, node, f"{name}({texts[0]}, {texts[1]}, 2)")
        yield site.replace("range-bounds", 2.2, node, f"{name}({texts[0]}, {texts[1]}, -1)")
        yield site.replace("range-bounds", 2.6, node, f"{name}({texts[1]} - 1, {texts[0]} - 1, -1)")
        yield site.replace("range-bounds", 2.2, node, f"{name}({texts[0]} + 1, {texts[1]} + 1)")
    elif len(texts) == 3:
        yield site.replace("range-bounds", 1.6, node, f"{name}({texts[0]}, {texts[1]})")
        yield site.replace("range-bounds", 2.0, node, f"{name}({texts[1]}, {texts[0]}, {texts[2]})")
        yield site.replace("range-bounds", 2.0, node, f"{name}({texts[0]}, {texts[1]}, -({texts[2]}))")


@on(ast.Subscript)
def fix_subscript(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.Subscript)
    load = isinstance(node.ctx, ast.Load)
    value, kind = site.source.atom(node.value), base(site.scope.infer(node.value))
    if load:
        yield site.instead("drop-subscript", 2.0, node, node.value)
    if isinstance(node.slice, ast.Slice):
        yield from _fix_slice(site, node, node.slice, value)
        return
    if isinstance(node.slice, ast.Tuple):
        return
    index = site.source.of(node.slice)
    if not isinstance(node.slice, ast.Constant) and kind != "dict":
        yield site.replace("negate-index", 2.2, node.slice, f"-{site.source.atom(node.slice, 12)}", 12)
        yield site.replace("negate-index", 2.6, node.slice, f"-{site.source.atom(node.slice, 12)} - 1", 10)
    if load and kind in (*SEQUENCES, ""):
        yield site.replace("index-to-slice", 2.4, node, f"{value}[{index}:]")
        yield site.replace("index-to-slice", 2.6, node, f"{value}[:{index}]")
        if not isinstance(node.slice, ast.Constant):
            yield site.replace("constant-index", 2.8, node.slice, "0")
            yield site.replace("constant-index", 2.8, node.slice, "-1")
    if load and isinstance(node.slice, ast.Constant | ast.UnaryOp) and kind in ("list", "tuple", ""):
        for rank, name in enumerate(_AGGREGATES):
            yield site.replace("index-to-aggregate", 2.5 + 0.1 * rank, node, f"{name}({site.source.of(node.value)})")
    if load and kind in ("dict", "") and not isinstance(site.source.parents.get(node), ast.Delete):
        for default in ("None", "0"):
            yield site.replace("index-to-get", 2.4 if kind else 3.4, node, f"{value}.get({index}, {default})")


def _fix_slice(site: Site, node: ast.Subscript, cut: ast.Slice, value: str) -> Iterator[Mutation]:
    lower, upper, step = (site.source.of(part) if part else "" for part in (cut.lower, cut.upper, cut.step))

    def made(low: str, high: str, stride: str = step) -> str:
        return f"{value}[{low}:{high}{':' + stride if stride else ''}]"

    options: list[tuple[str, float]] = []
    if lower:
        options.append((made("", upper), 1.8))
        if upper:
            options.append((made(upper, lower), 2.4))
        else:
            options.append((made("", lower), 1.6))
    else:
        options += [(made("1", upper), 1.8), (made("2", upper), 2.8)]
    if upper:
        options.append((made(lower, ""), 1.8))
        if not lower:
            options.append((made(upper, ""), 1.6))
    else:
        options += [(made(lower, "-1"), 1.8), (made(lower, "-2"), 3.0)]
    for bound, place in ((lower, 0), (upper, 1)):
        if bound and not bound.lstrip("-").isdigit():
            negated = f"-({bound})" if any(sign in bound for sign in "+- ") else f"-{bound}"
            options.append((made(negated, upper) if place == 0 else made(lower, negated), 2.4))
    if step:
        options += [(made(lower, upper, ""), 1.8), (made(lower, upper, f"-{step}".replace("--", "")), 2.0)]
    else:
        options += [(made(lower, upper, "-1"), 2.0), (made(lower, upper, "2"), 2.6)]
    for name in site.numbers_at(node)[:4]:
        if not lower and name != upper:
            options.append((made(name, upper), 2.4))
        if not upper and name != lower:
            options.append((made(lower, name), 2.4))
    for text, cost in options:
        yield site.replace("slice-bounds", cost, node, text)


@on(ast.Name, ast.Call, ast.ListComp, ast.Attribute, ast.Subscript)
def take_slice(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """Only a part of a sequence is wanted, or its reverse."""
    assert isinstance(node, ast.expr)
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return
    parent = site.source.parents.get(node)
    if isinstance(parent, ast.Attribute | ast.keyword | ast.FormattedValue | ast.Subscript) or (
        isinstance(parent, ast.Call) and parent.func is node
    ):
        return
    kind = base(site.scope.infer(node))
    if kind and kind not in ("list", "str", "tuple", "bytes"):
        return
    if not kind and not isinstance(node, ast.Name):
        return
    text, extra = site.source.atom(node), 0.0 if kind else 0.8
    if isinstance(parent, ast.Return | ast.Assign):
        extra -= 0.2
    for part, cost in (("1:", 2.4), (":-1", 2.4), ("::-1", 2.3), ("2:", 3.2), (":1", 3.2), ("0", 2.8), ("-1", 2.8)):
        yield site.replace("take-slice", cost + extra, node, f"{text}[{part}]")
    for rank, name in enumerate(site.numbers_at(node)[:5]):
        if name != text:
            for part, cost in (
                (f"{name}:", 2.2),
                (f":{name}", 2.2),
                (name, 2.6),
                (f"{name} + 1:", 3.2),
                (f":{name} + 1", 3.2),
            ):
                yield site.replace("take-slice", cost + extra + 0.15 * rank, node, f"{text}[{part}]")


@on(ast.Call)
def fix_start(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """`enumerate` with another start, and the sizes that `zip` and `len` go over."""
    assert isinstance(node, ast.Call)
    if not isinstance(node.func, ast.Name) or not node.args:
        return
    first = site.source.of(node.args[0])
    if node.func.id == "enumerate":
        if len(node.args) == 1 and not node.keywords:
            yield site.replace("enumerate-start", 1.6, node, f"enumerate({first}, 1)")
            yield site.replace("enumerate-start", 2.4, node, f"enumerate({first}[1:], 1)")
        else:
            yield site.replace("enumerate-start", 1.6, node, f"enumerate({first})")
    counted = isinstance(site.source.parents.get(node), ast.Compare | ast.BinOp)
    if node.func.id == "len" and counted and element(site.scope.infer(node.args[0])) in NUMBERS:
        yield site.replace("swap-function", 2.2, node, f"sum({first})")


@on(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
def change_default(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, Function | ast.Lambda)
    for default in (*node.args.defaults, *(value for value in node.args.kw_defaults if value is not None)):
        if precedence(default) < 14:
            continue
        for text in ("None", "0", "1", "True", "False", "''"):
            if text != site.source.of(default):
                yield site.replace("change-default", 2.4, default, text)
