"""Finds the project's Python. It looks at paths only: nothing of the project is executed to find out."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from octolimb.core.errors import BadInput

_MOST_LINKS: Final = 40
_MOST_LINE_BYTES: Final = 4096
Origin = Literal["option", "venv", "environment", "own"]


@dataclass(frozen=True)
class Interpreter:
    """`python` is the path to run, with its symbolic links: resolved, it would no longer be its environment's.

    `keep` are the directories without which it does not run: its environment, the installation beneath that, and
    where editable installs point. `bin` belongs at the front of PATH.
    """

    python: Path
    origin: Origin
    keep: tuple[Path, ...]
    bin: Path


def find_interpreter(root: Path, option: Path | None) -> Interpreter:
    """The option, else `.venv` in the root, `$VIRTUAL_ENV`, our own. `option`: an executable or an environment.

    Raises `BadInput` where the option names neither.
    """
    if option is not None:
        python = _python_in(option) if option.is_dir() else Path(os.path.abspath(option))
        if python is None or not _is_executable(python):
            raise BadInput(
                f"no Python interpreter at {option}",
                hint="give an executable or a virtual environment with --python",
                path=str(option),
            )
        return _describe(python, "option")
    environment = os.environ.get("VIRTUAL_ENV")
    places: list[tuple[Path, Origin]] = [(root / ".venv", "venv")]
    if environment:
        places.append((Path(environment), "environment"))
    for place, origin in places:
        python = _python_in(place)
        if python is not None:
            return _describe(python, origin)
    return _describe(Path(os.path.abspath(sys.executable)), "own")


def _python_in(environment: Path) -> Path | None:
    directory = Path(os.path.abspath(environment)) / ("Scripts" if sys.platform == "win32" else "bin")
    names = ("python.exe",) if sys.platform == "win32" else ("python", "python3")
    return next((directory / name for name in names if _is_executable(directory / name)), None)


def _is_executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _describe(python: Path, origin: Origin) -> Interpreter:
    prefixes: list[Path] = []
    for step in _link_chain(python):
        prefixes.append(_prefix_of(step))
        home = _home_of(prefixes[-1])
        if home is not None:
            prefixes += map(_prefix_of, _link_chain(home / python.name))
    editable = [place for prefix in prefixes for place in _editable_places(prefix)]
    keep = [path for path in dict.fromkeys([*prefixes, *editable]) if not _holds_the_home(path)]
    return Interpreter(python, origin, tuple(keep), python.parent)


def _prefix_of(python: Path) -> Path:
    """A Python lives in `<prefix>/bin`; an executable that stands alone needs its own directory."""
    directory = python.parent
    in_prefix = directory.name in ("bin", "Scripts") and not _holds_the_home(directory.parent)
    return directory.parent if in_prefix else directory


def _holds_the_home(path: Path) -> bool:
    """True for the user's home and what lies above: a project's configuration must not open it to its children."""
    home = os.path.realpath(os.path.expanduser("~"))
    real = os.path.realpath(path)
    return real in ("/", home) or home.startswith(real + "/")


def _link_chain(path: Path) -> list[Path]:
    """The path, and each path that its last name leads to by symbolic links."""
    chain = [Path(os.path.abspath(path))]
    while len(chain) < _MOST_LINKS and chain[-1].is_symlink():
        target = chain[-1].parent / chain[-1].readlink()
        chain.append(Path(os.path.normpath(target)))
    return chain


def _home_of(prefix: Path) -> Path | None:
    """What `pyvenv.cfg` names as the directory of the installation's own executable."""
    try:
        lines = (prefix / "pyvenv.cfg").read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    for line in lines:
        name, found, value = line.partition("=")
        if found and name.strip().lower() == "home" and value.strip().startswith("/"):
            return Path(value.strip())
    return None


def _editable_places(prefix: Path) -> list[Path]:
    """The absolute directories that `.pth` files add to the path; their lines of code are left unread."""
    places: list[Path] = []
    for file in sorted(prefix.glob("lib*/python3*/site-packages/*.pth")):
        try:
            lines = file.read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        named = (Path(line.rstrip()) for line in lines if line.startswith("/") and len(line) < _MOST_LINE_BYTES)
        places += [place for place in named if place.is_dir()]
    return places
