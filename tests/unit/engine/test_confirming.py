"""How much of a project is sensed to confirm a solution."""

from __future__ import annotations

import time

import pytest
from tests.unit.engine.conftest import MakeEngine

from octolimb.core.document import Document
from octolimb.core.paths import RelPath
from octolimb.core.verdicts import Verdict
from octolimb.engine.confirming import Confirmation
from octolimb.engine.engine import Engine

CODE = RelPath("shop/prices.py")
RIGHT = "def total(prices: list[float]) -> float:\n    return sum(prices)\n"
WRONG = "def total(prices: list[float]) -> float:\n    return max(prices)\n"
PROJECT = {
    "shop/__init__.py": "",
    "shop/prices.py": WRONG,
    "shop/basket.py": "from shop.prices import total\n\nSHOWN = total([1.0])\n",
    "shop/tests/test_prices.py": "from shop.prices import total\n\n\ndef test_sum() -> None:\n"
    "    assert total([1.0, 2.0]) == 3.0\n\n\ndef test_one() -> None:\n    assert total([1.0]) == 1.0\n",
    **{
        f"tests/test_far{number:02}.py": "from shop.basket import SHOWN\n\n\ndef test_it() -> None:\n"
        "    assert SHOWN == 1.0\n"
        for number in range(24)
    },
}
LONG_AWAY = time.monotonic() + 1e6
GOAL = ("shop/tests/test_prices.py::test_sum",)


def confirmed(engine: Engine, text: str, until: float | None) -> Verdict:
    start = engine.disk()
    solution = start.with_edits({CODE: Document(CODE, text.encode())})
    return Confirmation(engine, start, until=until).verdict(solution, GOAL)


def whys(verdict: Verdict) -> dict[str, str | None]:
    return {run.name: run.why for run in verdict.sensors}


def test_without_time_only_what_is_near_is_sensed_and_the_verdict_says_so(make_engine: MakeEngine) -> None:
    verdict = confirmed(make_engine(PROJECT), RIGHT, time.monotonic())
    assert verdict.green
    assert (verdict.tests.selected, verdict.tests.passed) == (13, 13)
    said = whys(verdict)
    assert said["tests"] == (
        "25 of 25 test files can be affected by shop/prices.py; of these only the nearest ran: 12 test files"
    )
    near = "only in shop/basket.py, shop/prices.py, shop/tests/test_prices.py: what changes and what imports it"
    assert {said["syntax"], said["lint"], said["types"]} == {near}


@pytest.mark.parametrize("until", [pytest.param(None, id="never"), pytest.param(LONG_AWAY, id="long away")])
def test_with_time_everything_is(make_engine: MakeEngine, until: float | None) -> None:
    verdict = confirmed(make_engine(PROJECT), RIGHT, until)
    assert verdict.green
    assert verdict.tests.selected == 26
    assert whys(verdict)["tests"] == "25 of 25 test files can be affected by shop/prices.py"
    assert whys(verdict)["types"] is None


def test_what_breaks_something_near_is_refused_at_once(make_engine: MakeEngine) -> None:
    verdict = confirmed(make_engine(PROJECT), RIGHT.replace("sum(prices)", "3.0"), LONG_AWAY)
    assert not verdict.green
    assert [finding.test for finding in verdict.pains if finding.source == "tests"][:1] == [
        "shop/tests/test_prices.py::test_one"
    ]
    assert verdict.tests.selected == 13


def test_what_breaks_something_far_is_refused_where_there_is_time(make_engine: MakeEngine) -> None:
    far = "import sys\n\nfrom shop.basket import SHOWN\n\n\ndef test_clean() -> None:\n    assert SHOWN\n"
    far += "    assert not hasattr(sys, 'far_away')\n"
    engine = make_engine({**PROJECT, "tests/test_far99.py": far})
    broken = "import sys\n\nsetattr(sys, 'far_away', True)\n\n\n" + RIGHT
    assert confirmed(engine, broken, time.monotonic()).green
    refused = confirmed(engine, broken, LONG_AWAY)
    assert not refused.green
    assert refused.tests.failures == ("tests/test_far99.py::test_clean",)


def test_few_test_files_all_run(make_engine: MakeEngine) -> None:
    few = {path: text for path, text in PROJECT.items() if path < "tests/test_far20.py"}
    verdict = confirmed(make_engine(few), RIGHT, time.monotonic())
    assert verdict.green
    assert verdict.tests.selected == 22
