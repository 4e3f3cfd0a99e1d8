"""From a person's yes to what may be made of it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from tests.support.offered import GREEN, Texts, edited, offered
from tests.unit.engine.conftest import MakeEngine

from octolimb.core.errors import BadInput, Cancelled, NotFound, TimeIsUp
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.engine.accepting import Acceptance, Accepting, Truth
from octolimb.engine.engine import Engine
from octolimb.engine.needs import find_needs
from octolimb.engine.proposals import ProposalStore, StoredProposal
from octolimb.shadow.reaping import descendants

CALC = "def two():\n    return 3\n\n\nUNTOUCHED = 1\n\n\ndef three():\n    return 4\n"
TWO = CALC.replace("3", "2")
MENDED = TWO.replace("4", "3")
LOOSE_TEST = "import calc\n\n\ndef test_two():\n    assert calc.two() == 2\n"
TEST = LOOSE_TEST + "\n\ndef test_three():\n    assert calc.three() == 3\n"
PROJECT = {"calc.py": CALC, "test_calc.py": TEST, "other.py": "x = 1\n"}
GOAL = ("test_calc.py::test_two", "test_calc.py::test_three")

LOOSE = "A = 0\n\n\ndef two():\n    return 1 + 1\n\n\nB = 1\n"
BOUND = "A = 1\n\n\ndef two():\n    return twice(1)\n\n\nB = 1\n\n\ndef twice(x):\n    return 2 * x\n"


@dataclass
class Desk:
    """A person's editor: what it holds, and a store with one proposal."""

    engine: Engine
    truth: Truth
    stored: StoredProposal
    store: ProposalStore
    asked: int = 0
    meanwhile: Callable[[], None] = field(default=lambda: None)

    def current(self) -> Truth:
        self.asked += 1
        if self.asked > 1:
            self.meanwhile()
        return self.truth

    def type(self, texts: Texts) -> None:
        self.truth = Truth(edited(self.truth.snapshot, texts), self.truth.epoch)

    def accept(self, *hunks: str, confirmed: bool = False) -> Acceptance:
        return self.accepting.accept(self.stored.id, hunks or None, confirmed=confirmed)

    @property
    def accepting(self) -> Accepting:
        return Accepting(self.engine, self.store, self.current)


MakeDesk = Callable[..., Desk]


@pytest.fixture
def desk(make_engine: MakeEngine) -> MakeDesk:
    """`desk(project, texts, goal=...)`: the project open in an editor, and a limb that proposes the texts."""

    def make(project: dict[str, str], texts: Texts, goal: tuple[str, ...] = ()) -> Desk:
        engine = make_engine(project)
        store = ProposalStore()
        snapshot = engine.disk()
        [stored] = store.add("limb", offered(snapshot, texts, goal=goal), epoch=1)
        return Desk(engine, Truth(snapshot, 1), stored, store)

    return make


def text_after(acceptance: Acceptance, snapshot: Snapshot | None = None) -> str | None:
    assert acceptance.change_set is not None
    [change] = acceptance.change_set
    if snapshot is not None:
        assert change.before == snapshot.get(change.old_path)
    return change.after.text if change.after else None


def test_a_whole_proposal_stands_while_nothing_changed(desk: MakeDesk) -> None:
    person = desk(PROJECT, {"calc.py": MENDED}, GOAL)
    acceptance = person.accept()
    assert (acceptance.status, acceptance.hunks, acceptance.verdict) == ("ready", ("h1", "h2"), GREEN)
    assert text_after(acceptance, person.truth.snapshot) == MENDED
    assert acceptance.decision is not None
    assert acceptance.decision.change_set == person.stored.proposal.change_set.digest
    assert person.store.get(person.stored.id).state == "open"


def test_one_of_two_hunks_is_sensed_again(desk: MakeDesk) -> None:
    person = desk(PROJECT, {"calc.py": MENDED}, GOAL)
    acceptance = person.accept("h1")
    assert acceptance.status == "ready", acceptance.message
    assert text_after(acceptance) == TWO
    assert acceptance.verdict is not None
    assert (acceptance.verdict.green, acceptance.verdict.regressed) == (False, False)
    assert "test_three" in acceptance.message
    # What nobody chose is left to choose.
    person.store.accept(person.stored.id, ["h1"])
    person.type({"calc.py": TWO})
    acceptance = person.accept()
    assert (acceptance.status, acceptance.hunks) == ("ready", ("h2",)), acceptance.message
    assert text_after(acceptance, person.truth.snapshot) == MENDED
    assert acceptance.verdict is not None
    assert acceptance.verdict.green


def test_a_hunk_that_needs_another(desk: MakeDesk) -> None:
    person = desk({"calc.py": LOOSE, "test_calc.py": LOOSE_TEST}, {"calc.py": BOUND})
    acceptance = person.accept("h2")
    assert (acceptance.status, acceptance.needs) == ("regressed", ("h3",)), acceptance.message
    assert acceptance.change_set is None
    assert "h3" in acceptance.message
    tried = person.accepting.try_hunks(person.stored.id, ["h1", "h2"])
    assert (tried.status, tried.needs) == ("tried", ("h3",))
    assert person.accept("h2", "h3").status == "ready"


