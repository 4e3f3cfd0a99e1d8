"""What the static sensors say of an unsaved state equals what they say of the same state really written to disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding
from octolimb.sense.sensing import SenseRequest, sense
from octolimb.shadow.host import ShadowHost
from octolimb.workspace.crate import snapshot_with_crate
from octolimb.workspace.disk import DiskBase

Files = Mapping[str, str | bytes]
WriteProject = Callable[[Files], Path]

SAVED: Final[dict[str, str | bytes]] = {
    "pyproject.toml": '[tool.ruff.lint]\nselect = ["F", "E"]\n',
    "src/shop/__init__.py": "",
    "src/shop/prices.py": "def price(name: str) -> int:\n    return len(name)\n",
    "src/shop/cart.py": "from shop.prices import price\n\n\ndef total(names: list[str]) -> int:\n"
    "    return sum(price(name) for name in names)\n",
    "tool.py": "import os\n\nfrom shop.cart import total\n\nprint(undefined, total)\n",
    "broken.py": "def (:\n",
}

CASES: Final[dict[str, tuple[dict[str, str | None], dict[str, str]]]] = {
    "nothing": ({}, {}),
    "modify": ({"src/shop/prices.py": "def price(name: str) -> str:\n    return name\n"}, {}),
    "create": ({"src/shop/new.py": "from shop.cart import total\n\nx: str = total([])\n"}, {}),
    "delete": ({"src/shop/prices.py": None}, {}),
    "rename": ({}, {"src/shop/prices.py": "src/shop/costs.py"}),
    "rename and edit": (
        {"src/shop/costs.py": "def price(name: str) -> float:\n    return missing\n"},
        {"src/shop/prices.py": "src/shop/costs.py"},
    ),
    "new package": (
        {
            "src/extra/__init__.py": "",
            "src/extra/deep/__init__.py": "VALUE: int = 1\n",
            "use.py": "from extra.deep import VALUE, GONE\n\nx: str = VALUE\n",
        },
        {},
    ),
    "package in place of a module": (
        {"src/shop/prices.py": None, "src/shop/prices/__init__.py": "def price(name: int) -> int:\n    return name\n"},
        {},
    ),
    "delete a package": ({"src/shop": None}, {}),
    "configure the linter": ({"pyproject.toml": '[tool.ruff.lint]\nselect = ["W"]\n'}, {}),
    "configure the checker": ({"pyproject.toml": '[tool.ty.rules]\nunresolved-reference = "warn"\n'}, {}),
    "declare a version": (
        {
            "pyproject.toml": '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.9"\n',
            "n.py": "type X = int\n",
        },
        {},
    ),
    "exclude a file": ({"pyproject.toml": '[tool.ruff]\nexclude = ["tool.py"]\n'}, {}),
    "break the syntax": ({"src/shop/cart.py": "from shop.prices import (\n"}, {}),
    "mend the syntax": ({"broken.py": "def f() -> int:\n    return ''\n"}, {}),
    "a configuration that breaks the linter": ({"pyproject.toml": "[tool.ruff]\nfoo = 1\n"}, {}),
}


@pytest.fixture(params=["overlay", "copy"])
def isolation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "copy":
        monkeypatch.setenv("OCTOLIMB_ISOLATION", "copy")


def told(snapshot: Snapshot) -> tuple[list[str], list[Finding]]:
    """How each sensor ended, and all findings."""
    assert isinstance(snapshot.base, DiskBase)
    request = SenseRequest(snapshot, sensors=frozenset({"syntax", "lint", "types"}))
    with ShadowHost(snapshot.base) as host:
        verdict = sense(host, request)
    order = sorted(verdict.findings, key=lambda finding: (finding.source, finding.path, finding.span, finding.code))
    return [f"{run.name} {run.status} {run.why}" for run in verdict.sensors], order


def really_write(root: Path, files: Mapping[str, str | None], renames: Mapping[str, str]) -> None:
    for old, new in renames.items():
        (root / old).rename(root / new)
    for path, text in files.items():
        target = root / path
        if text is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, newline="")
        elif target.is_dir():
            for below in sorted(target.rglob("*"), reverse=True):
                below.rmdir() if below.is_dir() else below.unlink()
            target.rmdir()
        else:
            target.unlink()


@pytest.mark.usefixtures("isolation")
@pytest.mark.parametrize("case", CASES)
def test_unsaved_equals_saved(case: str, write_project: WriteProject) -> None:
    files, renames = CASES[case]
    unsaved = snapshot_with_crate(DiskBase(write_project(SAVED)), files, renames)
    root = write_project(SAVED)
    really_write(root, files, renames)
    assert told(unsaved) == told(Snapshot(DiskBase(root)))


def test_the_cases_are_told_apart(write_project: WriteProject) -> None:
    """The matrix would prove nothing if each case looked like the saved state."""
    base = DiskBase(write_project(SAVED))
    nothing = told(Snapshot(base))
    different = [
        case for case, (files, renames) in CASES.items() if told(snapshot_with_crate(base, files, renames)) != nothing
    ]
    assert different == [case for case in CASES if case != "nothing"]
