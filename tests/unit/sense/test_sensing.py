"""The orchestrator with the real sensors: what is new, what is complete, what regressed, and which tests really run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import SensorRun, Severity, TestMode, Verdict
from octolimb.sense.memory import BaselineMemory
from octolimb.sense.sensing import ALL_SENSORS, SenseRequest, sense
from octolimb.shadow.host import ShadowHost
from octolimb.shadow.interpreter import Interpreter, find_interpreter
from octolimb.workspace.crate import snapshot_with_crate
from octolimb.workspace.disk import DiskBase

Files = Mapping[str, str | bytes]
WriteProject = Callable[[Files], Path]

STATIC: Final = frozenset({"syntax", "lint", "types"})
TESTS: Final = frozenset({"tests"})
CALCULATOR: Final[dict[str, str | bytes]] = {
    "calc.py": "def add(a: int, b: int) -> int:\n    return a + b\n",
    "test_calc.py": "from calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\n\n"
    "def test_zero():\n    assert add(0, 0) == 0\n",
}
MINUS: Final = "def add(a: int, b: int) -> int:\n    return a - b\n"


class Project:
    """A project on disk that can be sensed with a crate over it."""

    def __init__(self, root: Path, host: Callable[[Snapshot], ShadowHost]) -> None:
        self.base = DiskBase(root)
        self.host = host(Snapshot(self.base))
        self.told: list[str] = []

    def sense(
        self,
        files: Mapping[str, str | None] | None = None,
        *,
        renames: Mapping[str, str] | None = None,
        baseline: bool = True,
        trusted: bool = True,
        memory: BaselineMemory | None = None,
        **request: Any,
    ) -> Verdict:
        """With `baseline` the saved state is the baseline."""
        snapshot = snapshot_with_crate(self.base, files or {}, renames or {})
        request = {
            "baseline": Snapshot(self.base) if baseline else None,
            "interpreter": own_interpreter(self.base.root) if trusted else None,
            **request,
        }
        return sense(self.host, SenseRequest(snapshot, **request), progress=self.told.append, memory=memory)

    def test(self, files: Mapping[str, str | None] | None = None, **request: Any) -> Verdict:
        """Senses with the tests only, all of them."""
        return self.sense(files, **{"sensors": TESTS, "tests": "full", **request})


def own_interpreter(root: Path) -> Interpreter:
    return find_interpreter(root, Path(sys.executable))


@pytest.fixture
def project(write_project: WriteProject, host_of: Callable[[Snapshot], ShadowHost]) -> Callable[[Files], Project]:
    return lambda files: Project(write_project(files), host_of)


MakeProject = Callable[[Files], Project]


def run_of(verdict: Verdict, name: str) -> SensorRun:
    return next(run for run in verdict.sensors if run.name == name)


def new_errors(verdict: Verdict) -> list[tuple[str, str]]:
    return [(finding.source, finding.test or finding.path) for finding in verdict.pains]


def judged(verdict: Verdict) -> tuple[bool, bool, bool]:
    return verdict.green, verdict.regressed, verdict.complete


GREEN: Final = (True, False, True)
NOT_GREEN: Final = (False, False, True)
REGRESSED: Final = (False, True, True)


# -- which sensors run -----------------------------------------------------------------------------------------


def test_every_sensor_is_listed_in_order_and_the_verdict_is_whole(project: MakeProject) -> None:
    verdict = project(CALCULATOR).sense({"calc.py": MINUS}, tests="impacted")
    assert [(run.name, run.status) for run in verdict.sensors] == [
        ("syntax", "ran"),
        ("lint", "ran"),
        ("types", "ran"),
        ("tests", "ran"),
    ]
    assert judged(verdict) == REGRESSED
    assert new_errors(verdict) == [("tests", "test_calc.py::test_add")]
    assert (verdict.tests.mode, verdict.tests.passed, verdict.tests.failed) == ("impacted", 1, 1)
    assert verdict.level == "cold"
    assert verdict.isolation.files in ("overlay", "reflink", "copy")


def test_an_untrusted_root_runs_no_tests_and_says_how_to_trust(project: MakeProject) -> None:
    verdict = project(CALCULATOR).sense(trusted=False, tests="none")
    assert judged(verdict) == GREEN
    assert run_of(verdict, "tests").status == "skipped"
    assert "octolimb trust" in (run_of(verdict, "tests").why or "")
    assert "third-party" in (run_of(verdict, "types").why or "")


def test_the_callers_reason_for_no_tests_is_told(project: MakeProject) -> None:
    verdict = project({}).sense(trusted=False, tests="none", why_no_tests="the editor does not trust this folder")
    assert run_of(verdict, "tests").why == "the editor does not trust this folder"


def test_tests_that_are_asked_for_without_trust_leave_it_incomplete(project: MakeProject) -> None:
    verdict = project(CALCULATOR).sense(trusted=False, tests="full")
    assert judged(verdict) == (False, False, False)


def test_only_the_sensors_that_are_asked_for_run(project: MakeProject) -> None:
    verdict = project({"a.py": "x: int = ''\n"}).sense(sensors=frozenset({"lint"}), baseline=False)
    assert [(run.name, run.status) for run in verdict.sensors if run.status == "ran"] == [("lint", "ran")]
    assert judged(verdict) == GREEN
    assert run_of(verdict, "types").why == "not requested"


def test_an_unknown_sensor_is_a_mistake_of_ours(project: MakeProject) -> None:
    with pytest.raises(ValueError, match="no such sensor: smell"):
        project({}).sense(sensors=frozenset({"smell"}))


def test_a_sensor_that_crashes_is_never_green(project: MakeProject) -> None:
    verdict = project({"pyproject.toml": "[tool.ruff]\nfoo = 1\n"}).sense(sensors=STATIC, baseline=False)
    assert (run_of(verdict, "lint").status, verdict.green, verdict.complete) == ("crashed", False, False)
    assert "unknown field `foo`" in (run_of(verdict, "lint").why or "")


def test_an_empty_project_is_green(project: MakeProject) -> None:
    assert judged(project({}).sense(sensors=STATIC, baseline=False)) == GREEN


def test_progress_is_told_in_words(project: MakeProject) -> None:
    empty = project({})
    empty.sense(sensors=frozenset({"syntax"}))
    assert empty.told[0] == "sensing syntax"
    assert empty.told[1].startswith("syntax: 0 findings")


# -- what is new -----------------------------------------------------------------------------------------------


def test_without_a_baseline_everything_is_new(project: MakeProject) -> None:
    verdict = project({"a.py": "x: int = ''\n"}).sense(sensors=STATIC, baseline=False)
    assert judged(verdict) == REGRESSED
    assert new_errors(verdict) == [("types", "a.py")]


def test_old_errors_are_shown_and_do_not_count(project: MakeProject) -> None:
    verdict = project({"a.py": "x: int = ''\n"}).sense(
        {"a.py": "import sys\n\nx: int = ''\nprint(sys)\n"}, sensors=STATIC
    )
    assert judged(verdict) == GREEN
    assert [(finding.source, finding.new) for finding in verdict.findings] == [("types", False)]


def test_the_same_state_has_nothing_new(project: MakeProject) -> None:
    same = project({"a.py": "x: int = ''\n", "test_a.py": "def test_a():\n    assert False\n"})
    verdict = same.sense(tests="full")
    assert judged(verdict) == NOT_GREEN
    assert {finding.new for finding in verdict.findings} == {False}


def test_an_error_in_another_file_than_the_edited_one_is_seen(project: MakeProject) -> None:
    files = {"a.py": "def f() -> int:\n    return 1\n", "b.py": "from a import f\n\nx: int = f()\n"}
    verdict = project(files).sense({"a.py": "def f() -> str:\n    return ''\n"}, sensors=STATIC)
    assert new_errors(verdict) == [("types", "b.py")]


def test_old_errors_follow_a_renamed_file(project: MakeProject) -> None:
    verdict = project({"a.py": "x: int = ''\ny = nope\n"}).sense(renames={"a.py": "pkg/b.py"}, sensors=STATIC)
    assert judged(verdict) == GREEN
    assert {(finding.path, finding.new) for finding in verdict.findings} == {("pkg/b.py", False)}


def test_where_the_baseline_cannot_be_sensed_all_is_new(project: MakeProject) -> None:
    broken = project({"a.py": "x = nope\n", "pyproject.toml": "[tool.ruff]\nfoo = 1\n"})
    verdict = broken.sense({"pyproject.toml": ""}, sensors=frozenset({"lint"}))
    assert judged(verdict) == REGRESSED
    assert "baseline could not be sensed" in (run_of(verdict, "lint").why or "")


def test_paths_limit_the_findings(project: MakeProject) -> None:
    both = project({"a.py": "x: int = ''\n", "pkg/b.py": "x: int = ''\n(\n"})
    verdict = both.sense(sensors=STATIC, baseline=False, paths=(RelPath("pkg"),))
    assert {finding.path for finding in verdict.findings} == {"pkg/b.py"}


def test_limited_findings_follow_a_rename_too(project: MakeProject) -> None:
    verdict = project({"a.py": "x: int = ''\n"}).sense(
        renames={"a.py": "b.py"}, sensors=STATIC, paths=(RelPath("b.py"),)
    )
    assert judged(verdict) == GREEN
    assert [finding.path for finding in verdict.findings] == ["b.py"]


def test_one_syntax_error_is_told_once(project: MakeProject) -> None:
    verdict = project({}).sense({"a.py": "def (:\n"}, sensors=STATIC)
    assert [finding.source for finding in verdict.findings] == ["syntax"]
    alone = project({}).sense({"a.py": "def (:\n"}, sensors=frozenset({"types"}))
    assert {finding.source for finding in alone.findings} == {"types"}


def test_syntax_that_is_newer_than_our_own_python_is_no_error(project: MakeProject) -> None:
    verdict = project({}).sense({"a.py": 'x = t"{1}"\n'}, sensors=STATIC, trusted=False)
    assert (judged(verdict), verdict.findings) == (GREEN, ())


@pytest.mark.parametrize(
    "pyproject", ["tool = 1\nproject = 2\n", "[tool]\nruff = 1\nty = 1\n", "x = " + "[" * 5000, "\x00"]
)
def test_odd_settings_crash_sensors_at_most(project: MakeProject, pyproject: str) -> None:
    verdict = project({"a.py": "x = 1\n", "pyproject.toml": pyproject}).sense(
        sensors=STATIC, baseline=False, trusted=False
    )
    crashed = [run.name for run in verdict.sensors if run.status == "crashed"]
    assert run_of(verdict, "syntax").status == "ran"
    assert verdict.complete is (not crashed)


# -- the tests -------------------------------------------------------------------------------------------------


def test_passing_tests_need_no_run_of_the_baseline(project: MakeProject) -> None:
    calculator = project(CALCULATOR)
    verdict = calculator.test({"calc.py": "def add(a: int, b: int) -> int:\n    return b + a\n"})
    assert judged(verdict) == GREEN
    assert (verdict.tests.selected, verdict.tests.passed) == (2, 2)
    assert not any("in the baseline" in line for line in calculator.told)


def test_only_what_did_not_pass_runs_in_the_baseline(project: MakeProject) -> None:
    calculator = project(CALCULATOR)
    assert judged(calculator.test({"calc.py": MINUS})) == REGRESSED
    assert "running 1 tests in the baseline" in calculator.told


def test_a_repair_is_green(project: MakeProject) -> None:
    broken = project({**CALCULATOR, "calc.py": MINUS})
    repaired = broken.test({"calc.py": str(CALCULATOR["calc.py"])}, named=("test_calc.py::test_add",))
    assert judged(repaired) == GREEN


def test_a_failure_that_was_there_is_not_new_and_not_green(project: MakeProject) -> None:
    verdict = project({**CALCULATOR, "calc.py": MINUS}).test({"calc.py": MINUS + "\n\nEXTRA = 1\n"})
    assert judged(verdict) == NOT_GREEN
    assert [(finding.test, finding.new) for finding in verdict.findings] == [("test_calc.py::test_add", False)]


ONE_TEST: Final = "def test_one():\n    pass\n"


@pytest.mark.parametrize(
    ("before", "after", "expected", "lost"),
    [
        (ONE_TEST + "def test_two():\n    pass\n", ONE_TEST, REGRESSED, ["test_a.py::test_two"]),
        (ONE_TEST + "def test_two():\n    assert 0\n", ONE_TEST, GREEN, []),
        (ONE_TEST, None, REGRESSED, ["test_a.py::test_one"]),
        (ONE_TEST, "def test_other():\n    pass\n", REGRESSED, ["test_a.py::test_one"]),
        (
            "import pytest\n@pytest.mark.parametrize('n', [1, 2])\ndef test_n(n):\n    pass\n",
            "import pytest\n@pytest.mark.parametrize('n', [1])\ndef test_n(n):\n    pass\n",
            REGRESSED,
            ["test_a.py::test_n[2]"],
        ),
    ],
    ids=["passing test removed", "failing test removed", "file deleted", "renamed test", "parameter removed"],
)
def test_lost_tests_are_missed(
    project: MakeProject, before: str, after: str | None, expected: tuple[bool, bool, bool], lost: list[str]
) -> None:
    files = {"test_a.py": before, "test_b.py": "def test_b():\n    pass\n"}
    verdict = project(files).test({"test_a.py": after}, tests="impacted")
    assert judged(verdict) == expected
    assert [finding.test for finding in verdict.findings if finding.code == "lost-test"] == lost


def test_lost_tests_are_missed_in_a_full_run_too(project: MakeProject) -> None:
    files = {"test_a.py": ONE_TEST, "test_b.py": "def test_b():\n    pass\n"}
    verdict = project(files).test({"test_a.py": None})
    assert judged(verdict) == REGRESSED
    assert new_errors(verdict) == [("tests", "test_a.py::test_one")]


def test_a_test_in_a_renamed_file_is_not_lost(project: MakeProject) -> None:
    verdict = project({"test_a.py": ONE_TEST}).test(renames={"test_a.py": "tests/test_b.py"}, tests="impacted")
    assert judged(verdict) == GREEN


def test_a_test_that_was_renamed_into_failing_is_a_regression(project: MakeProject) -> None:
    crate = {"tests/test_b.py": "def test_one():\n    assert 0\n"}
    verdict = project({"test_a.py": ONE_TEST}).test(crate, renames={"test_a.py": "tests/test_b.py"})
    assert judged(verdict) == REGRESSED
    assert new_errors(verdict) == [("tests", "tests/test_b.py::test_one")]


SKIPPED: Final = "import pytest\n@pytest.mark.skip(reason='later')\n" + ONE_TEST


@pytest.mark.parametrize(
    ("before", "after", "named", "expected"),
    [
        (SKIPPED, SKIPPED + "\n", (), GREEN),
        (ONE_TEST, SKIPPED, (), NOT_GREEN),
        (SKIPPED, SKIPPED + "\n", ("test_a.py::test_one",), NOT_GREEN),
        (ONE_TEST, ONE_TEST.replace("pass", "raise __import__('unittest').SkipTest('no')"), (), NOT_GREEN),
        ("import pytest\npytest.skip('all', allow_module_level=True)\n", None, (), GREEN),
        (
            ONE_TEST,
            "import pytest\npytest.skip('all', allow_module_level=True)\n" + ONE_TEST,
            (),
            REGRESSED,
        ),
    ],
    ids=["as before", "newly skipped", "named", "SkipTest raised", "module skipped before", "module newly skipped"],
)
def test_a_skip_is_accepted_only_where_it_was(
    project: MakeProject, before: str, after: str | None, named: tuple[str, ...], expected: tuple[bool, bool, bool]
) -> None:
    after = before + "# touched\n" if after is None else after
    assert judged(project({"test_a.py": before}).test({"test_a.py": after}, named=named)) == expected


def test_without_a_baseline_a_skip_is_accepted_unless_it_was_named(project: MakeProject) -> None:
    skipping = project({"test_a.py": SKIPPED})
    assert judged(skipping.test(baseline=False)) == GREEN
    assert judged(skipping.test(baseline=False, named=("test_a.py::test_one",))) == NOT_GREEN
    assert judged(skipping.test(baseline=False, named=("test_a.py",))) == GREEN


def test_a_new_skip_is_explained_by_a_warning(project: MakeProject) -> None:
    verdict = project({"test_a.py": ONE_TEST}).test({"test_a.py": SKIPPED})
    assert [(finding.severity, finding.code) for finding in verdict.findings] == [(Severity.WARNING, "skipped")]
    assert "later" in verdict.findings[0].message


@pytest.mark.parametrize("mode", ["full", "impacted"])
@pytest.mark.parametrize("baseline", [True, False])
def test_a_named_test_that_is_not_found_is_never_green(project: MakeProject, mode: TestMode, baseline: bool) -> None:
    verdict = project(CALCULATOR).test(named=("test_calc.py::test_gone",), tests=mode, baseline=baseline)
    assert not verdict.green
    assert verdict.complete
    assert verdict.tests.failures == ("test_calc.py::test_gone",)


def test_no_tests_in_the_project_is_told_and_no_pain(project: MakeProject) -> None:
    verdict = project({"a.py": "x = 1\n"}).test(baseline=False)
    assert judged(verdict) == GREEN
    assert "no tests" in (run_of(verdict, "tests").why or "")


def test_a_broken_import_is_pain_once_and_its_tests_are_not_each_mourned(project: MakeProject) -> None:
    calculator = project(CALCULATOR)
    verdict = calculator.test({"calc.py": "import gone\n"})
    assert judged(verdict) == REGRESSED
    assert verdict.tests.errors == 1
    assert len(verdict.findings) == 1
    assert not any("in the baseline" in line for line in calculator.told)


def test_a_broken_import_that_was_there_is_still_no_pass(project: MakeProject) -> None:
    files = {"test_a.py": "import gone\n\n\ndef test_a():\n    pass\n", "test_b.py": ONE_TEST}
    verdict = project(files).test({"test_b.py": ONE_TEST + "\n"})
    assert judged(verdict) == NOT_GREEN
    assert [finding.new for finding in verdict.findings] == [False]


def test_a_broken_conftest_is_pain(project: MakeProject) -> None:
    verdict = project(CALCULATOR).test({"conftest.py": "import gone\n"})
    assert judged(verdict) == REGRESSED
    assert verdict.tests.errors >= 1


def test_a_test_that_ends_the_process_is_no_pass(project: MakeProject) -> None:
    verdict = project(CALCULATOR).test({"calc.py": "import os\n\ndef add(a, b):\n    os._exit(0)\n"})
    assert not verdict.green
    assert verdict.regressed


def test_tests_without_pytest_crash_the_sensor(project: MakeProject, tmp_path: Path) -> None:
    calculator = project(CALCULATOR)
    nothing = tmp_path / "no-python"
    nothing.write_text("#!/bin/sh\nexit 7\n")
    nothing.chmod(0o755)
    interpreter = find_interpreter(calculator.base.root, nothing)
    verdict = calculator.test(interpreter=interpreter)
    assert (run_of(verdict, "tests").status, verdict.complete, verdict.green) == ("crashed", False, False)


def test_a_hung_test_ends_at_the_deadline_as_pain(project: MakeProject) -> None:
    hung = project({"test_a.py": "import threading\n\n\ndef test_a():\n    threading.Event().wait()\n"})
    verdict = hung.test(baseline=False, deadline=5.0)
    assert not verdict.green
    assert verdict.tests.failures == ("test_a.py::test_a",)


def test_the_generation_is_the_snapshots(project: MakeProject) -> None:
    calculator = project(CALCULATOR)
    snapshot = snapshot_with_crate(calculator.base, {"calc.py": MINUS}, {})
    verdict = sense(calculator.host, SenseRequest(snapshot, sensors=frozenset({"syntax"})))
    assert (verdict.generation, verdict.root) == (snapshot.generation, str(calculator.base.root))
    assert frozenset(run.name for run in verdict.sensors) == ALL_SENSORS


# -- what a caller adds and leaves out --------------------------------------------------------------------------


def test_required_tests_run_beside_what_is_impacted_and_must_pass(project: MakeProject) -> None:
    files = {**CALCULATOR, "test_other.py": ONE_TEST, "test_skip.py": SKIPPED}
    crate: dict[str, str | None] = {"calc.py": str(CALCULATOR["calc.py"]) + "\n"}
    several = project(files)
    verdict = several.test(crate, tests="impacted", required=("test_other.py::test_one",))
    assert judged(verdict) == GREEN
    assert verdict.tests.passed == 3
    assert judged(several.test(crate, tests="impacted", required=("test_skip.py::test_one",))) == NOT_GREEN
    assert not several.test(crate, tests="impacted", required=("test_other.py::test_gone",)).green


def test_tests_that_are_left_out_do_not_count(project: MakeProject) -> None:
    files = {**CALCULATOR, "test_other.py": "def test_red():\n    assert 0\n\n\ndef test_gone():\n    pass\n"}
    several = project(files)
    crate: dict[str, str | None] = {"test_other.py": "def test_red():\n    assert 0\n"}
    assert judged(several.test(crate)) == REGRESSED
    names = frozenset({"test_other.py::test_red", "test_other.py::test_gone"})
    verdict = several.test(crate, left_out=names)
    assert judged(verdict) == GREEN
    assert (verdict.tests.selected, verdict.tests.failures, verdict.findings) == (2, (), ())
    request = SenseRequest(Snapshot(several.base), left_out=frozenset({"a"}))
    assert request.without({"b"}).left_out == {"a", "b"}


# -- many snapshots, one baseline ------------------------------------------------------------------------------


def test_a_memory_of_the_baseline_changes_no_verdict_and_saves_its_runs(project: MakeProject) -> None:
    calculator = project({**CALCULATOR, "bad.py": "x: int = ''\n"})
    memory = BaselineMemory(Snapshot(calculator.base))
    crates = [MINUS, "def add(a: int, b: int) -> int:\n    return nope\n"]
    for crate in crates:
        afresh = calculator.sense({"calc.py": crate}, tests="full")
        recalled = calculator.sense({"calc.py": crate}, tests="full", memory=memory)
        assert judged(recalled) == judged(afresh)
        assert [(finding.path, finding.code, finding.new) for finding in recalled.findings] == [
            (finding.path, finding.code, finding.new) for finding in afresh.findings
        ]
    assert set(memory.results) == {"test_calc.py::test_add", "test_calc.py::test_zero"}


def test_a_memory_of_another_baseline_is_a_mistake_of_ours(project: MakeProject) -> None:
    calculator = project(CALCULATOR)
    other = BaselineMemory(snapshot_with_crate(calculator.base, {"calc.py": MINUS}, {}))
    with pytest.raises(ValueError, match="another baseline"):
        calculator.sense({"calc.py": MINUS}, memory=other)
