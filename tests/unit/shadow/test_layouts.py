"""However a project is laid out and installed, its tests test the shadow and not the user's tree."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.shadow_repository import Repository

FINDER = """
import sys
from importlib.machinery import ModuleSpec, PathFinder, all_suffixes
from importlib.util import spec_from_file_location
from itertools import chain
from pathlib import Path

MAPPING = {mapping!r}
NAMESPACES = {namespaces!r}
PATH_PLACEHOLDER = "__editable__.project-0.1.finder.__path_hook__"


class _EditableFinder:
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname in MAPPING:
            return cls._find(fullname, Path(MAPPING[fullname]))
        return None

    @classmethod
    def _find(cls, fullname, candidate_path):
        init = candidate_path / "__init__.py"
        for candidate in chain([init], (candidate_path.with_suffix(suffix) for suffix in all_suffixes())):
            if candidate.exists():
                return spec_from_file_location(fullname, candidate)
        return None


class _EditableNamespaceFinder:
    @classmethod
    def _path_hook(cls, path):
        if path == PATH_PLACEHOLDER:
            return cls
        raise ImportError

    @classmethod
    def find_spec(cls, fullname, target=None):
        if fullname in NAMESPACES:
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [*NAMESPACES[fullname], PATH_PLACEHOLDER]
            return spec
        return None


def install():
    sys.meta_path.append(_EditableFinder)
    sys.path_hooks.append(_EditableNamespaceFinder._path_hook)
    sys.path.append(PATH_PLACEHOLDER)
"""
"""What setuptools writes for an editable installation that no path can stand for, without its caches."""

INSTANCE_FINDER = """
import sys
from importlib.util import spec_from_file_location


class Redirecting:
    def __init__(self, known):
        self.known = known

    def find_spec(self, name, path=None, target=None):
        return spec_from_file_location(name, self.known[name]) if name in self.known else None


def install():
    sys.meta_path.insert(0, Redirecting({{"project": {package!r} + "/__init__.py"}}))
