"""What broke it: the fewest edits since the last green state that make a pain, found by trying."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from octolimb.core.changes import changes_between
from octolimb.core.errors import BadInput, CannotSense, TimeIsUp
from octolimb.core.hunks import Edit, edits_of, select_hunks, with_changes
from octolimb.core.minimizing import minimize
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, Verdict
from octolimb.engine.engine import Engine
from octolimb.engine.stopping import never, stoppable
from octolimb.sense.memory import BaselineMemory
from octolimb.sense.sensing import SenseRequest, sense
from octolimb.sense.syntax import check_syntax
from octolimb.sense.tests.run import TestSelection, findings_of, run_tests
from octolimb.shadow.interpreter import Interpreter

_RUN_SECONDS: Final = 60.0
_NUMBER: Final = re.compile(r"\d+")


@dataclass(frozen=True)
class CauseProgress:
    """`tried` sets of edits so far; `left` edits are still suspected."""

    tried: int
    left: int


def _silent(_: CauseProgress) -> None:
    return


@dataclass(frozen=True)
class Cause:
    """`found`: the `edits`, from the green state to now, make the pain, and without any one of them it is not there.

    `minimal` is false where time ran out: the edits make the pain, and some of them may not be needed for it.
    `nothing`: the pain was there before these edits, or there are none. `unknown`: it did not show again.
    """

    status: Literal["found", "nothing", "unknown"]
    message: str
    edits: tuple[Edit, ...] = ()
    pain: Finding | None = None
    tried: int = 0
    minimal: bool = True


def find_cause(
    engine: Engine,
    green: Snapshot,
    now: Snapshot,
    pain: Finding,
    *,
    deadline: float = 120.0,
    cancelled: Callable[[], bool] = never,
    progress: Callable[[CauseProgress], None] = _silent,
) -> Cause:
    """The 1-minimal set of edits between `green` and `now`, of one base, that makes `pain`, a finding of `now`.

    A failing test is run for each set, once the set has no syntax error of its own; any other finding is looked for by
    its sensor. So a pain of the tests is to be asked about only where the root's code may run. `deadline` is in
    seconds. Raises `Cancelled`, `CannotSense` and `CannotIsolate`.
    """
    changes = changes_between(green, now)
    edits = {edit.id: edit for edit in edits_of(changes)}
    if not edits:
        return Cause("nothing", "nothing changed since the last green state", pain=pain)
    tried = 0
    best = tuple(edits)
    confirmed = False

    def hurts(ids: frozenset[str]) -> bool:
        nonlocal tried
        tried += 1
        progress(CauseProgress(tried, len(best)))
        try:
            return probe.hurts(with_changes(green, select_hunks(changes, ids)))
        except BadInput:
            # A set that cannot be made, such as a file below a file, shows nothing.
            return False

    def reduced(ids: tuple[str, ...]) -> None:
        nonlocal best
        best = ids

    try:
        with stoppable(engine, cancelled, deadline=deadline) as own:
            probe = _probe(own, green, now, pain)
            if not hurts(frozenset(best)):
                return Cause("unknown", f"the pain did not show again: {pain.message}", pain=pain, tried=tried)
            confirmed = True
            minimize(best, hurts, reduced=reduced)
    except TimeIsUp:
        if not confirmed:
            return Cause("unknown", f"no answer within {deadline:.0f} s", pain=pain, tried=tried)
        message = f"{_counted(best)} at most, as far as could be tried within {deadline:.0f} s"
        return Cause("found", message, tuple(edits[one] for one in best), pain, tried, minimal=False)
    if not best:
        return Cause("nothing", "it hurts without any edit since the last green state", pain=pain, tried=tried)
    places = dict.fromkeys(f"{edits[one].path}:{edits[one].after.start.line + 1}" for one in best)
    message = f"{_counted(best)} of {len(edits)} broke it: {', '.join(places)}"
    return Cause("found", message, tuple(edits[one] for one in best), pain, tried)


class _Probe(Protocol):
    def hurts(self, snapshot: Snapshot) -> bool:
        """True where the very pain shows in `snapshot`; another one does not count."""
        ...


def _probe(engine: Engine, green: Snapshot, now: Snapshot, pain: Finding) -> _Probe:
    old_paths = [change.old_path for change in changes_between(green, now) if change.path == pain.path]
    paths = tuple(dict.fromkeys([pain.path, *old_paths]))
    if pain.source == "tests":
        return _TestProbe(engine, green, now, pain, paths)
    return _StaticProbe(engine, green, pain, paths)


class _StaticProbe:
    """Looks for one sensor's finding that the green state does not have."""

    def __init__(self, engine: Engine, green: Snapshot, pain: Finding, paths: tuple[RelPath, ...]) -> None:
        """`paths`: the pain's file, and what it was called in the green state."""
        self._engine = engine
        self._green = green
        self._pain = pain
        self._paths = paths
        self._memory = BaselineMemory(green)

    def hurts(self, snapshot: Snapshot) -> bool:
        request = SenseRequest(
            snapshot,
            self._green,
            sensors=frozenset({self._pain.source}),
            paths=self._paths,
            interpreter=self._interpreter,
        )
        verdict = sense(self._engine.host, request, memory=self._memory)
        _refuse_crashed(verdict)
        return any(finding.new and _is_like(finding, self._pain, self._paths) for finding in verdict.findings)

    @property
    def _interpreter(self) -> Interpreter | None:
        # The findings must be those of the state that is asked about: what an untrusted root shows, it shows here.
        return self._engine.interpreter if self._engine.is_trusted else None


