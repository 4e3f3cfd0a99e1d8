"""`octolimb sense`: what is asked for is what is sensed, and the exit code tells what came of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.support.product import Octolimb

GREEN: dict[str, str | bytes] = {
    "app/__init__.py": "",
    "app/sums.py": "def add(a: int, b: int) -> int:\n    return a + b\n",
    "tests/test_sums.py": (
        "import pytest\n\nfrom app.sums import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\n\n"
        "@pytest.mark.skip\ndef test_later():\n    assert False\n"
    ),
    "tests/test_other.py": "def test_other():\n    assert True\n",
}
BREAKING = json.dumps({"files": {"app/sums.py": "def add(a: int, b: int) -> int:\n    return a - b\n"}})


def test_green_and_red(octolimb: Octolimb) -> None:
    root = octolimb.build(GREEN)
    green = octolimb("--root", root, "sense", "--tests", "full")
    assert green.code == 0
    assert (green.document["green"], green.document["complete"], green.document["regressed"]) == (True, True, False)
    assert [green.document["tests"][key] for key in ("mode", "selected", "passed", "skipped")] == ["full", 3, 2, 1]
    red = octolimb("--root", root, "sense", "--tests", "full", "--crate", "-", stdin=BREAKING)
    assert red.code == 1
    assert (red.document["green"], red.document["regressed"]) == (False, True)
    assert red.document["tests"]["failures"] == ["tests/test_sums.py::test_add"]
    assert [finding["new"] for finding in red.document["findings"] if finding["source"] == "tests"] == [True]


def test_only_some_sensors(octolimb: Octolimb) -> None:
    root = octolimb.build({**GREEN, "app/bad.py": "import os\nVALUE: int = 'text'\nundefined\n"})
    verdict = octolimb("--root", root, "sense", "--only", "types").document
    assert {sensor["name"]: sensor["status"] for sensor in verdict["sensors"]} == {
        "syntax": "skipped",
        "lint": "skipped",
        "types": "ran",
        "tests": "skipped",
    }
    assert {finding["source"] for finding in verdict["findings"]} == {"types"}
    lint = octolimb("--root", root, "sense", "--only", "lint,syntax").document
    severities = {finding["code"]: finding["severity"] for finding in lint["findings"]}
    assert severities["F821"] == "error"
    assert severities["F401"] in ("warning", "information", "hint")


def test_paths_limit_the_findings(octolimb: Octolimb) -> None:
    root = octolimb.build({**GREEN, "app/one.py": "first_undefined\n", "lib/two.py": "second_undefined\n"})
    found = {
        tuple(paths): {finding["path"] for finding in octolimb("--root", root, "sense", *paths).document["findings"]}
        for paths in (["app"], ["lib/two.py"], ["app/sums.py"])
    }
    assert found == {("app",): {"app/one.py"}, ("lib/two.py",): {"lib/two.py"}, ("app/sums.py",): set()}


def test_named_tests(octolimb: Octolimb) -> None:
    root = octolimb.build(GREEN)
    by_file = octolimb("--root", root, "sense", "--tests", "full", "tests/test_other.py")
    assert (by_file.code, by_file.document["tests"]["selected"]) == (0, 1)
    by_id = octolimb("--root", root, "sense", "--tests", "full", "tests/test_sums.py::test_add")
    assert (by_id.code, by_id.document["tests"]["selected"]) == (0, 1)
    skipped = octolimb("--root", root, "sense", "--tests", "full", "tests/test_sums.py::test_later")
    assert (skipped.code, skipped.document["green"]) == (1, False)
    missing = octolimb("--root", root, "sense", "--tests", "full", "tests/test_sums.py::test_nowhere")
    assert (missing.code, missing.document["green"]) == (1, False)


def test_baselines(octolimb: Octolimb) -> None:
    root = octolimb.build({**GREEN, ".gitignore": "__pycache__\n", "app/old.py": "old_pain\n"})
    _git(root, "init", "-q")
    _git(root, "add", ".")
    _git(root, "commit", "-q", "-m", "first")
    (root / "app/fresh.py").write_text("fresh_pain\n")
    new = {}
    for baseline in ("none", "disk", "HEAD"):
        verdict = octolimb("--root", root, "sense", "--only", "lint", "--baseline", baseline).document
        new[baseline] = {finding["path"] for finding in verdict["findings"] if finding["new"]}
        assert {finding["path"] for finding in verdict["findings"]} == {"app/old.py", "app/fresh.py"}
    assert new == {"none": {"app/old.py", "app/fresh.py"}, "disk": set(), "HEAD": {"app/fresh.py"}}


def test_no_code_runs_before_trust(octolimb: Octolimb) -> None:
    root = octolimb.build(GREEN)
    untrusted = octolimb("--root", root, "sense").document
    assert untrusted["tests"]["mode"] == "none"
    (sensor,) = [sensor for sensor in untrusted["sensors"] if sensor["name"] == "tests"]
    assert sensor["status"] == "skipped"
    assert "trust" in sensor["why"]
    assert octolimb("--root", root, "trust").code == 0
    trusted = octolimb("--root", root, "sense", "--crate", "-", stdin=BREAKING)
    assert (trusted.code, trusted.document["tests"]["mode"]) == (1, "impacted")
    assert trusted.document["tests"]["failures"] == ["tests/test_sums.py::test_add"]
    assert octolimb("--root", root, "trust", "--forget").document["trusted"] is False
    assert octolimb("--root", root, "sense").document["tests"]["mode"] == "none"


@pytest.mark.parametrize("config", ["line-length = 'wide'\n", "[lint]\nselect = ['NOPE']\n", "[[[\n"])
def test_a_sensor_that_cannot_run(config: str, octolimb: Octolimb) -> None:
    """An error and not a verdict: nobody may mistake what the others saw for the whole."""
    root = octolimb.build({**GREEN, "ruff.toml": config})
    answer = octolimb("--root", root, "sense")
    assert answer.code == 3
    assert answer.document["schema"] == "octolimb/error/1"
    assert answer.document["error"]["code"] == "cannot-sense"
    assert answer.error.startswith("lint could not run")
    assert octolimb("--root", root, "sense", "--only", "syntax").code == 0


def _git(root: Path, *arguments: str) -> None:
    person = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *person, *arguments], cwd=root, check=True, capture_output=True)
