"""The hub: the process that parks before any conftest is loaded, and the pytest plugin that leads there.

Every request goes through it, to the park that fits. It runs no code of the project itself.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from .collected import CollectedPark
from .forks import HungUp, Process, threads
from .frames import Frame
from .fresh import FreshTrials, forward
from .recorders import Ran
from .running import Tests
from .surroundings import Surroundings
from .swapping import LiveFunctions


class Hub:
    """One worker, in all of its processes. `request` is the first frame of the channel."""

    def __init__(self, process: Process, tests: Tests, request: Frame) -> None:
        self.process = process
        self.tests = tests
        self.limit: float = request["limit"]
        self.surroundings = Surroundings(tests.names.root)
        self.live = LiveFunctions(tests.names)
        self.fresh = FreshTrials(process, tests, self.live, self.surroundings)
        self.collected = CollectedPark(process, tests, self.live, self.surroundings)

    # -- pytest calls these ------------------------------------------------------------------------------------

    def pytest_load_initial_conftests(self, early_config: Any) -> None:
        self.fresh.config = early_config
        self.stand()

    def pytest_configure(self, config: Any) -> None:
        without_spreading(config)
        if self.process.role == "child" and self.tests.quick:
            config.option.tbstyle = "no"

    def pytest_runtestloop(self, session: Any) -> None:
        self.tests.session = session
        if self.process.role == "collected":
            self.collected.stand(session.config)
        elif self.process.role == "file":
            self.process.not_parked()
        elif self.process.role == "child":
            self.fresh.run()
        os._exit(0)

    # -- standing ----------------------------------------------------------------------------------------------

    def stand(self) -> None:
        """Parks before any code of the project runs. Returns only in a fork of this process."""
        process = self.process
        if threads() > 1:
            process.channel.send({"id": 0, "state": "ended", "why": "a pytest plugin started a thread"})
            os._exit(0)
        self.live.early = set(self.tests.names.loaded())
        self.surroundings.keep()
        park = process.fork_park("collected")
        if park is None:
            self.live.ran = Ran(self.tests.names.root)
            return
        process.parks["collected"] = park
        try:
            self.await_park()
            while True:
                request = process.channel.receive()
                if request is None:
                    raise HungUp
                if request["op"] == "fresh":
                    if self.fresh.fresh(request):
                        return
                else:
                    forward(process, "collected", request)
                process.channel.send({"id": request["id"], "end": True})
        except HungUp:
            for one in process.parks.values():
                if one is not None:
                    one.end()
            os._exit(0)

    def await_park(self) -> None:
        """Waits for the collected park, which introduces itself on the channel; without it there is the slow way."""
        park = self.process.parks["collected"]
        assert park is not None, "it was just forked"
        why, hung = "the process that collected the tests ended", False
        try:
            hello = park.next(self.limit)
        except TimeoutError:
            hello, hung = None, True
            why = "the tests were not collected within %.1f s" % self.limit
        if hello is None:
            self.process.channel.send({"id": 0, "state": "missing", "why": why, "hung": hung})
        if hello is None or not hello["parked"]:
            self.process.forget("collected")

    def ended_early(self, code: int) -> None:
        """Answers where pytest ended before it ran any test: a usage error, or a conftest that cannot be imported."""
        why = "pytest ended with exit code %d before it ran a test" % code
        sys.stdout.flush()
        if self.process.role == "hub":
            self.process.channel.send({"id": 0, "state": "ended", "why": why})
        elif self.process.role == "collected":
            self.collected.leave({"id": 0, "state": "missing", "why": why})
        elif self.process.role == "file":
            self.process.not_parked()
        else:
            self.fresh.ended_early(why)
        os._exit(0)


def without_spreading(config: Any) -> None:
    """Makes pytest-xdist run the tests in this process, whatever the project's options say."""
    option = config.option
    if hasattr(option, "numprocesses"):
        option.numprocesses = None
        option.dist = "no"
        option.tx = []
