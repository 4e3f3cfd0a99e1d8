"""Tries candidates that change function bodies only: many to a fork, vouched for by the canary, or each in its own.

Whatever a canary did not vouch for is tried again, and nothing is called passed but by a fork of its own. It does not
import anything afresh.
"""

from __future__ import annotations

import collections
import os
import signal
import threading
import time
from typing import Deque, List, Optional, Sequence

from .canary import Canary, Vector, same
from .forks import Fork, Process
from .frames import Frame
from .outcomes import FORK_SLACK, SLOW, failed, first_bad, outcome_of
from .running import Tests
from .surroundings import Surroundings
from .swapping import LiveFunctions, Swap, Unsupported

FLOOR = 0.04  # Seconds that every candidate may take.
SLOWER = 8  # How many times longer than the original a candidate may take.
STRIDE = 64  # How many candidates run in one fork, at most, between two looks at the original.
FIRST_STRIDE = 16
FEW = 4  # So many are quicker tried each by itself than bisected further.
LONE = 40  # How many lone trials pass before several are tried together again.
CLOCK_SLACK = 0.03  # Seconds by which a candidate that exceeds its time may answer so by itself.


class Overtime(BaseException):
    """A candidate has used up its time."""


class Clock:
    """Interrupts what uses more processor time than it may, so that its process can serve for the next candidate.

    Only a help: what does not let itself be interrupted, or waits without using the processor, is killed by the parent.
    """

    def __init__(self) -> None:
        self.running = False
        self.struck = False

    def start(self, seconds: float) -> None:
        self.running, self.struck = True, False
        signal.signal(signal.SIGPROF, self.strike)
        signal.setitimer(signal.ITIMER_PROF, seconds)

    def stop(self) -> None:
        self.running = False
        signal.setitimer(signal.ITIMER_PROF, 0)

    def strike(self, _number: int, _frame: object) -> None:
        if self.running:
            self.running, self.struck = False, True
            raise Overtime


