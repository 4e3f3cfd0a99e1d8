"""The canary: notices that a candidate spoilt the process for those after it. It tries no candidate itself.

It knows how the original's tests fare, and which objects the modules around them hold. What changes from run to run
although nobody spoils it is left out of both.
"""

from __future__ import annotations

import marshal
import os
import time
import types
from typing import Any, Dict, List, Sequence, Set, Tuple

from .forks import Process
from .frames import Frame
from .outcomes import stable
from .running import Tests
from .surroundings import Surroundings
from .swapping import LiveFunctions

Vector = List[List[Any]]
LAST_ERROR = frozenset(("last_type", "last_value", "last_traceback", "last_exc"))
"""What pytest leaves in `sys` after every test that fails, and takes away before the next one."""


class Canary:
    """For the collected park and its children."""

    def __init__(self, process: Process, tests: Tests, live: LiveFunctions, surroundings: Surroundings) -> None:
        self.process = process
        self.tests = tests
        self.live = live
        self.surroundings = surroundings
        self.known: Dict[Tuple[str, ...], Tuple[Vector, float]] = {}
        self.restless: Set[str] = set()

    def of(self, request: Frame) -> Tuple[Vector, float]:
        """The original's outcomes as far as they repeat, and the pace: about how many seconds a candidate may need.

        Empty where there is nothing to go by: the original hangs, or its first run spoils its second.
        """
        names = tuple(request["canary"])
        if names not in self.known:
            # All modules that any candidate may change are observed, so that this need not be done again.
            everything = with_seen(list(self.live.modules.values()))
            self.known[names] = self.observe(names, everything, request["after"] + 1.0)
        return self.known[names]

    def observe(self, names: Sequence[str], watched: List[types.ModuleType], limit: float) -> Tuple[Vector, float]:
        child = self.process.fork()
        if child is None:
            self.child(names, watched)
            raise AssertionError("the child has ended")
        try:
            first = child.next(limit)
            second = child.next(limit) if first is not None else None
        except TimeoutError:
            first = second = None
        child.end()
        if first is None or second is None:
            return [], 0.0
        self.restless.update(second["restless"])
        return repeated(first["vector"], second["vector"], self.tests.chosen), second["pace"]

    def child(self, names: Sequence[str], watched: List[types.ModuleType]) -> None:
        before = self.state(watched)
        self.process.report.send({"vector": self.vector(names)})
        between = self.state(watched)
        started = time.monotonic()
        self.vector([name for name in names if name in self.tests.chosen])
        targets = time.monotonic() - started
        again = self.vector(names)
        # The others hint at how long the targets take once they do not fail at their first line.
        pace = max(targets, (time.monotonic() - started - targets) / 4)
        after = self.state(watched)
        restless = [name for name in before if not before[name] == between.get(name) == after.get(name)]
        self.process.report.send({"vector": again, "pace": pace, "restless": restless})
        os._exit(0)

    def vector(self, names: Sequence[str]) -> Vector:
        """Runs the original's tests: for each its name, its outcome, and the type and message of its failure."""
        self.surroundings.restore()
        results, _ = self.tests.run([(name, self.tests.item_of[name]) for name in names], stop=False)
        return [[one["test"], one["outcome"], one.get("type"), stable(one.get("message"))] for one in results]

    def watched(self, cases: List[Frame]) -> List[types.ModuleType]:
        """The modules that the tests or the changed functions see by name, where a candidate could spoil something."""
        paths = {unit["path"] for case in cases for unit in case["units"]}
        files = self.tests.names.files
        return with_seen([module for path, module in self.live.modules.items() if path in paths or path in files])

    def state(self, watched: List[types.ModuleType]) -> Dict[str, int]:
        """Which objects these modules hold, and what is in the tests' own values, each under a name."""
        found = {}
        for module in watched:
            held = vars(module)
            if module.__name__ == "sys":
                held = {name: value for name, value in held.items() if name not in LAST_ERROR}
            values = list(held.values())
            found[module.__name__] = hash(tuple(map(id, values)))
            if self.tests.names.below_root(getattr(module, "__file__", None) or "<none>") in self.tests.names.files:
                found["in " + module.__name__] = hash(tuple(contents(value) for value in values))
        for name, item in self.tests.chosen.items():
            parameters = getattr(getattr(item, "callspec", None), "params", {})
            found["for " + name] = hash(tuple(contents(value) for value in parameters.values()))
        return {name: number for name, number in found.items() if name not in self.restless}


def with_seen(near: List[types.ModuleType]) -> List[types.ModuleType]:
    """These modules, and those that they see by name."""
    found = {id(module): module for module in near}
    for module in near:
        for value in list(vars(module).values()):
            if isinstance(value, types.ModuleType):
                found[id(value)] = value
    return list(found.values())


def repeated(first: Vector, again: Vector, targets: Dict[str, Any]) -> Vector:
    """What two runs of the original in one process agree on; nothing where a target's outcome is not the same."""
    found = []
    for one, other in zip(first, again):  # noqa: B905  Older interpreters do not know `strict`.
        if one[:3] == other[:3]:
            found.append(one if one == other else one[:3])
        elif one[0] in targets:
            return []
    return found


def same(vector: Vector, canary: Vector) -> bool:
    """Whether the original behaves as ever; where a message was never the same twice, the canary leaves it out."""
    return len(vector) == len(canary) and all(vector[at][: len(one)] == one for at, one in enumerate(canary))


def contents(value: Any) -> int:
    """A number that changes when a common container, or an object's attributes, change."""
    if isinstance(value, (list, dict, set, bytearray)):
        try:
            return hash(marshal.dumps(value, 2))  # Later versions write reference counts too, in a way.
        except ValueError:
            return hash(tuple(map(id, value.values() if isinstance(value, dict) else value)))
    if isinstance(value, (type, types.ModuleType, types.FunctionType)) or not hasattr(value, "__dict__"):
        return 0
    return hash(tuple(map(id, vars(value).values())))
