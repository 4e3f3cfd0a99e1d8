"""No forged test result is green and let out: the verdict sees the forgery, or the guard refuses it to a repair.

`python tests/faults/test_forgeries.py` prints what each one met.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.faults.forgeries.catalogue import EXTRAS, HONEST, PROJECT, WRONG, Forgery
from tests.faults.forgeries.harness import FORGERIES, Doors, Judgement, doors, table


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with doors(tmp_path_factory.mktemp("forgeries")) as opened:
        yield opened


@pytest.fixture(scope="module")
def judgements(project: Doors) -> dict[str, Judgement]:
    judged = project.judge_all(FORGERIES)
    print(table(FORGERIES, judged))
    return {forgery.name: judgement for forgery, judgement in zip(FORGERIES, judged, strict=True)}


def test_there_are_enough_and_each_has_its_name() -> None:
    assert len({forgery.name for forgery in FORGERIES}) == len(FORGERIES) >= 40


def test_an_honest_repair_is_green_and_allowed(project: Doors) -> None:
    judgement = project.judge(Forgery("honest", {"app.py": HONEST + EXTRAS}))
    assert (judgement.green, judgement.allowed) == (True, True), judgement


def test_what_repairs_nothing_is_red_and_nothing_that_the_guard_minds(project: Doors) -> None:
    for tests in ["tests/test_app.py", "tests/test_data.py", "tests/test_unit.py", "tests/test_opened.py"]:
        judgement = project.judge(Forgery("wrong", {"app.py": f"{WRONG}{EXTRAS}\n# No change.\n"}, (tests,)))
        assert (judgement.green, judgement.allowed) == (False, True), judgement
    assert "app.py" in PROJECT


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.name)
def test_a_forgery(forgery: Forgery, judgements: dict[str, Judgement]) -> None:
    judgement = judgements[forgery.name]
    # What the verdict cannot see, and what nobody can, is written down with its reason; and no more than that.
    assert judgement.green == bool(forgery.known), judgement.why
    assert judgement.green or not forgery.limit
    if judgement.green:
        assert judgement.allowed == bool(forgery.limit), judgement.reason


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch, doors(Path(scratch)) as here:
        print(table(FORGERIES, here.judge_all(FORGERIES)))
