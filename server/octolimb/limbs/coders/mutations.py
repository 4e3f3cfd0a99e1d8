"""Single edits, and pairs of them, that might repair a Python file: lazily, the likeliest first.

`generate` walks the suspicious functions of one file, asks every operator in `operators` for its mutations, orders
them by cost and lets each distinct program through once. It does NOT run, rank or stage anything.
"""

from __future__ import annotations

import ast
import heapq
import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from operator import itemgetter

from octolimb.core.paths import RelPath
from octolimb.limbs.candidates import Candidate, Suspicion, TextEdit
from octolimb.limbs.coders import operators
from octolimb.limbs.coders.equivalence import Distinct
from octolimb.limbs.coders.pain import PainHints
from octolimb.limbs.coders.scopes import Scope, function_scope, module_scope
from octolimb.limbs.coders.sites import NODE_OPERATORS, STATEMENT_OPERATORS, Mutation, Routine, Site
from octolimb.limbs.coders.source import Block, Function, Loop, Source, blocks, header_nodes

assert operators  # Importing the package is what registers them.

_SUSPICION_WEIGHT = 1.2
_UNSEEN = 0.05
_SIZE_WEIGHT = 0.004
_PAIR_COST = 2.0
_MAX_SINGLES = 300
_MOST_HELD = 6_000
"""How many mutations of a file are held at once, at most twice as many for a moment."""

# What an exception makes likelier, in cost.
_GUARDS = {"insert-guard": 0.8, "guard-value": 0.8, "insert-clause": 0.5, "guard-bounds": 1.0, "wrap-in-test": 0.5}
_RELIEF: Mapping[str, Mapping[str, float]] = {
    "IndexError": {**_GUARDS, "off-by-one": 0.6, "range-bounds": 0.6, "change-number": 0.2, "swap-comparison": 0.3},
    "KeyError": {**_GUARDS, "index-to-get": 1.0, "string-nearby": 0.4, "insert-reset": 0.4},
    "TypeError": {**_GUARDS, "wrap-value": 0.4, "wrap-method": 0.2, "swap-arguments": 0.5, "return-at-end": 0.8,
                  "misuse-variable": 0.3, "add-argument": 0.6, "drop-argument": 0.6, "sort-to-sorted": 0.8},
    "AttributeError": {**_GUARDS, "swap-method": 0.4, "misuse-attribute": 0.5, "misuse-variable": 0.3,
                       "drop-subscript": 0.4, "take-slice": 0.2},
    "ValueError": {**_GUARDS, "swap-function": 0.2, "swap-method": 0.4},
    "ZeroDivisionError": {**_GUARDS, "change-number": 0.3, "swap-arithmetic": 0.3, "misuse-variable": 0.3},
    "RecursionError": {**_GUARDS, "insert-guard": 1.4, "off-by-one": 0.5, "take-slice": 0.4, "swap-comparison": 0.3},
    "UnboundLocalError": {"insert-first-value": 0.4, "insert-reset": 1.6,
                          "dedent-statement": 0.5, "misuse-variable": 0.4},
    "NameError": {"misuse-variable": 0.6, "insert-reset": 1.2, "name-to-attribute": 1.2, "string-to-name": 0.4},
    "StopIteration": {**_GUARDS, "add-argument": 0.5},
}  # fmt: skip


@dataclass(frozen=True)
class _Unit:
    """A function, or the statements of a module or class that belong to none."""

    owner: ast.stmt | None
    scope: Scope
    body: Block
    weight: float


def generate(text: str, path: RelPath, suspicion: Mapping[int, float], *, pain: PainHints) -> Iterator[Candidate]:
    """Candidates of one edit each for the file `path` with this `text`, cheapest first; each a different program.

    `suspicion` maps one-based lines to a score from 0 to 1; lines left out are not touched, save a suspicious
    function's own header. Empty where the text does not parse (see `tactics` for that).
    """
    source = _parsed(text)
    if source is not None:
        for entry in _ordered(source, Distinct(source), suspicion, pain):
            edits = tuple(TextEdit(path, *edit) for edit in sorted(entry.mutation.edits))
            yield Candidate(edits, entry.mutation.operator, round(entry.cost, 4), _note(source, entry.mutation))


