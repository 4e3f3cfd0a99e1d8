"""Tries candidates by importing the project afresh: from the hub, or from a file park just before the changed file.

It swaps no function, and trusts nothing of what an earlier candidate left, since each has its own fork.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any, Dict, Optional, Set, Tuple

from .forks import Process, threads
from .frames import Frame
from .outcomes import GOOD, failed, outcome_of, result
from .recorders import Lines
from .running import Tests
from .surroundings import Surroundings
from .swapping import LiveFunctions

FILE_PARKS = 3


class FreshTrials:
    """In the hub, in a file park, and in the children of both."""

    def __init__(self, process: Process, tests: Tests, live: LiveFunctions, surroundings: Surroundings) -> None:
        self.process = process
        self.tests = tests
        self.live = live
        self.surroundings = surroundings
        self.override: Dict[str, str] = {}  # Real path to the text that its loader sees in place of the file.
        self.seen: Set[str] = set()  # Those of `override` that a loader has asked for.
        self.config: Any = None
        self.order: Frame = {}

    # -- in the hub --------------------------------------------------------------------------------------------

    def fresh(self, request: Frame) -> bool:
        """Tries all cases, as far as time allows. True in a child that must run on."""
        end = time.monotonic() + request["seconds"]
        for case in request["cases"]:
            if time.monotonic() > end:
                return False
            order = dict(request, case=case, seconds=max(0.0, end - time.monotonic()))
            del order["cases"]
            key = tuple(sorted(case["sources"])) if case["sources"] and not request.get("trace") else None
            if self.live.early.intersection(case["sources"]):
                why = "a pytest plugin imports a changed file before any test is collected"
                answer = {"s": "unsupported", "why": why, "id": order["id"], "n": case["n"]}
                self.process.channel.send(answer)
            elif key is not None and self.file_park(key, order["seconds"]):
                if self.process.role != "hub":
                    return True
                forward(self.process, key, order)
            elif self.process.role != "hub" or self.fresh_fork(order):
                return True
        return False

    def file_park(self, key: Tuple[str, ...], seconds: float) -> bool:
        """True where a park for these files stands, also in the process that becomes it.

        False where there can be none, and every candidate starts from here: the tests import the files only while they
        run, or the project has threads by the time that it imports them, and a process with threads cannot fork.
        """
        parks = self.process.parks
        if key not in parks:
            park = self.process.fork_park("file", [os.path.join(self.tests.names.root, path) for path in key])
            if park is None:
                return True
            parks[key] = park
            try:
                hello = park.next(seconds)
            except TimeoutError:
                hello = None
            if hello is None or not hello["parked"]:
                self.process.forget(key)
                parks[key] = None
            standing = [name for name, one in parks.items() if name != "collected" and one is not None]
            if len(standing) > FILE_PARKS:
                self.process.forget(standing[0])
        return parks[key] is not None

    def fresh_fork(self, order: Frame) -> bool:
        """One child that imports, collects and runs afresh. True in that child, which runs on."""
        child = self.process.fork()
        if child is None:
            self.process.role = "child"
            self.order = order
            sources = order["case"]["sources"]
            self.override = {os.path.join(self.tests.names.root, path): text for path, text in sources.items()}
            self.surroundings.restore()
            if hasattr(self.config.option, "tbstyle") and not order.get("trace"):
                self.config.option.tbstyle = "no"  # Nobody reads it, and it is slow to make.
            if order.get("trace"):
                self.tests.quick = False
                self.tests.current = self.tests.targets[0]
                self.tests.lines = Lines(self.tests.names.product_file)
                self.tests.watch_clock(self.last_traced)
                signal.setitimer(signal.ITIMER_REAL, order["limit"])
            return True
        if order.get("trace"):
            end = time.monotonic() + order["seconds"] + 0.5
            try:
                frame = child.next(end - time.monotonic())
                while frame is not None:
                    self.process.channel.send(dict(frame, id=order["id"]))
                    frame = child.next(end - time.monotonic())
            except TimeoutError:
                pass
            child.end()
        else:
            self.process.channel.send(outcome_of(child, order))
        return False

    # -- where files are imported ------------------------------------------------------------------------------

    def source_of(self, name: str) -> Optional[str]:
        """What the loader is to see for this file; None for the file itself. This is where file parks stand."""
        path = self.tests.names.real(name)
        if self.process.role == "file" and path in self.process.awaited:
            if threads() > 1:
                self.process.not_parked()
            self.surroundings.keep()
            orders = self.process.orders
            orders.send({"parked": True})
            while True:
                order = orders.receive()
                if order is None:
                    os._exit(0)
                if self.fresh_fork(order):
                    break
                orders.send({"done": True})
        if path in self.override:
            self.seen.add(path)
        return self.override.get(path)

    # -- in a child, with the tests collected ------------------------------------------------------------------

    def run(self) -> None:
        """Runs the tests and answers."""
        self.tests.session.shouldfail = False
        if self.order.get("trace"):
            self.run_traced()
            return
        report = self.process.report
        results = []
        for target in self.tests.targets:
            problem = self.tests.collection_problem(target)
            chosen = [] if problem else self.tests.select(target)
            if problem or (not chosen and "::" in target):
                results.append(problem or result(target, "lost"))
                break
            # A file that asserts while it is imported may hold no test at all; then the import was the test.
            results += self.tests.run(chosen, stop=True)[0] or [result(target, "passed")]
            if results[-1]["outcome"] not in GOOD:
                break
        good = [one for one in results if one["outcome"] in GOOD]
        if len(good) < len(results):
            report.send(dict(failed(results[-1]), passed=len(good)))
            return
        if len(self.seen) < len(self.override):
            report.send({"s": "unsupported", "why": "the tests pass without ever importing a changed file"})
            return
        report.send({"s": "targets"})
        report.send(self.tests.run_companions(self.order.get("companions", ()), len(good)))

    def run_traced(self) -> None:
        """Answers test by test, with what each covered; the lines that the import of a broken file ran are its own."""
        tests, report = self.tests, self.process.report
        assert tests.lines is not None, "they are recorded since before the import"
        if not tests.problems:
            tests.lines.take()
        for target in tests.targets:
            problem = tests.collection_problem(target)
            if problem or not tests.select(target):
                bare = result(target, "lost" if "::" in target else "passed")
                report.send(dict(problem or bare, lines=tests.lines.take()))
        names = [node for node in tests.targets + tests.companions if not tests.collection_problem(node)]
        tests.run(list(tests.select_all(names).items()), stop=False, limit=self.order["limit"], each=report.send)
        self.last_traced()

    def last_traced(self, hung: Optional[Frame] = None) -> None:
        if hung is not None:
            self.process.report.send(hung)
        self.process.report.send({"loaded": self.tests.names.loaded()})

    def ended_early(self, why: str) -> None:
        """Answers where pytest ended before it ran any test."""
        if not self.order.get("trace"):
            self.process.report.send({"s": "failed", "passed": 0, "why": why})
            return
        target = self.tests.targets[0]
        broken = dict(result(target, "error"), type="Error", message=why, frames=[])
        lines = self.tests.lines
        broken.update(self.tests.collection_problem(target) or {}, lines=lines.take() if lines else {})
        self.last_traced(broken)


def forward(process: Process, key: Any, request: Frame) -> None:
    """Lets a park do the request; it answers on the channel by itself, and tells us only that it is done."""
    park = process.parks.get(key)
    if park is None:
        return
    park.frames.send(request)
    if park.next(1e6) is None:
        process.forget(key)
