"""How much a test demands, read off its syntax tree: a measure for comparing two versions of one test, no more."""

from __future__ import annotations

import ast
import doctest
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from octolimb.guard.sources import nodes_of


@dataclass(frozen=True)
class TestFunction:
    """One test. `strength` grows with what it asserts, `excuses` counts skips and expected failures.

    `cases` is the number of literal parameter sets, `line` is zero-based, `dump` tells equal tests from unequal ones.
    """

    __test__ = False

    name: str
    line: int
    strength: int
    excuses: int
    cases: int
    dump: str


@lru_cache(maxsize=128)
def tests_in(tree: ast.Module | None) -> tuple[TestFunction, ...]:
    """The test functions and methods of a module, by their qualified names; none for None."""
    return () if tree is None else tuple(_tests_below(tree.body, "", _module_excuses(tree)))


@lru_cache(maxsize=128)
def examples_in(tree: ast.Module) -> frozenset[tuple[str, str, int]]:
    """The doctest examples of all docstrings, as source, expected output, and which of their equals it is."""
    found: Counter[tuple[str, str]] = Counter()
    for node in nodes_of(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            documentation = ast.get_docstring(node, clean=False)
            if documentation and ">>>" in documentation:
                try:
                    examples = doctest.DocTestParser().get_examples(documentation)
                except ValueError:
                    # A malformed example is none, for the runner reports it as an error of its own.
                    continue
                found.update((example.source, example.want) for example in examples)
    return frozenset((*example, number) for example, times in found.items() for number in range(times))


_EXCUSES: Final = frozenset(
    {"skip", "skipif", "skipIf", "skipUnless", "xfail", "expectedFailure", "skipTest", "SkipTest", "importorskip"}
)
_STRONG_METHODS: Final = frozenset(
    {
        *("assertEqual", "assertIs", "assertIsNone", "assertListEqual", "assertDictEqual", "assertTupleEqual"),
        *("assertSetEqual", "assertSequenceEqual", "assertCountEqual", "assertMultiLineEqual"),
    }
)


def _tests_below(body: list[ast.stmt], prefix: str, excuses: int) -> Iterator[TestFunction]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _tests_below(node.body, f"{prefix}{node.name}.", excuses + _excuses(node.decorator_list))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield TestFunction(
                name=prefix + node.name,
                line=node.lineno - 1,
                strength=sum(_strength_of(inner) for inner in _live(node.body)),
                excuses=excuses + _excuses(node.decorator_list) + _excuses(_live(node.body)),
                cases=sum(_cases(decorator) for decorator in node.decorator_list),
                dump=ast.dump(node),
            )


def _live(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """The nodes of a body up to the first bare `return` or `raise` at its own level: what follows never runs."""
    for statement in body:
        yield from ast.walk(statement)
        if isinstance(statement, ast.Return | ast.Raise):
            return


def _strength_of(node: ast.AST) -> int:
    match node:
        case ast.Assert(test=test):
            return 1 + _claim(test)
        case ast.Call(func=ast.Attribute(attr="raises" | "warns" | "assertRaises" | "assertWarns"), args=[kind, *_]):
            broad = isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException", "Warning")
            return (2 if broad else 4) + sum(keyword.arg == "match" for keyword in node.keywords)
        case ast.Call(func=ast.Attribute(attr=name)) if name.startswith(("assert", "fail")):
            return 4 if name in _STRONG_METHODS or name.startswith("assert_") else 2 if name.endswith("True") else 3
    return 0


def _claim(test: ast.expr) -> int:
    """How much an asserted expression says: 3 for equality, 2 for order and membership, 1 for truth, 0 for nothing."""
    match test:
        case ast.Constant():
            return 0
        case ast.BoolOp(op=ast.Or(), values=values):
            return min(_claim(value) for value in values)
        case ast.BoolOp(values=values):
            return sum(_claim(value) for value in values)
        case ast.Compare(ops=operators, left=left, comparators=[right, *_]):
            if ast.dump(left) == ast.dump(right):
                return 0
            exact = (ast.Eq, ast.Is)
            loose = (ast.NotEq, ast.IsNot)
            approximate = "approx" in ast.dump(right) or "ANY" in ast.dump(right)
            strengths = [3 if isinstance(op, exact) else 1 if isinstance(op, loose) else 2 for op in operators]
            return sum(strengths) - (1 if approximate else 0)
        case ast.NamedExpr() | ast.Lambda() | ast.Tuple(elts=[_, *_]) | ast.List(elts=[_, *_]):
            return 0
    return 1


def _module_excuses(tree: ast.Module) -> int:
    """`pytestmark` and a `pytest.skip` at module level excuse every test in the file."""
    loose = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    return _excuses(loose)


def _excuses(nodes: Iterator[ast.AST] | list[ast.expr] | list[ast.stmt]) -> int:
    found: set[int] = set()
    for node in nodes:
        for inner in ast.walk(node):
            name = inner.attr if isinstance(inner, ast.Attribute) else inner.id if isinstance(inner, ast.Name) else ""
            if name in _EXCUSES:
                found.add(id(inner))
    return len(found)


def _cases(decorator: ast.expr) -> int:
    match decorator:
        case ast.Call(
            func=ast.Attribute(attr="parametrize"), args=[_, ast.List(elts=cases) | ast.Tuple(elts=cases), *_]
        ):
            return len(cases)
    return 0
