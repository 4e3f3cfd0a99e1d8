"""What a function can name, and what the names are guessed to hold."""

from __future__ import annotations

import ast
import textwrap

import pytest

from octolimb.limbs.coders.scopes import Scope, alike, function_scope, module_scope
from octolimb.limbs.coders.source import Source


def scope_of(body: str, parameters: str = "") -> Scope:
    tree = ast.parse(f"def f({parameters}):\n{textwrap.indent(textwrap.dedent(body), '    ')}\n")
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    return function_scope(function, module_scope(tree))


@pytest.mark.parametrize(
    ("body", "name", "kind"),
    [
        ("x = 1", "x", "int"),
        ("x = 'a'", "x", "str"),
        ("x = []", "x", "list"),
        ("x = [1, 2]", "x", "list:int"),
        ("x = {}", "x", "dict"),
        ("x = len(y)", "x", "int"),
        ("x = 'a b'.split()", "x", "list:str"),
        ("x = 1 / 2", "x", "float"),
        ("x = 1 < 2", "x", "bool"),
        ("x = not y", "x", "bool"),
        ("for x in range(3): pass", "x", "int"),
        ("for x in 'abc': pass", "x", "str"),
        ("for i, x in enumerate(['a']): pass", "i", "int"),
        ("for i, x in enumerate(['a']): pass", "x", "str"),
        ("for a, x in zip([1], 'b'): pass", "x", "str"),
        ("y = [x for x in (1, 2)]", "y", "list:int"),
        ("x = 1\nx = 'a'", "x", ""),
        ("x = 1\nx = 1.5", "x", "num"),
        ("x = 'a,b'\ny = x.split(',')[0]", "y", "str"),
        ("a, b = 1, 'x'", "b", "str"),
        ("x = sorted({3})", "x", "list:int"),
        ("x = [1]\ny = max(x)", "y", "int"),
    ],
)
def test_a_locals_type(body: str, name: str, kind: str) -> None:
    assert scope_of(body).kinds[name] == kind


@pytest.mark.parametrize(
    ("parameters", "body", "kind"),
    [
        ("p: int", "pass", "int"),
        ("p: list[str]", "pass", "list:str"),
        ("p: 'List[int]'", "pass", "list:int"),
        ("p: Optional[str]", "pass", "str"),
        ("p: int | None", "pass", "int"),
        ("p=0", "pass", "int"),
        ("p", "p.append(1)", "list"),
        ("p", "return p.lower()", "str"),
        ("p", "return range(p)", "int"),
        ("p", "return p % 2", "int"),
        ("p", "return p == 'x'", "str"),
        ("*p", "pass", "tuple"),
        ("**p", "pass", "dict"),
        ("p", "pass", ""),
    ],
)
def test_a_parameters_type(parameters: str, body: str, kind: str) -> None:
    assert scope_of(body, parameters).kinds["p"] == kind


def test_names_are_known_with_the_line_that_binds_them() -> None:
    scope = scope_of("x = 1\nfor y in a:\n    z = y\nx = 2", "a")
    assert scope.locals == {"a": 0, "x": 2, "y": 3, "z": 4}
    assert scope.parameters == ["a"]


def test_a_nested_functions_names_are_its_own() -> None:
    scope = scope_of("def g(q):\n    r = 1\nx = 1")
    assert "r" not in scope.locals
    assert scope.functions == {"f": 0, "g": 1}


def test_likeness_orders_types() -> None:
    assert alike("int", "int") > alike("int", "float") > alike("int", "") > alike("list", "str") > alike("int", "str")


@pytest.mark.parametrize(
    ("text", "needle"),
    [("x = 'é' + y\n", "y"), ("x = 1\r\ny = x\r\n", "x"), ("é = 'ü'\n", "'ü'"), ("x = (a\n  + b)\n", "b")],
)
def test_offsets_count_characters(text: str, needle: str) -> None:
    source = Source(text)
    found = [source.of(node) for node in ast.walk(source.tree) if isinstance(node, ast.Name | ast.Constant)]
    assert needle in found


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("f(a, (b), *c, d=1)\n", ["a", "(b)", "*c", "d=1"]),
        ("[ 1,2 , ]\n", ["1", "2"]),
        ("(1, 2)\n", ["1", "2"]),
        ("1, 2\n", ["1", "2"]),
        ("f()\n", []),
        ("f(x for x in y)\n", []),
        ("[1, # one\n 2]\n", []),
    ],
)
def test_the_items_of_a_display_or_call(text: str, items: list[str]) -> None:
    source = Source(text)
    statement = source.tree.body[0]
    assert isinstance(statement, ast.Expr)
    assert [text[start:end] for start, end in source.items(statement.value)] == items
