"""Operators on conditions: negated, weakened, strengthened, dropped; and conditional expressions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from octolimb.limbs.coders.scopes import NUMBERS, alike, base
from octolimb.limbs.coders.sites import Mutation, Site, on, on_statement
from octolimb.limbs.coders.source import precedence

_MAX_CLAUSES = 24


@on_statement
def change_test(site: Site) -> Iterator[Mutation]:
    """The test of an `if`, `while` or `assert`."""
    if isinstance(site.statement, ast.If | ast.While):
        yield from _change(site, site.statement.test, 0.0)
        if isinstance(site.statement, ast.If):
            yield site.replace("constant-test", 2.6, site.statement.test, "True")
            yield site.replace("constant-test", 2.8, site.statement.test, "False")
        elif not (isinstance(site.statement.test, ast.Constant)):
            yield site.replace("constant-test", 3.0, site.statement.test, "True")


@on(ast.Constant)
def boolean_to_condition(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """`return depth == 0` for `return True`, `while queue` for `while True`."""
    assert isinstance(node, ast.Constant)
    parent = site.source.parents.get(node)
    if not isinstance(node.value, bool) or not isinstance(parent, ast.Return | ast.While | ast.Assign):
        return
    clauses = dict.fromkeys([*site.routine.clauses, *_simple_clauses(site, node, [])])
    for rank, clause in enumerate(list(clauses)[:_MAX_CLAUSES]):
        yield site.replace("boolean-to-condition", 2.4 + 0.06 * rank, node, clause, 4)


@on(ast.comprehension)
def change_filter(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """The filters of a comprehension; one that is missing."""
    assert isinstance(node, ast.comprehension)
    for test in node.ifs:
        yield from _change(site, test, 0.2)
        start = site.source.text.rfind("if", 0, site.source.span(test)[0])
        while site.source.text[start - 1].isspace():
            start -= 1
        if start >= site.source.span(node.iter)[1]:
            yield site.put("drop-filter", 1.9, start, site.source.span(test)[1], "")
    if not node.ifs and isinstance(node.target, ast.Name):
        end = site.source.span(node.iter)[1]
        while site.source.text[end : end + 1] == ")" and _unbalanced(
            site.source.text[site.source.span(node.iter)[0] : end]
        ):
            end += 1
        for rank, clause in enumerate(_simple_clauses(site, node.target, [node.target.id])):
            yield site.put("insert-filter", 3.2 + 0.05 * rank, end, end, f" if {clause}")


def _unbalanced(text: str) -> bool:
    return text.count("(") > text.count(")")


@on(ast.IfExp)
def change_choice(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.IfExp)
    source = site.source
    yield from _change(site, node.test, 0.0)
    yield site.instead("choose-branch", 1.7, node, node.body)
    yield site.instead("choose-branch", 1.7, node, node.orelse)
    text = f"{source.atom(node.orelse, 1)} if {source.of(node.test)} else {source.atom(node.body, 1)}"
    yield site.replace("swap-choice", 1.4, node, text, 1)


@on(ast.Return, ast.Assign)
def negate_value(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """A returned or stored condition the wrong way round."""
    value = getattr(node, "value", None)
    if not isinstance(value, ast.expr):
        return
    kind = base(site.scope.infer(value))
    if isinstance(value, ast.Compare | ast.BoolOp) or kind == "bool":
        if not isinstance(value, ast.Constant):
            yield site.replace("negate-value", 1.6, value, f"not {site.source.atom(value, 4)}", 4)
        if isinstance(value, ast.Compare | ast.BoolOp):
            yield from _extended(site, value, 0.4)
    elif isinstance(value, ast.Constant):
        return
    elif kind in NUMBERS or (not kind and isinstance(value, ast.Name | ast.BinOp)):
        cost = 1.8 if isinstance(node, ast.Return) else 2.2
        yield site.replace("negate-number", cost, value, f"-{site.source.atom(value, 12)}", 12)


def _change(site: Site, test: ast.expr, extra: float) -> Iterator[Mutation]:
    source = site.source
    simple = isinstance(test, ast.Compare) and len(test.ops) == 1
    if not simple and not (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)):
        cost = (1.0 if not isinstance(test, ast.BoolOp) else 1.6) + extra
        if not isinstance(test, ast.Constant):
            yield site.replace("negate-test", cost, test, f"not {source.atom(test, 4)}", 4)
    yield from _extended(site, test, extra)
    for rank, (text, clause) in enumerate(site.routine.clauses.items()):
        if clause is not test:
            yield site.replace("borrow-condition", 2.8 + 0.1 * rank + extra, test, text, precedence(clause))


def _extended(site: Site, test: ast.expr, extra: float) -> Iterator[Mutation]:
    """`test and X`, `test or X` with clauses seen nearby, varied ones, then simple ones over names in reach."""
    source = site.source
    own = source.of(test)
    seen: dict[str, float] = {}
    for text in site.routine.clauses:
        if text not in own:
            seen.setdefault(text, 2.4 + 0.06 * len(seen))
    for text, clause in site.routine.clauses.items():
        related = 0.0 if text in own else 0.5
        for varied in _varied(site, text, clause):
            if varied not in own:
                seen.setdefault(varied, 2.6 + related + 0.03 * len(seen))
    names = [node.id for node in ast.walk(test) if isinstance(node, ast.Name)]
    for text in _simple_clauses(site, test, names):
        if text not in own:
            seen.setdefault(text, 3.0 + 0.025 * len(seen))
    words = ("and", "or")
    if isinstance(test, ast.BoolOp):
        words = ("and", "or") if isinstance(test.op, ast.And) else ("or", "and")
    for text, cost in list(seen.items())[: 3 * _MAX_CLAUSES]:
        for index, word in enumerate(words):
            left = source.atom(test, 3 if word == "and" else 2)
            yield site.replace(
                "insert-clause", cost + extra + 0.15 * index, test, f"{left} {word} {text}", 3 if word == "and" else 2
            )


def _varied(site: Site, text: str, clause: ast.expr) -> Iterator[str]:
    """The clause with two of its names swapped, one replaced, a constant moved by one, or the other comparison."""
    names = list(dict.fromkeys(node.id for node in ast.walk(clause) if isinstance(node, ast.Name)))
    local = [name for name in names if name in site.scope.locals]
    for index, first in enumerate(local):
        for second in local[index + 1 :]:
            swap = {first: second, second: first}
            yield re.sub(r"\b[A-Za-z_]\w*\b", lambda match: swap.get(match.group(), match.group()), text)  # noqa: B023
    for first in local:
        kind = site.scope.kinds.get(first, "")
        for other in site.names_at(clause):
            if other not in names and alike(kind, site.scope.kinds.get(other, "")) >= 0.9:
                yield re.sub(rf"\b{first}\b", other, text)
    for number in list(dict.fromkeys(re.findall(r"(?<![\w.])\d+(?![\w.])", text)))[-2:]:
        for value in (int(number) + 1, int(number) - 1):
            if value >= 0:
                yield re.sub(rf"(?<![\w.]){number}(?![\w.])", str(value), text)
    match clause:
        case ast.Compare(left=left, comparators=[ast.Constant(value=str(written))]):
            for string in site.routine.strings[:4]:
                if string != written:
                    yield f"{site.source.of(left)} == {string!r}"


def _simple_clauses(site: Site, node: ast.AST, names: list[str]) -> Iterator[str]:
    """Conditions over names in reach, those of the statement first."""
    reach = site.names_at(node)
    ordered = list(dict.fromkeys([*(name for name in names if name in reach), *reach]))[:6]
    for name in ordered:
        kind = base(site.scope.kinds.get(name, ""))
        if name in ("self", "cls"):
            continue
        if kind not in NUMBERS:
            yield name
        if kind in NUMBERS or not kind:
            yield f"{name} > 0"
        if kind in ("int", "num", "float", ""):
            yield from (
                f"{name} != 0",
                f"{name} > 1",
                f"{name} == 0",
                f"{name} < 0",
                f"{name} >= 0",
                f"{name} % 2 == 0",
            )
        if kind in ("list", "str", "tuple", "set", "dict"):
            yield from (f"not {name}", f"len({name}) > 1")
        if kind == "str":
            yield from (f"{name} != ''", f"{name} != ' '", f"{name}.isalpha()")
    for text in list(site.routine.own_attributes)[:3]:
        yield from (text, f"not {text}", f"{text} is not None")
    for index, first in enumerate(ordered):
        for second in ordered[index + 1 :]:
            if alike(site.scope.kinds.get(first, ""), site.scope.kinds.get(second, "")) >= 0.6:
                yield from (
                    f"{first} == {second}",
                    f"{first} != {second}",
                    f"{first} < {second}",
                    f"{first} > {second}",
                )


@on_statement
def guard_bounds(site: Site) -> Iterator[Mutation]:
    """`i < len(x) and ...` before a test that indexes `x[i]`, `k in x and ...`, and `x is not None and ...`."""
    statement = site.statement
    if not isinstance(statement, ast.If | ast.While):
        return
    test = site.source.atom(statement.test, 4)
    for rank, guard in enumerate(dict.fromkeys(_needed(site, statement.test))):
        yield site.replace("guard-bounds", 2.8 + 0.15 * rank, statement.test, f"{guard} and {test}", 3)


def _needed(site: Site, node: ast.AST) -> Iterator[str]:
    """What has to hold for the subscripts and attributes below `node` to be there."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Subscript) and not isinstance(inner.slice, ast.Slice | ast.Tuple):
            owner, index = site.source.of(inner.value), site.source.of(inner.slice)
            kind = base(site.scope.infer(inner.value))
            if kind == "dict":
                yield f"{index} in {owner}"
            elif isinstance(inner.slice, ast.Constant | ast.UnaryOp):
                yield owner
                yield f"len({owner}) > {index.lstrip('-')}"
            else:
                yield f"{index} < len({owner})"
                yield from (f"{index} >= 0", f"{index} > 0", f"{index} in {owner}")
        elif isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
            name = inner.value.id
            if name in site.scope.locals and name not in ("self", "cls"):
                yield from (f"{name} is not None", name)