def two_edits(
    text: str, path: RelPath, suspicion: Mapping[int, float], *, pain: PainHints, singles: int = _MAX_SINGLES
) -> Iterator[Candidate]:
    """Pairs of the cheapest `singles` that `generate` gives, at two places of one function, cheapest first."""
    source = _parsed(text)
    if source is None:
        return
    distinct = Distinct(source)
    chosen = list(islice(_ordered(source, distinct, suspicion, pain), singles))
    heap = [(one.cost + other.cost, place, place + 1) for place, (one, other) in enumerate(pairwise(chosen))]
    heapq.heapify(heap)
    while heap:
        cost, first, second = heapq.heappop(heap)
        if second + 1 < len(chosen):
            heapq.heappush(heap, (chosen[first].cost + chosen[second + 1].cost, first, second + 1))
        one, other = chosen[first], chosen[second]
        if one.unit is not other.unit or not _apart(one.mutation, other.mutation):
            continue
        operator = f"{one.mutation.operator}+{other.mutation.operator}"
        both = Mutation(operator, cost, (*one.mutation.edits, *other.mutation.edits), wide=True)
        meet = one.statement is other.statement or one.mutation.wide or other.mutation.wide
        if meet and not distinct.admits(both, one.statement, one.unit.owner or one.statement):
            continue
        note = f"{_note(source, one.mutation)}; {_note(source, other.mutation)}"
        edits = tuple(TextEdit(path, *edit) for edit in sorted(both.edits))
        yield Candidate(edits, operator, round(cost + _PAIR_COST, 4), note)


def search(texts: Mapping[RelPath, str], suspicion: Suspicion, *, pain: PainHints) -> Iterator[Candidate]:
    """Single edits in all the suspicious files of `texts`, then pairs of them, each time cheapest first.

    A file is parsed only when nothing in more suspicious ones is likelier than the best it could offer.
    """
    for family, base in ((generate, 0.0), (two_edits, _PAIR_COST)):
        waiting = [(base + _penalty(max(lines.values())), path) for path, lines in suspicion.items() if lines]
        heapq.heapify(waiting)
        streams: list[tuple[float, RelPath, Candidate, Iterator[Candidate]]] = []
        while waiting or streams:
            while waiting and (not streams or waiting[0][0] <= streams[0][0]):
                _, path = heapq.heappop(waiting)
                if path in texts:
                    _advance(streams, path, family(texts[path], path, suspicion[path], pain=pain))
            if streams:
                _, path, candidate, stream = heapq.heappop(streams)
                yield candidate
                _advance(streams, path, stream)


def _advance(
    streams: list[tuple[float, RelPath, Candidate, Iterator[Candidate]]], path: RelPath, stream: Iterator[Candidate]
) -> None:
    following = next(stream, None)
    if following is not None:
        heapq.heappush(streams, (following.cost, path, following, stream))


def _parsed(text: str) -> Source | None:
    try:
        return Source(text)
    except (SyntaxError, ValueError, RecursionError):
        return None


@dataclass(frozen=True)
class _Entry:
    cost: float
    mutation: Mutation
    unit: _Unit
    statement: ast.stmt


def _apart(first: Mutation, second: Mutation) -> bool:
    return all(
        high < other_low or other_high < low
        for low, high, _ in first.edits
        for other_low, other_high, _ in second.edits
    )


_Key = tuple[float, int]
"""The cost of a mutation, and its number among all of its file."""


def _ordered(source: Source, distinct: Distinct, suspicion: Mapping[int, float], pain: PainHints) -> Iterator[_Entry]:
    """Every mutation, cheapest first.

    A large file has more than memory should hold: the dearer ones are made anew once the cheaper ones are through.
    """
    units = sorted(_units(source, suspicion), key=lambda unit: -unit.weight)
    least: _Key | None = (-math.inf, 0)
    while least is not None:
        least = yield from _round(source, units, distinct, suspicion, pain, least)


def _round(
    source: Source,
    units: Sequence[_Unit],
    distinct: Distinct,
    suspicion: Mapping[int, float],
    pain: PainHints,
    least: _Key,
) -> Generator[_Entry, None, _Key | None]:
    """The cheapest of those that cost no less than `least`; returns the cost of the first that is left out, if any."""
    heap: list[tuple[_Key, Mutation, Site, _Unit]] = []
    relief = _RELIEF.get(pain.exception, {})
    count = 0
    limit: _Key = (math.inf, 0)
    for place, unit in enumerate(units):
        routine = Routine(source, unit.scope, pain, unit.body)
        for site, penalty in _sites(routine, unit, suspicion):
            for mutation in _mutations(site):
                cost = mutation.cost + penalty + _SIZE_WEIGHT * _size(mutation) - relief.get(mutation.operator, 0.0)
                count += 1
                if least <= (cost, count) < limit:
                    heapq.heappush(heap, ((cost, count), mutation, site, unit))
            if len(heap) > 2 * _MOST_HELD:
                heap.sort(key=itemgetter(0))
                limit = heap[_MOST_HELD][0]
                del heap[_MOST_HELD:]
        # What a later, less suspicious unit can offer costs at least this; everything cheaper may go out now.
        floor = _penalty(units[place + 1].weight) if place + 1 < len(units) else math.inf
        while heap and heap[0][0][0] <= floor:
            (cost, _), mutation, site, owner = heapq.heappop(heap)
            if distinct.admits(mutation, site.statement, owner.owner or site.statement):
                yield _Entry(cost, mutation, owner, site.statement)
    return limit if limit < (math.inf, 0) else None


