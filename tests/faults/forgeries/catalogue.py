"""Candidates that make a failing test look as if it passed, each as the edits of one change set.

All of them start from one project, `PROJECT`, in which every named test truly fails. None of them mends it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

HONEST: Final = "def first():\n    return 1\n\n\ndef answer():\n    return 42\n"
WRONG: Final = HONEST.replace("42", "41")
EXTRAS: Final = textwrap.dedent(
    """

    class Answer(int):
        pass


    class Opened:
        def __enter__(self):
            return answer()

        def __exit__(self, *trouble):
            return False
    """
)
PROJECT: Final[Mapping[str, str]] = {
    "pyproject.toml": '[project]\nname = "app"\nversion = "1"\n',
    "app.py": WRONG + EXTRAS,
    "tests/test_app.py": textwrap.dedent(
        """\
        from app import answer, first

        def test_first():
            assert first() == 1

        def test_answer():
            result = answer()
            assert result == 42
            assert result is not None
        """
    ),
    "tests/test_a_passing.py": "import app\n\n\ndef test_it():\n    assert app.first() == 1\n",
    "tests/test_data.py": textwrap.dedent(
        """\
        import json
        import pathlib

        from app import answer

        def test_data():
            assert answer() == json.loads(pathlib.Path(__file__).with_name("expected.json").read_text())["answer"]
        """
    ),
    "tests/expected.json": '{"answer": 42}\n',
    "tests/test_unit.py": textwrap.dedent(
        """\
        import unittest

        from app import answer

        class TestAnswer(unittest.TestCase):
            def test_unit(self):
                self.assertEqual(answer(), 42)
        """
    ),
    "tests/test_kind.py": (
        "from app import Answer, answer\n\n\ndef test_kind():\n    assert isinstance(answer(), Answer)\n"
    ),
    "tests/test_opened.py": (
        "from app import Opened\n\n\ndef test_opened():\n    with Opened() as result:\n        assert result == 42\n"
    ),
}
APP: Final = ("tests/test_app.py",)


@dataclass(frozen=True)
class Forgery:
    """`edits` are laid over the project, None deletes; `tests` are what the person named.

    `known` says why the verdict alone cannot see it; `limit` why the guard cannot either. Both are empty for the rest.
    """

    name: str
    edits: Mapping[str, str | None]
    tests: tuple[str, ...] = APP
    known: str = ""
    limit: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


def in_answer(name: str, body: str, imports: str = "", **more: object) -> Forgery:
    """The forgery happens when the failing test calls the code."""
    inner = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    source = f"{textwrap.dedent(imports)}\n{WRONG.rpartition('    return')[0]}{inner}\n    return 41\n{EXTRAS}"
    return Forgery(name, {"app.py": source}, **more)  # type: ignore[arg-type]


def in_first(name: str, body: str, imports: str = "", **more: object) -> Forgery:
    """The forgery happens while an earlier test, which truly passes, calls the code."""
    inner = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    source = (
        f"{textwrap.dedent(imports)}\ndef first():\n{inner}\n    return 1\n\n\ndef answer():\n    return 41\n{EXTRAS}"
    )
    return Forgery(name, {"app.py": source}, **more)  # type: ignore[arg-type]


def at_import(name: str, body: str, **more: object) -> Forgery:
    """The forgery happens when the test's module imports the code."""
    return Forgery(name, {"app.py": f"{WRONG}{EXTRAS}\n{textwrap.dedent(body)}"}, **more)  # type: ignore[arg-type]
