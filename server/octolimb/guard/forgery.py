"""What lets code fake the outcome of the tests that run it, found in a syntax tree.

It finds references, not intent: a caller counts only those that a change newly brings in. Names made up at run time
are out of its sight, which is why `eval`, `exec` and dynamic imports are themselves on the list, and why a repair is
confirmed by a process that the code under test cannot report for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
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
        *("_thread", "_imp", "_posixsubprocess", "_testcapi", "_xxsubinterpreters", "fcntl", "mmap", "zipimport"),
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
        *("os.write", "os.writev", "os.pwrite", "os.sendfile", "os.fdopen", "os.dup", "os.posix_spawn", "sys.path"),
        *("threading.settrace_all_threads", "threading.setprofile_all_threads", "pickle.loads", "pickle.load"),
        *("sys.__dict__", "os.__dict__", "pickle.Unpickler", "signal.pthread_kill"),
        *("warnings.showwarning", "unittest.SkipTest", "pytest.skip", "site.addsitedir", "sys.exitfunc"),
    }
)
_BUILT_INS: Final = frozenset({"eval", "exec", "compile", "__import__", "breakpoint"})
_WATCHED: Final = frozenset({name.partition(".")[0] for name in _ATTRIBUTES} | _MODULES)
_STRINGS: Final = ("PYTEST_", "OCTOLIMB_", "PYTHON", "_pytest", "pytest_", "/proc/", "/dev/fd", "__builtins__")
_TEST_PATH: Final = re.compile(r"(?:.*/)?(?:tests?/[\w./-]+|(?:conftest|test_\w+|\w+_test)\.py)|.*\.pyc")
_BINARY: Final = frozenset({"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__"})
_COMPARISONS: Final = _BINARY | {
    *("__bool__", "__instancecheck__", "__subclasscheck__", "__subclasshook__", "__exit__", "__aexit__")
}
_STACK: Final = frozenset(
    {
        *("f_back", "f_locals", "f_globals", "f_trace", "f_lineno", "tb_frame", "gi_frame", "cr_frame", "ag_frame"),
        *("__subclasses__", "__code__", "__globals__", "__closure__", "cell_contents"),
        # However somebody comes by the module, these are what they are.
        *("_exit", "_getframe", "_current_frames", "settrace", "setprofile", "addaudithook", "register_at_fork"),
    }
)
_COLLECTED: Final = frozenset({"__test__", "__unittest_skip__", "pytestmark", "collect_ignore", "collect_ignore_glob"})
_BROAD: Final = frozenset(
    {
        *("BaseException", "SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseExceptionGroup", "AssertionError"),
    }
)


@lru_cache(maxsize=128)
def forgeries_in(tree: ast.Module) -> tuple[Forgery, ...]:
    """Every reference in the tree that can fake a verdict, in source order. Kept for the trees of late."""
    return tuple(_forgeries(tree))


def _forgeries(tree: ast.Module) -> Iterator[Forgery]:
    aliases, imported = _aliases(tree), _imported(tree)
    for node in nodes_of(tree):
        what = _what(node, aliases) or _replacement(node, imported)
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
        case ast.Constant(value=str() as text) if text.startswith(_STRINGS) or text in _STACK:
            return f"the name {text.split('=')[0][:40]!r}"
        case ast.Constant(value=str() as text) if len(text) < 200 and _TEST_PATH.fullmatch(text):
            return f"the path {text!r}"
        case ast.Call(func=ast.Name(id="open"), args=[ast.Constant(value=int()), *_]):
            return "a descriptor by its number"
        case ast.Name(id=name, ctx=ast.Store()) if name in _COLLECTED or name.startswith("pytest_"):
            return f"the name {name!r}"
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name.startswith("pytest_"):
            return f"the name {name!r}"
        case ast.Name(id="__class__", ctx=ast.Store()) | ast.FunctionDef(name="__class__"):
            return "a class that says it is another"
        case ast.Try(body=body, handlers=handlers) if _swallows_around_yield(body, handlers):
            return "a handler that swallows what happens around a yield"
        case ast.Try(finalbody=final) if any(isinstance(node, ast.Return) for node in final):
            return "a return that swallows what was raised"
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Lambda(args=arguments, body=body)) if (
            name in _COMPARISONS and _looks_away(name, arguments, [ast.Return(body)])
        ):
            return f"{name} that does not look at the other side"
        case ast.ExceptHandler(type=caught):
            return _broad_handler(caught)
        case ast.Call(func=ast.Attribute(attr="suppress") | ast.Name(id="suppress"), args=kinds):
            return next((what for kind in kinds if (what := _broad_handler(kind)) is not None), None)
        case ast.FunctionDef(name=name, body=body) if name in _COMPARISONS and _answers_always(name, body):
            return f"{name} that always gives the same answer"
        case ast.FunctionDef(name=name, args=arguments, body=body) if name in _BINARY and _looks_away(
            name, arguments, body
        ):
            return f"{name} that does not look at the other side"
        case ast.Raise(exc=exception) if exception is not None and "Skip" in ast.dump(exception):
            return "a skip"
    return None


def _broad_handler(caught: ast.expr | None) -> str | None:
    if caught is None:
        return "a bare except"
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return next((f"except {kind.id}" for kind in kinds if isinstance(kind, ast.Name) and kind.id in _BROAD), None)


def _answers_always(name: str, body: list[ast.stmt]) -> bool:
    """A body that comes to one constant, a docstring aside. For a context manager only true is a lie."""
    statements = [node for node in body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
    match statements:
        case [*_, ast.Return(value=ast.Constant(value=True))] if name in ("__exit__", "__aexit__"):
            return True
        case [ast.Return(value=ast.Constant(value=True | False as answer))]:
            return answer or name not in ("__exit__", "__aexit__")
    return False


def _looks_away(name: str, arguments: ast.arguments, body: Iterable[ast.AST]) -> bool:
    """True for a comparison whose answer, if it gives one, cannot depend on what it is compared with."""
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    if name not in _BINARY or (len(names) < 2 and arguments.vararg is None):
        return False
    other = names[1] if len(names) > 1 else arguments.vararg.arg if arguments.vararg is not None else ""
    below = [node for statement in body for node in ast.walk(statement)]
    if any(isinstance(node, ast.Name) and node.id == other for node in below):
        return False
    answers = [node.value for node in below if isinstance(node, ast.Return)]
    refuses = any(isinstance(node, ast.Raise) for node in below)
    return not refuses and not all(isinstance(value, ast.Name) and value.id == "NotImplemented" for value in answers)


def _swallows_around_yield(body: list[ast.stmt], handlers: list[ast.ExceptHandler]) -> bool:
    """In a context manager the caller's failure is raised at the yield; a handler without a raise ends it there."""
    if not any(isinstance(node, ast.Yield) for statement in body for node in ast.walk(statement)):
        return False
    return any(
        isinstance(handler.type, ast.Name)
        and handler.type.id in ("Exception", "ExceptionGroup")
        and not any(isinstance(node, ast.Raise) for statement in handler.body for node in ast.walk(statement))
        for handler in handlers
    )


