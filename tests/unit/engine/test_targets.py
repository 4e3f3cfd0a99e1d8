"""What a person points a limb at."""

from __future__ import annotations

from pathlib import Path

import pytest

from octolimb.core.errors import BadInput
from octolimb.core.snapshot import Snapshot
from octolimb.engine.targets import parse_target
from octolimb.workspace.disk import DiskBase

TEST = (
    "import pytest\n\n\n@pytest.mark.slow\ndef test_a():\n    assert True\n\n\n"
    "class TestB:\n    def test_c(self):\n        pass\n"
)


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    (tmp_path / "test_it.py").write_text(TEST)
    (tmp_path / "app.py").write_text("x = 1\n")
    (tmp_path / "odd:3").write_text("")
    return Snapshot(DiskBase(tmp_path))


@pytest.mark.parametrize(
    ("text", "node_id", "path", "line"),
    [
        ("test_it.py::test_a", "test_it.py::test_a", None, None),
        ("./test_it.py::TestB::test_c", "test_it.py::TestB::test_c", None, None),
        ("test_it.py::test_a[a::b:3]", "test_it.py::test_a[a::b:3]", None, None),
        ("test_it.py:4", "test_it.py::test_a", None, None),
        ("test_it.py:11:5", "test_it.py::TestB::test_c", None, None),
        ("test_it.py:9", None, "test_it.py", 9),
        ("test_it.py:1", None, "test_it.py", 1),
        ("app.py:1", None, "app.py", 1),
        ("app.py", None, "app.py", None),
        ("odd:3", None, "odd:3", None),
        (".", None, "", None),
    ],
)
def test_forms(text: str, node_id: str | None, path: str | None, line: int | None, snapshot: Snapshot) -> None:
    target = parse_target(text, snapshot)
    assert (target.node_id, target.path, target.line) == (node_id, path, line)


@pytest.mark.parametrize("text", ["nowhere.py", "nowhere.py:3", "nowhere.py::test_a", "../x.py", "/etc/passwd", ".:3"])
def test_what_is_not_there_is_refused(text: str, snapshot: Snapshot) -> None:
    with pytest.raises(BadInput):
        parse_target(text, snapshot)
