"""Tries many candidates against a project's own pytest tests, in the project's interpreter, warm.

It runs `pytest.main` as `python -m pytest` would from the root and parks in forks of it: the hub before any conftest is
loaded, the collected park when the tests stand ready, and file parks where a given file is first imported. A request
forks a child from the park that fits, so that nothing a candidate does outlives it. Requests and answers are JSON
objects behind a four-byte big-endian length, on the descriptor that OCTOLIMB_CHANNEL_FD names.

It decides nothing: what passed here must be confirmed by a cold run. It isolates nothing either, so it belongs in a
shadow. Standard library only, Python 3.9 and newer.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from typing import Any, Callable, List, Optional

from .forks import Process
from .frames import Frames
from .hub import Hub
from .names import Names
from .running import Tests


def main() -> None:
    """Serves until the channel closes."""
    fd = int(os.environ.pop("OCTOLIMB_CHANNEL_FD"))
    os.set_inheritable(fd, False)
    channel = Frames(fd)
    request = channel.receive()
    if request is None:
        return
    root = os.path.realpath(request["root"])
    os.chdir(root)
    own = os.path.dirname(os.path.realpath(__file__))
    leading = [root] + [path for path in [os.path.join(root, "src")] if os.path.isdir(path)]
    sys.path[:] = leading + [path for path in sys.path if os.path.realpath(path or ".") not in [own, *leading]]
    targets, companions = request["targets"], request["companions"]
    files = list(dict.fromkeys(node.split("::")[0] for node in targets + companions))
    tests = Tests(Names(root, files), targets, companions)
    hub = Hub(Process(channel), tests, request)
    try:
        import pytest
    except ImportError as error:
        channel.send({"id": 0, "state": "ended", "why": "the project's interpreter cannot import pytest: %s" % error})
        return
    hook_loaders(hub.fresh.source_of)
    for hook in ("pytest_load_initial_conftests", "pytest_runtestloop"):
        setattr(Hub, hook, pytest.hookimpl(tryfirst=True)(getattr(Hub, hook)))
    arguments = arguments_for(root, files)
    sys.argv = [pytest.__file__, *arguments]
    code = pytest.main(arguments, plugins=[hub, tests])
    hub.ended_early(int(code))


def arguments_for(root: str, files: List[str]) -> List[str]:
    """What pytest is told."""
    arguments = ["--rootdir=" + root, "--capture=no", "--maxfail=0", "-p", "no:randomly"]
    if not os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") and importlib.util.find_spec("pytest_cov") is not None:
        arguments.append("--no-cov")
    for path in files:
        whole = os.path.join(root, path)
        arguments.append(os.path.dirname(whole) if "[" in path or "::" in path else whole)
    return arguments


def hook_loaders(source_of: Callable[[str], Optional[str]]) -> None:
    """Lets `source_of` stand between every Python source file and its import."""
    from _pytest.assertion.rewrite import AssertionRewritingHook

    loader: Any = importlib.machinery.SourceFileLoader
    rewriter: Any = AssertionRewritingHook
    get_code, exec_module = loader.get_code, rewriter.exec_module

    def get_code_of(self: Any, fullname: str) -> Any:
        path = self.get_filename(fullname)
        text = source_of(path)
        return get_code(self, fullname) if text is None else compile(text, path, "exec", dont_inherit=True)

    def exec_rewritten(self: Any, module: Any) -> None:
        path = module.__spec__.origin
        text = source_of(path)
        if text is None:
            exec_module(self, module)
        else:
            exec(compile(text, path, "exec", dont_inherit=True), module.__dict__)

    loader.get_code = get_code_of
    rewriter.exec_module = exec_rewritten
