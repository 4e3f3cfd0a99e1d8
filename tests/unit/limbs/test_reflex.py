"""The reflex loop, driven with canned replies and a clock that a test owns: no processes, no files, no waiting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from octolimb.core.document import text_document
from octolimb.core.overlay import Overlay
from octolimb.core.paths import RelPath
from octolimb.core.proposals import Decision
from octolimb.core.snapshot import Kind, Snapshot
from octolimb.core.verdicts import Isolation, Outcome, TestResult, Verdict
from octolimb.limbs.candidates import Candidate, TextEdit, Trial, TrialStatus
from octolimb.limbs.effects import (
    Confirm,
    Effect,
    Generate,
    Judge,
    LimbOutcome,
    LimbState,
    Rank,
    Reply,
    Sense,
    Stage,
    Twitch,
)
from octolimb.limbs.pain import Pain
from octolimb.limbs.reflex import Budget, reflex

PATH = RelPath("a.py")
SOURCE = "x = 0\n"


class _NoDisk:
    def kind(self, path: str) -> Kind | None:
        return None if path else "directory"

    def read(self, path: RelPath) -> None:
        return None

    def names(self, directory: str) -> Mapping[str, Kind]:
        return {}

    def spelling(self, path: RelPath) -> str:
        return path

    def inside(self, target: str) -> str | None:
        return None


START = Snapshot(_NoDisk(), (Overlay({PATH: text_document(PATH, SOURCE)}), Overlay()))


def failing(*names: str) -> Pain:
    return Pain(tuple(TestResult(name, Outcome.FAILED, 1.0, "assert 0") for name in names))


def candidate(value: str) -> Candidate:
    return Candidate((TextEdit(PATH, 4, 5, value),), "constant", 1.0, f"x becomes {value}")


def verdict(*, green: bool) -> Verdict:
    return Verdict("/r", 1, green, not green, complete=True, level="cold", isolation=Isolation("overlay", "full", True))


@dataclass
class World:
    """Answers a limb from tables: which value passes, which only helps, what the pain is then."""

    coders: dict[str, list[str]]
    passes: Sequence[str] = ()
    helps: Mapping[str, Pain] = field(default_factory=dict)
    pain: Pain = field(default_factory=lambda: failing("t.py::test_a"))
    holds: Callable[[str], bool] = lambda _: True
    decision: str = "allow"
    seconds_a_batch: float = 0.1
    cancel_after: int = 10**9
    now: float = 0.0
    asked: list[str] = field(default_factory=list)

    def run(self, budget: Budget | None = None, order: Sequence[str] = ("first", "second")) -> LimbOutcome:
        limb = reflex(
            START,
            order,
            budget or Budget(seconds=10),
            clock=lambda: self.now,
            cancelled=lambda: len(self.asked) >= self.cancel_after,
        )
        try:
            effect = next(limb)
            while True:
                effect = limb.send(self.answer(effect))
        except StopIteration as end:
            outcome: LimbOutcome = end.value
            return outcome

    def answer(self, effect: Effect) -> Reply:
        self.asked.append(type(effect).__name__)
        match effect:
            case Sense(snapshot):
                return self.helps.get(_value(snapshot), self.pain)
            case Generate(coder, _, _):
                batch, self.coders[coder] = self.coders[coder][:2], self.coders[coder][2:]
                return tuple(candidate(value) for value in batch)
            case Twitch(_, _, candidates, _):
                self.now += self.seconds_a_batch
                return tuple(self._try(one) for one in candidates)
            case Rank(_, _, candidates):
                return candidates
            case Stage(snapshot, chosen):
                return chosen.apply(snapshot)
            case Confirm(snapshot, _):
                return verdict(green=self.holds(_value(snapshot)))
            case Judge(_):
                return Decision(self.decision, (), "p" * 64, "c" * 64)  # type: ignore[arg-type]

    def _try(self, one: Candidate) -> Trial:
        value = one.edits[0].text
        status: TrialStatus = "passed" if value in self.passes else "failed"
        return Trial(one, status)


def _value(snapshot: Snapshot) -> str:
    return snapshot.document(PATH).text[4:5]


def _values(outcome: LimbOutcome) -> list[str]:
    return [_value(solution.snapshot) for solution in outcome.retracted]


def test_where_nothing_hurts_nothing_is_tried() -> None:
    world = World({"first": ["1"], "second": []}, pain=Pain())
    outcome = world.run()
    assert outcome.state is LimbState.SURRENDERED
    assert world.asked == ["Sense"]


def test_the_first_that_passes_is_confirmed_judged_and_retracted() -> None:
    world = World({"first": ["1", "2"], "second": ["3"]}, passes="2")
    outcome = world.run()
    assert outcome.state is LimbState.PROPOSED
    assert _values(outcome) == ["2"]
    assert outcome.retracted[0].coder == "first"
    assert world.asked[-3:] == ["Stage", "Confirm", "Judge"]


def test_the_dearer_coder_is_asked_only_when_the_cheaper_is_spent() -> None:
    world = World({"first": ["1"], "second": ["7"]}, passes="7")
    outcome = world.run()
    assert _values(outcome) == ["7"]
    assert outcome.retracted[0].coder == "second"
    assert outcome.attempts == 2


def test_what_does_not_hold_when_confirmed_is_not_proposed() -> None:
    world = World({"first": ["1", "2"], "second": []}, passes="12", holds=lambda value: value == "2")
    outcome = world.run()
    assert _values(outcome) == ["2"]
    assert any("x becomes 1" in line for line in outcome.refused)


def test_when_nothing_holds_the_limb_surrenders_and_says_why() -> None:
    outcome = World({"first": ["1"], "second": []}, passes="1", holds=lambda _: False).run()
    assert outcome.state is LimbState.SURRENDERED
    assert not outcome.retracted
    assert "did not hold" in outcome.why


def test_not_more_proposals_than_asked_for() -> None:
    world = World({"first": list("1234"), "second": []}, passes="1234")
    assert len(world.run(Budget(seconds=10, proposals=2)).retracted) == 2


def test_the_search_stops_when_the_seconds_are_spent() -> None:
    world = World({"first": list("12345678"), "second": []}, seconds_a_batch=2.0)
    outcome = world.run(Budget(seconds=5, reserve=1))
    assert outcome.state is LimbState.SURRENDERED
    assert outcome.attempts == 4
    assert "--budget" in outcome.why


def test_the_search_stops_when_the_attempts_are_spent() -> None:
    world = World({"first": list("12345678"), "second": []})
    assert world.run(Budget(seconds=100, attempts=4)).attempts == 4


def test_once_something_passed_no_further_batch_is_tried() -> None:
    world = World({"first": list("12345678"), "second": ["9"]}, passes="19")
    outcome = world.run()
    assert _values(outcome) == ["1"]
    assert outcome.attempts == 2


def test_a_cancelled_limb_stops_and_proposes_nothing() -> None:
    world = World({"first": list("1234"), "second": []}, passes="4", cancel_after=3)
    outcome = world.run()
    assert outcome.state is LimbState.CANCELLED
    assert not outcome.retracted


def test_what_stops_some_of_the_pain_is_staged_and_built_upon() -> None:
    world = World(
        {"first": ["1", "5", "9"], "second": []},
        pain=failing("t.py::test_a", "t.py::test_b"),
        helps={"1": failing("t.py::test_b")},
        passes="19",
    )
    outcome = world.run()
    assert outcome.state is LimbState.PROPOSED
    assert [candidate.note for candidate in outcome.retracted[0].candidates] == ["x becomes 1", "x becomes 9"]
    assert not outcome.retracted[0].spared


def test_of_several_the_one_that_leaves_the_least_pain_is_staged() -> None:
    three = ("t.py::test_a", "t.py::test_b", "t.py::test_c")
    world = World(
        {"first": ["1", "2"], "second": []},
        pain=failing(*three),
        helps={"1": failing(*three[1:]), "2": failing(three[2])},
        passes="12",
    )
    assert _values(world.run()) == ["2"]


def test_what_stops_all_of_the_pain_is_preferred_to_what_stops_some() -> None:
    world = World(
        {"first": ["1", "2"], "second": []},
        pain=failing("t.py::test_a", "t.py::test_b"),
        helps={"1": failing("t.py::test_b"), "2": Pain()},
        passes="12",
    )
    assert _values(world.run()) == ["2"]


def test_less_pain_is_proposed_with_what_it_leaves_undone() -> None:
    world = World(
        {"first": ["1"], "second": []},
        pain=failing("t.py::test_a", "t.py::test_b"),
        helps={"1": failing("t.py::test_b")},
        passes="1",
    )
    outcome = world.run()
    assert _values(outcome) == ["1"]
    assert outcome.retracted[0].spared == ("t.py::test_b",)


def test_what_only_moves_the_pain_ends_the_limb() -> None:
    both = failing("t.py::test_a", "t.py::test_b")
    outcome = World({"first": ["1"], "second": []}, pain=both, helps={"1": both}, passes="1").run()
    assert outcome.state is LimbState.SURRENDERED
    assert not outcome.retracted


def test_what_the_guard_denies_is_retracted_with_its_decision() -> None:
    outcome = World({"first": ["1"], "second": []}, passes="1", decision="deny").run()
    assert [solution.decision.decision for solution in outcome.retracted] == ["deny"]
