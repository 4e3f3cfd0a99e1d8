"""What things are called: files relative to the root, tests by their node ids. It reads no file."""

from __future__ import annotations

import functools
import os
import re
import sys
from typing import Any, Callable, List, Optional

FOREIGN = ("/site-packages/", "/dist-packages/", "/.venv/", "/venv/", "/.tox/", "/.nox/", "/node_modules/")
TEST_FILE = re.compile(r"(^|/)(tests?/.*|test_[^/]*\.py|[^/]*_test\.py|conftest\.py)$")


class Names:
    """Names below `root`, a real path; `files` are the test files, relative to it."""

    def __init__(self, root: str, files: List[str]) -> None:
        self.root = root
        self.files = files
        self.real: Callable[[str], str] = functools.lru_cache(None)(os.path.realpath)

    def below_root(self, name: str) -> Optional[str]:
        """The path of a file of the project, relative to the root, or None for all other files."""
        path = self.real(name)
        if not path.startswith(self.root + "/") or any(part in path[len(self.root) :] for part in FOREIGN):
            return None
        return path[len(self.root) + 1 :]

    def product_file(self, name: str) -> Optional[str]:
        """As `below_root`, but None for tests too."""
        path = self.below_root(name) if name[:1] != "<" else None
        return None if path is None or path in self.files or TEST_FILE.search(path) else path

    def node_id(self, node: Any) -> str:
        """The node id of pytest, with the path relative to our root whatever pytest's own root is."""
        path = str(getattr(node, "path", None) or node.fspath)
        rest = node.nodeid.partition("::")[2]
        relative = os.path.relpath(path, self.root)
        return relative + "::" + rest if rest else relative

    def loaded(self) -> List[str]:
        """The files of the project that are loaded as modules, tests left out."""
        names = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
        return sorted({path for name in names if isinstance(name, str) for path in [self.product_file(name)] if path})
