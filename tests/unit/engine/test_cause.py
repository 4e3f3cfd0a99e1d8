"""What broke it, found by trying."""

from __future__ import annotations

import time

import pytest
from tests.support.offered import Texts, edited
from tests.unit.engine.conftest import MakeEngine

from octolimb.core.errors import Cancelled
from octolimb.core.hunks import Edit
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding
from octolimb.engine.cause import Cause, CauseProgress, find_cause
from octolimb.engine.engine import Engine, Sensing
from octolimb.engine.history import VerdictHistory

SHOP = "".join(f"def price{number}():\n    return {number}\n\n\n" for number in range(5))
SPOILT_SHOP = SHOP.replace("return", "return 1 +")
TILL = "".join(
    f"import shop\n\n\ndef total{number}():\n    return shop.price{number}() * 2\n\n\n" for number in range(5)
)
SPOILT_TILL = TILL.replace("* 2", "* 2 + 0")
TEST = "import shop, till\n\n\ndef test_sum():\n    assert shop.price3() < 4 or till.total0() < 4\n"
PROJECT = {"shop.py": SHOP, "till.py": TILL, "test_shop.py": TEST}
ALL_TEN: Texts = {"shop.py": SPOILT_SHOP, "till.py": SPOILT_TILL.replace("price0() * 2 + 0", "price0() * 2 + 5")}


def pain_of(engine: Engine, green: Snapshot, now: Snapshot, source: str) -> Finding:
    verdict = engine.sense(now, green, Sensing("full"))
    return next(pain for pain in verdict.pains if pain.source == source)


def places(cause: Cause) -> list[tuple[str, int]]:
    """The file and one-based line of each edit."""
    return [place(edit) for edit in cause.edits]


def place(edit: Edit) -> tuple[str, int]:
    return edit.path, edit.after.start.line + 1


def test_two_culprits_among_ten_hunks(make_engine: MakeEngine) -> None:
    engine = make_engine(PROJECT)
    green = engine.disk()
    now = edited(green, ALL_TEN)
    heard: list[CauseProgress] = []
    pain = pain_of(engine, green, now, "tests")
    cause = find_cause(engine, green, now, pain, progress=heard.append)
    assert cause.status == "found", cause.message
    # Either alone leaves the test passing.
    assert places(cause) == [("shop.py", 14), ("till.py", 5)]
    assert cause.minimal
    assert cause.tried == heard[-1].tried == len(heard)
    assert heard[0].left == 10
    assert heard[-1].left < 10
    assert "2 edits of 10" in cause.message


def test_a_static_pain_is_looked_for_by_its_sensor(make_engine: MakeEngine) -> None:
    engine = make_engine(PROJECT)
    green = engine.disk()
    now = edited(green, {"shop.py": SPOILT_SHOP.replace("def price2", "def cost2"), "till.py": SPOILT_TILL})
    cause = find_cause(engine, green, now, pain_of(engine, green, now, "types"))
    assert cause.status == "found", cause.message
    assert places(cause) == [("shop.py", 9)]


def test_an_error_of_syntax(make_engine: MakeEngine) -> None:
    engine = make_engine({"a.py": "x = 1\n\n\n\ny = 2\n\n\n\nz = 3\n"})
    green = engine.disk()
    now = edited(green, {"a.py": "x = 10\n\n\n\ny = (\n\n\n\nz = 30\n"})
    cause = find_cause(engine, green, now, pain_of(engine, green, now, "syntax"))
    assert (cause.status, places(cause)) == ("found", [("a.py", 5)])


def test_a_pain_that_was_there_before_or_does_not_show(make_engine: MakeEngine) -> None:
    engine = make_engine(
        {"shop.py": SPOILT_SHOP, "till.py": SPOILT_TILL, "test_shop.py": TEST.replace(" or ", " and ")}
    )
    green = engine.disk()
    now = edited(green, {"shop.py": SPOILT_SHOP + "x = 1\n"})
    pain = next(one for one in engine.sense(now, None, Sensing("full")).pains if one.source == "tests")
    assert find_cause(engine, green, now, pain).status == "nothing"
    assert find_cause(engine, green, green, pain).status == "nothing"
    assert find_cause(engine, green, edited(green, {"shop.py": SHOP, "till.py": TILL}), pain).status == "unknown"


def test_it_ends_when_nobody_waits_or_time_is_up(make_engine: MakeEngine) -> None:
    engine = make_engine(PROJECT)
    green = engine.disk()
    now = edited(green, ALL_TEN)
    pain = pain_of(engine, green, now, "tests")
    began = time.monotonic()
    with pytest.raises(Cancelled):
        find_cause(engine, green, now, pain, cancelled=lambda: time.monotonic() > began + 0.5)
    assert time.monotonic() - began < 2.5
    assert find_cause(engine, green, now, pain, deadline=0.0).status == "unknown"

    tries = 0

    def slow_down(_: CauseProgress) -> None:
        nonlocal tries
        tries += 1
        if tries == 4:
            time.sleep(8.0)

    cause = find_cause(engine, green, now, pain, deadline=8.0, progress=slow_down)
    assert (cause.status, cause.minimal) == ("found", False)
    assert len(cause.edits) > 2


def test_from_the_last_green_state(make_engine: MakeEngine) -> None:
    engine = make_engine({"a.py": "x = 1\n", "b.py": "import a\n\nprint(a.x)\n"})
    history = VerdictHistory()
    history.settled(edited(engine.disk(), {"a.py": "x = 2\n"}), "green")
    now = edited(engine.disk(), {"a.py": "y = 2\n"})
    way = history.way_back(now)
    assert way is not None
    cause = find_cause(engine, way.green, now, pain_of(engine, way.green, now, "types"))
    [edit] = cause.edits
    assert (edit.old_text, edit.new_text) == ("x = 2\n", "y = 2\n")
