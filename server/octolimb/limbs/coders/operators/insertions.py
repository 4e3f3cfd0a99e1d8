"""Operators that add statements: guards and early returns, missing returns, steps, appends, and borrowed statements."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from octolimb.limbs.coders.operators.statements import is_docstring
from octolimb.limbs.coders.scopes import NUMBERS, base
from octolimb.limbs.coders.sites import Mutation, Site, on_statement

_GUARD_VALUES = ("None", "[]", "0", "''", "False", "True", "-1", "1", "{}", "()")


def _after(site: Site, operator: str, cost: float, line: str, *, before: bool = False) -> Iterator[Mutation]:
    """One more line at the statement's depth, after it or before it."""
    lines = site.source.own_lines(site.statement)
    if lines is None:
        return
    indent, newline, text = site.source.indent(site.statement.lineno), site.source.newline, site.source.text
    if before:
        yield Mutation(operator, cost, ((lines[0], lines[0], f"{indent}{line}{newline}"),), wide=True)
    elif text[: lines[1]].endswith(("\n", "\r")):
        yield Mutation(operator, cost, ((lines[1], lines[1], f"{indent}{line}{newline}"),), wide=True)
    else:
        yield Mutation(operator, cost, ((lines[1], lines[1], f"{newline}{indent}{line}"),), wide=True)


def _ends(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Return | ast.Raise | ast.Break | ast.Continue)


@on_statement
def return_at_end(site: Site) -> Iterator[Mutation]:
    """A function that falls off its end, or ends in a value that it does not return."""
    if site.function is None or site.depth or site.statement is not site.function.body[-1]:
        return
    statement = site.statement
    if _ends(statement) or isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return
    returns = any(isinstance(node, ast.Return) and node.value is not None for node in site.routine.nodes)
    yields = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in site.routine.nodes)
    cost = (2.4 if returns else 1.2) + (2.0 if yields else 0.0)
    if isinstance(statement, ast.Expr) and not is_docstring(statement):
        start, _ = site.source.span(statement)
        yield site.put("return-value", cost - 0.2, start, start, "return ")
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        yield from _after(site, "return-at-end", cost - 0.2, f"return {statement.targets[0].id}")
    updated = [name for name in site.names_at() if name not in site.scope.parameters]
    for rank, name in enumerate(reversed([*site.scope.parameters, *updated])):
        if name not in ("self", "cls"):
            yield from _after(site, "return-at-end", cost + 0.2 + 0.15 * rank, f"return {name}")
    for rank, text in enumerate(("False", "True", "None", "[]", "0", "''", "-1")):
        yield from _after(site, "return-at-end", cost + 0.8 + 0.1 * rank, f"return {text}")


@on_statement
def insert_guard(site: Site) -> Iterator[Mutation]:
    """An early return for a special input at the head of the function."""
    if site.function is None or site.depth:
        return
    body = [statement for statement in site.function.body if not is_docstring(statement)]
    if not body or site.statement is not body[0]:
        return
    wanted = [text for text in site.pain.expected if len(text) <= 24]
    values = list(dict.fromkeys([*(text for text in _GUARD_VALUES if text in wanted), *wanted[:3], *_GUARD_VALUES]))
    parameters = [name for name in site.scope.parameters if name not in ("self", "cls")][:4]
    values = [*values[:6], *parameters[:2], *values[6:]]
    for order, name in enumerate(parameters):
        for place, guard in enumerate(_guards(site, name)):
            for rank, value in enumerate(values):
                cost = 3.2 + 0.35 * order + 0.22 * place + 0.12 * rank
                line = f"if {guard}:{site.source.newline}"
                indent = site.source.indent(site.statement.lineno) + site.source.indent_unit
                yield from _after(site, "insert-guard", cost, f"{line}{indent}return {value}", before=True)


def _guards(site: Site, name: str) -> list[str]:
    kind = base(site.scope.kinds.get(name, ""))
    if kind in NUMBERS:
        return [
            f"{name} == 0",
            f"{name} <= 0",
            f"{name} < 0",
            f"{name} == 1",
            f"{name} <= 1",
            f"{name} < 2",
            f"{name} is None",
        ]
    if kind in ("list", "str", "tuple", "dict", "set", "bytes"):
        return [f"not {name}", f"len({name}) == 1", f"{name} is None", f"len({name}) < 2"]
    return [f"not {name}", f"{name} is None", f"{name} <= 0", f"{name} == 1", f"{name} == 0"]


@on_statement
def insert_return_if(site: Site) -> Iterator[Mutation]:
    """A condition of the function, turned into an early return before a later statement."""
    if site.function is None or site.depth > 1 or is_docstring(site.statement) or site.loops:
        return
    newline = site.source.newline
    indent = site.source.indent(site.statement.lineno) + site.source.indent_unit
    values = ("False", "True", "None", "0", "[]", "''", *site.scope.parameters[:1])
    for place, clause in enumerate(list(site.routine.clauses)[:6]):
        for rank, value in enumerate(values):
            line = f"if {clause}:{newline}{indent}return {value}"
            yield from _after(site, "insert-return-if", 4.0 + 0.2 * place + 0.12 * rank, line, before=True)