class _TestProbe:
    """Runs one test, or collects one file, once there is no syntax error that the present state does not have too."""

    def __init__(
        self, engine: Engine, green: Snapshot, now: Snapshot, pain: Finding, paths: tuple[RelPath, ...]
    ) -> None:
        """`paths` as above."""
        self._engine = engine
        self._green = green
        self._pain = pain
        self._paths = paths
        self._excused = {_key(finding) for finding in _syntax_errors(green, now) + _syntax_errors(now, green)}

    def hurts(self, snapshot: Snapshot) -> bool:
        if any(_key(finding) not in self._excused for finding in _syntax_errors(self._green, snapshot)):
            return False
        chosen = self._pain.test or self._pain.path
        selection = TestSelection("full", (chosen,), None, (chosen,))
        with self._engine.host.project(snapshot) as shadow:
            run = run_tests(shadow, snapshot, self._engine.interpreter, selection, deadline=_RUN_SECONDS)
        return any(
            finding.test == self._pain.test and finding.code == self._pain.code
            if self._pain.test
            else _is_like(finding, self._pain, self._paths)
            for finding in findings_of(run, snapshot)
        )


def _syntax_errors(before: Snapshot, after: Snapshot) -> list[Finding]:
    """Those of the Python files that differ, as `after` has them."""
    changed = [change.path for change in changes_between(before, after) if change.after and _is_python(change.path)]
    return check_syntax(after, changed) if changed else []


def _is_python(path: RelPath) -> bool:
    return path.suffix in (".py", ".pyi")


def _is_like(finding: Finding, pain: Finding, paths: tuple[RelPath, ...]) -> bool:
    return finding.path in paths and _key(finding)[1:] == _key(pain)[1:]


def _key(finding: Finding) -> tuple[RelPath, str, str, str]:
    """What stays of a finding when other lines come and go."""
    return finding.path, finding.source, finding.code, _NUMBER.sub("#", finding.message)


def _refuse_crashed(verdict: Verdict) -> None:
    for run in verdict.sensors:
        if run.status == "crashed":
            raise CannotSense(f"{run.name} could not be sensed: {run.why}", hint=run.hint)


def _counted(ids: tuple[str, ...]) -> str:
    return f"{len(ids)} edit{'' if len(ids) == 1 else 's'}"
