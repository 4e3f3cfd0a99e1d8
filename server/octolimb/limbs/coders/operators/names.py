"""Operators on names: another variable of the same type first, another attribute, another function of the file."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator

from octolimb.limbs.coders.scopes import alike, base
from octolimb.limbs.coders.sites import Mutation, Site, on
from octolimb.limbs.coders.source import Function


@on(ast.Name)
def misuse_variable(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.Name)
    names = site.names_at(node)
    if node.id not in names and node.id not in site.scope.constants:
        return
    if node.id in ("self", "cls"):
        return
    parent = site.source.parents.get(node)
    called = isinstance(parent, ast.Call) and parent.func is node
    store = not isinstance(node.ctx, ast.Load)
    if called or (store and not isinstance(parent, ast.AugAssign | ast.Assign)):
        return
    kind = site.scope.kinds.get(node.id, "")
    rank = 0
    for name in sorted(names, key=lambda name: -_likeness(site, node.id, kind, name)):
        if name == node.id or name in ("self", "cls", "_"):
            continue
        likeness = alike(kind, site.scope.kinds.get(name, ""))
        cost = 1.2 + 1.8 * (1 - likeness) + 0.12 * rank + (0.5 if store else 0.0)
        if not store and _bound_only_here(site, name):
            cost += 1.2
        rank += 1
        yield site.replace("misuse-variable", cost, node, name)
    if not store:
        for rank, name in enumerate(name for name in site.scope.constants[:12] if name != node.id):
            yield site.replace("misuse-constant", 2.8 + 0.1 * rank, node, name)


def _likeness(site: Site, name: str, kind: str, other: str) -> float:
    similar = difflib.SequenceMatcher(None, name, other).ratio()
    role = 0.2 if (name in site.scope.parameters) == (other in site.scope.parameters) else 0.0
    return alike(kind, site.scope.kinds.get(other, "")) + role + 0.3 * similar


def _bound_only_here(site: Site, name: str) -> bool:
    """True for a name that this very assignment binds first: reading it on the right would fail."""
    return (
        isinstance(site.statement, ast.Assign)
        and site.scope.locals.get(name) == site.statement.lineno
        and name not in site.routine.changed
        and any(isinstance(target, ast.Name) and target.id == name for target in site.statement.targets)
    )


@on(ast.Name)
def misuse_and_convert(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """Another variable that first has to be of this one's type: `str(x)` for `items`."""
    assert isinstance(node, ast.Name)
    kind = base(site.scope.kinds.get(node.id, ""))
    parent = site.source.parents.get(node)
    if not isinstance(node.ctx, ast.Load) or node.id in ("self", "cls") or node.id not in site.scope.locals:
        return
    owner = isinstance(parent, ast.Attribute) and isinstance(site.source.parents.get(parent), ast.Call)
    if owner and not kind:
        kind = "str"
    makers = {"str": ("str", "bin", "repr"), "int": ("len", "int", "ord", "sum"), "list": ("list", "sorted", "set")}
    for order, name in enumerate(site.names_at(node)[:6]):
        if name != node.id and name not in ("self", "cls"):
            for rank, maker in enumerate(makers.get(kind, ())):
                yield site.replace("misuse-and-convert", 3.3 + 0.1 * order + 0.15 * rank, node, f"{maker}({name})")


