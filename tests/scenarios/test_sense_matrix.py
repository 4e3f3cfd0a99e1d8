"""The shadow tells the truth: a verdict on staged edits equals the verdict on the same edits really written to disk."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from tests.support.product import Octolimb, fingerprint

Crate = dict[str, dict[str, Any]]

PROJECT = {
    "pyproject.toml": '[tool.ruff.lint]\nselect = ["F"]\n[tool.pytest.ini_options]\ntestpaths = ["tests"]\n',
    "app/__init__.py": "",
    "app/service.py": "def find(key: int) -> str:\n    return str(key)\n",
    "app/controller.py": "from app.service import find\n\n\ndef show(key: int) -> str:\n    return find(key).upper()\n",
    "tests/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef key():\n    return 7\n",
    "tests/data/wanted.json": '{"shown": "7"}\n',
    "tests/test_controller.py": (
        "import json\nimport pathlib\n\nfrom app.controller import show\n\n\n"
        "def test_show(key):\n"
        "    wanted = json.loads((pathlib.Path(__file__).parent / 'data/wanted.json').read_text())\n"
        "    assert show(key) == wanted['shown']\n"
    ),
    "tests/test_service.py": "from app.service import find\n\n\ndef test_find():\n    assert find(3) == '3'\n",
}

CASES: dict[str, Crate] = {
    "nothing": {"files": {}},
    "modify, and a dependent's types break": {
        "files": {"app/service.py": "def find(key: int) -> int:\n    return key\n"}
    },
    "modify, and a test fails": {"files": {"app/service.py": "def find(key: int) -> str:\n    return str(key + 1)\n"}},
    "modify, and the syntax breaks": {"files": {"app/service.py": "def find(key: int) -> str\n    return ''\n"}},
    "modify, and a name is undefined": {
        "files": {"app/service.py": "def find(key: int) -> str:\n    return stringify(key)\n"}
    },
    "create a module and a failing test": {
        "files": {
            "app/extra.py": "import os\n\nTWO = 2\n",
            "tests/test_extra.py": "from app.extra import TWO\n\n\ndef test_two():\n    assert TWO == 3\n",
        }
    },
    "delete a module that others import": {"files": {"app/service.py": None}},
    "delete a test": {"files": {"tests/test_service.py": None}},
    "delete a directory": {"files": {"tests/data": None}},
    "rename a module, its users left behind": {"renames": {"app/service.py": "app/finder.py"}},
    "rename a package, its users moved along": {
        "renames": {"app": "lib"},
        "files": {
            "lib/controller.py": "from lib.service import find\n\n\ndef show(key: int) -> str:\n    return find(key)\n",
            "tests/test_controller.py": (
                "from lib.controller import show\n\n\ndef test_show(key):\n    assert show(key) == '7'\n"
            ),
            "tests/test_service.py": "from lib.service import find\n\n\ndef test_find():\n    assert find(3) == '3'\n",
        },
    },
    "a new package": {
        "files": {
            "fresh/__init__.py": "from fresh.inner import VALUE as VALUE\n",
            "fresh/inner.py": "VALUE = 1\n",
            "tests/test_fresh.py": "import fresh\n\n\ndef test_value():\n    assert fresh.VALUE == 1\n",
        }
    },
    "unsaved pyproject.toml": {
        "files": {
            "pyproject.toml": (
                '[tool.ruff.lint]\nselect = ["F", "D100"]\n'
                '[tool.pytest.ini_options]\npython_files = ["test_service.py"]\n'
            )
        }
    },
    "unsaved data file that a test reads": {"files": {"tests/data/wanted.json": '{"shown": "8"}\n'}},
    "unsaved conftest": {
        "files": {"tests/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef key():\n    return 9\n"}
    },
    "unsaved conftest that cannot be imported": {"files": {"tests/conftest.py": "import no_such_module\n"}},
    "carriage returns and astral characters": {
        "files": {
            "app/service.py": "# 😀\r\ndef find(key: int) -> str:\r\n    '😀'; undefined\r\n    return str(key)\r\n"
        }
    },
}


@pytest.mark.parametrize("case", CASES)
def test_staged_equals_written(case: str, anywhere: Octolimb) -> None:
    staged_root, written_root = anywhere.build(PROJECT, "staged"), anywhere.build(PROJECT, "written")
    _write(written_root, CASES[case])
    before = fingerprint(staged_root)
    arguments = ["sense", "--tests", "full", "--baseline", "none"]
    # Both at once: there are two cores.
    staging = anywhere.start("--root", staged_root, *arguments, "--crate", "-")
    writing = anywhere.start("--root", written_root, *arguments)
    staged = _telling(staging.answer(json.dumps(CASES[case])).document)
    written = _telling(writing.answer().document)
    assert staged == written
    assert staged["complete"]
    assert (staged["isolation"]["files"] == "overlay") == (anywhere.projection == "overlay")
    tests = staged["tests"]
    assert (tests["passed"], tests["failed"], tests["errors"]) == _plain_pytest(case, anywhere.python)
    assert fingerprint(staged_root) == before


def test_against_the_disk_only_what_the_edits_made_worse_is_new(octolimb: Octolimb) -> None:
    root = octolimb.build({**PROJECT, "app/old.py": "import os\nold_pain\n"})
    crate = json.dumps(CASES["modify, and a dependent's types break"])
    answer = octolimb("--root", root, "sense", "--tests", "full", "--crate", "-", stdin=crate)
    assert answer.code == 1
    verdict = answer.document
    assert verdict["regressed"]
    assert not verdict["green"]
    new = {finding["path"] for finding in verdict["findings"] if finding["new"]}
    old = {finding["path"] for finding in verdict["findings"] if not finding["new"]}
    assert old == {"app/old.py"}
    assert "app/controller.py" in new


def test_an_old_failure_stays_old_wherever_it_is_seen(anywhere: Octolimb) -> None:
    root = anywhere.build({**PROJECT, "tests/test_old.py": "def test_old(tmp_path):\n    open(__file__ + '.none')\n"})
    crate = json.dumps({"files": {"app/service.py": "def find(key: int) -> str:\n    return f'{key}'\n"}})
    verdict = anywhere("--root", root, "sense", "--tests", "full", "--crate", "-", stdin=crate).document
    assert not verdict["regressed"]
    (finding,) = verdict["findings"]
    assert not finding["new"]
    assert f"{root}/tests/test_old.py.none" in finding["message"]


def _telling(verdict: dict[str, Any]) -> dict[str, Any]:
    """All that must not depend on how the state came about, nor on where it is."""
    findings = sorted(
        json.dumps({key: value for key, value in finding.items() if key != "detail"}, sort_keys=True)
        for finding in verdict["findings"]
    )
    statuses = {sensor["name"]: sensor["status"] for sensor in verdict["sensors"]}
    kept = ("green", "regressed", "complete", "level", "isolation", "tests")
    telling = {"findings": findings, "statuses": statuses, **{key: verdict[key] for key in kept}}
    placeless: dict[str, Any] = json.loads(json.dumps(telling).replace(verdict["root"], "ROOT"))
    return placeless


def _write(root: Path, crate: Crate) -> None:
    for old, new in crate.get("renames", {}).items():
        shutil.move(root / old, root / new)
    for name, text in crate.get("files", {}).items():
        path = root / name
        if text is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@cache
def _plain_pytest(case: str, python: Path) -> tuple[int, int, int]:
    """What pytest says by itself, as an oracle that shares no code with ours: passed, failed and broken tests."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "project"
        for name, text in PROJECT.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        _write(root, CASES[case])
        report = Path(place) / "report.xml"
        command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        done = subprocess.run(
            command, cwd=root, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"}
        )
        if not report.exists():
            assert done.returncode == 4, done.stdout
            return 0, 0, 1
        suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    total, failed, errors = (int(suite.get(key, "0")) for key in ("tests", "failures", "errors"))
    return total - failed - errors - int(suite.get("skipped", "0")), failed, errors
