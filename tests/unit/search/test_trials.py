"""What a warm trial says of candidates, for every shape of code and whatever a candidate does to the process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Lab = Any  # The class stands in conftest.py, which tests cannot import.

Status = Callable[..., dict[str, str]]

BODIES = {
    "a function": (
        {
            "m.py": "def f(a, b):\n    return a - b\n",
            "test_m.py": "from m import f\ndef test_it():\n    assert f(2, 3) == 5\n",
        },
        "a - b",
        "a * b",
        "a + b",
    ),
    "a method": (
        {
            "m.py": """
                class A:
                    class B:
                        def __get(self):
                            return 1

                        def f(self):
                            return self.__get()
                """,
            "test_m.py": "from m import A\ndef test_it():\n    assert A.B().f() == 2\n",
        },
        "return self.__get()",
        "return self.__get() - 1",
        "return self.__get() + 1",
    ),
    "a method that calls super": (
        {
            "m.py": "class A:\n    def f(self): return 1\nclass B(A):\n    def f(self):\n        return super().f()\n",
            "test_m.py": "from m import B\ndef test_it():\n    assert B().f() == 2\n",
        },
        "return super().f()",
        "return super().f() * 1",
        "return super().f() + 1",
    ),
    "a closure made in the test": (
        {
            "m.py": "def adder(n):\n    def add(x):\n        return x - n\n    return add\n",
            "test_m.py": "from m import adder\ndef test_it():\n    assert adder(2)(3) == 5\n",
        },
        "x - n",
        "x",
        "x + n",
    ),
    "a decorated function": (
        {
            "m.py": """
                import functools
                def twice(f):
                    @functools.wraps(f)
                    def inner(*a):
                        return 2 * f(*a)
                    return inner
                @twice
                def f(x):
                    return x - 1
                """,
            "test_m.py": "from m import f\ndef test_it():\n    assert f(1) == 4\n",
        },
        "x - 1",
        "x",
        "x + 1",
    ),
    "a cached function": (
        {
            "m.py": """
                import functools
                @functools.lru_cache(maxsize=None)
                def f(n):
                    return n if n < 2 else f(n - 1) + f(n - 1)
                """,
            "test_m.py": "from m import f\ndef test_it():\n    assert f(10) == 55\n",
        },
        "f(n - 1) + f(n - 1)",
        "f(n - 1) - f(n - 2)",
        "f(n - 1) + f(n - 2)",
    ),
    "a generator": (
        {
            "m.py": "def f(n):\n    for i in range(n):\n        yield i\n",
            "test_m.py": "from m import f\ndef test_it():\n    assert list(f(3)) == [1, 2, 3]\n",
        },
        "yield i",
        "yield i - 1",
        "yield i + 1",
    ),
    "an async function": (
        {
            "m.py": "async def f(n):\n    return n\n",
            "test_m.py": "import asyncio\nfrom m import f\ndef test_it():\n    assert asyncio.run(f(3)) == 4\n",
        },
        "return n",
        "return -n",
        "return n + 1",
    ),
    "a method of a data class": (
        {
            "m.py": """
                from __future__ import annotations
                import dataclasses
                @dataclasses.dataclass
                class P:
                    x: int
                    def f(self) -> int:
                        return self.x
                """,
            "test_m.py": "from m import P\ndef test_it():\n    assert P(1).f() == 2\n",
        },
        "return self.x",
        "return -self.x",
        "return self.x + 1",
    ),
    "a function in an except block": (
        {
            "m.py": "try:\n    import no_such_module_here\nexcept ImportError:\n    def f():\n        return 1\n",
            "test_m.py": "from m import f\ndef test_it():\n    assert f() == 2\n",
        },
        "return 1",
        "return 3",
        "return 2",
    ),
    "a file with CRLF line ends": (
        {
            "m.py": b"def f():\r\n    x = 1\r\n    return x\r\n",
            "test_m.py": "from m import f\ndef test_it():\n    assert f() == 2\n",
        },
        "return x",
        "return x - 1",
        "return x + 1",
    ),
    "a file that is not ASCII": (
        {
            "m.py": "GRÖSSE = 'größe'\ndef größe(ä):\n    return 'ß' * ä\n",
            "test_m.py": "from m import größe\ndef test_it():\n    assert größe(1) == 'ßü'\n",
        },
        "'ß' * ä",
        "'ß'",
        "'ß' * ä + 'ü'",
    ),
}

FILES = {
    "a constant of the module": (
        {
            "m.py": "LIMIT = 1\ndef f():\n    return LIMIT\n",
            "test_m.py": "from m import f\ndef test_it():\n    assert f() == 2\n",
        },
        "LIMIT = 1",
        "LIMIT = 3",
        "LIMIT = 2",
    ),
    "a function that ran at import": (
        {
            "m.py": "def f():\n    return 1\nVALUE = f()\n",
            "test_m.py": "import m\ndef test_it():\n    assert m.VALUE == 2\n",
        },
        "return 1",
        "return 3",
        "return 2",
    ),
    "a default argument": (
        {"m.py": "def f(x=1):\n    return x\n", "test_m.py": "from m import f\ndef test_it():\n    assert f() == 2\n"},
        "x=1",
        "x=3",
        "x=2",
    ),
    "a decorator": (
        {
            "m.py": "class A:\n    @property\n    def f(self):\n        return 2\n",
            "test_m.py": "from m import A\ndef test_it():\n    assert A().f() == 2\n",
        },
        "@property",
        "@classmethod\n    @property",
        "@staticmethod\n    def g(): pass\n",
    ),
    "a module that the function imports late": (
        {
            "m.py": "def f():\n    return 1\n",
            "test_m.py": "def test_it():\n    from m import f\n    assert f() == 2\n",
        },
        "return 1",
        "return 3",
        "return 2",
    ),
}


@pytest.mark.parametrize("shape", [*BODIES, *FILES])
def test_a_fix_is_told_from_a_miss_in(shape: str, status: Status) -> None:
    files, old, miss, fix = {**BODIES, **FILES}[shape]
    assert status(files, old, miss, fix) == {miss: "failed", fix: "passed"}


PROJECTS = {
    "a src layout": (
        {
            "src/pkg/__init__.py": "",
            "src/pkg/m.py": "def f():\n    return 1\n",
            "tests/test_m.py": "from pkg.m import f\ndef test_it():\n    assert f() == 2\n",
        },
        "src/pkg/m.py",
        "tests/test_m.py::test_it",
    ),
    "a package with relative imports": (
        {
            "pkg/__init__.py": "from .m import f\n",
            "pkg/m.py": "from . import other\ndef f():\n    return 1\n",
            "pkg/other.py": "",
            "pkg/tests/__init__.py": "",
            "pkg/tests/test_m.py": "from .. import f\ndef test_it():\n    assert f() == 2\n",
        },
        "pkg/m.py",
        "pkg/tests/test_m.py::test_it",
    ),
    "parameters, of which one fails": (
        {
            "m.py": "def f(x='a::b[c] é'):\n    return 1\n",
            "test_m.py": """
                import pytest
                from m import f
                @pytest.mark.parametrize("x", ["", "a::b[c] é"])
                def test_it(x):
                    assert f() == 2 or not x
                """,
        },
        "m.py",
        r"test_m.py::test_it[a::b[c] \xe9]",
    ),
    "a unittest case": (
        {
            "m.py": "def f():\n    return 1\n",
            "test_m.py": """
                import unittest
                from m import f
                class TestIt(unittest.TestCase):
                    def setUp(self):
                        self.wanted = 2
                    def test_it(self):
                        with self.subTest(1):
                            self.assertEqual(f(), self.wanted)
                """,
        },
        "m.py",
        "test_m.py::TestIt::test_it",
    ),
    "a fixture of the module's scope": (
        {
            "m.py": "def f():\n    return 1\n",
            "test_m.py": """
                import pytest
                from m import f
                @pytest.fixture(scope="module")
                def box():
                    return [f()]
                def test_first(box):
                    box.append(1)
                    assert f()
                def test_it(box):
                    assert box[0] == 2
                """,
        },
        "m.py",
        "test_m.py::test_it",
    ),
    "a conftest that starts a thread": (
        {
            "conftest.py": "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n",
            "m.py": "def f():\n    return 1\n",
            "test_m.py": "from m import f\ndef test_it():\n    assert f() == 2\n",
        },
        "m.py",
        "test_m.py::test_it",
    ),
    "a script that asserts while it is imported": (
        {"m.py": "def f():\n    return 1\n", "test_m.py": "from m import f\nassert f() == 2\n"},
        "m.py",
        "test_m.py",
    ),
    "a test that floods its output": (
        {
            "m.py": "def f():\n    return 1\n",
            "test_m.py": """
                import os, sys
                from m import f
                def test_it():
                    for _ in range(200):
                        print("x" * 10_000)
                        os.write(2, b"y" * 10_000)
                    assert f() == 2
                """,
        },
        "m.py",
        "test_m.py::test_it",
    ),
    "pytest options in the project": (
        {
            "pyproject.toml": """
                [tool.pytest.ini_options]
                addopts = "-x -ra --strict-markers"
                filterwarnings = ["error", "ignore::pytest.PytestDeprecationWarning"]
                """,
            "m.py": "def f():\n    return 1\n",
            "tests/test_m.py": "from m import f\ndef test_it(tmp_path):\n    assert f() == 2\n",
        },
        "m.py",
        "tests/test_m.py::test_it",
    ),
}


@pytest.mark.parametrize("kind", PROJECTS)
def test_a_fix_is_found_with(kind: str, status: Status) -> None:
    files, path, target = PROJECTS[kind]
    found = status(files, "return 1", "return 3", "return 2", path=path, target=target)
    assert found == {"return 3": "failed", "return 2": "passed"}


PLAIN = {
    "m.py": "import math\ndef f():\n    return 1\n",
    "test_m.py": "from m import f\ndef test_it():\n    assert f() == 2\n",
}


def test_a_candidate_that_hangs_is_told_and_spares_the_rest(lab: Lab) -> None:
    lab.write(PLAIN)
    loop = "while True: pass"
    candidates = [lab.edit("m.py", "return 1", new) for new in ("return 3", loop, "return 2")]
    found: dict[str, str] = {}
    with lab.session("test_m.py::test_it") as session:
        # Told to stop as soon as the others are known, it gives up those that hung.
        trials = session.try_candidates(candidates, until=lab.in_seconds(30), stop=lambda: len(found) >= 2)
        for trial in trials:
            found[trial.candidate.note] = trial.status
    assert found == {"return 3": "failed", "return 2": "passed", loop: "hung"}


def test_a_slow_fix_passes_once_it_is_given_longer(status: Status) -> None:
    slow = "import time; time.sleep(0.3); return 2"
    assert status(PLAIN, "return 1", "return 3", slow) == {"return 3": "failed", slow: "passed"}


def test_candidates_that_end_their_process_spare_the_rest(status: Status) -> None:
    ends = ["import os; os._exit(0)", "import os; os.abort()", "import os, signal; os.kill(0, 9)"]
    assert status(PLAIN, "return 1", *ends, "return 2") == {**dict.fromkeys(ends, "crashed"), "return 2": "passed"}


def test_a_candidate_that_kills_the_worker_around_it_spares_the_rest(status: Status) -> None:
    kill = "import os; os.kill(os.getppid(), 9)"
    assert status(PLAIN, "return 1", kill, "return 2") == {kill: "unsupported", "return 2": "passed"}


def test_broken_candidates_do_not_end_the_search(status: Status) -> None:
    broken = [f"LIMIT = ({number}" for number in range(100)]
    files, old, _, fix = FILES["a constant of the module"]
    assert status(files, old, *broken, fix) == {**dict.fromkeys(broken, "failed"), fix: "passed"}


def test_no_way_out_counts_as_passed(status: Status) -> None:
    tricks = [
        "import pytest; pytest.skip('no')",
        "import pytest; pytest.xfail('no')",
        "import unittest; raise unittest.SkipTest",
        "import pytest; pytest.exit('no', 0)",
        "raise KeyboardInterrupt",
        "raise SystemExit(0)",
        "return f()",
        "return [0] * (1 << 40)",
    ]
    assert status(PLAIN, "return 1", *tricks, "return 2") == {**dict.fromkeys(tricks, "failed"), "return 2": "passed"}


def test_a_candidate_that_spoils_shared_inputs_spares_the_rest(status: Status) -> None:
    files = {
        "m.py": "def f(xs):\n    return xs[0]\n",
        "test_m.py": "from m import f\nXS = [1, 2, 3]\ndef test_it():\n    assert f(XS) == 3\n",
    }
    spoil = "return xs.pop() and 0"
    found = status(files, "return xs[0]", "return xs[1]", spoil, "return xs[-2]", "return xs[-1]")
    assert found == {"return xs[1]": "failed", spoil: "failed", "return xs[-2]": "failed", "return xs[-1]": "passed"}


def test_a_candidate_that_spoils_the_standard_library_spares_the_rest(status: Status) -> None:
    files = {
        "m.py": "import math\ndef f(x):\n    return math.floor(x)\n",
        "test_m.py": "from m import f\ndef test_it():\n    assert f(1.5) == 2\n",
    }
    spoil = "math.ceil = math.floor; return 0"
    found = status(files, "return math.floor(x)", spoil, "return math.ceil(x) - 1", "return math.ceil(x)")
    assert found == {spoil: "failed", "return math.ceil(x) - 1": "failed", "return math.ceil(x)": "passed"}


def test_an_original_that_spoils_its_own_inputs_can_be_fixed(status: Status) -> None:
    files = {
        "m.py": "def f(xs):\n    return xs.pop(0)\n",
        "test_m.py": "from m import f\nXS = [1, 2, 3]\ndef test_it():\n    assert f(XS) == 3\n",
    }
    found = status(files, "xs.pop(0)", "xs.pop(1)", "xs.pop()")
    assert found == {"xs.pop(1)": "failed", "xs.pop()": "passed"}


def test_an_original_that_hangs_can_be_fixed(lab: Lab) -> None:
    lab.write(
        {
            "m.py": "def f(n):\n    while n > 0:\n        n += 1\n    return n\n",
            "test_m.py": "from m import f\ndef test_it():\n    assert f(3) == 0\n",
        }
    )
    candidates = [lab.edit("m.py", "n += 1", new) for new in ("n += 2", "n -= 1")]
    with lab.session("test_m.py::test_it", deadline=20.0) as session:
        trials = session.try_candidates(candidates, until=lab.in_seconds(20))
        assert next(trials).candidate is candidates[1]


def test_a_script_that_hangs_while_it_is_imported_can_be_fixed(lab: Lab) -> None:
    lab.write(
        {
            "m.py": "def f(n):\n    while n > 0:\n        n += 1\n    return n\n",
            "test_m.py": "from m import f\nassert f(3) == 0\n",
        }
    )
    candidates = [lab.edit("m.py", "n += 1", new) for new in ("n += 2", "n -= 1")]
    with lab.session("test_m.py", deadline=20.0) as session:
        assert {2, 3} <= set(session.localise().suspicion["m.py"])
        trials = session.try_candidates(candidates, until=lab.in_seconds(20))
        assert next(trials).candidate is candidates[1]


def test_every_candidate_has_the_same_luck(status: Status) -> None:
    files = {
        "m.py": "import random\ndef f():\n    return random.random()\n",
        "test_m.py": """
            from m import f
            SEEN = []
            def test_it():
                assert f() < 0, f()
            """,
    }
    misses = [f"return random.random() + {number}" for number in range(3)]
    assert set(status(files, "return random.random()", *misses, "return -1").values()) == {"failed", "passed"}


def test_a_fix_that_breaks_a_companion_has_failed(lab: Lab) -> None:
    lab.write(
        {
            "m.py": "def f(x):\n    return 1\n",
            "test_m.py": """
                from m import f
                def test_it():
                    assert f(2) == 2
                def test_one():
                    assert f(1) == 1
                """,
        }
    )
    trials = lab.try_edits("m.py", "return 1", ["return 2", "return x"], "test_m.py::test_it", companions=["test_m.py"])
    assert {new: trial.status for new, trial in trials.items()} == {"return 2": "failed", "return x": "passed"}
    assert trials["return 2"].passed == 1
    assert "test_one" in trials["return 2"].why


def test_two_edits_in_two_files_are_tried_together(lab: Lab) -> None:
    lab.write(
        {
            "m.py": "from n import g\ndef f():\n    return g()\n",
            "n.py": "def g():\n    return 1\n",
            "test_m.py": "from m import f\ndef test_it():\n    assert f() == 3\n",
        }
    )
    one, other = lab.edit("m.py", "return g()", "return g() + 1"), lab.edit("n.py", "return 1", "return 2")
    both = type(one)(one.edits + other.edits, "test", 2.0, "both")
    assert lab.statuses([one, other, both], "test_m.py::test_it") == ["failed", "failed", "passed"]


def test_a_target_that_passes_says_nothing_of_candidates(status: Status) -> None:
    assert status({**PLAIN, "m.py": "def f():\n    return 2\n"}, "return 2", "return 3 - 1") == {
        "return 3 - 1": "unsupported"
    }


def test_broken_syntax_and_other_languages_never_reach_the_worker(lab: Lab) -> None:
    lab.write({**PLAIN, "notes.txt": "one"})
    candidates = [lab.edit("m.py", "return 1", "return ("), lab.edit("notes.txt", "one", "two")]
    assert lab.statuses(candidates, "test_m.py::test_it") == ["failed", "unsupported"]


def test_candidates_are_pulled_no_further_than_needed(lab: Lab) -> None:
    lab.write(PLAIN)
    pulled = []

    def candidates() -> Any:
        for number in range(3, 1000):
            pulled.append(number)
            yield lab.edit("m.py", "return 1", f"return {number}")

    with lab.session("test_m.py::test_it") as session:
        first = next(session.try_candidates(candidates(), until=lab.in_seconds(30)))
    assert first.status == "failed"
    assert len(pulled) < 200


def test_nothing_is_tried_once_told_to_stop(lab: Lab) -> None:
    lab.write(PLAIN)
    with lab.session("test_m.py::test_it") as session:
        candidates = [lab.edit("m.py", "return 1", "return 2")]
        assert list(session.try_candidates(candidates, until=lab.in_seconds(30), stop=lambda: True)) == []
        assert session.stats.tried == 0


def test_modules_named_like_ours_are_the_projects_own(lab: Lab) -> None:
    names = ("frames", "forks", "names", "running", "main", "batches", "canary")
    lab.write({f"{name}.py": f"NAME = 'the project: {name}'\n" for name in names})
    imports = "".join(f"import {name}\n" for name in names)
    checks = "".join(f"    assert {name}.NAME == 'the project: {name}'\n" for name in names)
    test = f"{imports}from m import f\ndef test_it():\n{checks}    assert f() == 2\n"
    lab.write({"m.py": PLAIN["m.py"], "test_m.py": test})
    trials = lab.try_edits("m.py", "return 1", ["return 3", "return 2"], "test_m.py::test_it")
    assert {new: trial.status for new, trial in trials.items()} == {"return 3": "failed", "return 2": "passed"}


def test_many_that_hang_among_many_are_each_told(lab: Lab) -> None:
    lab.write(PLAIN)
    loops = [f"while {number}: pass" for number in range(1, 5)]
    stubborn = "while True:\n        try:\n            while True: pass\n        except BaseException: pass"
    misses = [f"return {number}" for number in range(3, 15)]
    edits = [*misses[:4], *loops, *misses[4:], stubborn, "return 2"]
    candidates = [lab.edit("m.py", "return 1", new) for new in edits]
    with lab.session("test_m.py::test_it") as session:
        session.localise()
        trials = session.try_candidates(candidates, until=lab.in_seconds(8))
        found = {trial.candidate.note: trial.status for trial in trials}
    assert found == {
        **dict.fromkeys(misses, "failed"),
        **dict.fromkeys([*loops, stubborn], "hung"),
        "return 2": "passed",
    }


def test_the_tree_is_as_it_was(lab: Lab) -> None:
    lab.write(PLAIN)
    before = {path: path.read_bytes() for path in lab.root.rglob("*")}
    trials = lab.try_edits("m.py", "return 1", ["open('x', 'w'); return 2"], "test_m.py::test_it")
    assert [trial.status for trial in trials.values()] == ["passed"]
    assert {path: path.read_bytes() for path in lab.root.rglob("*") if path.is_file()} == before