def test_needs_are_found_by_trying(desk: MakeDesk) -> None:
    person = desk({"calc.py": LOOSE, "test_calc.py": LOOSE_TEST}, {"calc.py": BOUND})
    heard: dict[str, tuple[str, ...]] = {}
    found = find_needs(person.engine, person.stored, deadline=60.0, found=heard.__setitem__)
    assert found == heard == {"h1": (), "h2": ("h3",), "h3": ()}
    person.store.keep_needs(person.stored.id, found)
    assert find_needs(person.engine, person.stored, deadline=60.0, cancelled=lambda: True) == {}
    assert find_needs(person.engine, person.stored, deadline=0.0) == {}


def test_one_hunk_needs_nothing(desk: MakeDesk) -> None:
    person = desk(PROJECT, {"calc.py": TWO})
    assert find_needs(person.engine, person.stored, deadline=0.0) == {"h1": ()}


def test_a_base_that_moved_is_merged_and_sensed(desk: MakeDesk) -> None:
    person = desk(PROJECT, {"calc.py": MENDED}, GOAL)
    person.type({"calc.py": CALC.replace("UNTOUCHED = 1", "TYPED = 2")})
    acceptance = person.accept()
    assert acceptance.status == "ready", acceptance.message
    assert text_after(acceptance, person.truth.snapshot) == MENDED.replace("UNTOUCHED = 1", "TYPED = 2")
    assert acceptance.verdict is not GREEN


def test_another_file_that_changed_has_it_sensed_again(desk: MakeDesk) -> None:
    person = desk(PROJECT, {"calc.py": MENDED}, GOAL)
    person.truth = Truth(person.truth.snapshot, epoch=2)
    acceptance = person.accept()
    assert acceptance.status == "ready"
    assert acceptance.verdict is not GREEN
    assert acceptance.verdict is not None
    assert acceptance.verdict.green


def test_the_same_lines_are_a_conflict(desk: MakeDesk) -> None:
    person = desk(PROJECT, {"calc.py": MENDED}, GOAL)
    person.type({"calc.py": CALC.replace("return 3", "return 7")})
    acceptance = person.accept()
    assert (acceptance.status, acceptance.conflicts) == ("conflict", ("calc.py",))
    assert acceptance.change_set is None


def test_a_directory_in_the_place_of_a_new_file_is_a_conflict(desk: MakeDesk) -> None:
    person = desk(PROJECT, {"notes": "x\n"})
    person.type({"notes/a.txt": "y\n"})
    acceptance = person.accept()
    assert (acceptance.status, acceptance.conflicts) == ("conflict", ("notes",))


def test_what_is_so_already_changes_nothing(desk: MakeDesk) -> None:
    person = desk(PROJECT, {"calc.py": MENDED}, GOAL)
    person.type({"calc.py": MENDED})
    acceptance = person.accept()
    assert (acceptance.status, bool(acceptance.change_set)) == ("ready", False)


def test_the_guard_asks_a_person(desk: MakeDesk) -> None:
    person = desk(PROJECT, {"Makefile": "all:\n\ttrue\n"})
    acceptance = person.accept()
    assert (acceptance.status, acceptance.change_set) == ("ask", None)
    assert acceptance.decision is not None
    assert acceptance.decision.decision == "ask"
    assert person.accept(confirmed=True).status == "ready"


def test_the_guard_denies_a_token(desk: MakeDesk) -> None:
    token = "ghp_" + "Qx7Zr9Lk2" * 4
    person = desk(PROJECT, {"calc.py": f'TOKEN = "{token}"\n' + MENDED}, GOAL)
    acceptance = person.accept(confirmed=True)
    assert (acceptance.status, acceptance.change_set) == ("denied", None)
    assert token not in acceptance.message


def test_a_truth_that_moves_once_restarts(desk: MakeDesk) -> None:
    person = desk(PROJECT, {"calc.py": MENDED}, GOAL)

    def type_once() -> None:
        if person.asked == 2:
            person.type({"other.py": "x = 2\n"})

    person.meanwhile = type_once
    acceptance = person.accept()
    assert acceptance.status == "ready", acceptance.message
    assert acceptance.truth is not None
    assert acceptance.truth.snapshot.document(RelPath("other.py")).text == "x = 2\n"


def test_a_truth_that_keeps_moving_is_stale(desk: MakeDesk) -> None:
    person = desk(PROJECT, {"calc.py": MENDED}, GOAL)
    person.meanwhile = lambda: person.type({"other.py": f"x = {person.asked}\n"})
    acceptance = person.accept()
    assert (acceptance.status, acceptance.change_set) == ("stale", None)


def test_what_is_not_there_is_refused(desk: MakeDesk) -> None:
    person = desk(PROJECT, {"calc.py": MENDED}, GOAL)
    with pytest.raises(BadInput, match="h9"):
        person.accept("h9")
    person.store.reject(person.stored.id)
    with pytest.raises(BadInput, match="nothing"):
        person.accept()
    with pytest.raises(NotFound):
        person.accepting.accept("p0")


def test_it_ends_when_nobody_waits_for_it(desk: MakeDesk) -> None:
    slow = "import time, calc\n\n\ndef test_slow():\n    time.sleep(600 if calc.two() == 2 else 0)\n"
    person = desk({"calc.py": CALC, "test_slow.py": slow}, {"calc.py": MENDED})
    _ = person.engine.host.isolation
    before = descendants(os.getpid())
    with pytest.raises(TimeIsUp):
        person.accepting.accept(person.stored.id, ["h1"], deadline=2.0)
    stopped = threading.Event()
    timer = threading.Timer(2.0, stopped.set)
    timer.start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        person.accepting.try_hunks(person.stored.id, ["h1"], cancelled=stopped.is_set)
    assert time.monotonic() - began < 4.0
    assert descendants(os.getpid()) <= before
