"""Leads every Python that runs in a private copy of a repository to the copy, whatever is installed as editable.

An editable installation names the repository by its absolute path: in a `.pth` file, or in a finder that such a file
installs. In a copy that would be the user's tree, without the edits that are to be tried. Python runs this file once
these are loaded; it puts the copy in place of the repository wherever they name it, and then lets the environment's own
`sitecustomize` run. OCTOLIMB_MOVED_FROM and OCTOLIMB_MOVED_TO name the two.

Standard library only, Python 3.9 and newer. What lies in an environment below the repository stays there. It does not
reach a Python that ignores its environment (`-I`, `-E`, `-S`).
"""

import importlib.util
import os
import sys
from importlib.machinery import PathFinder
from pathlib import PurePath
from typing import Any

DEEPEST = 4
HERE = os.path.dirname(os.path.abspath(__file__))


class Move:
    """From one directory to another."""

    def __init__(self, source: str, target: str) -> None:
        self.source = source
        self.target = target

    def path(self, path: str) -> str:
        """Where this path is now; anything else than a path below the source is left as it is."""
        if not path.startswith("/"):
            return path
        real = os.path.realpath(path)
        if real != self.source and not real.startswith(self.source + "/"):
            return path
        place = real
        while place != self.source:
            if os.path.basename(place) == "node_modules" or os.path.exists(os.path.join(place, "pyvenv.cfg")):
                # This was not copied.
                return path
            place = os.path.dirname(place)
        return self.target + real[len(self.source) :]

    def value(self, value: Any, depth: int = 0) -> Any:
        """The same with every path in it moved; lists, sets and dictionaries are changed in place."""
        if isinstance(value, str):
            return self.path(value)
        if isinstance(value, PurePath):
            moved = self.path(str(value))
            return value if moved == str(value) else type(value)(moved)
        if depth == DEEPEST:
            return value
        if isinstance(value, dict):
            for key in list(value):
                value[key] = self.value(value[key], depth + 1)
        elif isinstance(value, list):
            value[:] = [self.value(item, depth + 1) for item in value]
        elif isinstance(value, set):
            items = [self.value(item, depth + 1) for item in value]
            value.clear()
            value.update(items)
        elif type(value) is tuple:
            return tuple(self.value(item, depth + 1) for item in value)
        return value

    def attributes(self, holder: Any) -> None:
        """Moves what a finder, its class or its module knows."""
        for name, value in list(getattr(holder, "__dict__", {}).items()):
            if not name.startswith("__") and isinstance(value, (str, PurePath, dict, list, set, tuple)):
                moved = self.value(value)
                if moved is not value and moved != value:
                    setattr(holder, name, moved)


def relocate(move: Move) -> None:
    """Moves the path, the finders, and the packages that are already there."""
    sys.path[:] = [move.path(entry) for entry in sys.path]
    for finder in sys.meta_path:
        kind = finder if isinstance(finder, type) else type(finder)
        module = sys.modules.get(kind.__module__)
        if module is None or getattr(module.__spec__, "origin", None) in (None, "frozen", "built-in"):
            continue
        for holder in dict.fromkeys((finder, kind, module)):
            move.attributes(holder)
    for module in list(sys.modules.values()):
        search = getattr(module, "__path__", None)
        if isinstance(search, list):
            move.value(search)
    sys.path_importer_cache.clear()


def run_the_next() -> None:
    """Runs the `sitecustomize` that would have run without this one."""
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


sys.path[:] = [entry for entry in sys.path if entry != HERE]
if os.environ.get("OCTOLIMB_MOVED_FROM") and os.environ.get("OCTOLIMB_MOVED_TO"):
    relocate(Move(os.environ["OCTOLIMB_MOVED_FROM"], os.environ["OCTOLIMB_MOVED_TO"]))
run_the_next()
