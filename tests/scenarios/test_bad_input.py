"""Bad input is normal input: one clear line, the right exit code, nothing lost."""

from __future__ import annotations

import venv
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import IS_ROOT
from tests.support.product import Octolimb, fingerprint

Build = Callable[[Mapping[str, str | bytes]], Path]

SOURCE = "def double(x):\n    return x * 3\n"
TEST = "from doubling import double\n\n\ndef test_double():\n    assert double(2) == 4\n"
PROJECT = {"doubling.py": SOURCE, "test_double.py": TEST}


@pytest.mark.parametrize("root", ["nowhere", "project/test_double.py"])
def test_a_root_that_is_none(root: str, octolimb: Octolimb, build: Build) -> None:
    build(PROJECT)
    answer = octolimb("--root", octolimb.place / root, "sense")
    assert answer.code == 2
    assert "cannot read the root" in answer.error


def test_a_root_of_somebody_else(octolimb: Octolimb, build: Build) -> None:
    root = build(PROJECT)
    # Root owns it and closes it to others; whoever is not root already closes it to themselves.
    root.chmod(0o700 if IS_ROOT else 0)
    answer = replace(octolimb, ordinary=True)("--root", root, "sense", "--only", "syntax")
    assert answer.code == 2
    assert "cannot read the root" in answer.error


@pytest.mark.parametrize(
    ("crate", "told"),
    [
        ("{", "not JSON"),
        ('{"files": {"../x": "1"}}', "climbs"),
        ('{"files": {"/etc/passwd": "1"}}', "absolute"),
        ('{"files": {"a\\\\b": "1"}}', "contains"),
        ('{"files": {"a\\u0000b": "1"}}', "contains"),
        ('{"files": {"": "1"}}', "names no file"),
        ('{"files": {"nowhere.py": null}}', "no such file"),
        ('{"files": {"a.py": "1", "./a.py": "2"}}', "twice"),
        ('{"files": {"doubling.py/x": "1"}}', "not a directory"),
        ('{"files": {"a.py": "\\ud800"}}', "cannot be written"),
        ('{"renames": {"nowhere.py": "x.py"}}', "no such file"),
        ('{"renames": {"test_double.py": "doubling.py"}}', "taken"),
        ('{"renames": {"test_double.py": "../x"}}', "climbs"),
        ('{"fils": {}}', "not a crate"),
        ('{"files": {"a.py": 1}}', "files.a.py"),
    ],
)
def test_hostile_and_malformed_crates(crate: str, told: str, octolimb: Octolimb, build: Build) -> None:
    root = build(PROJECT)
    for command in (["sense"], ["guard", "check"]):
        answer = octolimb("--root", root, *command, "--crate", "-", stdin=crate)
        assert answer.code == 2
        assert told in answer.error
    assert sorted(path.name for path in root.iterdir()) == sorted(PROJECT)


def test_a_crate_that_is_not_there(octolimb: Octolimb, build: Build, tmp_path: Path) -> None:
    answer = octolimb("--root", build(PROJECT), "sense", "--crate", tmp_path / "crate.json")
    assert answer.code == 2
    assert "cannot read the crate" in answer.error


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["sense", "--tests", "some"],
        ["sense", "--only", "smell"],
        ["sense", "nowhere.py"],
        ["sense", "--baseline", "no-such-revision"],
        ["fix", "--budget", "soon"],
        ["fix", "nowhere.py"],
        ["fix", "nowhere.py::test_x"],
        ["fix", "test_double.py::test_nowhere"],
        ["fix", "../outside.py"],
        ["guard", "check"],
        ["guard", "check", "--crate", "a", "--staged"],
        ["guard", "check", "--staged"],
        ["schema", "nothing"],
        ["--python", "/nowhere/python", "sense"],
    ],
)
def test_wrong_arguments(arguments: list[str], octolimb: Octolimb, build: Build) -> None:
    answer = octolimb("--root", build(PROJECT), *arguments)
    assert answer.code == 2, answer
    assert answer.document["schema"] == "octolimb/error/1"
    assert len([line for line in answer.err.splitlines() if line]) == 1


def test_a_target_that_does_not_fail(octolimb: Octolimb, build: Build) -> None:
    root = build({**PROJECT, "doubling.py": SOURCE.replace("3", "2")})
    answer = octolimb("--root", root, "fix", "test_double.py::test_double")
    assert answer.code == 1
    assert answer.document["status"] == "none"
    assert "does not fail" in answer.document["message"]


