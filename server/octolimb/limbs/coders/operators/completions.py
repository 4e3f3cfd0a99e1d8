"""Operators that add what a function visibly lacks: a variable's first value, an `else`, what a loop goes over."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from octolimb.limbs.coders.scopes import NUMBERS, base
from octolimb.limbs.coders.sites import Mutation, Routine, Site, on, on_statement

_OPPOSITE = {ast.Add: "-=", ast.Sub: "+=", ast.Mult: "//=", ast.FloorDiv: "*=", ast.Div: "*="}
_FIRST_VALUES = ("0", "[]", "1", "''", "{}", "None", "False", "True", "set()", "float('inf')", "float('-inf')")


def _unbound(routine: Routine) -> list[str]:
    """The names that the function reads or updates and nothing binds, in order of appearance."""
    bound = {*routine.scope.parameters, *routine.scope.functions, *routine.scope.constants, *dir(builtins)}
    used: dict[str, int] = {}
    for node in routine.nodes:
        match node:
            case ast.AugAssign(target=ast.Name(id=name)):
                used.setdefault(name, node.lineno)
            case ast.Name(id=name, ctx=ast.Load()):
                used[name] = min(node.lineno, used.get(name, node.lineno))
            case ast.alias(name=name, asname=alias):
                bound.add(alias or name.partition(".")[0])
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.ExceptHandler(name=str(name)):
                bound.add(name)
            case _:
                continue
    updated = {id(node.target) for node in routine.nodes if isinstance(node, ast.AugAssign)}
    for node in routine.nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in updated:
            bound.add(node.id)
    bound |= _module_names(routine)
    return sorted((name for name in used if name not in bound), key=lambda name: used[name])


def _module_names(routine: Routine) -> set[str]:
    found: set[str] = set()
    for node in routine.source.parents:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
    return found


@on_statement
def insert_first_value(site: Site) -> Iterator[Mutation]:
    """A variable that is never set: its first value, before the statement or the loop that needs it."""
    lines = site.source.own_lines(site.statement)
    if site.function is None or lines is None:
        return
    unbound = site.routine.unbound(_unbound)
    if not unbound:
        return
    mentioned = {node.id for node in ast.walk(site.statement) if isinstance(node, ast.Name)}
    indent, newline = site.source.indent(site.statement.lineno), site.source.newline
    values = dict.fromkeys(_FIRST_VALUES, 0.0)
    for node in site.routine.nodes:
        if isinstance(node, ast.Assign) and node.lineno == node.end_lineno:
            values.setdefault(site.source.of(node.value), 0.8)
    for name in site.scope.parameters[:3]:
        for text in (f"len({name})", name, f"sorted({name})", f"list({name})"):
            values.setdefault(text, 0.8)
    for order, name in enumerate(unbound[:2]):
        if name in mentioned:
            for rank, (value, extra) in enumerate(list(values.items())[:30]):
                cost = 0.9 + 0.3 * order + extra + 0.06 * rank + 0.3 * site.depth
                edit = (lines[0], lines[0], f"{indent}{name} = {value}{newline}")
                yield Mutation("insert-first-value", cost, (edit,), wide=True)


@on_statement
def insert_else(site: Site) -> Iterator[Mutation]:
    """The other branch: the opposite update or return, or another value kept."""
    statement, source = site.statement, site.source
    lines = source.own_lines(statement)
    if not isinstance(statement, ast.If) or statement.orelse or lines is None:
        return
    if not source.text[: lines[1]].endswith(("\n", "\r")) or statement.body[0].lineno == statement.lineno:
        return
    indent, newline = source.indent(statement.lineno), source.newline
    for rank, text in enumerate(dict.fromkeys(_other_branches(site, statement.body[-1]))):
        added = f"{indent}else:{newline}{indent}{source.indent_unit}{text}{newline}"
        yield Mutation("insert-else", 3.0 + 0.1 * rank, ((lines[1], lines[1], added),), wide=True)


def _other_branches(site: Site, last: ast.stmt) -> Iterator[str]:
    source = site.source
    names = [name for name in site.names_at() if name not in ("self", "cls")]
    match last:
        case ast.AugAssign(target=target, op=op, value=value):
            owner = source.of(target)
            if type(op) in _OPPOSITE:
                yield f"{owner} {_OPPOSITE[type(op)]} {source.of(value)}"
            yield from (f"{owner} = 0", f"{owner} += {source.of(value)}")
            yield from (f"{owner} += {name}" for name in names[:6] if name != owner)
        case ast.Return(value=ast.Constant(value=bool(value))):
            yield f"return {not value}"
        case ast.Return():
            yield from (f"return {name}" for name in names[:5])
            yield from ("return None", "return False", "return []", "return 0")
        case ast.Expr(value=ast.Call(func=ast.Attribute() as function, args=[argument])):
            call = source.of(function)
            yield from (f"{call}({name})" for name in names[:8] if name != source.of(argument))
            yield from (f"{call}({text})" for text in ("0", "None", "''"))
        case ast.Assign(targets=[target]):
            owner = source.of(target)
            yield from (
                f"{owner} = {text}" for text in (*names[:5], "0", "None", "[]", "False", "True") if text != owner
            )
        case _:
            return
    if site.loops:
        yield from ("break", "continue")


@on(ast.For, ast.comprehension)
def complete_iterable(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """`enumerate`, `zip`, `items` where pairs are unpacked; `range` where a number is gone over."""
    assert isinstance(node, ast.For | ast.comprehension)
    text = site.source.of(node.iter)
    kind = base(site.scope.infer(node.iter))
    if isinstance(node.target, ast.Tuple) and len(node.target.elts) == 2:
        options = [f"enumerate({text})", f"{site.source.atom(node.iter)}.items()"]
        own = {inner.id for inner in ast.walk(node.target) if isinstance(inner, ast.Name)}
        others = [name for name in site.names_at(node) if name not in own and name != text]
        options += [f"zip({text}, {name})" for name in others[:5]]
        options += [f"zip({text}, {site.source.atom(node.iter)}[1:])"]
    elif kind in NUMBERS:
        options = [f"range({text})", f"range(1, {text})", f"range({text} + 1)"]
        options += [f"range({text}, {name})" for name in site.numbers_at(node)[:3]]
    else:
        return
    for rank, option in enumerate(options):
        if option != text:
            yield site.replace("complete-iterable", 1.6 + 0.2 * rank, node.iter, option)
