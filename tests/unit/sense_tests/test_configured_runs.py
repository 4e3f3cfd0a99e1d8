"""Project configurations that would hide tests from us, and selections of tests."""

from __future__ import annotations

import pytest
from tests.support.tested_project import MakeProject, outcomes_of

from octolimb.sense.tests.run import TestSelection, run_tests
from octolimb.shadow.interpreter import find_interpreter

MIXED = "def test_a(): assert 0\ndef test_b(): pass\n"

PARALLEL_PLUGIN = """
import os
import pytest

def pytest_addoption(parser):
    parser.addoption("--numprocesses", dest="numprocesses", type=int)
    parser.addoption("--dist", dest="dist", default="no")
    parser.addoption("--cov", dest="cov_source", action="append", default=[])
    parser.addoption("--cov-fail-under", dest="cov_fail_under", type=int)

@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config):
    known = early_config.known_args_namespace
    assert not known.cov_source and not known.numprocesses

@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    if config.option.numprocesses or config.option.dist != "no":
        os._exit(7)

@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    if session.config.option.cov_fail_under:
        session.exitstatus = 1
"""


@pytest.mark.parametrize(
    "options",
    [
        "-x",
        "--maxfail=1",
        "--lf",
        "--sw",
        "--pdb",
        "--tb=no",
        "--collect-only",
        "--setup-plan",
        "-p no:terminal",
        "-q -s",
    ],
)
def test_default_options_hide_no_test(project: MakeProject, options: str) -> None:
    run = project({"pytest.ini": f"[pytest]\naddopts = {options}\n", "test_it.py": MIXED}).run()
    assert outcomes_of(run) == {"test_a": "failed", "test_b": "passed"}
    assert run.results["test_it.py::test_a"].message == "assert 0"


def test_workers_and_coverage_are_switched_off_before_they_act(project: MakeProject) -> None:
    options = "-p parallel --numprocesses 4 --dist load --cov=package --cov-fail-under=100"
    files = {"pytest.ini": f"[pytest]\naddopts = {options}\n", "parallel.py": PARALLEL_PLUGIN}
    run = project({**files, "test_it.py": "def test_it(): pass\n"}).run()
    assert outcomes_of(run) == {"test_it": "passed"}
    assert (run.errors, run.exit_status) == ((), 0)


def test_another_order_changes_no_result(project: MakeProject) -> None:
    conftest = "def pytest_collection_modifyitems(items): items.reverse()\n"
    run = project({"conftest.py": conftest, "test_it.py": MIXED}).run()
    assert outcomes_of(run) == {"test_b": "passed", "test_a": "failed"}
    assert run.collected == ("test_it.py::test_b", "test_it.py::test_a")


def test_collecting_only_runs_nothing(project: MakeProject) -> None:
    run = project({"test_it.py": MIXED}).run(collect_only=True)
    assert run.collected == ("test_it.py::test_a", "test_it.py::test_b")
    assert (run.results, run.errors, run.exit_status) == ({}, (), 0)


def test_stopping_at_the_first_failure_leaves_the_rest_unrun(project: MakeProject) -> None:
    made = project({"test_it.py": MIXED + "def test_c(): pass\n"})
    run = made.run(stop_first=True)
    assert outcomes_of(run) == {"test_a": "failed", "test_b": "lost", "test_c": "lost"}
    assert [finding.message for finding in made.findings(run)] == [
        "assert 0",
        "2 tests were not run: stopped at the first failure",
    ]


def test_mode_none_starts_nothing(project: MakeProject) -> None:
    made = project({"test_it.py": MIXED})
    interpreter = find_interpreter(made.root, None)
    with made.host.project(made.snapshot) as shadow:
        run = run_tests(shadow, made.snapshot, interpreter, TestSelection("none", why="not wanted"), deadline=1)
    assert (run.results, run.exit_status, run.why) == ({}, None, "not wanted")


# -- selections ------------------------------------------------------------------------------------------------

