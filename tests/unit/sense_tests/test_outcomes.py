"""What each kind of test comes out as, when pytest really runs it."""

from __future__ import annotations

import pytest
from tests.support.tested_project import MakeProject, outcomes_of

from octolimb.core.verdicts import Outcome

CALCULATOR = "def add(a, b):\n    return a - b\n\n\ndef divide(a, b):\n    return a / b\n"

EVERY_KIND = """
import unittest

import calculator
import pytest


def test_passes():
    assert calculator.add(2, 0) == 2

def test_compares():
    assert calculator.add(1, 2) == 3

def test_explains():
    assert calculator.add(1, 2) == 3, "sums are wrong"

def test_raises_in_the_project():
    calculator.divide(1, 0)

def test_gives_up():
    pytest.fail("on purpose")

@pytest.mark.skip(reason="not today")
def test_is_skipped(): ...

def test_skips_itself():
    pytest.skip("no such thing here")

@pytest.mark.xfail(reason="known")
def test_fails_as_expected():
    assert False

@pytest.mark.xfail
def test_passes_unexpectedly(): ...

@pytest.mark.xfail(strict=True, reason="known")
def test_must_not_pass(): ...

@pytest.mark.xfail(run=False)
def test_is_not_tried():
    raise SystemExit

@pytest.fixture
def broken():
    raise ValueError("cannot set up")

def test_set_up(broken): ...

@pytest.fixture
def untidy():
    yield
    raise ValueError("cannot tear down")

def test_tear_down(untidy): ...

def test_asks_for_nothing_known(unknown_fixture): ...

@pytest.mark.parametrize("text", ["a b", "é", "two\\nlines", "[", "::", "\\ud800", 'quo"te'])
def test_odd(text): ...

class TestUnit(unittest.TestCase):
    def test_method(self):
        self.assertEqual(calculator.add(1, 2), 3)

    def test_parts(self):
        for number in (1, 2):
            with self.subTest(number=number):
                self.assertEqual(number, 1)

    @unittest.expectedFailure
    def test_expected(self):
        self.fail()

    @unittest.skip("later")
    def test_later(self): ...
"""


def test_every_kind_of_test_has_its_outcome(project: MakeProject) -> None:
    run = project({"calculator.py": CALCULATOR, "test_all.py": EVERY_KIND}).run()

    seen = outcomes_of(run)
    odd = {name: outcome for name, outcome in seen.items() if name.startswith("test_odd")}
    assert run.errors == ()
    assert list(odd.values()) == ["passed"] * 7
    assert {name: outcome for name, outcome in seen.items() if name not in odd} == {
        "test_passes": "passed",
        "test_compares": "failed",
        "test_explains": "failed",
        "test_raises_in_the_project": "failed",
        "test_gives_up": "failed",
        "test_is_skipped": "skipped",
        "test_skips_itself": "skipped",
        "test_fails_as_expected": "xfailed",
        "test_passes_unexpectedly": "xpassed",
        "test_must_not_pass": "failed",
        "test_is_not_tried": "xfailed",
        "test_set_up": "error",
        "test_tear_down": "error",
        "test_asks_for_nothing_known": "error",
        "TestUnit::test_method": "failed",
        "TestUnit::test_parts": "failed",
        "TestUnit::test_expected": "xfailed",
        "TestUnit::test_later": "skipped",
    }
    assert set(run.collected) == set(run.results)
    assert (run.errors, run.exit_status, run.why, run.timed_out) == ((), 1, None, False)

    kinds = {node_id.partition("::")[2]: site.kind for node_id, site in run.sites.items()}
    assert kinds["TestUnit::test_method"] == kinds["TestUnit::test_parts"] == kinds["test_compares"] == "AssertionError"
    messages = {node_id.rpartition("::")[2]: result.message for node_id, result in run.results.items()}
    assert messages["test_compares"] == "assert -1 == 3, where -1 = add(1, 2)"
    assert messages["test_explains"].startswith("AssertionError: sums are wrong: assert -1 == 3")
    assert messages["test_raises_in_the_project"] == "ZeroDivisionError: division by zero"
    assert messages["test_gives_up"] == "on purpose"
    assert messages["test_is_skipped"] == "not today"
    assert messages["test_must_not_pass"] == "passed, but is strictly expected to fail: known"
    assert messages["test_set_up"] == "setup: ValueError: cannot set up"
    assert messages["test_tear_down"] == "teardown: ValueError: cannot tear down"
    assert messages["test_asks_for_nothing_known"] == "setup: fixture 'unknown_fixture' not found"
    assert messages["test_parts"] == "AssertionError: 2 != 1 (number=2)"