@on(ast.Return, ast.Assign)
def guard_value(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """`e if x else 0`: a value that cannot be had for an empty or missing input; and `x or y`."""
    value = getattr(node, "value", None)
    if not isinstance(value, ast.expr) or isinstance(value, ast.Constant | ast.IfExp | ast.BoolOp):
        return
    text = site.source.atom(value, 2)
    names = [inner.id for inner in ast.walk(value) if isinstance(inner, ast.Name) and inner.id in site.scope.locals]
    names = [name for name in dict.fromkeys(names) if name in site.names_at() and name not in ("self", "cls")]
    others = ("None", "0", "[]", "''", "False", *names[:1])
    for order, guard in enumerate(dict.fromkeys([*names[:3], *_needed(site, value)])):
        for rank, other in enumerate(others):
            if other != guard or other == names[0]:
                cost = 3.2 + 0.25 * order + 0.12 * rank
                yield site.replace("guard-value", cost, value, f"{text} if {guard} else {other}", 1)
    if isinstance(value, ast.Name | ast.Call | ast.Attribute | ast.Subscript):
        for rank, other in enumerate(("[]", "0", "''", "None", *site.names_at()[:4])):
            yield site.replace("or-value", 3.4 + 0.12 * rank, value, f"{site.source.atom(value, 3)} or {other}", 2)


@on_statement
def wrap_in_test(site: Site) -> Iterator[Mutation]:
    """A statement that must only run under a condition."""
    statement = site.statement
    if not isinstance(
        statement, ast.Expr | ast.AugAssign | ast.Assign | ast.Return | ast.Raise | ast.Break | ast.Continue
    ):
        return
    lines = site.source.own_lines(statement)
    if lines is None or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
        return
    names = [node.id for node in ast.walk(statement) if isinstance(node, ast.Name)]
    if site.loops:
        for loop in reversed(site.loops):
            if isinstance(loop, ast.For):
                names += [node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)]
    body = site.source.text[lines[0] : lines[1]]
    if statement.lineno != statement.end_lineno:
        return
    indent = site.source.indent(statement.lineno)
    unit, newline = site.source.indent_unit, site.source.newline
    clauses = dict.fromkeys(
        [*_needed(site, statement), *site.routine.clauses, *_loop_pairs(site), *_simple_clauses(site, statement, names)]
    )
    for rank, clause in enumerate(list(clauses)[:_MAX_CLAUSES]):
        text = f"{indent}if {clause}:{newline}{unit}{body}"
        yield Mutation("wrap-in-test", 3.0 + 0.04 * rank, ((*lines, text),), wide=True)


def _loop_pairs(site: Site) -> Iterator[str]:
    """Conditions between the variables of nested loops."""
    targets = [loop.target.id for loop in site.loops if isinstance(loop, ast.For) and isinstance(loop.target, ast.Name)]
    for index, first in enumerate(targets):
        for second in targets[index + 1 :]:
            yield from (f"{first} == {second}", f"{first} != {second}", f"{first} < {second}", f"{first} > {second}")
