"""Where a project's tests are: its source files and what its pytest configuration says of them.

Read from a snapshot, without running anything of the project. It does not know what imports what (see `imports`).
"""

from __future__ import annotations

import configparser
import fnmatch
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from octolimb.core.errors import OctolimbError
from octolimb.core.paths import RelPath, join, parse_directory
from octolimb.core.snapshot import Snapshot

_PRUNED = frozenset(
    {
        ".git", ".hg", ".svn", ".venv", ".tox", ".nox", ".eggs", ".mypy_cache", ".pytest_cache", ".ruff_cache",
        "__pycache__", "node_modules", "site-packages", "build", "dist",
    }
)  # fmt: skip
_DEFAULT_PATTERNS = ("test_*.py", "*_test.py")
CONFIGURATION_FILES = (
    "pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg",
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """`patterns` and `testpaths` are pytest's `python_files` and `testpaths`, `import_paths` its `pythonpath`.

    `doctests`: it collects doctests, so that any file may hold a test. `plugins` are modules that the configuration
    loads for every test.
    """

    patterns: tuple[str, ...] = _DEFAULT_PATTERNS
    testpaths: tuple[str, ...] = ()
    import_paths: tuple[str, ...] = ()
    doctests: bool = False
    plugins: tuple[str, ...] = ()

    def is_test_file(self, path: RelPath) -> bool:
        """True where pytest would collect the file if it came across it, as its `python_files` say."""
        return path.suffix == ".py" and any(
            fnmatch.fnmatch(path if "/" in pattern else path.name, f"*/{pattern}" if "/" in pattern else pattern)
            for pattern in self.patterns
        )

    def is_reached(self, path: RelPath) -> bool:
        """True where a run without arguments comes across the file."""
        return not self.testpaths or any(_lies_in(path, testpath) for testpath in self.testpaths)


def read_layout(snapshot: Snapshot) -> Layout:
    """The layout that the snapshot's configuration gives; the defaults where there is none or it cannot be read."""
    options = _options(snapshot)
    addopts = " ".join(_words(options.get("addopts")))
    plugins = [*re.findall(r"(?:^|\s)-p\s*([\w.]+)", addopts), *_own_plugins(snapshot)]
    testpaths = tuple(path for path in _words(options.get("testpaths")) if _matches_something(snapshot, path))
    return Layout(
        tuple(_words(options.get("python_files"))) or _DEFAULT_PATTERNS,
        testpaths,
        tuple(_words(options.get("pythonpath"))),
        "--doctest" in addopts,
        tuple(plugins),
    )


def source_files(snapshot: Snapshot, directory: str = "") -> Iterator[RelPath]:
    """Every Python file of the project, environments, caches and build products left out."""
    names = snapshot.names(directory)
    if "pyvenv.cfg" in names:
        return
    for name, kind in names.items():
        if kind != "directory":
            if name.endswith(".py"):
                yield join(directory, name)
        elif name not in _PRUNED:
            yield from source_files(snapshot, join(directory, name))


def _options(snapshot: Snapshot) -> Mapping[str, object]:
    """The options of the first file that pytest would take them from."""
    for name in CONFIGURATION_FILES:
        text = _text(snapshot, name)
        if text is None:
            continue
        try:
            options = _toml_options(name, text) if name.endswith(".toml") else _ini_options(name, text)
        except (tomllib.TOMLDecodeError, configparser.Error):
            # pytest itself will refuse the file, and say so as an error of the run.
            return {}
        if options is not None:
            return options
    return {}


def _toml_options(name: str, text: str) -> Mapping[str, object] | None:
    tables = tomllib.loads(text)
    if name != "pyproject.toml":
        found = tables.get("pytest", {})
    else:
        tool = tables.get("tool", {}).get("pytest")
        found = tool.get("ini_options", tool) if isinstance(tool, dict) else None
    return found if isinstance(found, dict) else None


def _ini_options(name: str, text: str) -> Mapping[str, object] | None:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    parser.read_string(text)
    section = "tool:pytest" if name == "setup.cfg" else "pytest"
    if parser.has_section(section):
        return dict(parser.items(section))
    return {} if name in ("pytest.ini", ".pytest.ini") else None


def _own_plugins(snapshot: Snapshot) -> list[str]:
    """Modules that the project itself offers to pytest as plugins, which are loaded where it is installed."""
    found: list[str] = []
    for name in ("pyproject.toml", "setup.cfg", "setup.py"):
        text = _text(snapshot, name) or ""
        for part in text.split("pytest11")[1:]:
            found += re.findall(r"=\s*[\"']?([A-Za-z_][\w.]*)", part[:600])
    return found


def _words(value: object) -> list[str]:
    if isinstance(value, str):
        try:
            return shlex.split(value, comments=False)
        except ValueError:
            return value.split()
    return [str(word) for word in value] if isinstance(value, list) else []


def _lies_in(path: RelPath, testpath: str) -> bool:
    return any(fnmatch.fnmatch(step, testpath.strip("/").removeprefix("./")) for step in (path, *path.ancestors)) or (
        testpath.strip("./") == ""
    )


def _matches_something(snapshot: Snapshot, testpath: str) -> bool:
    # pytest takes the root instead of paths that match nothing; a glob is taken at its word.
    if any(character in testpath for character in "*?["):
        return True
    try:
        return snapshot.kind(parse_directory(testpath)) is not None
    except OctolimbError:
        return False


def _text(snapshot: Snapshot, name: str) -> str | None:
    try:
        document = snapshot.get(RelPath(name))
        return None if document is None else document.text
    except OctolimbError:
        return None
