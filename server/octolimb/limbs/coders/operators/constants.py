"""Operators on literals: numbers near the written one, flipped booleans, strings seen nearby or in the tests."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator

from octolimb.limbs.coders.sites import Mutation, Site, on

_PAIRS = dict(zip("()[]{}<>'\"/\\+-01", ")(][}{><\"'\\/-+10", strict=True))
_BRACKETS = "()[]{}<>"
_SEPARATORS = ("", " ", ",", "\n", "_", "-", ", ")
_MAX_STRING = 60


@on(ast.Constant)
def change_boolean(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.Constant)
    if isinstance(node.value, bool):
        yield site.replace("flip-boolean", 0.6, node, str(not node.value))
        yield site.replace("boolean-to-none", 3.6, node, "None")


@on(ast.Constant)
def change_number(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.Constant)
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    parent = site.source.parents.get(node)
    negative = isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.USub)
    costs: dict[int | float, float] = {}

    def offer(number: int | float, cost: float) -> None:
        if number != value and abs(number) < 1e12:
            costs[number] = min(cost, costs.get(number, cost))

    if isinstance(value, int):
        offer(value + 1, 1.0)
        offer(value - 1, 1.0)
        if value in (0, 1):
            offer(1 - value, 0.8)
        offer(0, 1.8)
        offer(1, 1.8)
        offer(2, 2.2)
        if not negative:
            offer(-value, 2.0)
            offer(-1, 2.4)
        offer(value + 2, 3.0)
        offer(value - 2, 3.0)
        if value >= 2:
            offer(value * 2, 3.2)
            offer(value // 2, 3.2)
            offer(value * 10, 3.4)
            offer(value // 10, 3.6)
    else:
        for number, cost in ((0.0, 2.0), (1.0, 2.0), (value + 1, 2.0), (value - 1, 2.0), (-value, 2.2)):
            offer(number, cost)
        for number in (value * 2, value / 2, value * 10, value / 10, 0.5):
            offer(number, 2.8)
        if value.is_integer():
            yield site.replace("float-to-int", 2.6, node, str(int(value)), 14)
    for rank, number in enumerate(site.routine.integers):
        offer(number, 2.2 + 0.1 * rank)
    for rank, mined in enumerate(site.routine.mined[:40]):
        if type(mined) is type(value):
            offer(mined, 3.0 + 0.08 * rank)
    for number in _neutral_numbers(parent, node) & costs.keys():
        # `x - 0` is `x` with an operand dropped, which says it better.
        costs[number] = max(costs[number], 3.4)
    for number, cost in costs.items():
        yield site.replace("change-number", cost, node, repr(number), 14 if number >= 0 else 12)
    if isinstance(parent, ast.Assign | ast.Return | ast.keyword) and isinstance(value, int):
        yield site.replace("int-to-float", 3.2, node, f"{value}.0" if value else "float('inf')")
        if value == 0:
            yield site.replace("int-to-float", 3.2, node, "float('-inf')")
        for text, cost in (("None", 3.2), ("[]", 3.4), ("''", 3.6), ("False", 3.2), ("True", 3.2)):
            yield site.replace("number-to-other", cost, node, text)
    if negative:
        assert isinstance(parent, ast.UnaryOp)
        for other in (0, 1):
            yield site.replace("change-number", 1.8, parent, str(other), 14)


def _neutral_numbers(parent: ast.AST | None, node: ast.AST) -> set[int | float]:
    """What would make the operation around `node` do nothing."""
    match parent:
        case ast.BinOp(op=ast.Add()) | ast.BinOp(op=ast.Sub(), right=ast.Constant()):
            return {0}
        case ast.BinOp(op=ast.Mult()):
            return {1}
        case ast.BinOp(op=ast.Div() | ast.FloorDiv() | ast.Pow(), right=right) if right is node:
            return {1}
    return set()


@on(ast.Constant)
def change_string(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.Constant)
    value = node.value
    if not isinstance(value, str) or len(value) > _MAX_STRING:
        return
    raw = site.source.of(node)
    costs: dict[str, tuple[str, float]] = {}

    def offer(text: str, cost: float, operator: str = "change-string") -> None:
        if text != value and cost < costs.get(text, ("", 9.0))[1]:
            costs[text] = (operator, cost)

    if not value.strip(" ,_-\n"):
        for rank, separator in enumerate(_SEPARATORS):
            offer(separator, (1.0 if len(value) < 2 and len(separator) < 2 else 1.6) + 0.15 * rank)
    if len(value) == 1:
        if value in _PAIRS:
            offer(_PAIRS[value], 1.4)
        if value in _BRACKETS:
            for rank, other in enumerate(_BRACKETS):
                offer(other, 2.0 + 0.05 * rank)
        if value.isdigit():
            offer(chr(ord(value) + 1), 2.0)
            offer(chr(ord(value) - 1), 2.0)
    if value:
        offer("", 2.2)
        offer(value.swapcase() if len(value) == 1 else value.lower(), 2.0)
        for other in (value.upper(), value.title(), value.capitalize(), value.strip()):
            offer(other, 2.6)
    for rank, other in enumerate(site.routine.strings):
        offer(other, 2.0 + 0.15 * rank, "string-nearby")
    mined = [text for text in site.routine.mined if isinstance(text, str) and len(text) <= _MAX_STRING]
    close = difflib.get_close_matches(value, mined, n=4, cutoff=0.6) if len(value) > 2 else []
    for rank, other in enumerate(close):
        offer(other, 1.6 + 0.2 * rank, "string-from-test")
    for rank, other in enumerate(mined[:25]):
        offer(other, 3.2 + 0.1 * rank, "string-from-test")
    if 1 < len(value) <= 24:
        for index in range(len(value)):
            offer(value[:index] + value[index + 1 :], 1.9 if len(value) <= 3 else 2.8, "drop-character")
        if len(value) <= 12:
            for index in range(len(value) - 1):
                offer(value[:index] + value[index + 1] + value[index] + value[index + 2 :], 3.0, "swap-characters")
        offer(value[::-1], 2.8)
    if value:
        offer(value + " ", 2.8, "pad-string")
        offer(" " + value, 2.8, "pad-string")
        offer(value + value[-1], 3.0, "pad-string")
    for text, (operator, cost) in costs.items():
        yield site.replace(operator, cost, node, _quoted(text, raw))


@on(ast.Constant)
def string_to_name(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.Constant)
    if isinstance(node.value, str) and node.value.isidentifier() and node.value in site.names_at(node):
        for suffix, cost in (("", 1.4), (".encode()", 2.0), (".lower()", 3.0), (".strip()", 3.2)):
            yield site.replace("string-to-name", cost, node, node.value + suffix)


@on(ast.Constant, ast.List, ast.Tuple, ast.Dict)
def literal_to_name(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """A name in the place of a literal: one that nothing reads first; of displays, only the empty ones."""
    display = not isinstance(node, ast.Constant)
    if getattr(node, "elts", None) or getattr(node, "values", None):
        return
    unread = site.routine.unread
    for rank, name in enumerate(sorted(site.names_at(node), key=lambda name: name not in unread)[:12]):
        if name in unread:
            yield site.replace("literal-to-name", 1.0 + 0.1 * rank, node, name)
        elif display and name not in ("self", "cls", "_"):
            yield site.replace("literal-to-name", 2.4 + 0.1 * rank, node, name)
    if display:
        for rank, attribute in enumerate(list(site.routine.own_attributes)[:8]):
            yield site.replace("literal-to-name", 2.6 + 0.1 * rank, node, attribute)


@on(ast.Constant)
def change_none(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.Constant)
    if node.value is None:
        for text, cost in (
            ("[]", 2.4),
            ("0", 2.6),
            ("''", 2.8),
            ("False", 2.4),
            ("True", 2.8),
            ("{}", 3.2),
            ("-1", 3.2),
        ):
            yield site.replace("none-to-other", cost, node, text)


@on(ast.Constant)
def change_all_equal(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """The same slip is often made at every occurrence of a literal."""
    assert isinstance(node, ast.Constant)
    if node.value is None or isinstance(node.value, bytes) or node.value is ...:
        return
    same = [
        other
        for other in site.routine.nodes
        if isinstance(other, ast.Constant)
        and type(other.value) is type(node.value)
        and other.value == node.value
        and not isinstance(site.source.parents.get(other), ast.JoinedStr)
    ]
    if len(same) < 2:
        return
    for text, cost in _renditions(site, node):
        edits = tuple(site.replace("", 0, other, text, 14).edits[0] for other in same)
        yield Mutation("change-all-equal", cost, edits)


def _renditions(site: Site, node: ast.Constant) -> Iterator[tuple[str, float]]:
    value = node.value
    if isinstance(value, bool):
        yield str(not value), 2.2
    elif isinstance(value, int):
        for number in dict.fromkeys((value + 1, max(value - 1, 0), 0, 1)):
            if number != value:
                yield str(number), 2.6
    elif isinstance(value, str) and len(value) <= _MAX_STRING:
        options = ["", " ", value.lower(), value.upper(), *site.routine.strings[:4]]
        for text in dict.fromkeys(options):
            if text != value:
                yield _quoted(text, site.source.of(node)), 2.4


@on(ast.Return, ast.Assign)
def flip_boolean_pair(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """`return True ... return False` the wrong way round: both at once, for any two returns that disagree."""
    if not isinstance(node, ast.Return) or not _is_boolean(node.value):
        return
    assert isinstance(node.value, ast.Constant)
    returns = [
        other.value
        for other in site.routine.nodes
        if isinstance(other, ast.Return)
        and isinstance(other.value, ast.Constant)
        and isinstance(other.value.value, bool)
    ]
    returns.sort(key=lambda value: value.lineno)
    if len(returns) > 1:
        yield Mutation("flip-all-returns", 1.2, tuple(_flip(site, value) for value in returns))
    for other in returns:
        if other is not node.value and other.value is not node.value.value and len(returns) > 2:
            yield Mutation("flip-two-returns", 1.8, (_flip(site, node.value), _flip(site, other)))


def _is_boolean(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)


def _flip(site: Site, node: ast.Constant) -> tuple[int, int, str]:
    return (*site.source.span(node), str(not node.value))


def _quoted(text: str, raw: str) -> str:
    """`text` as a literal with the quote that the old one has."""
    literal = repr(text)
    if '"' in raw[:3] and '"' not in text and "\\" not in literal and literal[0] == "'":
        return f'"{literal[1:-1]}"'
    return literal


@on(ast.List, ast.Tuple, ast.Set)
def drop_item(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """One item too many in a display; and two neighbours the wrong way round."""
    if isinstance(getattr(node, "ctx", None), ast.Del):
        return
    items = site.source.items(node)
    store = isinstance(getattr(node, "ctx", None), ast.Store)
    text = site.source.text
    many = 0.0 if len(items) <= 4 else 0.6
    if len(items) >= 2 and not store and not (isinstance(node, ast.Tuple) and len(items) == 2):
        for index, (start, end) in enumerate(items):
            if index + 1 < len(items):
                yield site.put("drop-item", 2.0 + many, start, items[index + 1][0], "")
            else:
                yield site.put("drop-item", 2.0 + many, items[index - 1][1], end, "")
    for first in range(len(items)):
        for second in range(first + 1, min(len(items), first + 3)):
            (a, b), (c, d) = items[first], items[second]
            swapped = text[c:d] + text[b:c] + text[a:b]
            yield site.put("swap-items", (1.4 if not store else 1.6) + many + 0.3 * (second - first - 1), a, d, swapped)
    if not items and isinstance(node, ast.List) and isinstance(site.source.parents.get(node), ast.Assign | ast.Return):
        for other, cost in (
            ("[0]", 3.2),
            ("{}", 3.2),
            ("set()", 3.2),
            ("None", 3.0),
            ("''", 3.2),
            ("[1]", 3.6),
            ("0", 3.0),
        ):
            yield site.replace("empty-to-other", cost, node, other)