@on(ast.Name)
def change_every_use(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """Both uses of a name in one expression are the same slip."""
    assert isinstance(node, ast.Name)
    if not isinstance(node.ctx, ast.Load) or node.id not in site.scope.locals:
        return
    value = getattr(site.statement, "value", None) or getattr(site.statement, "test", None)
    if not isinstance(value, ast.expr):
        return
    same = [other for other in ast.walk(value) if isinstance(other, ast.Name) and other.id == node.id]
    if len(same) < 2 or same[0] is not node:
        return
    kind = site.scope.kinds.get(node.id, "")
    for name in site.names_at(node):
        if name != node.id and name not in ("self", "cls") and alike(kind, site.scope.kinds.get(name, "")) >= 0.6:
            yield Mutation("misuse-every-use", 2.8, tuple((*site.source.span(other), name) for other in same))


@on(ast.Name)
def misuse_function(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """Another function of the file, called with as many arguments."""
    assert isinstance(node, ast.Name)
    parent = site.source.parents.get(node)
    if not (isinstance(parent, ast.Call) and parent.func is node) or node.id not in site.scope.functions:
        return
    close = difflib.get_close_matches(node.id, site.scope.functions, n=6, cutoff=0.4)
    for name, arity in site.scope.functions.items():
        if name != node.id and (arity == len(parent.args) or name in close):
            yield site.replace("misuse-function", 1.6 if name in close else 2.2, node, name)


@on(ast.Attribute)
def misuse_attribute(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.Attribute)
    if not isinstance(node.value, ast.Name) or node.value.id not in ("self", "cls"):
        return
    parent = site.source.parents.get(node)
    called = isinstance(parent, ast.Call) and parent.func is node
    owner = site.source.parents.get(site.function) if site.function else None
    if not isinstance(owner, ast.ClassDef):
        return
    methods = {statement.name for statement in owner.body if isinstance(statement, Function)}
    names = [name for name in site.scope.attributes.get(owner.name, ()) if name != node.attr and not _dunder(name)]
    names = [name for name in names if (name in methods) == called or not methods]
    names.sort(key=lambda name: -difflib.SequenceMatcher(None, node.attr, name).ratio())
    end = site.source.span(node)[1]
    for rank, name in enumerate(names[:10]):
        yield site.put("misuse-attribute", 1.8 + 0.12 * rank, end - len(node.attr), end, name)
    if isinstance(node.ctx, ast.Load) and not called and node.attr in site.names_at(node):
        yield site.replace("attribute-to-name", 2.2, node, node.attr)


@on(ast.Attribute)
def misuse_foreign_attribute(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """Another attribute that this or a like object has elsewhere in the function."""
    assert isinstance(node, ast.Attribute)
    parent = site.source.parents.get(node)
    if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
        return
    if isinstance(parent, ast.Call) and parent.func is node:
        return
    others: dict[str, None] = {}
    for other in site.routine.nodes:
        if isinstance(other, ast.Attribute) and other.attr != node.attr:
            above = site.source.parents.get(other)
            if not (isinstance(above, ast.Call) and above.func is other):
                others[other.attr] = None
    end = site.source.span(node)[1]
    for rank, name in enumerate(list(others)[:6]):
        yield site.put("misuse-attribute", 2.0 + 0.15 * rank, end - len(node.attr), end, name)


def _dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


@on(ast.Name)
def name_to_attribute(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """`value` for `self.value` in a method."""
    assert isinstance(node, ast.Name)
    if not isinstance(node.ctx, ast.Load) or "self" not in site.scope.parameters:
        return
    owner = site.source.parents.get(site.function) if site.function else None
    if isinstance(owner, ast.ClassDef):
        known = site.scope.attributes.get(owner.name, ())
        for name in (node.id, f"_{node.id}"):
            if name in known:
                yield site.replace("name-to-attribute", 2.2, node, f"self.{name}")


@on(ast.For)
def fix_loop_variable(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """What a loop goes over: its indices, its pairs, its reverse."""
    assert isinstance(node, ast.For)
    if not isinstance(node.target, ast.Name):
        return
    kind = site.scope.infer(node.iter).partition(":")[0]
    if kind == "dict":
        for method in ("items", "values", "keys"):
            yield site.replace("loop-over", 2.4, node.iter, f"{site.source.atom(node.iter)}.{method}()")
    if kind in ("list", "tuple", "str", ""):
        text = site.source.of(node.iter)
        yield site.replace("loop-over", 2.8, node.iter, f"range(len({text}))")
        yield site.replace("loop-over", 3.0, node.iter, f"list({text})")
    if isinstance(node.iter, ast.Name) and isinstance(node.iter.ctx, ast.Load) and kind in ("int", "num"):
        yield site.replace("loop-over", 1.6, node.iter, f"range({node.iter.id})")
