"""Candidates are told apart by what they do on inputs that no test checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

Lab = Any  # The class stands in conftest.py, which tests cannot import.

CALLED = "from m import f\n\n\ndef test_it():\n    assert {} == {}\n"


def told_apart(lab: Lab, old: str, news: Sequence[str], *companions: str) -> list[tuple[str, ...] | None]:
    with lab.session("test_m.py::test_it", companions=companions) as session:
        candidates = [lab.edit("m.py", old, new) for new in news]
        found: list[tuple[str, ...] | None] = session.behaviours(candidates, seconds=20.0)
        return found


@pytest.mark.parametrize(
    ("source", "old", "call", "same", "other"),
    [
        pytest.param("a - b", "a - b", "f(2, 2)", ["a + b", "b + a"], ["a * b", "a ** b"], id="numbers"),
        pytest.param("list(a)", "list(a)", "f([1])", ["a * 2", "a + a"], ["a + [1]", "a + a[:1]"], id="lists"),
        pytest.param("a", "a", "f('x')", ["a * 2", "a + a"], ["a + 'x'", "a + a.lower()"], id="text"),
        pytest.param("a", "a", "f({'k': 1})", ["len(a)", "sum(1 for _ in a)"], ["a['k']", "1"], id="a dictionary"),
        pytest.param("(x for x in a)", "x for", "f([])", ["x for", "(x) for"], ["-x for"], id="a generator"),
        pytest.param("a", "a", "f([1, 2])", ["(a)", "a or a"], ["a.pop()"], id="what it does to its arguments"),
        pytest.param("a", "a", "f(1)", ["1 // a", "1 // (a)"], ["a and 1 // a"], id="what it raises"),
    ],
)
def test_what_does_the_same_is_the_same(
    lab: Lab, source: str, old: str, call: str, same: list[str], other: list[str]
) -> None:
    signature = "def f(a, b=None):\n    return "
    lab.write({"m.py": f"{signature}{source}\n", "test_m.py": CALLED.format(call, "'never'")})
    news = [f"return {source.replace(old, new, 1)}" for new in (*same, *other)]
    found = told_apart(lab, f"return {source}", news)
    assert None not in found
    assert len(set(found[: len(same)])) == 1
    assert len(set(found)) == 1 + len(other)


def test_what_the_tests_call_is_looked_at_wherever_the_edit_is(lab: Lab) -> None:
    lab.write(
        {
            "m.py": "def step(x):\n    return x\n\n\ndef f(xs):\n    return [step(x) for x in xs]\n",
            "test_m.py": CALLED.format("f([1, 2])", "[2, 4]"),
        }
    )
    first, second, third = told_apart(lab, "return x\n", ["return x + x\n", "return x * 2\n", "return x ** 2 + 1\n"])
    assert first == second
    assert first != third


def test_other_tests_that_pass_show_inputs_too(lab: Lab) -> None:
    """The failing test calls with an object, of which nothing can be made anew."""
    lab.write(
        {
            "m.py": "def f(x):\n    return x\n",
            "test_m.py": "from m import f\n\n\ndef test_it():\n    assert f(object()) is None\n\n\n"
            "def test_other():\n    assert f(3) == 3\n",
        }
    )
    assert told_apart(lab, "return x", ["return x", "return -x"]) == [None, None]
    first, second = told_apart(lab, "return x", ["return x", "return -x"], "test_m.py")
    assert first is not None
    assert first != second


def test_of_what_cannot_be_looked_at_nothing_is_said(lab: Lab) -> None:
    lab.write({"m.py": "import os\n\n\ndef f(x):\n    return x\n", "test_m.py": CALLED.format("f(3)", "4")})
    with lab.session("test_m.py::test_it") as session:
        body = lab.edit("m.py", "return x", "return x + 1")
        candidates = [
            lab.edit("m.py", "return x", "os._exit(0)"),
            lab.edit("m.py", "def f(x)", "def f(x, y=1)"),
            lab.edit("m.py", "return x", "return ("),
            body,
        ]
        found = session.behaviours(candidates, seconds=20.0)
        assert found[:3] == [None, None, None]
        assert found[3] is not None
        # The session goes on.
        assert [trial.status for trial in session.try_candidates([body], until=lab.in_seconds(20.0))] == ["passed"]


def test_what_hangs_or_prints_or_leaves_traces_does_not_spoil_the_others(lab: Lab) -> None:
    lab.write({"m.py": "SEEN = []\n\n\ndef f(x):\n    return x\n", "test_m.py": CALLED.format("f(3)", "4")})
    news = [
        "return x + 1",
        "while True: pass",
        "SEEN.append(x); return len(SEEN)",
        "print(x); return x + 1",
        "import time; time.sleep(9)",
        "return 1 + x",
    ]
    found = told_apart(lab, "return x", news)
    assert found[0] == found[3] == found[5]
    assert found[0] is not None
    assert found[1] != found[0]
    assert found[4] is None


def test_without_a_worker_nothing_is_known(lab: Lab) -> None:
    lab.write({"m.py": "def f(x):\n    return x\n", "test_m.py": "raise SystemExit\n"})
    assert told_apart(lab, "return x", ["return 1"]) == [None]
