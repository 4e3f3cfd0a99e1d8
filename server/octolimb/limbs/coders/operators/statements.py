"""Operators on whole statements: deleted, moved, swapped, put at another depth, jumps exchanged, branches swapped."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from octolimb.limbs.coders.sites import Mutation, Site, on, on_statement

_SIMPLE = (
    ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Raise, ast.Break, ast.Continue, ast.Assert,
    ast.Delete, ast.Pass, ast.Global, ast.Nonlocal,
)  # fmt: skip
_JUMPS: dict[type[ast.AST], tuple[str, str]] = {
    ast.Break: ("continue", "pass"),
    ast.Continue: ("break", "pass"),
    ast.Pass: ("continue", "break"),
}


def is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


@on_statement
def delete_statement(site: Site) -> Iterator[Mutation]:
    statement = site.statement
    lines = site.source.own_lines(statement)
    if lines is None or is_docstring(statement) or isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Pass):
        return
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return
    cost = {
        ast.AugAssign: 1.9, ast.Expr: 1.9, ast.Continue: 1.7, ast.Break: 1.7, ast.Return: 2.3, ast.Raise: 2.2,
        ast.If: 2.2, ast.Assign: 2.2,
    }.get(type(statement), 2.6)  # fmt: skip
    if isinstance(statement, ast.Assign) and _binds_first(site, statement):
        cost += 1.4
    if len(site.block) > 1:
        yield Mutation("delete-statement", cost, ((*lines, ""),), wide=True)
        if site.index + 1 < len(site.block):
            after = site.source.own_lines(site.block[site.index + 1])
            if after is not None and len(site.block) > 2:
                yield Mutation("delete-two-statements", cost + 0.7, ((lines[0], after[1], ""),), wide=True)
    elif isinstance(statement, _SIMPLE):
        start, end = site.source.span(statement)
        yield site.put("delete-statement", cost, start, end, "pass")


def _binds_first(site: Site, statement: ast.Assign) -> bool:
    """True where what the assignment binds would be missing without it."""
    return any(
        isinstance(target, ast.Name)
        and site.scope.locals.get(target.id) == statement.lineno
        and any(
            isinstance(node, ast.Name) and node.id == target.id and node is not target for node in site.routine.nodes
        )
        for target in statement.targets
    )


@on_statement
def swap_neighbours(site: Site) -> Iterator[Mutation]:
    if site.index + 1 >= len(site.block) or is_docstring(site.statement):
        return
    other = site.block[site.index + 1]
    first, second = site.source.own_lines(site.statement), site.source.own_lines(other)
    if first is None or second is None or not isinstance(site.statement, _SIMPLE) or not isinstance(other, _SIMPLE):
        return
    text, newline = site.source.text, site.source.newline
    lower = text[second[0] : second[1]]
    if not lower.endswith(("\n", "\r")):
        moved = lower + newline + text[first[1] : second[0]] + text[first[0] : first[1]].removesuffix(newline)
    else:
        moved = lower + text[first[1] : second[0]] + text[first[0] : first[1]]
    yield Mutation("swap-statements", 2.3, ((first[0], second[1], moved),), wide=True)


@on_statement
def dedent_statement(site: Site) -> Iterator[Mutation]:
    """The last statement of a block belongs after the block: a `return` inside the loop that it should follow."""
    owner = site.source.parents.get(site.statement)
    lines = site.source.own_lines(site.statement)
    if lines is None or site.depth == 0 or site.index != len(site.block) - 1 or len(site.block) < 2:
        return
    if not isinstance(owner, ast.For | ast.While | ast.If | ast.With | ast.Try) or owner.end_lineno is None:
        return
    if owner.end_lineno != site.statement.end_lineno or isinstance(site.statement, ast.Break | ast.Continue):
        return
    outer, inner = site.source.indent(owner.lineno), site.source.indent(site.statement.lineno)
    moved = site.source.shifted(lines, inner, outer)
    cost = 1.6 if isinstance(site.statement, ast.Return) else 2.2
    yield Mutation("dedent-statement", cost, ((*lines, moved),), wide=True)


@on_statement
def indent_statement(site: Site) -> Iterator[Mutation]:
    """A statement that belongs at the end of the block before it."""
    if site.index == 0:
        return
    before = site.block[site.index - 1]
    lines = site.source.own_lines(site.statement)
    if lines is None or not isinstance(before, ast.For | ast.While | ast.If | ast.With | ast.Try):
        return
    if isinstance(site.statement, ast.FunctionDef | ast.ClassDef):
        return
    last: ast.stmt = before
    indents: list[str] = []
    while isinstance(last, ast.For | ast.While | ast.If | ast.With):
        last = (getattr(last, "orelse", None) or last.body)[-1]
        if site.source.own_lines(last) is not None:
            indents.append(site.source.indent(last.lineno))
    own = site.source.indent(site.statement.lineno)
    for rank, indent in enumerate(dict.fromkeys(indents)):
        moved = site.source.shifted(lines, own, indent)
        yield Mutation("indent-statement", 2.3 + 0.4 * rank, ((*lines, moved),), wide=True)


@on(ast.Break, ast.Continue, ast.Pass)
def swap_jump(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.stmt)
    start, end = site.source.span(node)
    words = _JUMPS[type(node)]
    if site.loops:
        for rank, word in enumerate(words):
            yield site.put("swap-jump", 1.0 + 0.6 * rank, start, end, word)
    if not isinstance(node, ast.Pass) or site.function is not None:
        for rank, name in enumerate(site.names_at()[:6] if site.function else ()):
            yield site.put("jump-to-return", 2.4 + 0.2 * rank, start, end, f"return {name}")
        if site.function is not None:
            for word in ("False", "True", "None"):
                yield site.put("jump-to-return", 3.0, start, end, f"return {word}")


@on(ast.Return)
def return_to_jump(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.Return)
    if site.loops:
        for word in ("break", "continue"):
            yield site.put("return-to-jump", 2.6, *site.source.span(node), word)


@on_statement
def swap_branches(site: Site) -> Iterator[Mutation]:
    statement, source = site.statement, site.source
    if not isinstance(statement, ast.If) or not statement.orelse:
        return
    first, second = (source.own_lines(statement.body[0]), source.own_lines(statement.body[-1]))
    third, fourth = (source.own_lines(statement.orelse[0]), source.own_lines(statement.orelse[-1]))
    if first and second and third and fourth:
        then, other = source.text[first[0] : second[1]], source.text[third[0] : fourth[1]]
        if not other.endswith(("\n", "\r")):
            other, then = other + source.newline, then.removesuffix(source.newline)
        yield Mutation("swap-branches", 1.6, ((first[0], second[1], other), (third[0], fourth[1], then)), wide=True)
    elif first and second and isinstance(statement.orelse[0], ast.If):
        inner = statement.orelse[0]
        body = source.own_lines(inner.body[0]), source.own_lines(inner.body[-1])
        if body[0] and body[1]:
            then, other = source.text[first[0] : second[1]], source.text[body[0][0] : body[1][1]]
            if other.endswith(("\n", "\r")):
                edits = ((first[0], second[1], other), (body[0][0], body[1][1], then))
                yield Mutation("swap-branches", 2.0, edits, wide=True)


@on_statement
def change_elif(site: Site) -> Iterator[Mutation]:
    """`elif` that should be its own `if`, and the other way round."""
    source, statement = site.source, site.statement
    if not isinstance(statement, ast.If):
        return
    start, _ = source.span(statement)
    if source.text.startswith("elif", start):
        yield Mutation("elif-to-if", 1.9, ((start, start + 4, "if"),), wide=True)
        body, last = source.own_lines(statement.body[0]), statement.body[-1]
        if body is not None and not statement.orelse and source.own_lines(last):
            assert last.end_lineno is not None
            yield Mutation("elif-to-else", 2.8, ((start, body[0], f"else:{source.newline}"),), wide=True)
    elif site.index and isinstance(site.block[site.index - 1], ast.If) and source.own_lines(statement) is not None:
        before = site.block[site.index - 1]
        assert isinstance(before, ast.If)
        if not before.orelse or isinstance(before.orelse[-1], ast.If):
            yield Mutation("if-to-elif", 2.2, ((start, start + 2, "elif"),), wide=True)


@on_statement
def unwrap_block(site: Site) -> Iterator[Mutation]:
    """A condition or a loop too many: its body alone."""
    source, statement = site.source, site.statement
    lines = source.own_lines(statement)
    if not isinstance(statement, ast.If | ast.For | ast.While) or lines is None:
        return
    first, last = source.own_lines(statement.body[0]), source.own_lines(statement.body[-1])
    if first is None or last is None:
        return
    outer, inner = source.indent(statement.lineno), source.indent(statement.body[0].lineno)
    moved = source.shifted((first[0], last[1]), inner, outer)
    cost = 2.6 if isinstance(statement, ast.If) else 3.4
    yield Mutation("unwrap-block", cost, ((*lines, moved),), wide=True)
    if isinstance(statement, ast.If):
        start, _ = source.span(statement)
        if site.loops or isinstance(statement.body[-1], ast.Return) is False:
            yield Mutation("if-to-while", 3.4, ((start, start + 2, "while"),), wide=True)
        if statement.orelse:
            yield Mutation("drop-else", 2.6, ((last[1], lines[1], ""),), wide=True)
    elif isinstance(statement, ast.While):
        start, _ = source.span(statement)
        yield Mutation("while-to-if", 3.0, ((start, start + 5, "if"),), wide=True)


@on_statement
def handle_exception(site: Site) -> Iterator[Mutation]:
    """The type that an `except` clause catches."""
    if not isinstance(site.statement, ast.Try):
        return
    for handler in site.statement.handlers:
        if isinstance(handler.type, ast.Name):
            kinds = [
                site.pain.exception,
                "Exception",
                "ValueError",
                "KeyError",
                "TypeError",
                "IndexError",
                "AttributeError",
            ]
            for rank, kind in enumerate(dict.fromkeys(kind for kind in kinds if kind)):
                if kind != handler.type.id:
                    yield site.replace("swap-exception", 2.0 + 0.2 * rank, handler.type, kind)
