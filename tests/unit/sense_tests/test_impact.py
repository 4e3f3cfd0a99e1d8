"""Which tests a change selects, and with what reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.sense.tests.impact import Vicinity, select_tests, vicinity_of
from octolimb.sense.tests.imports import build_graph
from octolimb.sense.tests.layout import read_layout
from octolimb.sense.tests.values import TestSelection
from octolimb.workspace.disk import DiskBase

APP = {
    "src/app/__init__.py": "",
    "src/app/core.py": "",
    "src/app/web.py": "from .core import thing\n",
    "src/app/alone.py": "",
    "tests/conftest.py": "import support\n",
    "tests/support.py": "",
    "tests/test_core.py": "import app.core\n",
    "tests/test_web.py": "from app import web\n",
    "tests/test_nothing.py": "",
    "tests/sub/conftest.py": "from app import alone\n",
    "tests/sub/test_sub.py": "",
}
ALL = ("tests/sub/test_sub.py", "tests/test_core.py", "tests/test_nothing.py", "tests/test_web.py")


MakeSnapshot = Callable[[Mapping[str, str]], Snapshot]


@pytest.fixture
def snapshot_of(tmp_path: Path) -> MakeSnapshot:
    def make(files: Mapping[str, str]) -> Snapshot:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, "utf-8", newline="")
        return Snapshot(DiskBase(tmp_path))

    return make


def impacted(snapshot: Snapshot, *changed: str, named: tuple[str, ...] = ()) -> TestSelection:
    return select_tests(snapshot, "impacted", [RelPath(path) for path in changed], named)


@pytest.mark.parametrize(
    ("changed", "selected"),
    [
        (["src/app/core.py"], ["tests/test_core.py", "tests/test_web.py"]),
        (["src/app/web.py"], ["tests/test_web.py"]),
        (["src/app/__init__.py"], ["tests/sub/test_sub.py", "tests/test_core.py", "tests/test_web.py"]),
        (["src/app/alone.py"], ["tests/sub/test_sub.py"]),
        (["tests/support.py"], ALL),
        (["tests/conftest.py"], ALL),
        (["tests/sub/conftest.py"], ["tests/sub/test_sub.py"]),
        (["tests/test_nothing.py"], ["tests/test_nothing.py"]),
        (["tests/test_nothing.py", "src/app/web.py"], ["tests/test_nothing.py", "tests/test_web.py"]),
        (["tests/test_deleted.py", "src/app/web.py"], ["tests/test_web.py"]),
        (["tests/test_deleted.py"], []),
    ],
)
def test_what_imports_the_change_runs(snapshot_of: MakeSnapshot, changed: list[str], selected: list[str]) -> None:
    selection = impacted(snapshot_of(APP), *changed)
    assert selection.ids == tuple(selected)
    assert selection.mode == ("impacted" if selected else "none")


def test_a_deleted_module_runs_who_still_imports_it(snapshot_of: MakeSnapshot) -> None:
    files = {path: text for path, text in APP.items() if path != "src/app/core.py"}
    assert impacted(snapshot_of(files), "src/app/core.py").ids == ("tests/test_core.py", "tests/test_web.py")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ("tests/data/x.json", "tests/data/x.json changed: any test may read it"),
        ("pyproject.toml", "pyproject.toml changed: it configures every test"),
        ("setup.cfg", "setup.cfg changed: it configures every test"),
        ("setup.py", "setup.py changed: no test imports it, so any test may run or read it"),
        ("build/made.py", "build/made.py changed: it lies where no imports are read, so any test may use it"),
    ],
)
def test_where_it_is_not_certain_every_test_runs(snapshot_of: MakeSnapshot, changed: str, why: str) -> None:
    selection = impacted(snapshot_of({**APP, "setup.py": "", "build/made.py": ""}), changed)
    assert selection == TestSelection("impacted", (), why)


def test_without_a_baseline_every_test_runs(snapshot_of: MakeSnapshot) -> None:
    selection = select_tests(snapshot_of(APP), "impacted", None, ())
    assert selection == TestSelection("impacted", (), "there is nothing to compare with, so every test runs")


def test_where_nothing_changed_nothing_runs(snapshot_of: MakeSnapshot) -> None:
    assert impacted(snapshot_of(APP)).mode == "none"


def test_doctests_may_be_anywhere(snapshot_of: MakeSnapshot) -> None:
    files = {**APP, "pytest.ini": "[pytest]\naddopts = --doctest-modules\n"}
    assert impacted(snapshot_of(files), "src/app/web.py").ids == ()


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess\n",
        "import importlib\nimportlib.import_module(name)\n",
        "module = __import__(name)\n",
        "import runpy\n",
        "import os\nos.system('app')\n",
        "def test_it(pytester): ...\n",
        "from importlib import import_module as load\n",
    ],
)
def test_a_test_whose_needs_cannot_be_known_always_runs(snapshot_of: MakeSnapshot, source: str) -> None:
    selection = impacted(snapshot_of({**APP, "tests/test_opaque.py": source}), "src/app/web.py")
    assert selection.ids == ("tests/test_opaque.py", "tests/test_web.py")
    assert "tests/test_opaque.py" in (selection.why or "")


def test_reading_one_s_own_version_is_not_opaque(snapshot_of: MakeSnapshot) -> None:
    source = "import importlib.metadata\nfrom importlib import metadata, resources\n"
    assert impacted(snapshot_of({**APP, "tests/test_version.py": source}), "src/app/web.py").ids == (
        "tests/test_web.py",
    )


def test_plugins_count_for_every_test(snapshot_of: MakeSnapshot) -> None:
    named = {**APP, "tests/conftest.py": "pytest_plugins = ['support', \"app.alone\"]\n"}
    assert impacted(snapshot_of(named), "src/app/alone.py").ids == ALL
    by_option = {**named, "tests/conftest.py": "", "pytest.ini": "[pytest]\naddopts = -q -p app.alone\n"}
    assert impacted(snapshot_of(by_option), "src/app/alone.py").ids == ALL
    own = '[project.entry-points.pytest11]\napp = "app.web"\n'
    by_entry = {**by_option, "pytest.ini": "", "pyproject.toml": own}
    assert impacted(snapshot_of(by_entry), "src/app/web.py").ids == ALL


@pytest.mark.parametrize(
    ("configuration", "changed", "selected"),
    [
        ({"pytest.ini": "[pytest]\npython_files = check_*.py\n"}, "checks/check_web.py", ["checks/check_web.py"]),
        (
            {"pyproject.toml": "[tool.pytest.ini_options]\npython_files = ['check_*.py']\n"},
            "checks/check_web.py",
            ["checks/check_web.py"],
        ),
        (
            {"tox.ini": "[pytest]\npython_files = check_*.py test_*.py\n"},
            "src/app/web.py",
            ["checks/check_web.py", "tests/test_web.py"],
        ),
        ({"setup.cfg": "[tool:pytest]\ntestpaths = tests/sub\n"}, "src/app/alone.py", ["tests/sub/test_sub.py"]),
        (
            {"pytest.ini": "[pytest]\ntestpaths = checks\npython_files = check_*\n"},
            "src/app/core.py",
            ["checks/check_web.py"],
        ),
    ],
)
def test_the_configuration_says_which_files_hold_tests(
    snapshot_of: MakeSnapshot, configuration: dict[str, str], changed: str, selected: list[str]
) -> None:
    files = {**APP, "checks/check_web.py": "import app.web\n", **configuration}
    assert impacted(snapshot_of(files), changed).ids == tuple(selected)


# -- named tests -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "ids"),
    [
        ((), ()),
        (("tests/test_web.py",), ("tests/test_web.py",)),
        (("./tests/sub/",), ("tests/sub",)),
        (("tests/test_web.py::test_x[a/../b]",), ("tests/test_web.py::test_x[a/../b]",)),
        (("src/app/web.py", "src", "README.md"), ()),
        (("tests/test_missing.py",), ("tests/test_missing.py",)),
        (("checks.py",), ("checks.py",)),
        ((".",), (".",)),
    ],
)
def test_full_runs_all_that_is_named(snapshot_of: MakeSnapshot, named: tuple[str, ...], ids: tuple[str, ...]) -> None:
    selection = select_tests(snapshot_of({**APP, "checks.py": "def test_it(): ...\n"}), "full", None, named)
    assert (selection.mode, selection.ids, selection.named) == ("full", ids, ids)


@pytest.mark.parametrize(
    ("named", "ids"),
    [
        (("tests/test_web.py", "tests/test_nothing.py"), ("tests/test_web.py",)),
        (("tests",), ("tests/test_web.py",)),
        ((".",), ("tests/test_web.py",)),
        (("tests/test_nothing.py::test_x",), ("tests/test_nothing.py::test_x",)),
        (("tests/test_missing.py",), ("tests/test_missing.py",)),
        (("tests/test_nothing.py",), ()),
        (("../outside.py::test",), ("../outside.py::test",)),
    ],
)
def test_impacted_runs_what_is_named_and_can_be_affected(
    snapshot_of: MakeSnapshot, named: tuple[str, ...], ids: tuple[str, ...]
) -> None:
    selection = impacted(snapshot_of(APP), "src/app/web.py", named=named)
    assert selection.ids == ids
    assert selection.mode == ("impacted" if ids else "none")


# -- imports ---------------------------------------------------------------------------------------------------

TREE = {
    "pkg/__init__.py": "",
    "pkg/a.py": "",
    "pkg/b.py": "",
    "pkg/sub/__init__.py": "",
    "pkg/sub/c.py": "",
    "vendor/deep/lib/other.py": "",
}


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ("import pkg", ["pkg/__init__.py"]),
        ("import pkg.a as x, pkg.sub.c", ["pkg/__init__.py", "pkg/a.py", "pkg/sub/__init__.py", "pkg/sub/c.py"]),
        ("from pkg import a, b as c", ["pkg/__init__.py", "pkg/a.py", "pkg/b.py"]),
        ("from pkg import (\n    a,  # not b)\n    something,\n)", ["pkg/__init__.py", "pkg/a.py"]),
        ("from pkg \\\n    import a", ["pkg/__init__.py", "pkg/a.py"]),
        ("from pkg import a\r\nimport pkg.b\r\n", ["pkg/__init__.py", "pkg/a.py", "pkg/b.py"]),
        ("try: import pkg.a; import pkg.b\nexcept ImportError: pass", ["pkg/__init__.py", "pkg/a.py", "pkg/b.py"]),
        (
            "def f():\n    if True:\n        from pkg.sub import c",
            ["pkg/__init__.py", "pkg/sub/__init__.py", "pkg/sub/c.py"],
        ),
        ("from pkg.sub import *", ["pkg/__init__.py", "pkg/sub/__init__.py", "pkg/sub/c.py"]),
        ("from pkg.sub.c import name", ["pkg/__init__.py", "pkg/sub/__init__.py", "pkg/sub/c.py"]),
        ("from .pkg import a", ["pkg/__init__.py", "pkg/a.py"]),
        ("from . import pkg", ["pkg/__init__.py"]),
        ("import other", ["vendor/deep/lib/other.py"]),
        ("import os, sys, json", []),
        ("important = 1\nreimport = 2\nx.import_ = 3", []),
        ("# import pkg", []),
    ],
)
def test_what_a_file_needs(snapshot_of: MakeSnapshot, source: str, needs: list[str]) -> None:
    snapshot = snapshot_of({**TREE, "test_it.py": source})
    graph = build_graph(snapshot, read_layout(snapshot))
    assert sorted(graph.needs[RelPath("test_it.py")]) == needs


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ("from . import d", ["pkg/__init__.py", "pkg/sub/__init__.py", "pkg/sub/d.py"]),
        ("from .. import a", ["pkg/__init__.py", "pkg/a.py", "pkg/sub/__init__.py"]),
        ("from ..a import thing", ["pkg/__init__.py", "pkg/a.py", "pkg/sub/__init__.py"]),
        ("from .d import *", ["pkg/__init__.py", "pkg/sub/__init__.py", "pkg/sub/d.py"]),
    ],
)
def test_relative_imports(snapshot_of: MakeSnapshot, source: str, needs: list[str]) -> None:
    snapshot = snapshot_of({**TREE, "pkg/sub/c.py": source, "pkg/sub/d.py": ""})
    graph = build_graph(snapshot, read_layout(snapshot))
    assert sorted(graph.needs[RelPath("pkg/sub/c.py")]) == needs


def test_environments_and_build_products_are_no_sources(snapshot_of: MakeSnapshot) -> None:
    rubbish = ("env/pyvenv.cfg", "env/lib/test_x.py", "node_modules/x/test_x.py", "build/test_x.py", ".tox/test_x.py")
    snapshot = snapshot_of({**APP, **dict.fromkeys(rubbish, "")})
    graph = build_graph(snapshot, read_layout(snapshot))
    assert tuple(sorted(graph.tests)) == ALL


@pytest.mark.parametrize("text", ["[pytest", "[pytest]\naddopts = 'unclosed\n", "\0", "[pytest]\npython_files =\n"])
def test_a_broken_configuration_is_left_to_pytest(snapshot_of: MakeSnapshot, text: str) -> None:
    assert read_layout(snapshot_of({"pytest.ini": text})).patterns == ("test_*.py", "*_test.py")


def near(snapshot: Snapshot, most: int, *changed: str) -> Vicinity | None:
    return vicinity_of(snapshot, [RelPath(path) for path in changed], most)


def test_what_is_near_a_change(snapshot_of: MakeSnapshot) -> None:
    """By imports, then by place, then by name."""
    snapshot = snapshot_of(
        {
            "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = ['src']\n",
            "src/app/__init__.py": "from app import core\n",
            "src/app/core.py": "",
            "src/app/web.py": "from app.core import thing\n",
            "src/app/tests/test_inside.py": "import app\n",
            "tests/test_a.py": "import app\n",
            "tests/test_core.py": "import app\n",
            "tests/test_direct.py": "import app.core\n",
            "tests/test_through.py": "import app.web\n",
        }
    )
    found = near(snapshot, 4, "src/app/core.py")
    assert found is not None
    assert found.tests == (
        "tests/test_direct.py",
        "src/app/tests/test_inside.py",
        "tests/test_core.py",
        "tests/test_a.py",
    )
    assert found.total == 5
    assert found.sources == ("src/app/__init__.py", "src/app/core.py", "src/app/web.py", "tests/test_direct.py")
    assert near(snapshot, 5, "src/app/core.py") is None


def test_what_any_test_may_read_is_near_by_place(snapshot_of: MakeSnapshot) -> None:
    snapshot = snapshot_of({**APP, "tests/sub/data.json": "{}"})
    found = near(snapshot, 1, "tests/sub/data.json")
    assert found == Vicinity((RelPath("tests/sub/test_sub.py"),), 4, ())


def test_a_deleted_file_has_a_vicinity(snapshot_of: MakeSnapshot) -> None:
    snapshot = snapshot_of({name: text for name, text in APP.items() if name != "src/app/core.py"})
    found = near(snapshot, 1, "src/app/core.py")
    assert found is not None
    assert found.tests == ("tests/test_core.py",)
    assert found.sources == ("src/app/web.py", "tests/test_core.py")


def test_where_doctests_are_collected_the_changed_file_is_near(snapshot_of: MakeSnapshot) -> None:
    files = {**APP, "pytest.ini": "[pytest]\naddopts = --doctest-modules\n"}
    found = near(snapshot_of(files), 3, "src/app/core.py")
    assert found is not None
    assert "src/app/core.py" in found.tests
    assert found.total == 11