@on_statement
def insert_step(site: Site) -> Iterator[Mutation]:
    """A loop whose variable never moves; a counter that is never counted."""
    if not site.loops or _ends(site.statement) or site.index != len(site.block) - 1:
        return
    loop = site.loops[-1]
    tested: list[str] = []
    if isinstance(loop, ast.While):
        tested = [node.id for node in ast.walk(loop.test) if isinstance(node, ast.Name)]
    stepped = {
        node.target.id
        for node in ast.walk(loop)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)
    }
    direct = site.source.parents.get(site.statement) is loop
    assigned = [name for name in site.names_at() if name not in site.scope.parameters]
    for rank, name in enumerate(dict.fromkeys([*tested, *assigned])):
        if base(site.scope.kinds.get(name, "")) not in (*NUMBERS, ""):
            continue
        cost = 1.8 if name in tested and name not in stepped else 3.2
        cost += 0.1 * rank + (0.0 if direct else 0.8)
        for place, symbol in enumerate(("+=", "-=")):
            yield from _after(site, "insert-step", cost + 0.2 * place, f"{name} {symbol} 1")


@on_statement
def insert_append(site: Site) -> Iterator[Mutation]:
    """What a loop finds and never keeps."""
    if not site.loops or _ends(site.statement) or site.index != len(site.block) - 1:
        return
    names = [name for name in site.names_at() if name not in ("self", "cls")]
    lists = [name for name in names if base(site.scope.kinds.get(name, "")) in ("list", "set")]
    for order, owner in enumerate(lists[:4]):
        method = "append" if base(site.scope.kinds[owner]) == "list" else "add"
        for rank, name in enumerate(other for other in names[:10] if other != owner):
            yield from _after(site, "insert-append", 3.2 + 0.3 * order + 0.1 * rank, f"{owner}.{method}({name})")


@on_statement
def vary_sibling(site: Site) -> Iterator[Mutation]:
    """After a loop, what its body does once more for the last element; a sibling with one name replaced."""
    statement = site.statement
    if site.function is None or _ends(statement) or is_docstring(statement):
        return
    reach = set(site.names_at())
    sequences = [name for name in reach if base(site.scope.kinds.get(name, "")) in ("list", "str", "tuple", "")]
    rank = 0
    source: ast.AST = statement if isinstance(statement, ast.For | ast.While) else ast.Module([], [])
    for node in ast.walk(source):
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)) or len(node.value.args) != 1:
            continue
        if not isinstance(node.value.func, ast.Attribute):
            continue
        start, _ = site.source.span(node)
        head = site.source.text[start : site.source.span(node.value.args[0])[0]]
        options = [site.source.of(node.value.args[0])]
        options += [name for name in site.names_at() if name not in ("self", "cls")]
        options += [f"{name}[{index}]" for name in sorted(sequences) for index in ("-1", "0")]
        for text in dict.fromkeys(options):
            if not text.startswith(head.partition(".")[0]):
                yield from _after(site, "vary-sibling", 3.0 + 0.1 * rank, f"{head}{text})")
                rank += 1


@on_statement
def insert_assignment(site: Site) -> Iterator[Mutation]:
    """A variable that must be reset, or set to another in reach."""
    if is_docstring(site.statement) or site.function is None:
        return
    changed = [name for name in site.names_at() if name in site.routine.changed][:6]
    for order, name in enumerate(changed):
        kind = base(site.scope.kinds.get(name, ""))
        empty = {"list": ("[]",), "str": ("''",), "dict": ("{}",), "set": ("set()",), "bool": ("False", "True")}.get(
            kind, ("0", "1")
        )
        for rank, value in enumerate(empty):
            yield from _after(site, "insert-reset", 3.6 + 0.15 * order + 0.2 * rank, f"{name} = {value}", before=True)
        if site.index == len(site.block) - 1 and not _ends(site.statement):
            for rank, other in enumerate(site.names_at()[:6]):
                if other != name:
                    yield from _after(site, "insert-assignment", 3.8 + 0.15 * order + 0.12 * rank, f"{name} = {other}")
            for rank, value in enumerate(empty):
                yield from _after(site, "insert-reset", 3.8 + 0.15 * order + 0.2 * rank, f"{name} = {value}")


@on_statement
def insert_jump(site: Site) -> Iterator[Mutation]:
    if not site.loops or _ends(site.statement) or site.index != len(site.block) - 1:
        return
    if site.source.parents.get(site.statement) is not site.loops[-1]:
        yield from _after(site, "insert-jump", 2.4, "break")
        yield from _after(site, "insert-jump", 2.6, "continue")
    else:
        yield from _after(site, "insert-jump", 3.6, "break")


@on_statement
def borrow_statement(site: Site) -> Iterator[Mutation]:
    """A simple statement of the function, once more after or before this one."""
    if is_docstring(site.statement) or site.function is None:
        return
    seen: dict[str, ast.stmt] = {}
    for node in site.routine.nodes:
        if not isinstance(node, ast.AugAssign | ast.Assign | ast.Expr | ast.Return) or node is site.statement:
            continue
        if node.lineno == node.end_lineno and not is_docstring(node):
            seen.setdefault(site.source.of(node), node)
    reach = set(site.names_at())
    last = site.index == len(site.block) - 1
    for rank, (text, node) in enumerate(sorted(seen.items(), key=lambda item: item[1].lineno)[:16]):
        names = {
            inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load)
        }
        if any(name in site.scope.locals and name not in reach for name in names):
            continue
        if isinstance(node, ast.Return) and not last:
            continue
        if not _ends(site.statement):
            yield from _after(site, "borrow-statement", 3.4 + 0.06 * rank, text)
        if not isinstance(node, ast.Return):
            yield from _after(site, "borrow-statement", 3.6 + 0.06 * rank, text, before=True)
