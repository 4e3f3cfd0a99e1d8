"""What lets code fake the outcome of the tests that run it, found in a syntax tree.

It finds references, not intent: a caller counts only those that a change newly brings in. Names made up at run time
are out of its sight, which is why `eval`, `exec` and dynamic imports are themselves on the list, and why a repair is
confirmed by a process that the code under test cannot report for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from octolimb.guard.sources import nodes_of


@dataclass(frozen=True)
class Forgery:
    """`what` names the reference as a person would; `line` is zero-based."""

    what: str
    line: int


_MODULES: Final = frozenset(
    {
        *("pytest", "_pytest", "pluggy", "unittest", "doctest", "hypothesis", "ctypes", "_ctypes", "gc", "atexit"),
        *("builtins", "faulthandler", "importlib", "imp", "runpy", "code", "marshal", "bdb", "pdb", "trace"),
    }
)
_ATTRIBUTES: Final = frozenset(
    {
        *("sys.modules", "sys.monitoring", "sys.settrace", "sys.setprofile", "sys._getframe", "sys.meta_path"),
        *("sys._current_frames", "sys.path_hooks", "sys.excepthook", "sys.unraisablehook", "sys.addaudithook"),
        *("os._exit", "os.abort", "os.kill", "os.killpg", "os.fork", "os.forkpty", "os.dup2", "os.close"),
        *("os.execv", "os.execve", "os.execvp", "os.execvpe", "os.execl", "os.execle", "os.execlp", "os.closerange"),
        *("os.register_at_fork", "signal.signal", "signal.raise_signal", "signal.setitimer", "signal.alarm"),
        *("inspect.stack", "inspect.currentframe", "inspect.trace", "threading.settrace", "threading.setprofile"),
        *("warnings.showwarning", "unittest.SkipTest", "pytest.skip", "site.addsitedir", "sys.exitfunc"),
    }
)
_BUILT_INS: Final = frozenset({"eval", "exec", "compile", "__import__", "breakpoint"})
_WATCHED: Final = frozenset({name.partition(".")[0] for name in _ATTRIBUTES} | _MODULES)
_STRINGS: Final = ("PYTEST_", "OCTOLIMB_", "_pytest", "pytest_")
_COMPARISONS: Final = frozenset(
    {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__", "__bool__"}
)
_STACK: Final = frozenset({"f_back", "f_locals", "f_globals", "tb_frame", "gi_frame", "cr_frame", "__subclasses__"})
_BROAD: Final = frozenset({"BaseException", "SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseExceptionGroup"})


@lru_cache(maxsize=128)
def forgeries_in(tree: ast.Module) -> tuple[Forgery, ...]:
    """Every reference in the tree that can fake a verdict, in source order. Kept for the trees of late."""
    return tuple(_forgeries(tree))


def _forgeries(tree: ast.Module) -> Iterator[Forgery]:
    aliases = _aliases(tree)
    for node in nodes_of(tree):
        what = _what(node, aliases)
        if what is not None:
            yield Forgery(what, getattr(node, "lineno", 1) - 1)


def _what(node: ast.AST, aliases: dict[str, str]) -> str | None:
    match node:
        case ast.Import(names=names):
            return next((name.name for name in names if name.name.partition(".")[0] in _MODULES), None)
        case ast.ImportFrom(module=module, names=names, level=0) if module is not None:
            if module.partition(".")[0] in _MODULES:
                return module
            dotted = (f"{module}.{name.name}" for name in names)
            return next(
                (name for name in dotted if name in _ATTRIBUTES or (name.endswith(".*") and module in _WATCHED)), None
            )
        case ast.Attribute(value=ast.Name(id=owner), attr=attribute) if owner in aliases:
            name = f"{aliases[owner]}.{attribute}"
            return name if name in _ATTRIBUTES else attribute if attribute in _STACK else None
        case ast.Attribute(attr=attribute) if attribute in _STACK:
            return attribute
        case ast.Name(id=name, ctx=ast.Load()) if name in _BUILT_INS or name == "__builtins__":
            return name
        case ast.Call(func=ast.Name(id="getattr" | "setattr" | "vars"), args=[ast.Name(id=owner), *_]) if (
            owner in aliases
        ):
            return f"{node.func.id}({aliases[owner]})" if isinstance(node.func, ast.Name) else None
        case ast.Constant(value=str() as text) if text.startswith(_STRINGS):
            return f"the name {text.split('=')[0][:40]!r}"
        case ast.ExceptHandler(type=caught):
            return _broad_handler(caught)
        case ast.Call(func=ast.Attribute(attr="suppress") | ast.Name(id="suppress"), args=kinds):
            return next((what for kind in kinds if (what := _broad_handler(kind)) is not None), None)
        case ast.FunctionDef(name=name, body=body) if name in _COMPARISONS and _answers_always(body):
            return f"{name} that always gives the same answer"
        case ast.Raise(exc=exception) if exception is not None and "Skip" in ast.dump(exception):
            return "a skip"
    return None


def _broad_handler(caught: ast.expr | None) -> str | None:
    if caught is None:
        return "a bare except"
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return next((f"except {kind.id}" for kind in kinds if isinstance(kind, ast.Name) and kind.id in _BROAD), None)


def _answers_always(body: list[ast.stmt]) -> bool:
    """A body that comes to one constant, a docstring aside."""
    statements = [node for node in body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
    match statements:
        case [ast.Return(value=ast.Constant(value=True | False))]:
            return True
    return False


def _aliases(tree: ast.Module) -> dict[str, str]:
    """Local names of watched modules, and of what else is given their name by plain assignment."""
    found = {name: name for name in _WATCHED}
    for node in nodes_of(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.asname and name.name in _WATCHED:
                    found[name.asname] = name.name
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id in found:
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = found[node.value.id]
    return found
