"""The collected park: stands with the tests collected, says what it found, and lets children survey and try.

It imports nothing afresh, and does not decide what a candidate is worth.
"""

from __future__ import annotations

import collections
import contextlib
import os
import time
from typing import Any, Deque, List, Optional

from .batches import Batches
from .behaviour import Behaviour
from .canary import Canary
from .forks import HungUp, Process, threads
from .frames import Frame
from .outcomes import TIMEOUT, ended, result
from .recorders import Lines
from .running import Tests
from .surroundings import Surroundings
from .swapping import LiveFunctions


class CollectedPark:
    """What the process that collected the tests does from then on."""

    def __init__(self, process: Process, tests: Tests, live: LiveFunctions, surroundings: Surroundings) -> None:
        self.process = process
        self.tests = tests
        self.live = live
        self.surroundings = surroundings
        self.batches = Batches(process, tests, live, surroundings, Canary(process, tests, live, surroundings))
        self.behaviour = Behaviour(process, tests, live, surroundings)

    def stand(self, config: Any) -> None:
        """Parks, answers requests, and never returns."""
        tests = self.tests
        self.live.ran.stop()
        tests.session.shouldfail = False
        count = threads()
        missing = [node for node in tests.targets if not tests.select(node)]
        hello: Frame = {"id": 0, "state": "ready", "why": "", "loaded": tests.names.loaded()}
        hello["ran"] = self.live.ran_at_import()
        if count > 1:
            hello.update(state="unsupported", why="the project runs %d threads once its tests are collected" % count)
        elif missing:
            broken = [path for path, _ in tests.problems if any(node.startswith(path) for node in missing)]
            why = "%s is not collected" % missing[0]
            hello.update(state="missing", why="%s cannot be collected" % broken[0] if broken else why)
        if hello["state"] != "ready":
            self.leave(hello)
        self.surroundings.caches = self.live.index()
        self.process.temporary = getattr(config, "_tmp_path_factory", None)
        if self.process.temporary is not None:
            self.process.temporary.getbasetemp()
        silence(config)
        tests.choose()
        hello["targets"] = list(tests.chosen)
        hello["companions"] = [name for name in tests.item_of if name not in tests.chosen]
        self.surroundings.keep()
        orders = self.process.orders
        self.process.channel.send(hello)
        orders.send({"parked": True})
        while True:
            request = orders.receive()
            if request is None:
                os._exit(0)
            try:
                if request["op"] == "survey":
                    self.survey(request)
                elif request["op"] == "try":
                    self.batches.try_cases(request)
                elif request["op"] == "observe":
                    self.behaviour.observe(request)
            except HungUp:
                os._exit(0)
            orders.send({"done": True})

    def leave(self, hello: Frame) -> None:
        """Ends this process before it has parked, and says why."""
        self.process.channel.send(hello)
        self.process.not_parked()

    def survey(self, request: Frame) -> None:
        """Runs the original's targets and the named companions, and answers test by test, with coverage if asked."""
        tests = self.tests
        end = time.monotonic() + request["seconds"]
        groups: Deque[List[str]] = collections.deque([name] for name in tests.chosen)
        asked = set(request["companions"])
        others = [name for name in tests.item_of if name not in tests.chosen and name in asked]
        groups += [others[first : first + 40] for first in range(0, len(others), 40)]
        while groups and time.monotonic() < end:
            group = groups.popleft()
            child = self.process.fork()
            if child is None:
                self.survey_child(group, request)
                raise AssertionError("the child has ended")
            for position, name in enumerate(group):
                frame: Optional[Frame]
                try:
                    frame = child.next(min(request["limit"], max(0.05, end - time.monotonic())) + 0.5)
                except TimeoutError:
                    frame = dict(result(name, "hung"), **TIMEOUT)
                if frame is None:
                    frame = dict(result(name, "crashed"), type="Crash", message=ended(child.end()))
                elif frame["outcome"] == "hung" or position + 1 == len(group):
                    child.end()
                self.process.channel.send(dict(frame, id=request["id"]))
                if frame["outcome"] in ("hung", "crashed"):
                    if group[position + 1 :]:
                        groups.appendleft(group[position + 1 :])
                    break

    def survey_child(self, group: List[str], request: Frame) -> None:
        tests = self.tests
        self.surroundings.restore()
        tests.quick = not request["trace"]
        tests.watch_clock(self.process.report.send)
        if request["trace"]:
            tests.lines = Lines(tests.names.product_file)
        chosen = [(name, tests.item_of[name]) for name in group]
        tests.run(chosen, False, request["limit"], self.process.report.send)
        os._exit(0)


def silence(config: Any) -> None:
    """Keeps pytest's terminal reporter from writing about each test: nobody reads it, and it takes a third of the time.

    It stays registered, since tests may ask for it. Where pluggy has changed its ways, the lines are written.
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    for hook in ("pytest_runtest_logstart", "pytest_runtest_logreport", "pytest_runtest_logfinish"):
        with contextlib.suppress(AttributeError, ValueError):
            caller = getattr(config.hook, hook)
            if any(one.plugin is reporter for one in caller.get_hookimpls()):
                caller._remove_plugin(reporter)
