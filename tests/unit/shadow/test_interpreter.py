from __future__ import annotations

import sys
import venv
from pathlib import Path

import pytest
from tests.support.shadow_repository import Repository

from octolimb.core.errors import BadInput
from octolimb.shadow.interpreter import find_interpreter


def make_python(directory: Path, marker: Path | None = None) -> Path:
    """An environment whose interpreter would leave a mark if it were ever executed."""
    python = directory / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\ntouch '{marker}'\n")
    python.chmod(0o755)
    return python


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)


def test_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    root.mkdir()
    own = find_interpreter(root, None)
    assert (own.origin, own.python) == ("own", Path(sys.executable))
    environment = make_python(tmp_path / "env")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "env"))
    assert (find_interpreter(root, None).origin, find_interpreter(root, None).python) == ("environment", environment)
    local = make_python(root / ".venv")
    assert (find_interpreter(root, None).origin, find_interpreter(root, None).python) == ("venv", local)
    option = make_python(tmp_path / "option")
    for given in (option, tmp_path / "option"):
        assert (find_interpreter(root, given).origin, find_interpreter(root, given).python) == ("option", option)


@pytest.mark.parametrize("name", ["missing", "missing/bin/python", "plain.txt"])
def test_an_option_that_is_no_interpreter_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "plain.txt").write_text("")
    with pytest.raises(BadInput, match=name):
        find_interpreter(tmp_path, tmp_path / name)


def test_nothing_is_executed(tmp_path: Path) -> None:
    make_python(tmp_path / ".venv", tmp_path / "executed")
    find_interpreter(tmp_path, None)
    assert not (tmp_path / "executed").exists()


def test_links_are_followed_and_the_first_path_is_run(tmp_path: Path) -> None:
    real = make_python(tmp_path / "opt" / "python-3.12.5")
    (tmp_path / "opt" / "python-3.12").symlink_to("python-3.12.5", target_is_directory=True)
    link = tmp_path / "root" / ".venv" / "bin" / "python"
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "opt" / "python-3.12" / "bin" / "python")
    found = find_interpreter(tmp_path / "root", None)
    assert found.python == link
    assert found.bin == link.parent
    assert found.keep == (link.parent.parent, tmp_path / "opt" / "python-3.12")
    assert found.keep[1].resolve() == real.parent.parent


def test_the_home_in_pyvenv_cfg_is_kept(tmp_path: Path) -> None:
    base = make_python(tmp_path / "base")
    make_python(tmp_path / ".venv")
    (tmp_path / ".venv" / "pyvenv.cfg").write_text(f"home = {base.parent}\nversion = 3.12\n")
    assert tmp_path / "base" in find_interpreter(tmp_path, None).keep


def test_editable_installs_are_kept(tmp_path: Path) -> None:
    make_python(tmp_path / ".venv")
    packages = tmp_path / ".venv" / "lib" / "python3.12" / "site-packages"
    packages.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (packages / "x.pth").write_text(f"import os; os.abort()\n{tmp_path / 'elsewhere'}\n/nonexistent\nrelative\n")
    assert tmp_path / "elsewhere" in find_interpreter(tmp_path, None).keep


@pytest.mark.parametrize("where", ["pth", "home"])
def test_a_project_cannot_open_the_home_to_its_tests(tmp_path: Path, where: str) -> None:
    make_python(tmp_path / ".venv")
    packages = tmp_path / ".venv" / "lib" / "python3.12" / "site-packages"
    packages.mkdir(parents=True)
    if where == "pth":
        (packages / "x.pth").write_text(f"{Path.home()}\n/\n")
    else:
        (tmp_path / ".venv" / "pyvenv.cfg").write_text(f"home = {Path.home()}/bin\n")
    keep = find_interpreter(tmp_path, None).keep
    assert Path.home() not in keep
    assert Path("/") not in keep


def test_a_real_environment_runs_in_the_shadow(repository: Repository, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    interpreter = find_interpreter(repository.root, tmp_path / "venv")
    done = repository.run(str(interpreter.python), "-c", "import sys; print(sys.prefix)", keep=interpreter.keep)
    assert done.stdout.decode().strip() == str(tmp_path / "venv")