def _penalty(score: float) -> float:
    return -_SUSPICION_WEIGHT * math.log(max(min(score, 1.0), 0.01))


def _size(mutation: Mutation) -> int:
    return sum(max(len(new), end - start) for start, end, new in mutation.edits)


def _note(source: Source, mutation: Mutation) -> str:
    start, end, new = min(mutation.edits)
    line = source.line_of(start)
    old, fresh = _shown(source.text[start:end]), _shown(new)
    name = mutation.operator.replace("-", " ")
    if not old:
        return f"{name}: insert {fresh} at line {line}"
    return f"{name}: {old} to {fresh} at line {line}" if fresh else f"{name}: remove {old} at line {line}"


def _shown(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 60 else flat[:57] + "..."


# -- what is visited -------------------------------------------------------------------------------------------


def _units(source: Source, suspicion: Mapping[int, float]) -> Iterator[_Unit]:
    outer = module_scope(source.tree)
    loose: Block = []
    stack: list[tuple[ast.stmt, Scope]] = [(statement, outer) for statement in reversed(source.tree.body)]
    while stack:
        statement, scope = stack.pop()
        if isinstance(statement, Function):
            weight = _heaviest(suspicion, statement)
            if weight > 0:
                yield from _nested(statement, scope, suspicion)
        elif isinstance(statement, ast.ClassDef):
            stack.extend((inner, scope) for inner in reversed(statement.body))
        elif _heaviest(suspicion, statement) > 0:
            loose.append(statement)
            # Functions may stand below an `if` or `try` of the module or class.
            stack.extend((inner, scope) for inner in _definitions(statement))
    if loose:
        yield _Unit(None, outer, loose, max(_heaviest(suspicion, statement) for statement in loose))


def _definitions(statement: ast.stmt) -> Iterator[ast.stmt]:
    for block in blocks(statement):
        for inner in block:
            if isinstance(inner, Function | ast.ClassDef):
                yield inner
            else:
                yield from _definitions(inner)


def _nested(function: Function, outer: Scope, suspicion: Mapping[int, float]) -> Iterator[_Unit]:
    scope = function_scope(function, outer)
    yield _Unit(function, scope, function.body, _heaviest(suspicion, function))
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        if isinstance(node, Function):
            if _heaviest(suspicion, node) > 0:
                yield from _nested(node, scope, suspicion)
        elif isinstance(node, ast.stmt):
            for block in blocks(node):
                stack.extend(block)


def _heaviest(suspicion: Mapping[int, float], statement: ast.stmt) -> float:
    assert statement.end_lineno is not None
    return max((suspicion.get(line, 0.0) for line in range(statement.lineno, statement.end_lineno + 1)), default=0.0)


def _sites(routine: Routine, unit: _Unit, suspicion: Mapping[int, float]) -> Iterator[tuple[Site, float]]:
    """Every statement with the penalty of its lines; those of nested functions belong to another unit."""
    if isinstance(unit.owner, Function):
        # A header runs where its function is defined, so its own line rarely shows as covered.
        yield Site(routine, unit.owner, [unit.owner], 0, (), 0), _penalty(unit.weight * 0.5)
    stack: list[tuple[Block, tuple[Loop, ...], int]] = [(unit.body, (), 0)]
    while stack:
        block, loops, depth = stack.pop()
        for index, statement in enumerate(block):
            if isinstance(statement, Function | ast.ClassDef):
                continue
            score = max(suspicion.get(line, 0.0) for line in routine.source.header_lines(statement))
            if score > 0:
                yield Site(routine, statement, block, index, loops, depth), _penalty(score)
            inner = (*loops, statement) if isinstance(statement, Loop) else loops
            stack.extend((child, inner, depth + 1) for child in blocks(statement))


def _mutations(site: Site) -> Iterator[Mutation]:
    header_only = isinstance(site.statement, Function)
    nodes: Sequence[ast.AST] = (site.statement, *header_nodes(site.source, site.statement))
    for node in nodes:
        for operator in NODE_OPERATORS.get(type(node), ()):
            if not header_only or isinstance(node, Function):
                yield from operator(site, node)
    if not header_only:
        for on_statement in STATEMENT_OPERATORS:
            yield from on_statement(site)


__all__ = ["generate", "search", "two_edits"]