def test_no_tests_collected(octolimb: Octolimb, build: Build) -> None:
    root = build({"doubling.py": SOURCE})
    assert "nothing to fix" in octolimb("--root", root, "fix").document["message"]
    verdict = octolimb("--root", root, "sense", "--tests", "full").document
    assert verdict["tests"]["selected"] == 0
    assert any("no test" in (sensor.get("why") or "") for sensor in verdict["sensors"])


def test_a_test_that_cannot_be_imported(octolimb: Octolimb, build: Build) -> None:
    root = build({**PROJECT, "test_broken.py": "import no_such_module_anywhere\n"})
    answer = octolimb("--root", root, "sense", "--tests", "full")
    assert answer.code == 1
    assert answer.document["tests"]["errors"] == 1
    assert not answer.document["green"]


def test_a_syntax_error_in_the_project(octolimb: Octolimb, build: Build) -> None:
    root = build({**PROJECT, "doubling.py": "def double(x:\n    return x * 2\n"})
    answer = octolimb("--root", root, "sense", "--tests", "full")
    assert answer.code == 1
    assert {finding["path"] for finding in answer.document["findings"] if finding["source"] == "syntax"} == {
        "doubling.py"
    }


def test_an_interpreter_without_pytest(octolimb: Octolimb, build: Build, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare/bin/python"
    root = build(PROJECT)
    for command in (["sense", "--tests", "full"], ["fix"]):
        answer = octolimb("--root", root, "--python", python, *command)
        assert answer.code == 3
        assert "pytest" in answer.error
        assert "-m pip install pytest" in answer.document["error"]["hint"]


def test_files_that_are_not_utf8_and_carriage_returns(octolimb: Octolimb, build: Build) -> None:
    root = build(
        {
            **PROJECT,
            "latin.py": b"# -*- coding: latin-1 -*-\nNAME = '\xe9'\n",
            "broken.py": b"NAME = '\xff'\n",
            "binary.bin": b"\0\1\2",
            "crlf.py": b"VALUE = 1\r\nOTHER = undefined_name\r\n",
        }
    )
    verdict = octolimb("--root", root, "sense", "--tests", "none").document
    errors = {finding["path"] for finding in verdict["findings"] if finding["severity"] == "error"}
    assert errors == {"broken.py", "crlf.py"}
    places = [finding["range"]["start"] for finding in verdict["findings"] if finding["path"] == "crlf.py"]
    assert {"line": 1, "character": 8} in places


def test_a_fix_keeps_carriage_returns(octolimb: Octolimb, build: Build) -> None:
    root = build({**PROJECT, "doubling.py": SOURCE.replace("\n", "\r\n")})
    answer = octolimb("--root", root, "fix", "--apply", "--budget", "30")
    assert answer.document["status"] == "applied", answer.document
    fixed = (root / "doubling.py").read_bytes()
    assert fixed.count(b"\r\n") == 2 == fixed.count(b"\n")


def test_a_tree_that_cannot_be_written(somebody: Octolimb) -> None:
    root = somebody.build(PROJECT)
    for path in (*root.iterdir(), root):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = fingerprint(root)
    assert somebody("--root", root, "sense", "--tests", "full").document["tests"]["failed"] == 1
    assert fingerprint(root) == before


def test_without_namespaces_a_copy_serves(octolimb: Octolimb, build: Build) -> None:
    answer = octolimb("--root", build(PROJECT), "sense", "--tests", "full", env={"OCTOLIMB_ISOLATION": "copy"})
    assert answer.document["isolation"]["files"] in ("copy", "reflink")
    assert answer.document["isolation"]["sandbox"] == "none"
    assert answer.document["tests"]["failed"] == 1


def test_everything_answers_with_its_schema(octolimb: Octolimb, build: Build) -> None:
    root = build(PROJECT)
    assert octolimb("--root", root, "doctor").document["schema"] == "octolimb/doctor/1"
    assert octolimb("--root", root, "trust").document == {
        "schema": "octolimb/trust/1",
        "root": str(root),
        "trusted": True,
    }
    assert octolimb("--root", root, "schema").document["schema"] == "octolimb/schemas/1"
