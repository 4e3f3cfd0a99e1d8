"""The rule `test-weakened`: a repair keeps its hands off tests; a person is asked before a test is weaker."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from octolimb.core.changes import ChangeSet
from octolimb.core.paths import RelPath
from octolimb.guard.weakening import is_test_path, judge_weakening

Edit = Callable[..., ChangeSet]
CODE = "def f(x):\n    return x + 1\n"


def repair(change_set: ChangeSet) -> str:
    return "deny" if judge_weakening(change_set, "repair") else "allow"


def person(change_set: ChangeSet) -> list[str]:
    rulings = judge_weakening(change_set, "person")
    assert {ruling.outcome for ruling in rulings} <= {"ask"}
    return [ruling.reason.message.partition(": ")[2] for ruling in rulings]


# -- repair limbs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *("tests/test_a.py", "test_a.py", "src/pkg/a_test.py", "tests/data/expected.json", "pkg/tests/helper.py"),
        *("conftest.py", "src/conftest.py", "pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", ".coveragerc"),
        *("ui/__snapshots__/x.ambr", "x.snap", "Tests/test_a.py", "sitecustomize.py", "tests.py", "test_doc.txt"),
    ],
)
def test_a_repair_may_not_touch_tests(path: str, edit: Edit) -> None:
    assert is_test_path(RelPath(path))
    assert repair(edit(path, "x = 1\n", "x = 2\n")) == "deny"
    assert repair(edit(path, "x = 1\n", None)) == "deny"
    assert repair(edit("elsewhere.py", "x = 1\n", "x = 1\n", moved_from=path)) == "deny"


@pytest.mark.parametrize(
    "path", ["src/app.py", "src/latest.py", "contest.py", "attestation.py", "protest/x.py", "testimony.py"]
)
def test_a_repair_may_change_code(path: str, edit: Edit) -> None:
    assert not is_test_path(RelPath(path))
    assert repair(edit(path, CODE, CODE.replace("+", "-"))) == "allow"


@pytest.mark.parametrize(
    "line",
    [
        "import pytest",
        "from _pytest import runner",
        "import gc",
        "import ctypes",
        "import atexit",
        "from unittest import SkipTest",
        "import os; os._exit(0)",
        "import os as o; o._exit(0)",
        "from os import _exit",
        "import sys; sys.modules.clear()",
        "import sys; sys.monitoring",
        "import sys; s = sys; s.settrace(None)",
        "import sys; sys._getframe(1)",
        "import os; getattr(os, '_ex' + 'it')(0)",
        "from os import *",
        "eval('1')",
        "exec('1')",
        "__import__('os')",
        "import importlib",
        "import os; os.environ['PYTEST_CURRENT_TEST']",
        "x = (1).__class__.__subclasses__()",
        "try:\n    f(1)\nexcept:\n    pass",
        "try:\n    f(1)\nexcept BaseException:\n    pass",
        "try:\n    f(1)\nexcept (ValueError, SystemExit):\n    pass",
        "import contextlib\nwith contextlib.suppress(BaseException):\n    f(1)",
        "class A:\n    def __eq__(self, other):\n        return True",
        "class A:\n    def __eq__(self, other):\n        'Doc.'\n        return True",
        "raise SkipTest('no')",
        "import signal; signal.signal(1, None)",
        "print(__builtins__)",
    ],
)
def test_a_repair_may_not_bring_in_what_forges_verdicts(line: str, edit: Edit) -> None:
    assert repair(edit("src/app.py", CODE, CODE + line + "\n")) == "deny"
    assert repair(edit("src/new.py", None, line + "\n")) == "deny"
    assert person(edit("src/app.py", CODE, CODE + line + "\n")) == []


def test_what_was_there_before_may_stay(edit: Edit) -> None:
    old = "import os, gc\ntry:\n    f(1)\nexcept:\n    os._exit(1)\n"
    assert repair(edit("src/app.py", old, old.replace("f(1)", "f(2)"))) == "allow"


def test_more_of_what_was_there_before_may_not_come(edit: Edit) -> None:
    old = "try:\n    f(1)\nexcept:\n    pass\n"
    assert repair(edit("src/app.py", old, old + old)) == "deny"


@pytest.mark.parametrize(
    "line",
    [
        "import re\nre.compile('x')",
        "try:\n    f(1)\nexcept ValueError:\n    pass",
        "try:\n    f(1)\nexcept Exception:\n    pass",
        "import os\nos.path.join('a')",
        "import sys\nsys.exit(1)",
        "class A:\n    def __eq__(self, other):\n        return self.x == other.x",
        "class A:\n    def __eq__(self, other):\n        if other is self:\n            return True\n        return 0",
        "import collections\ncollections.deque()",
    ],
)
def test_honest_repairs_pass(line: str, edit: Edit) -> None:
    assert repair(edit("src/app.py", CODE, line + "\n" + CODE)) == "allow"


@pytest.mark.parametrize(
    "path", ["json.py", "src/random.py", "pytest.py", "_pytest/runner.py", "src/types/__init__.py"]
)
def test_a_repair_may_not_hide_a_module(path: str, edit: Edit) -> None:
    assert repair(edit(path, None, "x = 1\n")) == "deny"


@pytest.mark.parametrize("path", ["src/app.pyc", "lib.so", "x.pth"])
def test_a_repair_may_not_add_what_nobody_can_read(path: str, edit: Edit) -> None:
    assert repair(edit(path, None, b"\0")) == "deny"


def test_a_repair_may_not_change_doctests(edit: Edit) -> None:
    old = 'def f(x):\n    """Adds.\n\n    >>> f(1)\n    2\n    """\n    return x\n'
    assert repair(edit("src/app.py", old, old.replace("    2\n", "    1\n"))) == "deny"
    assert repair(edit("src/app.py", old, old.replace("return x", "return x + 1"))) == "allow"


def test_a_repair_may_not_change_tests_beside_the_code(edit: Edit) -> None:
    old = CODE + "def test_f():\n    assert f(1) == 2\n"
    assert repair(edit("src/app.py", old, old.replace("== 2", "== 0"))) == "deny"
    assert repair(edit("src/app.py", old, old.replace("x + 1", "x - 1"))) == "allow"


# -- people --------------------------------------------------------------------------------------------------------

TEST = "def test_f():\n    assert f(1) == 2\n    assert f(2) == 3\n"


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (TEST.replace("    assert f(2) == 3\n", ""), "asserts less"),
        (TEST.replace("== 3", "is not None"), "asserts less"),
        (TEST.replace("f(2) == 3", "f(2)"), "asserts less"),
        (TEST.replace("f(2) == 3", "f(2) >= 3"), "asserts less"),
        (TEST.replace("f(2) == 3", "True"), "asserts less"),
        (TEST.replace("f(2) == 3", "f(2) == 3 or True"), "asserts less"),
        (TEST.replace("f(2) == 3", "f(2) == f(2)"), "asserts less"),
        (TEST.replace("f(2) == 3", "f(2) == approx(3)"), "asserts less"),
        (TEST.replace("f(2) == 3", "(f(2) == 3, 'always true')"), "asserts less"),
        (TEST.replace("    assert f(1)", "    return\n    assert f(1)"), "asserts less"),
        ("import pytest\n@pytest.mark.skip\n" + TEST, "newly skipped"),
        ("import pytest\n@pytest.mark.xfail(reason='x')\n" + TEST, "newly skipped"),
        ("import pytest\npytestmark = pytest.mark.skip\n" + TEST, "newly skipped"),
        (TEST.replace("():\n", "():\n    pytest.skip()\n"), "newly skipped"),
        (TEST.replace("test_f", "check_f"), "is gone"),
        ("", "is gone"),
        ("def test_f(:\n", "does not parse"),
    ],
)
def test_a_weaker_test_asks(new: str, said: str, edit: Edit) -> None:
    (message,) = person(edit("tests/test_a.py", TEST, new))
    assert said in message


@pytest.mark.parametrize(
    "new",
    [
        TEST + "    assert f(3) == 4\n",
        TEST.replace("== 3", "== 4"),
        TEST + "def test_g():\n    pass\n",
        "# comment\n" + TEST,
        TEST.replace(
            "    assert f(1) == 2\n    assert f(2) == 3\n", "    assert f(1) == 2 and f(2) == 3\n    assert f(0) == 1\n"
        ),
    ],
)
def test_a_test_as_strict_passes(new: str, edit: Edit) -> None:
    assert person(edit("tests/test_a.py", TEST, new)) == []


def test_a_deleted_test_file_asks(edit: Edit) -> None:
    assert person(edit("tests/test_a.py", TEST, None)) == ["the test test_f is gone"]


def test_a_test_that_moves_is_not_gone(edit: Edit, together: Callable[..., ChangeSet]) -> None:
    both = together(edit("tests/test_a.py", TEST, None), edit("tests/test_b.py", None, TEST))
    assert person(both) == []


def test_a_renamed_test_file_is_not_gone(edit: Edit) -> None:
    assert person(edit("tests/test_b.py", TEST, TEST, moved_from="tests/test_a.py")) == []
    assert person(edit("old/a.txt", TEST, TEST, moved_from="tests/test_a.py")) == ["the test test_f is gone"]


def test_fewer_parameters_ask(edit: Edit) -> None:
    old = "@pytest.mark.parametrize('x', [1, 2])\ndef test_f(x):\n    assert f(x) == 2\n"
    assert person(edit("tests/test_a.py", old, old.replace("[1, 2]", "[1]"))) == [
        "the test test_f is parametrized with fewer cases"
    ]


def test_methods_of_unittest_count(edit: Edit) -> None:
    old = "class T(TestCase):\n    def test_f(self):\n        self.assertEqual(f(1), 2)\n"
    assert person(edit("tests/test_a.py", old, old.replace("assertEqual(f(1), 2)", "assertTrue(f(1))")))
    assert person(edit("tests/test_a.py", old, old.replace("class T", "@skip\nclass T")))


def test_a_broader_raises_asks(edit: Edit) -> None:
    old = "def test_f():\n    with pytest.raises(ValueError, match='x'):\n        f(1)\n"
    assert person(edit("tests/test_a.py", old, old.replace("ValueError", "Exception")))
    assert person(edit("tests/test_a.py", old, old.replace(", match='x'", "")))
