"""A warm search session: localises a failure and tries candidates against the project's own tests, many a second.

Nothing here is a verdict: a trial that passed must be confirmed cold. It generates no candidates and ranks none.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Final, Self

from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Outcome, TestResult
from octolimb.limbs.candidates import Candidate, Suspicion, Trial
from octolimb.limbs.search.connection import Connection, Frame, WorkerGone
from octolimb.limbs.search.queue import Batch, CandidateQueue, Waiting
from octolimb.limbs.search.suspicion import Coverage, suspect
from octolimb.limbs.search.units import BodyPlan, FilePlan, Planner
from octolimb.shadow.interpreter import Interpreter
from octolimb.shadow.shadow import Shadow

_AHEAD: Final = 2
"""How many batches are under way at once, so that the worker never waits for us."""
_FRESH_FLOOR_SECONDS: Final = 0.25
_SLOWER: Final = 8
_PATIENCE: Final = 12
_GRACE_SECONDS: Final = 2.0
"""How much longer than its budget the worker may take to answer before it is given up."""
_PASSES_AFRESH: Final[Frame] = {"s": "unsupported", "why": "the targets pass as they are, imported afresh"}
_UNANSWERED: Final[Frame] = {"s": "unsupported", "why": "the process that was to try it ended"}
_MARGIN_SECONDS: Final = 0.2
_OTHER_FILES: Final = 40
_PASSED: Final = ("passed", "xpassed")
_WITHOUT_TIME: Final = ("hung", "crashed")
_NOT_FAILED: Final = (*_PASSED, "skipped", "xfailed")


Behaviour = tuple[str, ...]
"""What came out for each input, in short."""


@dataclass(frozen=True)
class Localisation:
    """What the failing tests ran, and how they failed.

    `outcomes` holds every target and companion that ran, by node id; `import_lines` the lines of each file that run
    when it is imported, where a wrong constant would stand; `why` says for people what could not be had, "" if nothing.
    """

    suspicion: Suspicion
    outcomes: Mapping[str, TestResult]
    import_lines: Mapping[RelPath, frozenset[int]]
    why: str = ""


@dataclass
class SearchStats:
    """`tried` counts the trials that said something; `seconds` is the time spent waiting for them."""

    tried: int = 0
    seconds: float = 0.0


@dataclass
class _Flight:
    """A batch under way."""

    number: int
    waiting: dict[int, Waiting]
    afresh: bool


def never() -> bool:
    return False


class SearchSession:
    """Owns one worker process in a shadow. A context manager: leaving it kills the worker and all that it started.

    `targets` are the failing tests (node ids, or files that cannot even be imported), `companions` the tests that a
    candidate must not break; both may name files. `deadline` is in seconds from now: after it the worker is dead and
    every method only says so. Not safe to share between threads.
    """

    def __init__(
        self,
        shadow: Shadow,
        snapshot: Snapshot,
        interpreter: Interpreter,
        targets: Sequence[str],
        companions: Sequence[str] = (),
        *,
        deadline: float,
    ) -> None:
        self._shadow = shadow
        self._interpreter = interpreter
        self._targets = list(dict.fromkeys(targets))
        self._companions = [name for name in dict.fromkeys(companions) if name not in self._targets]
        self._end = time.monotonic() + deadline
        self._planner = Planner(snapshot)
        self._connection: Connection | None = None
        self._lost = ""
        self._hello: Frame = {}
        self._numbers = itertools.count(1)
        self._inbox: dict[int, deque[Frame]] = {}
        self._unsteady: set[str] = set()
        self._outcomes: dict[str, Frame] | None = None
        self._fresh_passing: list[str] = []
        self._fresh_limit: float | None = None
        self._fresh_passes = False
        self.stats = SearchStats()

    def __enter__(self) -> Self:
        """Starts the worker, which collects the tests while we go on. Raises `CannotIsolate`."""
        deadline = self._left()
        opening = {"targets": self._targets, "companions": self._companions, "limit": max(2.0, deadline * 0.3)}
        try:
            self._connection = Connection(self._shadow, self._interpreter, opening, deadline=deadline)
        except WorkerGone as gone:
            self._lost = str(gone)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    # -- localising --------------------------------------------------------------------------------------------

    def localise(self) -> Localisation:
        """Runs the targets, and as many companions as time allows, with coverage.

        It takes at most about half of the time that is left to the session.
        """
        try:
            self._open()
            outcomes = self._survey() if self._parked else {}
            tests = self._survey_coverage(outcomes) if self._parked else self._fresh_coverage()
        except WorkerGone as gone:
            return Localisation({}, {}, {}, str(gone))
        self._unsteady = {
            test["test"]
            for test in tests
            if test["outcome"] in ("failed", "error") and outcomes.get(test["test"], test)["outcome"] == "passed"
        }
        coverage = [self._coverage(test) for test in tests]
        covered = {path for test in coverage for path in test.lines}
        import_lines = self._import_lines(covered, tests)
        results = {name: _test_result(frame) for name, frame in outcomes.items()}
        for test in tests:
            known = outcomes.get(test["test"], test)
            results[test["test"]] = _test_result({**test, "outcome": known["outcome"], "ms": known["ms"]})
        why = "" if tests else "no test could be run"
        return Localisation(suspect(coverage, import_lines), results, import_lines, why or self._hello["why"])

    def _is_steady(self, name: str, one: Frame) -> bool:
        """True for what passed and goes on passing: a test that spoils its own files tells nothing of a candidate."""
        return one["outcome"] == "passed" and name not in self._unsteady

    def _survey(self) -> dict[str, Frame]:
        """Every target's and companion's outcome and time without coverage, which would slow them down."""
        if self._outcomes is None:
            left = self._left()
            order = {"op": "survey", "trace": False, "companions": self._hello["companions"]}
            limit = min(max(1.0, left * 0.15), 60.0)
            frames = self._ask({**order, "limit": limit}, seconds=left * 0.3)
            self._outcomes = {frame["test"]: frame for frame in frames if "test" in frame}
        return self._outcomes

    def _survey_coverage(self, outcomes: Mapping[str, Frame]) -> list[Frame]:
        # What hung without coverage hangs with it: a short look is enough to see where.
        hung = any(outcomes[name]["outcome"] == "hung" for name in self._hello["targets"] if name in outcomes)
        left = self._left()
        limit = 0.5 if hung else min(max(2.0, left * 0.1), 60.0)
        passing = [name for name, one in outcomes.items() if one["outcome"] == "passed"]
        order = {"op": "survey", "trace": True, "companions": passing, "limit": limit}
        return [frame for frame in self._ask(order, seconds=left * 0.2) if "test" in frame]

    def _fresh_coverage(self) -> list[Frame]:
        """As `_survey_coverage`, for tests that cannot be collected, or cannot wait in a process with threads."""
        left = self._left()
        # What hung while it was collected hangs again: a short look is enough to see where.
        limit = 1.0 if self._hello.get("hung") else max(1.0, left * 0.25)
        order = {"op": "fresh", "trace": True, "cases": [{"n": 0, "sources": {}}], "companions": self._companions}
        frames = self._ask({**order, "limit": limit, "after": left * 0.25}, seconds=left * 0.3)
        found = []
        for frame in frames:
            if "test" in frame:
                found.append(frame)
            elif "loaded" in frame:
                self._hello["loaded"] = frame["loaded"]
        if any(test["outcome"] == "hung" for test in found):
            self._fresh_limit = _FRESH_FLOOR_SECONDS
        self._fresh_passing = [test["test"] for test in found if test["outcome"] == "passed"]
        return found

    def _coverage(self, test: Frame) -> Coverage:
        lines: dict[RelPath, frozenset[int]] = {}
        for raw, numbers in test.get("lines", {}).items():
            path = RelPath(raw)
            lines[path] = frozenset(numbers)
            if not self._parked:
                # The import itself was covered too; what merely defines a function computes nothing.
                lines[path] &= self._planner.body_lines(path) | self._planner.import_lines(path)
        frames = tuple((RelPath(path), line) for path, line in test.get("frames", ()))
        return Coverage(test["test"], test["outcome"] not in _NOT_FAILED, lines, frames)

    def _import_lines(self, covered: set[RelPath], tests: Sequence[Frame]) -> dict[RelPath, frozenset[int]]:
        if not tests:
            return {}
        others = sorted({RelPath(path) for path in self._hello.get("loaded", ())} - covered)
        found: dict[RelPath, frozenset[int]] = {}
        for path in [*sorted(covered), *others[:_OTHER_FILES]]:
            lines = self._planner.import_lines(path)
            for where, first, _ in self._hello.get("ran", ()):
                if where == path:
                    lines |= self._planner.body_lines(path, first)
            if lines:
                found[path] = lines
        return found

    # -- trying ------------------------------------------------------------------------------------------------

    def try_candidates(
        self, candidates: Iterable[Candidate], *, until: float, stop: Callable[[], bool] = never
    ) -> Iterator[Trial]:
        """Tries candidates in their order, as lazily as batches allow, and yields a trial for each that was tried.

        `until` is an instant of `time.monotonic()`. Candidates that hang come again at the end, with more patience.
        Ends early when `stop` says so (asked between answers), when time is up, or when the worker is lost.
        """
        until = min(until, self._end)
        started = time.monotonic()
        try:
            for trial in self._trials(iter(candidates), until, stop):
                self.stats.tried += trial.status != "unsupported"
                self.stats.seconds += time.monotonic() - started
                yield trial
                started = time.monotonic()
        finally:
            self.stats.seconds += time.monotonic() - started

    def _trials(self, candidates: Iterator[Candidate], until: float, stop: Callable[[], bool]) -> Iterator[Trial]:
        queue: CandidateQueue | None = None
        flying: deque[_Flight] = deque()
        try:
            self._open()
            ran = frozenset((RelPath(path), first, name) for path, first, name in self._hello.get("ran", ()))
            queue = CandidateQueue(candidates, self._planner, parked=self._parked and self._failing(), ran=ran)
            while not stop() and time.monotonic() < until:
                while len(flying) < _AHEAD and (batch := queue.take(last=not flying)):
                    flying.append(self._launch(batch, until))
                yield from queue.known()
                if not flying:
                    if queue.exhausted:
                        break
                    continue
                flight = flying.popleft()
                for frame in self._answers(flight.number, until):
                    waiting = flight.waiting.pop(frame.get("n", -1), None)
                    if waiting is None:
                        continue
                    known = _PASSES_AFRESH if flight.afresh and self._fresh_passes else frame
                    yield from queue.settle(waiting, known)
                    if stop():
                        break
                if time.monotonic() < until - _MARGIN_SECONDS and not stop():
                    for waiting in flight.waiting.values():
                        yield from queue.settle(waiting, _UNANSWERED)
                else:
                    queue.take_back(flight.waiting.values())
        except WorkerGone as gone:
            self._lost = str(gone)
        finally:
            for flight in flying:
                self._inbox.pop(flight.number, None)
        if queue is not None:
            yield from queue.given_up()

    # -- telling apart -----------------------------------------------------------------------------------------

    def behaviours(self, candidates: Sequence[Candidate], *, seconds: float) -> list[Behaviour | None]:
        """What each candidate does on inputs like those of the tests, in their order; equal where no input tells.

        None for one of which nothing is known: it changes more than bodies, the tests call nothing with plain values,
        or the time was up.
        """
        found: list[Behaviour | None] = [None] * len(candidates)
        plans = [self._planner.plan(candidate) for candidate in candidates]
        cases = [_case(number, plan) for number, plan in enumerate(plans) if isinstance(plan, BodyPlan)]
        try:
            self._open()
            if self._parked and cases:
                companions = self._swap_order()["companions"]
                order = {"op": "observe", "cases": cases, "companions": companions, "limit": seconds / 2}
                for frame in self._ask(order, seconds=seconds):
                    found[frame["n"]] = tuple(frame["outcomes"])
        except WorkerGone as gone:
            self._lost = str(gone)
        return found

    def _failing(self) -> bool:
        """Whether any target fails when nothing is changed. Otherwise every candidate would seem to pass."""
        outcomes = self._survey()
        return any(outcomes.get(name, {}).get("outcome") not in _PASSED for name in self._hello["targets"])

    def _launch(self, batch: Batch, until: float) -> _Flight:
        waiting = dict(enumerate(batch.waiting))
        order = self._fresh_order() if batch.afresh else self._swap_order()
        cases = [_case(number, one.plan) for number, one in waiting.items()]
        patience = _PATIENCE**batch.patience
        order = {**order, "cases": cases, "patience": patience, "after": order["after"] * patience}
        if batch.afresh:
            order["limit"] *= patience
        return _Flight(self._send(order, until=until), waiting, batch.afresh)

    def _swap_order(self) -> Frame:
        outcomes = self._survey()
        targets = set(self._hello["targets"])
        answering = [one for name, one in outcomes.items() if name in targets and one["outcome"] not in _WITHOUT_TIME]
        passing = [one for name, one in outcomes.items() if name not in targets and self._is_steady(name, one)]
        # The canary, which runs once in a while, may take as long as a few candidates, no more.
        allowed = 3 * _milliseconds(answering) + 3.0
        canary = [one["test"] for one in answering]
        for one in passing:
            allowed -= one["ms"]
            if allowed < 0:
                break
            canary.append(one["test"])
        after = max(0.5, _SLOWER * (_milliseconds(answering) + _milliseconds(passing)) / 1000)
        return {"op": "try", "after": after, "canary": canary, "companions": [one["test"] for one in passing]}

    def _fresh_order(self) -> Frame:
        """The limits come from one run of the original, imported afresh."""
        if self._parked:
            outcomes = self._survey()
            targets = set(self._hello["targets"])
            self._fresh_passing = [
                name for name, one in outcomes.items() if name not in targets and self._is_steady(name, one)
            ]
        companions = [name for name in self._fresh_passing if name not in self._targets]
        if self._fresh_limit is None:
            limit = min(max(2.0, self._left() * 0.1), 60.0)
            order = {"op": "fresh", "cases": [{"n": 0, "sources": {}}], "companions": companions}
            frames = self._ask({**order, "limit": limit, "after": limit}, seconds=self._left() * 0.3)
            lost: Frame = {"s": "lost", "ms": 0.0}
            original = next((frame for frame in frames if "s" in frame), lost)
            self._fresh_passes = original["s"] == "passed"
            seconds = 0.0 if original["s"] == "hung" else original["ms"] / 1000
            self._fresh_limit = max(_FRESH_FLOOR_SECONDS, _SLOWER * seconds)
        limit = self._fresh_limit
        return {"op": "fresh", "limit": limit, "after": 4 * limit, "companions": companions}

    # -- the worker --------------------------------------------------------------------------------------------

    def _open(self) -> Connection:
        """Hears once whether the tests could be collected. Raises `WorkerGone`."""
        if self._lost:
            raise WorkerGone(self._lost)
        connection = self._connection
        assert connection is not None, "the session is entered before it is used"
        if not self._hello:
            hello = connection.receive(self._end)
            if hello["why"].startswith("pytest ended"):
                hello["why"] += connection.last_words()
            self._hello = hello
            if hello["state"] == "ended":
                self._lost = hello["why"]
                raise WorkerGone(self._lost)
        return connection

    @property
    def _parked(self) -> bool:
        return bool(self._hello["state"] == "ready")

    def _left(self) -> float:
        return max(0.1, self._end - time.monotonic())

    def _ask(self, order: Frame, *, seconds: float) -> list[Frame]:
        until = min(self._end, time.monotonic() + seconds)
        return list(self._answers(self._send(order, until=until), until))

    def _send(self, order: Frame, *, until: float) -> int:
        connection = self._open()
        number = next(self._numbers)
        self._inbox[number] = deque()
        connection.send({**order, "id": number, "seconds": max(0.0, until - time.monotonic())})
        return number

    def _answers(self, number: int, until: float) -> Iterator[Frame]:
        """The answers to one request. Those to others wait for their turn, or are dropped where nobody waits."""
        connection = self._open()
        inbox = self._inbox[number]
        try:
            while True:
                while not inbox:
                    frame = connection.receive(until + _GRACE_SECONDS)
                    if frame["id"] in self._inbox:
                        self._inbox[frame["id"]].append(frame)
                answer = inbox.popleft()
                if answer.get("end"):
                    return
                yield answer
        finally:
            del self._inbox[number]


def _case(number: int, plan: BodyPlan | FilePlan) -> Frame:
    if isinstance(plan, BodyPlan):
        return {"n": number, "units": [asdict(unit) for unit in plan.units]}
    return {"n": number, "sources": plan.sources}


def _milliseconds(tests: Iterable[Frame]) -> float:
    return float(sum(one["ms"] for one in tests))


_OUTCOMES: Final = {"hung": Outcome.FAILED, "crashed": Outcome.ERROR}


def _test_result(frame: Frame) -> TestResult:
    message = ": ".join(part for part in (frame.get("type"), frame.get("message")) if part)
    frames = frame.get("frames") or [None]
    place = (RelPath(frames[-1][0]), frames[-1][1]) if frames[-1] else None
    outcome = frame["outcome"]
    return TestResult(
        frame["test"],
        _OUTCOMES.get(outcome) or Outcome(outcome),
        frame["ms"],
        message,
        frame.get("detail") or "",
        place,
    )
