"""Runs that break, lie or never end: what was not reported is never a pass, and each says why."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.tested_project import MakeProject, outcomes_of

from octolimb.core.errors import CannotSense
from octolimb.core.verdicts import Outcome

THREE = "import os, sys, time, pytest\ndef test_a(): pass\ndef test_b(): {}\ndef test_c(): pass\n"
PASS = "def test_it(): pass\n"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("os._exit(0)", "the process ended early, with exit status 0"),
        ("os.kill(os.getpid(), 9)", "the process was killed by signal 9"),
        ("pytest.exit('enough')", "the run was stopped: Exit: enough"),
        ("raise KeyboardInterrupt", "the run was stopped: KeyboardInterrupt"),
    ],
)
def test_a_test_that_ends_the_run_is_lost_and_so_are_those_after_it(project: MakeProject, body: str, why: str) -> None:
    made = project({"test_it.py": THREE.format(body)})
    run = made.run()
    assert outcomes_of(run) == {"test_a": "passed", "test_b": "lost", "test_c": "lost"}
    assert run.why == why
    assert run.results["test_it.py::test_b"].message == f"{why} while this test ran"
    assert run.results["test_it.py::test_c"].message == f"not run to its end: {why}"
    assert [finding.test for finding in made.findings(run)] == ["test_it.py::test_b", "test_it.py::test_c"]


def test_a_hanging_test_is_killed_at_the_deadline(project: MakeProject) -> None:
    run = project({"test_it.py": THREE.format("time.sleep(1e6)")}).run(deadline=6)
    assert outcomes_of(run) == {"test_a": "passed", "test_b": "lost", "test_c": "lost"}
    assert run.timed_out
    assert run.exit_status is None
    assert run.why == "killed at the deadline of 6 s"


def test_a_failure_stays_one_though_the_process_then_dies(project: MakeProject) -> None:
    fixture = "import os, pytest\n@pytest.fixture\ndef deadly():\n    yield\n    os._exit(0)\n"
    run = project({"test_it.py": f"{fixture}def test_it(deadly): assert 0\n"}).run()
    assert outcomes_of(run) == {"test_it": "failed"}


@pytest.mark.parametrize(
    ("files", "path", "code", "message"),
    [
        ({"test_it.py": "import nowhere\n"}, "test_it.py", "ModuleNotFoundError", "cannot collect: .*nowhere"),
        ({"test_it.py": "def test(:\n"}, "test_it.py", "SyntaxError", "cannot collect: SyntaxError: invalid syntax"),
        ({"a.py": "1 / 0\n", "test_it.py": "import a\n"}, "a.py", "ZeroDivisionError", "cannot collect: "),
        ({"test_it.py": "raise SystemExit(0)\n"}, "test_it.py", "SystemExit", ".*SystemExit"),
        ({"conftest.py": "import nowhere\n", "test_it.py": PASS}, "conftest.py", "ModuleNotFoundError", ".*conftest"),
        ({"conftest.py": "raise SystemExit(0)\n", "test_it.py": PASS}, "conftest.py", "SystemExit", ".*SystemExit: 0"),
        (
            {"conftest.py": "import os\nos._exit(0)\n", "test_it.py": PASS},
            "pytest.ini",
            "run",
            "the process ended early",
        ),
        ({"pytest.ini": "[pytest]\naddopts = --nonsense\n"}, "pytest.ini", "UsageError", ".*arguments: --nonsense"),
        ({"pytest.ini": "[pytest]\naddopts = -p nowhere\n"}, "pytest.ini", ".*", ".*nowhere"),
        (
            {"pytest.ini": "[pytest]\nrequired_plugins = pytest-nowhere\n"},
            "pytest.ini",
            "UsageError",
            ".*pytest-nowhere",
        ),
        (
            {"conftest.py": "def pytest_collection_finish(): 1 / 0\n", "test_it.py": "x = 1\n"},
            "conftest.py",
            "ZeroDivisionError",
            "pytest broke: ZeroDivisionError",
        ),
    ],
)
def test_a_project_that_cannot_be_collected_is_an_error_at_its_place(
    project: MakeProject, files: dict[str, str], path: str, code: str, message: str
) -> None:
    run = project({"pytest.ini": "[pytest]\n", **files}).run()
    assert Outcome.PASSED not in {result.outcome for result in run.results.values()}
    [error] = run.errors
    assert error.path == path
    assert re.fullmatch(code, error.code)
    assert re.match(message, error.message)
    assert "\n" not in error.message
    assert run.why


def test_files_that_cannot_be_imported_do_not_hide_the_others(project: MakeProject) -> None:
    run = project({"test_a.py": "import nowhere\n", "test_b.py": PASS}).run()
    assert outcomes_of(run) == {"test_it": "passed"}
    assert [error.path for error in run.errors] == ["test_a.py"]


@pytest.mark.parametrize(
    ("conftest", "body", "message"),
    [
        ("def pytest_sessionfinish(session): session.exitstatus = 0", "assert 0", "status 0 although tests failed"),
        ("def pytest_sessionfinish(session): session.exitstatus = 9", "pass", "status 9 although no test failed"),
        ("import atexit, os\natexit.register(os._exit, 3)", "pass", "then the process ended with status 3"),
        ("def pytest_unconfigure(): 1 / 0", "pass", "pytest broke: ZeroDivisionError"),
    ],
)
def test_an_ending_that_contradicts_the_tests_is_an_error(
    project: MakeProject, conftest: str, body: str, message: str
) -> None:
    run = project({"conftest.py": f"{conftest}\n", "test_it.py": f"def test_it(): {body}\n"}).run()
    [error] = run.errors
    assert message in error.message


def test_a_test_that_a_plugin_swallows_is_lost(project: MakeProject) -> None:
    conftest = "def pytest_runtest_protocol(item): return True\n"
    run = project({"conftest.py": conftest, "test_it.py": PASS}).run()
    assert outcomes_of(run) == {"test_it": "lost"}
    assert run.results["test_it.py::test_it"].message == "collected, but it never reported all of its phases"


def test_what_tests_do_to_their_process_does_not_touch_the_reports(project: MakeProject) -> None:
    source = """
        import os, subprocess, sys

        def test_closes_descriptors():
            os.closerange(20, 1000)

        def test_changes_directory():
            os.chdir("/")

        def test_floods():
            print("x" * 3_000_000)

        def test_forges_on_the_outputs():
            os.write(1, b'["finish",0]\\n')
            print('["phase",0,"call","passed",0.1]')
            assert False

        def test_children_do_not_hold_the_stream():
            code = "import os; print(max(int(fd) for fd in os.listdir('/proc/self/fd')))"
            out = subprocess.run([sys.executable, "-c", code], close_fds=False, capture_output=True, text=True)
            assert int(out.stdout) < 100

        def test_a_fork_that_returns_reports_nothing():
            if os.fork() == 0:
                return
            os.wait()
        """
    run = project({"test_it.py": "\n".join(line[8:] for line in source.splitlines())}).run()
    assert outcomes_of(run) == {
        "test_closes_descriptors": "passed",
        "test_changes_directory": "passed",
        "test_floods": "passed",
        "test_forges_on_the_outputs": "failed",
        "test_children_do_not_hold_the_stream": "passed",
        "test_a_fork_that_returns_reports_nothing": "passed",
    }


def test_closing_every_descriptor_loses_the_rest_and_writes_to_no_other_file(project: MakeProject) -> None:
    source = """
        import os

        def test_a():
            os.closerange(3, 1 << 20)
            files = [os.open("stolen.txt", os.O_RDWR | os.O_CREAT, 0o600) for _ in range(200)]
            globals().update(files=files)

        def test_b():
            os.lseek(files[0], 0, 0)
            assert os.read(files[0], 100) == b""
        """
    text = "\n".join(line[8:] for line in source.splitlines())
    run = project({"pytest.ini": "[pytest]\naddopts = -s -p no:cacheprovider\n", "test_it.py": text}).run()
    assert {result.outcome for result in run.results.values()} <= {Outcome.LOST}
    assert run.why is not None


def test_no_tests_is_not_a_pass(project: MakeProject) -> None:
    run = project({"a.py": ""}).run()
    assert (run.results, run.collected, run.errors, run.exit_status) == ({}, (), (), 5)
    assert run.why == "no tests collected"


def test_a_module_that_skips_itself_is_told(project: MakeProject) -> None:
    run = project({"test_it.py": "import pytest\npytest.importorskip('nowhere')\n"}).run()
    assert outcomes_of(run) == {"test_it.py": "skipped"}
    assert run.why == "no tests collected: test_it.py skips itself"


# -- the interpreter -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    environment = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    return str(environment / "bin" / "python")


def test_an_interpreter_without_pytest_is_told_how_to_get_it(project: MakeProject, bare_python: str) -> None:
    with pytest.raises(CannotSense) as caught:
        project({"test_it.py": PASS}).run(python=bare_python)
    assert caught.value.message == f"{bare_python} has no pytest"
    assert f"{bare_python} -m pip install pytest" in (caught.value.hint or "")
    assert "--python" in (caught.value.hint or "")


def test_a_pytest_that_breaks_when_imported_is_no_verdict(project: MakeProject, bare_python: str) -> None:
    with pytest.raises(CannotSense, match=r"pytest cannot be imported .*: ZeroDivisionError"):
        project({"pytest.py": "1 / 0\n", "test_it.py": PASS}).run(python=bare_python)


def test_an_interpreter_that_is_none_is_no_verdict(project: MakeProject, tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho no such luck >&2\nexit 3\n")
    script.chmod(0o755)
    with pytest.raises(CannotSense, match=r"cannot start the project's interpreter .*no such luck") as caught:
        project({"test_it.py": PASS}).run(python=str(script))
    assert caught.value.hint == "name one that works with --python"


def test_what_a_test_replaces_for_itself_is_its_own_business(project: MakeProject) -> None:
    source = """
        from unittest import mock

        def test_built_in(monkeypatch):
            monkeypatch.setattr("builtins.len", lambda value: 0)

        @mock.patch("builtins.print")
        def test_mock(printed):
            print(1)
            assert printed.called

        def test_after(): pass
        """
    made = project({"test_it.py": "\n".join(line[8:] for line in source.splitlines())})
    run = made.run()
    assert set(outcomes_of(run).values()) == {"passed"}
    assert run.errors == ()


def test_a_failure_that_a_conftest_reports_as_a_pass_stays_one(project: MakeProject) -> None:
    conftest = (
        "import pytest\n@pytest.hookimpl(hookwrapper=True)\ndef pytest_runtest_makereport(item):\n"
        "    report = (yield).get_result()\n    report.outcome = 'passed'\n"
    )
    run = project({"conftest.py": conftest, "test_it.py": "def test_it(): assert 0\n"}).run()
    assert outcomes_of(run) == {"test_it": "failed"}
    assert run.results["test_it.py::test_it"].message == "it raised AssertionError, and something reported it as passed"
