"""Collecting and running tests with pytest's own machinery; the pytest plugin that hears how they fared.

It forks nothing and knows no candidate.
"""

from __future__ import annotations

import os
import signal
import time
from types import FrameType
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from .frames import Frame
from .names import Names
from .outcomes import GOOD, TIMEOUT, failed, first_bad, outcome, result
from .recorders import Lines

Answer = Callable[[Frame], None]


class Tests:
    """The tests of this process. `targets` and `companions` are node ids, classes or files, relative to the root."""

    def __init__(self, names: Names, targets: List[str], companions: List[str]) -> None:
        self.names = names
        self.targets = targets
        self.companions = companions
        self.session: Any = None
        self.lines: Optional[Lines] = None
        self.quick = True
        self.reports: List[Any] = []
        self.problems: List[Tuple[str, Frame]] = []
        self.failure: Optional[Frame] = None
        self.collect_errors: Dict[str, str] = {}
        self.current = ""
        self.item_of: Dict[str, Any] = {}
        self.chosen: Dict[str, Any] = {}

    # -- pytest calls these ------------------------------------------------------------------------------------

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            path = report.nodeid.split("::")[0] or report.nodeid
            self.collect_errors.setdefault(path, str(report.longrepr))

    def pytest_exception_interact(self, node: Any, call: Any) -> None:
        if call.excinfo is not None and not hasattr(node, "runtest"):
            self.problems.append((self.names.node_id(node).split("::")[0], self.describe(call.excinfo)))

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.reports.append(report)

    def pytest_runtest_makereport(self, item: Any, call: Any) -> Any:
        """The outcome as pytest sees it; the long form, slow to make, only where a person or a coder will read it."""
        import pytest

        excinfo = call.excinfo
        skipped = excinfo is not None and isinstance(excinfo.value, pytest.skip.Exception)
        if excinfo is not None and not skipped and self.failure is None:
            self.failure = self.describe(excinfo)
        if not self.quick:
            return None
        detail: Any = None
        if skipped:
            detail = (item.location[0], item.location[1] or 0, str(excinfo.value))
        elif excinfo is not None:
            detail = "failed"
        return pytest.TestReport(
            nodeid=item.nodeid,
            location=item.location,
            keywords={},
            outcome="skipped" if skipped else "passed" if excinfo is None else "failed",
            longrepr=detail,
            when=call.when,
            duration=call.duration,
            user_properties=item.user_properties,
        )

    def describe(self, excinfo: Any) -> Frame:
        """An exception's type and message and, where there is time, its frames below the root, outermost first."""
        try:
            message = str(excinfo.value)
        except Exception as error:  # A project's __str__ may raise anything.
            message = "<no message: %s>" % type(error).__name__
        frames = []
        trace = None if self.quick else excinfo.tb
        while trace is not None:
            path = self.names.below_root(trace.tb_frame.f_code.co_filename)
            if path is not None:
                frames.append([path, trace.tb_lineno])
            trace = trace.tb_next
        return {"type": excinfo.type.__qualname__, "message": message[:4000], "frames": frames[-40:]}

    # -- choosing ----------------------------------------------------------------------------------------------

    def choose(self) -> None:
        """Fixes which collected items are the targets, and which are known at all."""
        self.item_of = self.select_all(self.targets + self.companions)
        self.chosen = self.select_all(self.targets)

    def select(self, wanted: str) -> List[Tuple[str, Any]]:
        """The collected items that `wanted` (a node id, a class, a file) names, in order; empty where it names none."""
        items = [(self.names.node_id(item), item) for item in self.session.items]
        exact = [pair for pair in items if pair[0] == wanted]
        return exact or [pair for pair in items if pair[0].startswith((wanted + "::", wanted + "["))]

    def select_all(self, wanted: Sequence[str]) -> Dict[str, Any]:
        chosen: Dict[str, Any] = {}
        for node in wanted:
            for name, item in self.select(node):
                chosen.setdefault(name, item)
        return chosen

    def collection_problem(self, target: str) -> Optional[Frame]:
        """What kept the file of a target from being collected; None where nothing did."""
        path = target.partition("::")[0]
        for where, failure in self.problems:
            if where == path or path.startswith(where.rstrip("/") + "/") or where in ("", "."):
                return dict(result(target, "error"), detail=self.collect_errors.get(path, "")[-20000:], **failure)
        return None

    # -- running -----------------------------------------------------------------------------------------------

    def run(
        self,
        chosen: List[Tuple[str, Any]],
        stop: bool,
        limit: Optional[float] = None,
        each: Optional[Answer] = None,
    ) -> Tuple[List[Frame], bool]:
        """Runs items in order. Gives their results, and whether the process is fit to run more.

        `stop` ends at the first that is not good; `limit`, in seconds a test, ends this process once a test exceeds it;
        `each` hears every result at once.
        """
        results = []
        fit = True
        for position, (name, item) in enumerate(chosen):
            following = chosen[position + 1][1] if position + 1 < len(chosen) else None
            self.reports = []
            self.failure = None
            self.current = name
            self.session.shouldfail = self.session.shouldstop = False
            started = time.monotonic()
            if limit is not None:
                signal.setitimer(signal.ITIMER_REAL, limit)
            try:
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                one = result(name, outcome(self.reports))
            except BaseException as error:  # KeyboardInterrupt and pytest.exit end a session, so they come through.
                self.failure = {"type": type(error).__qualname__, "message": str(error)[:4000], "frames": []}
                one = result(name, "failed")
                fit = False
            if limit is not None:
                signal.setitimer(signal.ITIMER_REAL, 0)
            one["ms"] = (time.monotonic() - started) * 1000
            if self.failure is not None and one["outcome"] not in GOOD:
                one.update(self.failure)
            if not self.quick:
                one["detail"] = "\n".join(str(report.longrepr) for report in self.reports if report.failed)[-20000:]
            if self.lines is not None:
                one["lines"] = self.lines.take()
            results.append(one)
            if each is not None:
                each(one)
            if not fit or (stop and one["outcome"] not in GOOD):
                self.tear_down()
                break
        return results, fit

    def run_companions(self, companions: Sequence[str], passed: int) -> Frame:
        """With all targets passed, sees whether the tests that passed before still do."""
        chosen = self.select_all(companions)
        results, _ = self.run(list(chosen.items()), stop=True)
        bad = first_bad(results)
        if bad is not None or len(chosen) < len(companions):
            why = failed(bad)["why"] if bad is not None else "a test that passed before is lost"
            return {"s": "failed", "passed": passed, "why": "breaks " + why}
        return {"s": "passed", "passed": passed, "why": ""}

    def tear_down(self) -> None:
        """Ends what a test that was not the last left set up for the next one."""
        state = self.session._setupstate
        try:
            if hasattr(state, "teardown_all"):
                state.teardown_all()
            else:
                state.teardown_exact(None)
        except BaseException:  # Whatever a fixture raises here, the outcome is known, and the canary will see the rest.
            pass

    def watch_clock(self, answer: Answer) -> None:
        """Where a test exceeds its limit, answers what is known of it, and ends this process."""

        def alarm(_number: int, frame: Optional[FrameType]) -> None:
            frames: List[List[object]] = []
            while frame is not None:
                path = self.names.below_root(frame.f_code.co_filename)
                if path is not None:
                    frames.insert(0, [path, frame.f_lineno])
                frame = frame.f_back
            hung: Frame = dict(result(self.current, "hung"), **TIMEOUT)
            hung.update(frames=frames[-40:], lines=self.lines.take() if self.lines else {})
            answer(hung)
            os._exit(0)

        signal.signal(signal.SIGALRM, alarm)
