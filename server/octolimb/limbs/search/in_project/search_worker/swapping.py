"""Live functions of the project and new code for them. It swaps nothing by itself, and runs nothing."""

from __future__ import annotations
import __future__

import collections
import functools
import gc
import sys
import types
from typing import Any, DefaultDict, Dict, List, Set, Tuple

from .frames import Frame
from .names import Names
from .recorders import Ran

FUTURES = functools.reduce(
    lambda mask, name: mask | getattr(__future__, name).compiler_flag, __future__.all_feature_names, 0
)
Swap = Tuple[types.FunctionType, types.CodeType, types.CodeType]


class Unsupported(Exception):
    """Says why a candidate cannot be tried in one way, though it may be in another."""


class LiveFunctions:
    """The functions and modules of the project in this process, by where they come from.

    `early` are the files that were loaded before anything was recorded, `ran` what ran from then on until the tests
    stood ready.
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self.early: Set[str] = set()
        self.ran: Ran
        self.modules: Dict[str, types.ModuleType] = {}
        self.functions: DefaultDict[Tuple[str, int, str], List[types.FunctionType]] = collections.defaultdict(list)

    def index(self) -> List[Any]:
        """Finds the live functions, and gives the caches around them."""
        caches: List[Any] = []
        for module in list(sys.modules.values()):
            name = getattr(module, "__file__", None)
            path = self.names.below_root(name) if isinstance(name, str) else None
            if path is not None:
                self.modules[path] = module
        for thing in gc.get_objects():
            kind = type(thing)
            if kind is types.FunctionType:
                code = thing.__code__
                path = self.names.below_root(code.co_filename)
                if path is not None:
                    self.functions[path, code.co_firstlineno, code.co_name].append(thing)
            elif kind is functools._lru_cache_wrapper:
                wrapped = getattr(thing, "__wrapped__", None)
                code = getattr(wrapped, "__code__", None)
                if code is not None and self.names.below_root(code.co_filename) is not None:
                    caches.append(thing)
        return caches

    def ran_at_import(self) -> List[Tuple[str, int, str]]:
        """Path, first line and name of every function of the project that ran before the tests did."""
        found = set()
        for code in list(self.ran.codes.values()):
            path = self.names.product_file(code.co_filename)
            if path is not None and code.co_flags & 0x02:  # CO_NEWLOCALS: a function, not a module or a class body.
                found.add((path, code.co_firstlineno, code.co_name))
        return sorted(found)

    def swaps(self, unit: Frame) -> List[Swap]:
        """Each live function that the unit stands for, with its new code and its old.

        What it did while the project was imported stays done: see `ran_at_import`.

        Raises `Unsupported`, and what `compile` raises.
        """
        functions = self.functions.get((unit["path"], unit["first"], unit["name"]), ())
        if not functions:
            raise Unsupported("no live function %s at %s:%d" % (unit["name"], unit["path"], unit["first"]))
        if unit["decorated"] and "numba" in sys.modules:
            raise Unsupported("numba may have compiled %s" % unit["name"])
        found = []
        for function in functions:
            old = function.__code__
            if unit["path"] in self.early:
                raise Unsupported("%s ran before the tests did" % unit["name"])
            new = compile_unit(unit, old)
            if signature(old) != signature(new) or old.co_freevars != new.co_freevars:
                raise Unsupported("%s has another signature or other free variables" % unit["name"])
            found.append((function, new, old))
        return found


def signature(code: types.CodeType) -> Tuple[object, ...]:
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)  # CO_VARARGS, CO_VARKEYWORDS
    return code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_varnames[:count]


def compile_unit(unit: Frame, old: types.CodeType) -> types.CodeType:
    """The unit's new code object, with the line numbers, file name and future flags of the old one."""
    lines = [*unit["wrappers"], unit["text"]]
    source = "\n" * (unit["first"] - len(lines)) + "\n".join(lines)
    module = compile(source, old.co_filename, "exec", old.co_flags & FUTURES, dont_inherit=True)
    level = [module]
    while level:
        codes = [const for code in level for const in code.co_consts if isinstance(const, types.CodeType)]
        for code in codes:
            if code.co_name == unit["name"] and code.co_firstlineno == unit["first"]:
                return code
        level = codes
    raise Unsupported("%s is not there any more" % unit["name"])
