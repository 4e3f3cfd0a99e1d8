"""A tree that moved between the proposal and the writing is left alone."""

from __future__ import annotations

from pathlib import Path

from octolimb.engine.driver import LimbProgress
from octolimb.engine.engine import Engine
from octolimb.engine.fixing import FixRequest, fix
from octolimb.limbs.effects import LimbState

SOURCE = "def double(x):\n    return x * 3\n"
TEST = "from doubling import double\n\n\ndef test_double():\n    assert double(2) == 4\n"
TYPED = SOURCE + "\n# typed meanwhile\n"


def test_a_source_that_a_person_changed_meanwhile_is_stale(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "doubling.py").write_text(SOURCE)
    (root / "test_double.py").write_text(TEST)

    def type_while_it_is_judged(progress: LimbProgress) -> None:
        if progress.state is LimbState.JUDGING:
            (root / "doubling.py").write_text(TYPED)

    with Engine(root, state=tmp_path / "state") as engine:
        request = FixRequest(budget=20.0, proposals=1, apply=True)
        result = fix(engine, request, progress=type_while_it_is_judged)
    assert result.status == "stale", result.message
    assert "nothing was written" in result.message
    assert (root / "doubling.py").read_text() == TYPED
    assert len(result.proposals) == 1