"""

LAYOUTS: dict[str, tuple[str, dict[str, str]]] = {
    # What stands where in the project; what is installed in the environment.
    "flat": ("project", {}),
    "installed by setuptools with a path": ("lib/project", {"__editable__.project-0.1.pth": "{parent}\n"}),
    "installed by hatch with a path": ("src/project", {"_project.pth": "{parent}"}),
    "installed with a relative path": ("lib/project", {"project.pth": "{relative}\n"}),
    "installed with a finder": (
        "elsewhere/source",
        {
            "__editable___project_0_1_finder.py": FINDER,
            "__editable__.project-0.1.pth": "import __editable___project_0_1_finder; "
            "__editable___project_0_1_finder.install()\n",
        },
    ),
    "installed with an instance of a finder": (
        "elsewhere/source",
        {"_redirecting.py": INSTANCE_FINDER, "_project.pth": "import _redirecting; _redirecting.install()\n"},
    ),
}


@pytest.fixture(scope="module")
def environment() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="octolimb-layouts-"))
    venv.create(place, with_pip=False, symlinks=True)
    yield place
    shutil.rmtree(place)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_shadow_is_imported(repository: Repository, environment: Path, layout: str) -> None:
    where, installed = LAYOUTS[layout]
    package = repository.root / where
    lay_out(repository, {f"{where}/__init__.py": "VALUE = 1\n", f"{where}/gone.py": ""})
    repository.workspace.write(f"{where}/__init__.py", "VALUE = 2\n")
    repository.workspace.write(f"{where}/fresh.py", "")
    repository.workspace.delete(f"{where}/gone.py")
    with installed_in(environment, repository.root, package, installed):
        check_imports(repository, environment, where)


def test_a_namespace_package_is_imported(repository: Repository, environment: Path) -> None:
    files = {"lib/shared/project/__init__.py": "VALUE = 1\n", "lib/shared/project/gone.py": ""}
    lay_out(repository, files)
    repository.workspace.write("lib/shared/project/__init__.py", "VALUE = 2\n")
    repository.workspace.write("lib/shared/project/fresh.py", "")
    repository.workspace.delete("lib/shared/project/gone.py")
    installed = {
        "__editable___shared_finder.py": FINDER,
        "shared.pth": "import __editable___shared_finder; __editable___shared_finder.install()\n",
    }
    package = repository.root / "lib/shared/project"
    with installed_in(environment, repository.root, package, installed):
        check_imports(repository, environment, "lib/shared/project", "shared.project")
    with installed_in(environment, repository.root, package.parent, {"shared.pth": "{parent}"}):
        check_imports(repository, environment, "lib/shared/project", "shared.project")


def test_an_environment_in_the_root_stays_where_it_is(repository: Repository) -> None:
    environment = repository.root / ".venv"
    venv.create(environment, with_pip=False, symlinks=True)
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "third.py").write_text("")
    (site / "sitecustomize.py").write_text("import third; third.CUSTOMISED = True\n")
    code = "import third, sys; print(third.CUSTOMISED, third.__file__); import sitecustomize; print(sitecustomize)"
    with repository.shadow() as shadow:
        done = shadow.run([str(environment / "bin/python"), "-c", code], deadline=60)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().startswith(f"True {site}/third.py\n")
    assert f"{site}/sitecustomize.py" in done.stdout.decode()


@pytest.mark.parametrize(
    "line",
    [
        "sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'code'))",
        "sys.path.insert(0, os.path.abspath('code'))",
        "sys.path.insert(0, 'code')",
    ],
)
def test_a_conftest_leads_to_the_shadow(repository: Repository, line: str) -> None:
    conftest = f"import os, sys\n{line}\n"
    test = (
        "import project\n\ndef test_file():\n    print()\n    print('SAW ' + project.__file__)\n"
        "    assert project.VALUE == 2\n"
    )
    lay_out(repository, {"tests/conftest.py": conftest, "tests/test_it.py": test, "code/project.py": "VALUE = 1\n"})
    repository.workspace.write("code/project.py", "VALUE = 2\n")
    with repository.shadow() as shadow:
        command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "tests/test_it.py"]
        done = shadow.run(command, deadline=120)
        assert done.returncode == 0, done.stdout.decode()
        assert f"SAW {shadow.root}/" in done.stdout.decode()


class installed_in:  # noqa: N801  It reads as a statement.
    """The files in the environment's site-packages, for a while."""

    def __init__(self, environment: Path, root: Path, package: Path, files: dict[str, str]) -> None:
        (site,) = environment.glob("lib/python*/site-packages")
        self._made = [site / name for name in files]
        relative = Path(*[".."] * len(site.parts[1:]), *package.parent.parts[1:])
        namespace = {"shared": [str(package.parent)]} if package.parent.name == "shared" else {}
        mapping = {"project": str(package)} if not namespace else {}
        for path, text in zip(self._made, files.values(), strict=True):
            if "MAPPING" in text:
                path.write_text(text.replace("{mapping!r}", repr(mapping)).replace("{namespaces!r}", repr(namespace)))
            else:
                path.write_text(text.format(parent=package.parent, relative=relative, package=str(package)))

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        for path in self._made:
            path.unlink()


def lay_out(repository: Repository, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = repository.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


PROGRAM = """
import importlib, json, subprocess, sys
def look(name):
    found = {}
    for module in (name, name + ".fresh", name + ".gone"):
        try:
            found[module.rpartition(".")[2] if module != name else ""] = importlib.import_module(module).__file__
        except ImportError:
            continue
    return found, sys.modules[name].VALUE
if len(sys.argv) == 2:
    inner = subprocess.run([sys.executable, "-c", PROGRAM, sys.argv[1], "inner"], capture_output=True, text=True)
    print(json.dumps([look(sys.argv[1]), json.loads(inner.stdout or "null"), inner.stderr]))
else:
    print(json.dumps(look(sys.argv[1])))
"""


def check_imports(repository: Repository, environment: Path, where: str, name: str = "project") -> None:
    """A program in the shadow, and one that it starts, import the package as the workspace has it."""
    program = f"PROGRAM = {PROGRAM!r}\nexec(PROGRAM)"
    with repository.shadow() as shadow:
        done = shadow.run(
            [str(environment / "bin/python"), "-c", program, name],
            deadline=60,
            keep=[environment, Path(sys.base_prefix)],
        )
        assert done.returncode == 0, done.stderr.decode()
        here, inner, complaints = json.loads(done.stdout)
        files = {"": f"{shadow.root}/{where}/__init__.py", "fresh": f"{shadow.root}/{where}/fresh.py"}
    assert here == [files, 2]
    assert inner == [files, 2], complaints
