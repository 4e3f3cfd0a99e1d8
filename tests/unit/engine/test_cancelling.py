"""A limb that nobody waits for any more ends at once, whatever it is at, and leaves no process."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping

import pytest
from tests.unit.engine.conftest import MakeEngine

from octolimb.core.document import text_document
from octolimb.core.errors import Cancelled, TimeIsUp
from octolimb.core.paths import RelPath
from octolimb.engine.driver import LimbProgress
from octolimb.engine.engine import Engine, Sensing
from octolimb.engine.fixing import FixRequest, FixResult, fix
from octolimb.engine.stopping import stoppable
from octolimb.limbs.effects import LimbState
from octolimb.shadow.reaping import descendants

PROMPTLY = 2.0
"""Seconds. The promise is one; a busy machine gets twice that."""

ROOM = "".join(
    f"    if n > {number}:\n        total = total + n * {number} - n // {number + 2}\n" for number in range(40)
)
MAZE = {
    "maze.py": f"def walk(n):\n    total = 0\n{ROOM}    return total\n",
    "test_maze.py": "from maze import walk\n\n\ndef test_walk():\n    assert walk(9) is NotImplemented\n",
}
SOURCE = "def double(x):\n    return x * 3\n"
TEST = "from doubling import double\n\n\ndef test_double():\n    assert double(2) == 4\n"
HANGS = {"test_hangs.py": "def test_hangs():\n    import time\n    time.sleep(600)\n"}
HANGS_ONCE_REPAIRED = {
    "doubling.py": SOURCE,
    "test_double.py": TEST,
    "test_other.py": "import time\nfrom doubling import double\n\n\ndef test_other():\n"
    "    time.sleep(600 if double(2) == 4 else 0)\n",
}


class _Limb:
    """A limb under way, which somebody cancels when it is `at` a state."""

    def __init__(self, engine: Engine, request: FixRequest, at: LimbState) -> None:
        self.reached: list[LimbState] = []
        self._at = at
        self._there = threading.Event()
        self._cancelled = threading.Event()
        self._result: FixResult | None = None
        self._thread = threading.Thread(target=self._run, args=(engine, request))
        self._thread.start()

    def cancel(self, *, after: float) -> tuple[FixResult, float]:
        """The result, and the seconds that it took to end from `after` seconds into the state."""
        assert self._there.wait(60.0), f"it never came to {self._at}: {self.reached}"
        time.sleep(after)
        began = time.monotonic()
        self._cancelled.set()
        self._thread.join(60.0)
        assert self._result is not None
        return self._result, time.monotonic() - began

    def _run(self, engine: Engine, request: FixRequest) -> None:
        self._result = fix(engine, request, progress=self._see, cancelled=self._cancelled.is_set)

    def _see(self, progress: LimbProgress) -> None:
        self.reached.append(progress.state)
        if progress.state is self._at:
            self._there.set()


@pytest.mark.parametrize("isolation", ["overlay", "copy"])
@pytest.mark.parametrize(
    ("project", "targets", "at", "after"),
    [
        pytest.param(HANGS, (), LimbState.SENSING, 1.0, id="cold run"),
        pytest.param(MAZE, (), LimbState.GENERATING, 0.0, id="generating"),
        pytest.param(MAZE, (), LimbState.TWITCHING, 0.5, id="twitching"),
        pytest.param(HANGS_ONCE_REPAIRED, ("test_double.py",), LimbState.CONFIRMING, 1.0, id="confirming"),
        pytest.param(HANGS_ONCE_REPAIRED, ("test_double.py",), LimbState.STAGING, 0.0, id="staging"),
    ],
)
def test_a_limb_ends_at_once(
    project: Mapping[str, str],
    targets: tuple[str, ...],
    at: LimbState,
    after: float,
    isolation: str,
    make_engine: MakeEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if isolation == "copy":
        monkeypatch.setenv("OCTOLIMB_ISOLATION", "copy")
    engine = make_engine(project)
    _ = engine.host.isolation
    before = descendants(os.getpid())
    limb = _Limb(engine, FixRequest(targets, budget=120.0), at)
    result, seconds = limb.cancel(after=after)
    assert (result.state, result.status, result.proposals) == (LimbState.CANCELLED, "none", ())
    assert limb.reached[-1] is LimbState.CANCELLED
    assert descendants(os.getpid()) <= before
    assert seconds < PROMPTLY


def test_a_limb_that_ends_by_itself_says_what_it_did(make_engine: MakeEngine) -> None:
    engine = make_engine({"doubling.py": "def double(x):\n    return x * 2\n", "test_double.py": TEST})
    spoilt = engine.disk().with_edits({RelPath("doubling.py"): text_document(RelPath("doubling.py"), SOURCE)})
    result = fix(engine, FixRequest(proposals=1), progress=lambda _: None, snapshot=spoilt, cancelled=lambda: False)
    assert (result.state, result.status) == (LimbState.PROPOSED, "proposed")
    [solution] = result.solutions
    assert solution.proposal is result.proposals[0]
    assert solution.goal == ("test_double.py::test_double",)
    assert solution.before.document(RelPath("doubling.py")).text == SOURCE
    assert solution.before.generation == spoilt.generation
    assert "* 3" not in solution.after.document(RelPath("doubling.py")).text


def test_what_is_stopped_says_nothing(make_engine: MakeEngine) -> None:
    engine = make_engine(HANGS)
    began = time.monotonic()
    with pytest.raises(TimeIsUp), stoppable(engine, lambda: False, deadline=1.0) as own:
        own.sense(own.disk(), None, Sensing("full"))
    with pytest.raises(Cancelled), stoppable(engine, lambda: time.monotonic() > began + 2.0) as own:
        own.sense(own.disk(), None, Sensing("full"))
    assert time.monotonic() < began + 2.0 + 2 * PROMPTLY


def test_an_error_of_ones_own_passes(make_engine: MakeEngine) -> None:
    with pytest.raises(ZeroDivisionError), stoppable(make_engine({}), lambda: False):
        _ = 1 // 0