class Batches:
    """For the collected park and its children."""

    def __init__(
        self, process: Process, tests: Tests, live: LiveFunctions, surroundings: Surroundings, canary: Canary
    ) -> None:
        self.process = process
        self.tests = tests
        self.live = live
        self.surroundings = surroundings
        self.canary = canary
        self.stride = FIRST_STRIDE
        self.lone = 0

    def try_cases(self, request: Frame) -> None:
        """Tries all cases, as far as time allows, and answers on the channel as soon as one is known."""
        end = time.monotonic() + request["seconds"]
        queue = collections.deque(request["cases"])
        canary, pace = self.canary.of(request)
        request["limit"] = max(FLOOR, SLOWER * pace) * request["patience"]
        while queue and time.monotonic() < end:
            if not canary or request["patience"] > 1 or self.stride < 2:
                self.alone(queue.popleft(), request, end)
                self.recover()
            else:
                self.together(queue, request, end, canary)

    def recover(self) -> None:
        """After many lone trials, together again: what polluted may be behind us."""
        self.lone += 1
        if self.lone >= LONE:
            self.lone, self.stride = 0, 2

    # -- many in one fork --------------------------------------------------------------------------------------

    def together(self, queue: Deque[Frame], request: Frame, end: float, canary: Vector) -> None:
        """One fork for many candidates. What the canary has not vouched for when it ends stays in the queue."""
        stride = self.stride
        child = self.process.fork()
        if child is None:
            self.together_child(list(queue), canary, stride, request["limit"])
            raise AssertionError("the child has ended")
        try:
            self.listen(child, stride, queue, request, end, canary)
        finally:
            child.end()

    def listen(self, child: Fork, stride: int, queue: Deque[Frame], request: Frame, end: float, canary: Vector) -> None:
        pending: List[Frame] = []
        slack = FORK_SLACK
        while queue:
            at_canary = len(pending) == min(stride, len(queue))
            limit = request["after"] if at_canary else request["limit"] + CLOCK_SLACK
            left = end - time.monotonic()
            try:
                frame = child.next(max(0.0, min(limit, left)) + slack)
            except TimeoutError:
                if left < limit:
                    queue.clear()
                elif at_canary:
                    self.stride = 1
                else:
                    self.answer(request, queue[len(pending)], {"s": "hung", "why": SLOW % request["limit"]})
                    del queue[len(pending)]
                    self.stop_at(len(pending))
                return
            slack = 0.0
            if frame is None:
                if at_canary:
                    self.stride = 1
                    return
                # Perhaps those before it are to blame, so it is tried once more, by itself.
                suspect = queue[len(pending)]
                del queue[len(pending)]
                self.stop_at(len(pending))
                self.alone(suspect, request, end)
                return
            if "vector" not in frame:
                pending.append(frame)
                continue
            settled = same(frame["vector"], canary)
            if not settled and len(pending) > FEW:
                # Somebody among them spoilt the process: half as many at a time, until it is one of a few.
                self.stride = len(pending) // 2
                return
            for answer in pending:
                case = queue.popleft()
                if settled and answer["s"] != "passed":
                    self.answer(request, case, answer)
                else:
                    self.alone(case, request, end)
            pending = []
            if not settled:
                self.stride = max(1, stride // 2)
                return
            self.stride = min(STRIDE, self.stride * 2)

    def stop_at(self, count: int) -> None:
        """Those before the one that ended the fork run again, with the canary right behind them."""
        if count:
            self.stride = max(2, count)

    def together_child(self, cases: List[Frame], canary: Vector, stride: int, limit: float) -> None:
        names = [one[0] for one in canary]
        watched = self.canary.watched(cases)
        before = self.canary.state(watched)
        clock = Clock()
        for position, case in enumerate(cases):
            try:
                answer = self.trial(case, clock=clock, limit=limit)
            except Overtime:
                answer = {"s": "hung", "why": SLOW % limit, "unfit": True}
            self.process.report.send(answer)
            if answer.get("unfit") or threading.active_count() > 1:
                self.process.report.send({"vector": []})
                break
            if (position + 1) % stride == 0 or position + 1 == len(cases):
                clean = self.canary.state(watched) == before
                self.process.report.send({"vector": self.canary.vector(names) if clean else []})
        os._exit(0)

    # -- one in its own fork -----------------------------------------------------------------------------------

    def alone(self, case: Frame, request: Frame, end: float) -> None:
        """One candidate in its own fork, the companions too. The only way that anything is called passed."""
        left = end - time.monotonic()
        if left <= 0:
            return
        child = self.process.fork()
        if child is None:
            self.process.report.send(self.trial(case, request["companions"]))
            os._exit(0)
        self.process.channel.send(outcome_of(child, dict(request, case=case, seconds=left)))

    def answer(self, request: Frame, case: Frame, frame: Frame) -> None:
        self.process.channel.send(dict(frame, id=request["id"], n=case["n"]))

    def trial(
        self,
        case: Frame,
        companions: Optional[Sequence[str]] = None,
        *,
        clock: Optional[Clock] = None,
        limit: float = 0.0,
    ) -> Frame:
        """Swaps the changed functions in, runs the targets, and swaps them out again. Raises `Overtime`, rarely.

        `limit` is in seconds of the processor, and holds where there is a clock.
        """
        try:
            swaps: List[Swap] = [swap for unit in case["units"] for swap in self.live.swaps(unit)]
        except Unsupported as error:
            return {"s": "unsupported", "why": str(error)}
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return {"s": "failed", "why": "does not compile: %s" % error}
        self.surroundings.restore()
        for function, code, _ in swaps:
            function.__code__ = code
        try:
            if clock is not None:
                clock.start(limit)
            results, fit = self.tests.run(list(self.tests.chosen.items()), stop=True)
            if clock is not None:
                clock.stop()
            unfit: Frame = {} if fit else {"unfit": True}
            if clock is not None and clock.struck:
                return {"s": "hung", "why": SLOW % limit, **unfit}
            bad = first_bad(results)
            if bad is not None:
                return dict(failed(bad), passed=len(results) - 1, **unfit)
            if companions is None:
                return {"s": "passed", "passed": len(results)}
            self.process.report.send({"s": "targets"})
            return self.tests.run_companions(companions, len(results))
        finally:
            for function, _, original in swaps:
                function.__code__ = original