def _replacement(node: ast.AST, imported: frozenset[str]) -> str | None:
    """Something put in the place of what another module made, by which a test's own tools can be made to lie."""
    match node:
        case ast.Attribute(attr=attribute, ctx=ast.Store() | ast.Del()) if (owner := _root(node)) in imported:
            return f"an assignment to {owner}'s {attribute}"
        case ast.Call(func=ast.Name(id="setattr" | "delattr" | "vars"), args=[target, *_]) if (
            owner := _root(target)
        ) in imported:
            return f"an assignment to a part of {owner}"
        case ast.Attribute(attr="__dict__") if (owner := _root(node)) in imported:
            return f"{owner}.__dict__"
    return None


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _imported(tree: ast.Module) -> frozenset[str]:
    """The names that imports bind, wherever they stand."""
    return frozenset(
        name.asname or name.name.partition(".")[0]
        for node in nodes_of(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    )


def _aliases(tree: ast.Module) -> dict[str, str]:
    """Local names of watched modules, and of what else is given their name by plain assignment."""
    found = {name: name for name in _WATCHED}
    for node in nodes_of(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.asname and name.name in _WATCHED:
                    found[name.asname] = name.name
        elif isinstance(node, ast.ImportFrom):
            # `from shutil import os` is the very same module.
            found.update({name.asname: name.name for name in node.names if name.asname and name.name in _WATCHED})
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id in found:
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = found[node.value.id]
    return found
