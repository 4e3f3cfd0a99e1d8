"""Messages that name their own cure: what a complaint and a file give, and where an import lands."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from octolimb.core.paths import RelPath
from octolimb.core.positions import Position, Span
from octolimb.core.snapshot import Snapshot
from octolimb.limbs.candidates import Candidate
from octolimb.limbs.coders.imports import Import, insert_import, module_name, sources_of
from octolimb.limbs.coders.source import Source
from octolimb.limbs.coders.tactics import edit_between, tactics
from octolimb.sense.lint import LintEdit, LintFix

Snapshots = Callable[[Mapping[str, str]], Snapshot]
Applied = Callable[[str, Candidate], str]
MODULE = RelPath("app.py")


@pytest.fixture
def cures(snapshot: Snapshots, applied: Applied) -> Callable[..., list[str]]:
    """Every text of `app.py` that the tactics propose for a message, cheapest first."""

    def build(text: str, message: str, **others: str) -> list[str]:
        files = {"app.py": text, **{name.replace("__", "/") + ".py": other for name, other in others.items()}}
        return [applied(text, one) for one in tactics(snapshot(files), [MODULE], [message])]

    return build


# -- missing imports -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("math", "import math"),
        ("Path", "from pathlib import Path"),
        ("defaultdict", "from collections import defaultdict"),
        ("dataclass", "from dataclasses import dataclass"),
        ("Optional", "from typing import Optional"),
        ("np", "import numpy as np"),
    ],
)
@pytest.mark.parametrize(
    "message", ["NameError: name '{}' is not defined", "Undefined name `{}`", "Name `{}` used when not defined"]
)
def test_a_missing_import_is_the_first_idea(
    cures: Callable[..., list[str]], name: str, line: str, message: str
) -> None:
    text = f"def f():\n    return {name}\n"
    assert cures(text, message.format(name))[0] == f"{line}\n\n\n{text}"


def test_both_the_module_and_the_class_of_that_name_are_tried(cures: Callable[..., list[str]]) -> None:
    text = "x = datetime.now()\n"
    found = cures(text, "NameError: name 'datetime' is not defined")
    assert "import datetime\n\nx = datetime.now()\n" in found
    assert "from datetime import datetime\n\nx = datetime.now()\n" in found


def test_a_name_of_the_projects_own_is_found(cures: Callable[..., list[str]]) -> None:
    text = "import os\n\nx = parse_line(os)\n"
    found = cures(text, "name 'parse_line' is not defined", lib__reader="def parse_line(text):\n    return text\n")
    assert found[0] == "import os\nfrom lib.reader import parse_line\n\nx = parse_line(os)\n"


def test_what_other_files_import_comes_first(snapshot: Snapshots) -> None:
    files = {"app.py": "x = partial(f)\n", "b.py": "from toolkit import partial\n"}
    assert sources_of("partial", snapshot(files), MODULE)[0] == Import("toolkit", "partial")


def test_a_package_is_named_from_its_top(snapshot: Snapshots) -> None:
    here = snapshot({"src/pkg/__init__.py": "", "src/pkg/sub/__init__.py": "", "src/pkg/sub/a.py": "", "src/b.py": ""})
    assert module_name(RelPath("src/pkg/sub/a.py"), here) == "pkg.sub.a"
    assert module_name(RelPath("src/pkg/sub/__init__.py"), here) == "pkg.sub"
    assert module_name(RelPath("src/b.py"), here) == "b"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1\n", "import os\n\nx = 1\n"),
        ("", "import os\n"),
        ("import re\nx = 1\n", "import re\nimport os\nx = 1\n"),
        ("import re", "import re\nimport os\n"),
        ('"""Doc."""\nx = 1\n', '"""Doc."""\n\nimport os\n\nx = 1\n'),
        ('"""Doc."""\n\nx = 1\n', '"""Doc."""\n\nimport os\n\nx = 1\n'),
        (
            '"""Doc."""\nfrom __future__ import annotations\nx = 1\n',
            '"""Doc."""\nfrom __future__ import annotations\nimport os\nx = 1\n',
        ),
        ("# License\nx = 1\n", "# License\nimport os\n\nx = 1\n"),
        ("@wrap\ndef f(): pass\n", "import os\n\n\n@wrap\ndef f(): pass\n"),
        ("import re\r\nx = 1\r\n", "import re\r\nimport os\r\nx = 1\r\n"),
        ("from a import (\n    b,\n)\nx = 1\n", "from a import (\n    b,\n)\nimport os\nx = 1\n"),
    ],
)
def test_where_an_import_lands(before: str, after: str) -> None:
    edit = insert_import(Source(before), MODULE, Import("os"))
    assert edit is not None
    assert before[: edit.start] + edit.text + before[edit.end :] == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from typing import Any\n", "from typing import Any, Optional\n"),
        ("from typing import (\n    Any,\n)\n", "from typing import (\n    Any, Optional,\n)\n"),
        ("from typing import Any as A  # why\n", "from typing import Any as A, Optional  # why\n"),
        ("from typing import *\n", "from typing import *\nfrom typing import Optional\n"),
    ],
)
def test_an_import_joins_one_of_its_module(before: str, after: str) -> None:
    edit = insert_import(Source(before), MODULE, Import("typing", "Optional"))
    assert edit is not None
    assert before[: edit.start] + edit.text + before[edit.end :] == after


def test_what_is_imported_is_not_imported_again() -> None:
    assert insert_import(Source("import os\n"), MODULE, Import("os")) is None
    assert insert_import(Source("from a import b\n"), MODULE, Import("a", "b")) is None


# -- close names -----------------------------------------------------------------------------------------------


def test_a_misspelt_variable(cures: Callable[..., list[str]]) -> None:
    text = "def f(values):\n    return vlaues + [1]\n"
    found = cures(text, "NameError: name 'vlaues' is not defined. Did you mean: 'values'?")
    assert found[0] == "def f(values):\n    return values + [1]\n"


def test_a_misspelt_builtin(cures: Callable[..., list[str]]) -> None:
    assert "x = len([1])\n" in cures("x = lenn([1])\n", "NameError: name 'lenn' is not defined")


def test_every_use_is_respelt_and_each_alone(cures: Callable[..., list[str]]) -> None:
    found = cures("def f(total):\n    return totl, totl\n", "name 'totl' is not defined")
    assert "def f(total):\n    return total, total\n" in found
    assert "def f(total):\n    return total, totl\n" in found


def test_a_misspelt_method_of_a_builtin(cures: Callable[..., list[str]]) -> None:
    found = cures("x = 'a'.uper()\n", "AttributeError: 'str' object has no attribute 'uper'")
    assert found[0] == "x = 'a'.upper()\n"


def test_a_misspelt_attribute_of_the_projects_class(cures: Callable[..., list[str]]) -> None:
    shelf = "class Shelf:\n    def __init__(self):\n        self.books = []\n"
    found = cures("def f(s):\n    return s.bookz\n", "'Shelf' object has no attribute 'bookz'", shelf=shelf)
    assert found[0] == "def f(s):\n    return s.books\n"


def test_a_misspelt_import(cures: Callable[..., list[str]]) -> None:
    found = cures(
        "from shop import ad\n", "ImportError: cannot import name 'ad' from 'shop' (shop.py)", shop="def add(): ...\n"
    )
    assert found[0] == "from shop import add\n"


def test_an_import_from_the_wrong_module(cures: Callable[..., list[str]]) -> None:
    found = cures(
        "from shop import cart\n", "cannot import name 'cart' from 'shop'", shop="", other="def cart(): ...\n"
    )
    assert "from other import cart\n" in found


def test_a_misspelt_module(cures: Callable[..., list[str]]) -> None:
    assert cures("import colections\n", "ModuleNotFoundError: No module named 'colections'")[0] == (
        "import collections\n"
    )


def test_a_misspelt_key(cures: Callable[..., list[str]]) -> None:
    text = "row = {'price': 1}\nx = row['prise']\n"
    assert cures(text, "KeyError: 'prise'")[0] == "row = {'price': 1}\nx = row['price']\n"


def test_a_misspelt_keyword(cures: Callable[..., list[str]]) -> None:
    text = "def f(width): ...\nf(widht=1)\n"
    found = cures(text, "TypeError: f() got an unexpected keyword argument 'widht'")
    assert found[:2] == ["def f(width): ...\nf(width=1)\n", "def f(width): ...\nf()\n"]


def test_nothing_is_proposed_for_what_no_message_names(cures: Callable[..., list[str]]) -> None:
    assert cures("x = 1\n", "assert 1 == 2") == []


# -- syntax errors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("if x\n    pass\n", "if x:\n    pass\n"),
        ("def f(x)  # why\n    pass\n", "def f(x):  # why\n    pass\n"),
        ("def f(x:\n    pass\n", "def f(x):\n    pass\n"),
        ("print((1 + 2)\n", "print((1 + 2))\n"),
        ("x = [1, 2\ny = 3\n", "x = [1, 2]\ny = 3\n"),
        ("x = (1 + 2))\n", "x = (1 + 2)\n"),
        ("x = foo(1]\n", "x = foo(1)\n"),
        ("x = 'abc\n", "x = 'abc'\n"),
        ("print('abc)\n", "print('abc')\n"),
        ("x = [1 2]\n", "x = [1, 2]\n"),
        ("x = [\n    'a'\n    1,\n]\n", "x = [\n    'a',\n    1,\n]\n"),
        ("if x = 1:\n    pass\n", "if x == 1:\n    pass\n"),
        ("if x:\npass\n", "if x:\n    pass\n"),
        ("x = 1\n  y = 2\n", "x = 1\ny = 2\n"),
        ("def f():\n    x = 1\n  return x\n", "def f():\n    x = 1\n    return x\n"),
        ("if x:\n    a = 1\nelse if y:\n    a = 2\n", "if x:\n    a = 1\nelif y:\n    a = 2\n"),
        ("def f():\n    retrun 1 + 2\n", "def f():\n    return 1 + 2\n"),
        ("whlie x:\n    pass\n", "while x:\n    pass\n"),
        ("class A:\nx = 1\n", "class A:\n    pass\nx = 1\n"),
        ("if a && b:\n    pass\n", "if a  and  b:\n    pass\n"),
        ("print 'hello'\n", "print('hello')\n"),
        ("if x\r\n    pass\r\n", "if x:\r\n    pass\r\n"),
        ("def f(a b):\n    return [a, b\n", "def f(a, b):\n    return [a, b]\n"),
    ],
)
def test_a_slip_of_syntax_is_repaired(cures: Callable[..., list[str]], before: str, after: str) -> None:
    assert after in cures(before, "SyntaxError: invalid syntax")


def test_every_syntax_repair_parses(cures: Callable[..., list[str]]) -> None:
    for text in cures("def f(x:\n  if x = [1, 'a)\n    return x\n", "SyntaxError"):
        compile(text, "app.py", "exec")


# -- the rest --------------------------------------------------------------------------------------------------


def test_lint_fixes_are_candidates_but_those_for_display_are_not(snapshot: Snapshots, applied: Applied) -> None:
    text = "import os\nx = 1\n"
    span = Span(Position(0, 0), Position(0, 9))
    edits = (LintEdit(0, 10, ""),)
    safe = LintFix(MODULE, span, "F401", "unused", "safe", edits)
    shown = LintFix(MODULE, span, "X000", "look", "display", (LintEdit(0, 1, "y"),))
    found = list(tactics(snapshot({"app.py": text}), [MODULE], [], fixes=[shown, safe]))
    assert [applied(text, one) for one in found] == ["x = 1\n"]
    assert found[0].note == "F401: unused"


def test_files_that_are_no_python_text_are_passed_over(snapshot: Snapshots) -> None:
    here = snapshot({"notes.txt": "x"})
    assert list(tactics(here, [RelPath("notes.txt"), RelPath("gone.py")], ["name 'x' is not defined"])) == []


@pytest.mark.parametrize(("before", "after"), [("abc", "abXc"), ("aa", "a"), ("", "x"), ("same", "same"), ("ab", "")])
def test_the_edit_between_two_texts(before: str, after: str) -> None:
    edit = edit_between(before, after, MODULE)
    assert before[: edit.start] + edit.text + before[edit.end :] == after
