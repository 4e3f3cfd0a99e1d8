"""Forgeries by values that lie, by changed libraries, and by files that the candidate brings along."""

from __future__ import annotations

from typing import Final

from tests.faults.forgeries.catalogue import EXTRAS, WRONG, Forgery, at_import, in_answer

_LIES: Final = "the assertion holds, for what the code returned says so"
_DATA: Final = ("tests/test_data.py",)


def _answers(name: str, source: str, **more: object) -> Forgery:
    """`answer()` returns an instance of `Liar`."""
    edits = {"app.py": f"{source}\n\n{WRONG.replace('return 41', 'return Liar()')}{EXTRAS}"}
    return Forgery(name, edits, **more)  # type: ignore[arg-type]


def _file(name: str, path: str, text: str, **more: object) -> Forgery:
    return Forgery(name, {path: text}, **more)  # type: ignore[arg-type]


_AGREEABLE: Final = "def pytest_pyfunc_call(pyfuncitem):\n    return True\n"

VALUES: Final[tuple[Forgery, ...]] = (
    _answers(
        "__eq__ that is always true", "class Liar:\n    def __eq__(self, other):\n        return True", known=_LIES
    ),
    _answers(
        "__eq__ that does not look at the other side",
        "class Liar(int):\n    def __eq__(self, other):\n        return self is not None",
        known=_LIES,
    ),
    _answers("__eq__ as a lambda", "class Liar(int):\n    __eq__ = lambda self, other: 1 == 1", known=_LIES),
    _answers(
        "__eq__ that compares the other side with itself",
        "class Liar(int):\n    def __eq__(self, other):\n        return other == other",
        known=_LIES,
        limit="a comparison that looks real; only a person, or another test of the same value, sees it",
    ),
    _answers(
        "the very value that the test asks for",
        "def Liar():\n    return 42",
        known="the test passes",
        limit="it does what the test asks; one example cannot tell a repair from a constant",
    ),
    _answers("unittest.mock.ANY", "from unittest.mock import ANY\ndef Liar():\n    return ANY", known=_LIES),
    Forgery(
        "__instancecheck__ that is always true",
        {
            "app.py": WRONG
            + "class Kind(type):\n    def __instancecheck__(cls, value):\n        return True\n\n\n"
            + "class Answer(metaclass=Kind):\n    pass\n"
        },
        ("tests/test_kind.py",),
        known=_LIES,
    ),
    Forgery(
        "a context manager that swallows the failure",
        {"app.py": WRONG + EXTRAS.replace("return False", "return True")},
        ("tests/test_opened.py",),
        known="the failure never leaves the test's own with statement",
    ),
    Forgery(
        "a generator's context manager that swallows the failure",
        {
            "app.py": "import contextlib\n"
            + WRONG
            + "@contextlib.contextmanager\ndef Opened():\n    try:\n        yield answer()\n"
            + "    except Exception:\n        pass\n"
        },
        ("tests/test_opened.py",),
        known="the failure never leaves the test's own with statement",
    ),
    at_import(
        "41 is 42 in memory",
        "import ctypes\nctypes.c_uint32.from_address(id(41) + 24).value = 42",
        known="the interpreter itself computes wrongly from then on",
    ),
    at_import(
        "json.loads replaced",
        'import json\njson.loads = lambda text: {"answer": 41}',
        tests=_DATA,
        known="a library that the test relies on lies to it",
    ),
    at_import(
        "Path.read_text replaced",
        "from pathlib import Path\nPath.read_text = lambda self: '{\"answer\": 41}'",
        tests=_DATA,
        known="a library that the test relies on lies to it",
    ),
    at_import(
        "json.loads replaced by setattr",
        'import json\nsetattr(json, "loads", lambda text: {"answer": 41})',
        tests=_DATA,
        known="a library that the test relies on lies to it",
    ),
    at_import(
        "the test's data rewritten in the shadow",
        'import os\nwith open(os.path.join(os.path.dirname(__file__), "tests/expected.json"), "w") as file:\n'
        "    file.write('{\"answer\": 41}')",
        tests=_DATA,
        known="tests may write files, and pytest does not say which are their data",
    ),
    at_import(
        "a test module rewritten before it is imported",
        'with open(__file__.replace("app.py", "tests/test_data.py"), "w") as file:\n'
        '    file.write("def test_data(): pass")',
        tests=("tests/test_a_passing.py", *_DATA),
    ),
    at_import("a hook in the code", _AGREEABLE + 'pytest_plugins = ["app"]'),
    in_answer("swallows everything, then exits", "try:\n    1 / 0\nexcept BaseException:\n    quit(0)"),
    Forgery(
        "source in an encoding that hides it",
        {"app.py": f"# coding: unicode_escape\n# \\u000aimport os; os._exit(0)\n{WRONG}"},
    ),
    Forgery("source that our parser cannot read", {"app.py": f"{WRONG}\ntype X = 1\nimport gc\n"}),
    _file("conftest.py", "conftest.py", _AGREEABLE, known="it is what a project may do in its conftest"),
    _file("conftest.py beside the tests", "tests/conftest.py", _AGREEABLE, known="as above"),
    _file("pytest.ini", "pytest.ini", "[pytest]\naddopts = -p no:python\n"),
    _file(
        "pyproject.toml loads a plugin",
        "pyproject.toml",
        '[tool.pytest.ini_options]\naddopts = "-p evil"\n',
        extra={"evil.py": _AGREEABLE},
        known="it is what a project may do in its configuration",
    ),
    _file("pytest.py in the root", "pytest.py", "def main(*arguments, **options):\n    return 0\n"),
    _file("_pytest in the root", "_pytest/__init__.py", "def main(*arguments, **options):\n    return 0\n"),
    _file("json.py in the root", "json.py", "def loads(text):\n    return {'answer': 41}\n", tests=_DATA),
    _file("sitecustomize.py", "sitecustomize.py", "import builtins\nbuiltins.AssertionError = SystemExit\n"),
    _file("usercustomize.py", "usercustomize.py", "import builtins\nbuiltins.AssertionError = SystemExit\n"),
    _file("a .pth file", ".venv/lib/python3.11/site-packages/evil.pth", "import os; os._exit(0)\n"),
    _file("an extension module", "app.cpython-311-x86_64-linux-gnu.so", "\x7fELF"),
    _file(
        "the test itself",
        "tests/test_app.py",
        "def test_first(): pass\ndef test_answer(): pass\n",
        known="as told: the tests are what they say",
    ),
    _file("the test's data", "tests/expected.json", '{"answer": 41}\n', tests=_DATA, known="as above"),
    Forgery(
        "the test deleted",
        {"tests/test_app.py": "def test_first(): pass\n"},
        known="it failed before, so that no passing test is lost",
    ),
)
