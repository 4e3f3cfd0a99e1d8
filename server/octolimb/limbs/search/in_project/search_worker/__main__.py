"""The entry: runs as `python search_worker/` in the project's interpreter.

It loads its siblings as modules of `_octolimb_search`, a name that no project uses, and takes this directory off
`sys.path` before anything else, so that a project's own `frames` or `names` is never confused with ours. It does
nothing else.
"""

from __future__ import annotations

import sys

HERE = __file__.rpartition("/")[0]
sys.path[:] = [path for path in sys.path if path != HERE]

import importlib  # noqa: E402  Only from here on can no import find a sibling by a common name.
import types  # noqa: E402

package = types.ModuleType("_octolimb_search")
package.__path__ = [HERE]
sys.modules[package.__name__] = package

if __name__ == "__main__":
    importlib.import_module("_octolimb_search.main").main()