def test_a_failure_is_shown_in_the_test_and_placed_where_it_happened(project: MakeProject) -> None:
    made = project(
        {
            "calculator.py": CALCULATOR,
            "test_it.py": "import calculator\n\n\ndef test_é():\n    calculator.divide(1, 0)\n",
        }
    )
    run = made.run()

    [result] = run.results.values()
    assert result.place == ("calculator.py", 6)
    assert "return a / b" in result.detail
    [finding] = made.findings(run)
    assert (finding.path, finding.span.start.line, finding.span.start.character) == ("test_it.py", 4, 4)
    assert (finding.source, finding.severity, finding.code) == ("tests", "error", "ZeroDivisionError")
    assert finding.test == "test_it.py::test_é"


def test_what_a_failing_test_printed_goes_with_its_traceback(project: MakeProject) -> None:
    run = project({"test_it.py": "def test_it():\n    print('a clue')\n    assert False\n"}).run()
    assert "a clue" in run.results["test_it.py::test_it"].detail


def test_a_test_that_passed_only_when_run_again_says_so(project: MakeProject) -> None:
    again = """
        import pytest
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            for report in runtestprotocol(item, nextitem=nextitem, log=False):
                if report.failed:
                    report.outcome = "rerun"
                    item.ihook.pytest_runtest_logreport(report=report)
                    break
                item.ihook.pytest_runtest_logreport(report=report)
            else:
                return True
            runtestprotocol(item, nextitem=nextitem)
            return True
        """
    lines = "\n".join(line[8:] for line in again.splitlines())
    flaky = "tries = []\ndef test_it():\n    tries.append(1)\n    assert len(tries) > 1\n"
    run = project({"conftest.py": lines, "test_it.py": flaky}).run()
    assert run.results["test_it.py::test_it"].outcome is Outcome.PASSED
    assert run.results["test_it.py::test_it"].message == "passed only when it was run again"


def test_a_doctest_tells_what_it_expected(project: MakeProject) -> None:
    source = "def one():\n    '''\n    >>> one()\n    2\n    '''\n    return 1\n"
    run = project({"pytest.ini": "[pytest]\naddopts = --doctest-modules\n", "a.py": source}).run()
    result = run.results["a.py::a.one"]
    assert (result.outcome, result.message, result.place) == (Outcome.FAILED, "expected '2', got '1'", ("a.py", 3))


def test_unsaved_edits_are_what_is_tested(project: MakeProject) -> None:
    saved = project(
        {"a.py": "x = 1\n", "tests/x.txt": "1", "tests/test_a.py": "import a\ndef test_a(): assert a.x == 1\n"}
    )
    assert outcomes_of(saved.run()) == {"test_a": "passed"}
    unsaved = saved.edit(
        {
            "a.py": "x = 2\n",
            "tests/conftest.py": "import pytest\n@pytest.fixture\ndef two(): return 2\n",
            "tests/test_b.py": "import a\ndef test_b(two): assert a.x == two\n",
        }
    )
    assert outcomes_of(unsaved.run()) == {"test_a": "failed", "test_b": "passed"}
    assert outcomes_of(unsaved.edit({"tests/test_b.py": None, "a.py": None}).run()) == {}


@pytest.mark.parametrize("layout", ["", "src/"])
def test_the_root_and_src_lead_the_path_and_nothing_of_ours_is_on_it(project: MakeProject, layout: str) -> None:
    source = """
        import os, sys
        import package

        def test_path():
            root = os.getcwd()
            assert sys.path[0] == os.path.dirname(__file__)
            rest = [path for path in sys.path if path != os.path.dirname(__file__)]
            assert rest[: len(LEAD)] == [os.path.join(root, path).rstrip("/") for path in LEAD]
            assert not [path for path in sys.path if "in_project" in path]
            assert "pytest_reporter" not in sys.modules

        def test_main():
            assert sys.modules["__main__"].__spec__.name == "pytest.__main__"
            assert sys.argv[0].endswith(os.path.join("pytest", "__main__.py"))
            assert sys.stdin is None or os.read(0, 1) == b""
            assert "OCTOLIMB_REPORT_FD" not in os.environ
        """
    lines = "\n".join(line[8:] for line in source.splitlines())
    lead = ["", "src"] if layout else [""]
    run = project({f"{layout}package.py": "", "tests/test_it.py": f"LEAD = {lead!r}\n{lines}\n"}).run()
    assert outcomes_of(run) == {"test_path": "passed", "test_main": "passed"}