SUITE = {
    "tests/test_a.py": (
        "import pytest\ndef test_a(): pass\n"
        "@pytest.mark.parametrize('x', ['1', '2', 'a::b', '['])\ndef test_p(x): pass\n"
    ),
    "tests/test_b.py": "1 / 0\n",
    "tests/sub/test_c.py": "class TestC:\n    def test_c(self): pass\n    def test_d(self): pass\n",
    "tests/we[ird]/test_w.py": "def test_w(): pass\ndef test_v(): assert 0\n",
    "checks/check.py": "def test_checks(): pass\n",
    "pytest.ini": "[pytest]\ntestpaths = tests\n",
}


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(
    ("ids", "ran"),
    [
        (["tests/test_a.py::test_a"], ["test_a"]),
        (["./tests//test_a.py::test_a"], ["test_a"]),
        (["tests/test_a.py::test_p"], ["test_p[1]", "test_p[2]", "test_p[a::b]", "test_p[[]"]),
        (["tests/test_a.py::test_p[a::b]", "tests/test_a.py::test_p[[]"], ["test_p[a::b]", "test_p[[]"]),
        (["tests/sub"], ["TestC::test_c", "TestC::test_d"]),
        (["tests/sub/test_c.py"], ["TestC::test_c", "TestC::test_d"]),
        (["tests/sub/test_c.py::TestC", "tests/test_a.py::test_a"], ["TestC::test_c", "TestC::test_d", "test_a"]),
        (["tests/sub/test_c.py::TestC::test_d"], ["TestC::test_d"]),
        (["tests/we[ird]/test_w.py::test_w"], ["test_w"]),
        (["tests/we[ird]"], ["test_w", "test_v"]),
    ],
)
def test_exactly_what_is_selected_runs(project: MakeProject, ids: list[str], ran: list[str], named: bool) -> None:
    run = project(SUITE).run(*ids, named=named)
    assert sorted(outcomes_of(run)) == sorted(ran)
    assert run.errors == ()


def test_the_whole_suite_by_its_directory(project: MakeProject) -> None:
    run = project(SUITE).run(".", named=True)
    assert len(outcomes_of(run)) == 9
    assert [error.path for error in run.errors] == ["tests/test_b.py"]


def test_a_file_that_pytest_would_not_come_across_runs_only_if_a_person_named_it(project: MakeProject) -> None:
    assert outcomes_of(project(SUITE).run("checks/check.py", named=True)) == {"test_checks": "passed"}
    assert outcomes_of(project(SUITE).run("checks/check.py")) == {}


def test_ignored_files_stay_ignored_when_they_are_selected_but_not_named(project: MakeProject) -> None:
    files = {"conftest.py": "collect_ignore = ['test_b.py']\n", "test_a.py": MIXED, "test_b.py": "1 / 0\n"}
    assert project(files).run("test_a.py", "test_b.py").errors == ()


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            "tests/test_a.py::test_aa",
            "not found: there is no tests/test_a.py::test_aa; close to it: tests/test_a.py::test_a",
        ),
        ("tests/test_aa.py", "not found: there is no tests/test_aa.py; close to it: tests/test_a.py"),
        ("tests/test_aa.py::test_a", "not found: there is no tests/test_aa.py; close to it: tests/test_a.py"),
        ("tests/test_b.py::test_b", "not collected: ZeroDivisionError: division by zero"),
        ("../outside.py::test", "not found: there is no ../outside.py"),
    ],
)
def test_a_named_test_that_is_not_there_is_lost_and_says_so(project: MakeProject, wanted: str, message: str) -> None:
    run = project(SUITE).run(wanted, "tests/sub", named=True)
    result = run.results[wanted]
    assert result.outcome == "lost"
    assert result.message.startswith(message)
    assert run.results["tests/sub/test_c.py::TestC::test_c"].outcome == "passed"


def test_a_named_test_that_the_configuration_deselects_is_lost(project: MakeProject) -> None:
    files = {"pytest.ini": "[pytest]\naddopts = -k 'not slow'\n", "test_it.py": "def test_slow(): pass\n"}
    run = project(files).run("test_it.py::test_slow", named=True)
    assert run.results["test_it.py::test_slow"].message == "deselected by the project's own configuration"


def test_ids_are_relative_to_the_root_wherever_pytest_puts_its_own(project: MakeProject) -> None:
    files = {
        "sub/pytest.ini": "[pytest]\n",
        "pytest.ini": "[pytest]\naddopts = --rootdir=sub\n",
        "sub/test_it.py": MIXED,
    }
    made = project(files)
    run = made.run()
    assert run.collected == ("sub/test_it.py::test_a", "sub/test_it.py::test_b")
    assert [finding.path for finding in made.findings(run)] == ["sub/test_it.py"]
    assert outcomes_of(made.run("sub/test_it.py::test_b")) == {"test_b": "passed"}
