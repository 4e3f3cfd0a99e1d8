"""Where a mutation can happen: one statement with its surroundings, and the value that describes a mutation.

It gathers what operators share (names in reach, expressions nearby, literals). It does NOT mutate; see `operators`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from octolimb.limbs.coders.pain import PainHints
from octolimb.limbs.coders.scopes import Scope, alike, own_nodes
from octolimb.limbs.coders.source import Block, Function, Loop, Source, bracket, precedence

_SMALL = 40
_ATOMS = (ast.Name, ast.Constant, ast.Call, ast.Attribute, ast.Subscript)
_BORROWED = (ast.Call, ast.Subscript, ast.Attribute, ast.BinOp, ast.UnaryOp)


class Mutation(NamedTuple):
    """Edits as (start, end, text); `cost` is the operator's share only, lower first. `wide` edits move statements."""

    operator: str
    cost: float
    edits: tuple[tuple[int, int, str], ...]
    wide: bool = False


class Routine:
    """One function (or the module's own statements) and what its sites share."""

    def __init__(self, source: Source, scope: Scope, pain: PainHints, body: Block) -> None:
        self.source = source
        self.scope = scope
        self.pain = pain
        self.body = body
        self._unbound: list[str] | None = None

    @cached_property
    def nodes(self) -> list[ast.AST]:
        if self.scope.function is not None:
            return list(own_nodes(self.scope.function))
        return [node for statement in self.body for node in ast.walk(statement)]

    @cached_property
    def expressions(self) -> dict[str, ast.expr]:
        """Short expressions of the function that may be borrowed elsewhere in it, by their text."""
        found: dict[str, ast.expr] = {}
        for node in self.nodes:
            if isinstance(node, _BORROWED) and not isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
                if isinstance(self.source.parents.get(node), ast.FormattedValue | ast.JoinedStr):
                    continue
                text = self.source.of(node)
                if len(text) <= _SMALL and "\n" not in text and text not in found:
                    found[text] = node
        return found

    @cached_property
    def clauses(self) -> dict[str, ast.expr]:
        """Short conditions of the function, by their text."""
        found: dict[str, ast.expr] = {}
        for node in self.nodes:
            if isinstance(node, ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
                text = self.source.of(node)
                if len(text) <= _SMALL and "\n" not in text:
                    found.setdefault(text, node)
        return found

    def unbound(self, read: Callable[[Routine], list[str]]) -> list[str]:
        """What `read` finds unbound in this function, found once."""
        if self._unbound is None:
            self._unbound = read(self)
        return self._unbound

    @cached_property
    def own_attributes(self) -> dict[str, None]:
        """What a method reads from `self`, as text."""
        found: dict[str, None] = {}
        for node in self.nodes:
            match node:
                case ast.Attribute(value=ast.Name(id="self"), attr=attr, ctx=ast.Load()):
                    parent = self.source.parents.get(node)
                    if not (isinstance(parent, ast.Call) and parent.func is node):
                        found[f"self.{attr}"] = None
        return found

    def literals(self, kind: type) -> list[object]:
        """The literals of exactly this type in the function, the most frequent first."""
        counts: dict[object, int] = {}
        for node in self.nodes:
            if isinstance(node, ast.Constant) and type(node.value) is kind:
                counts[node.value] = counts.get(node.value, 0) + 1
        return sorted(counts, key=lambda value: -counts[value])

    @cached_property
    def strings(self) -> list[str]:
        return [value for value in self.literals(str) if isinstance(value, str) and len(value) <= _SMALL]

    @cached_property
    def integers(self) -> list[int]:
        return [value for value in self.literals(int) if isinstance(value, int)]

    @cached_property
    def mined(self) -> list[object]:
        """The pain's literals as values, constants first."""
        # 1, 1.0 and True are equal to Python, but different literals.
        return [ast.literal_eval(text) for text in dict.fromkeys((*self.pain.constants, *self.pain.expected))]

    @cached_property
    def unread(self) -> set[str]:
        """The names that the function is given or binds, and never reads."""
        read = {node.id for node in self.nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        return {name for name in self.scope.locals if name not in read and name not in ("self", "cls", "_")}

    @cached_property
    def changed(self) -> set[str]:
        """The names that the function binds more than once or updates."""
        found: set[str] = set()
        seen: set[str] = set()
        for node in self.nodes:
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                (found if node.id in seen else seen).add(node.id)
        return found


@dataclass(frozen=True)
class Site:
    """One statement where it stands: `block[index]`, inside `loops` (outermost first) of `routine`."""

    routine: Routine
    statement: ast.stmt
    block: Block
    index: int
    loops: tuple[Loop, ...]
    depth: int

    @property
    def source(self) -> Source:
        return self.routine.source

    @property
    def scope(self) -> Scope:
        return self.routine.scope

    @property
    def pain(self) -> PainHints:
        return self.routine.pain

    @property
    def function(self) -> Function | None:
        return self.scope.function

    # -- making mutations --------------------------------------------------------------------------------------

    def put(self, operator: str, cost: float, start: int, end: int, text: str) -> Mutation:
        return Mutation(operator, cost, ((start, end, text),))

    def replace(self, operator: str, cost: float, node: ast.AST, text: str, strength: int = 15) -> Mutation:
        """`text`, which binds with `strength`, in the node's place; in parentheses where that place needs them."""
        start, end = self.source.span(node)
        if self.source.text[start - 1 : start].isalnum() and text[:1].isalnum():
            text = " " + text
        return Mutation(operator, cost, ((start, end, bracket(text, strength, self.source.needs(node))),))

    def instead(self, operator: str, cost: float, node: ast.AST, other: ast.expr) -> Mutation:
        """The text of `other` in the node's place, without brackets around the node that it does not need."""
        if isinstance(other, _ATOMS) and (grouped := self.source.grouping(node)) is not None:
            return self.put(operator, cost, *grouped, self.source.of(other))
        return self.replace(operator, cost, node, self.source.of(other), precedence(other))

    # -- what is in reach --------------------------------------------------------------------------------------

    def names_at(self, node: ast.AST | None = None) -> list[str]:
        """The local names that may be bound here, comprehension variables around `node` first."""
        found: dict[str, None] = {}
        parent = node
        while parent is not None and not isinstance(parent, ast.stmt):
            for generator in getattr(parent, "generators", ()):
                for inner in ast.walk(generator.target):
                    if isinstance(inner, ast.Name):
                        found[inner.id] = None
            if isinstance(parent, ast.Lambda):
                found.update(dict.fromkeys(argument.arg for argument in parent.args.args))
            parent = self.source.parents.get(parent)
        end = self.loops[0].end_lineno if self.loops else None
        limit = end or self.statement.lineno
        hidden = self._comprehension_names
        for name, line in self.scope.locals.items():
            if line <= limit and name not in found and name not in hidden:
                found[name] = None
        return list(found)

    @cached_property
    def _comprehension_names(self) -> set[str]:
        return _comprehension_only(self.routine)

    def numbers_at(self, node: ast.AST | None = None) -> list[str]:
        """The names in reach that hold a whole number, or may."""
        names = [name for name in self.names_at(node) if alike(self.scope.kinds.get(name, ""), "int") >= 0.6]
        return sorted(names, key=lambda name: -alike(self.scope.kinds.get(name, ""), "int"))


def _comprehension_only(routine: Routine) -> set[str]:
    inside: set[str] = set()
    outside: set[str] = set(routine.scope.parameters)
    targets: set[int] = set()
    for node in routine.nodes:
        if isinstance(node, ast.comprehension):
            for inner in ast.walk(node.target):
                if isinstance(inner, ast.Name):
                    inside.add(inner.id)
                    targets.add(id(inner))
    for node in routine.nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in targets:
            outside.add(node.id)
    return inside - outside


# -- the register ----------------------------------------------------------------------------------------------

OnNode = Callable[[Site, ast.AST], Iterator[Mutation]]
OnStatement = Callable[[Site], Iterator[Mutation]]

NODE_OPERATORS: dict[type[ast.AST], list[OnNode]] = {}
STATEMENT_OPERATORS: list[OnStatement] = []


def on(*kinds: type[ast.AST]) -> Callable[[OnNode], OnNode]:
    """Registers an operator for every node of these kinds in a statement's header."""

    def register(operator: OnNode) -> OnNode:
        for kind in kinds:
            NODE_OPERATORS.setdefault(kind, []).append(operator)
        return operator

    return register


def on_statement(operator: OnStatement) -> OnStatement:
    """Registers an operator for every statement."""
    STATEMENT_OPERATORS.append(operator)
    return operator
