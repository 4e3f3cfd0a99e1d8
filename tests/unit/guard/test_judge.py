"""The judge: the worst ruling wins, in a fixed order, and whatever fails denies."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from octolimb.core.changes import ChangeSet
from octolimb.core.paths import RelPath
from octolimb.core.proposals import Outcome, Reason
from octolimb.guard import judge as judge_module
from octolimb.guard.credentials import Hit
from octolimb.guard.judge import digest_of, judge, weigh
from octolimb.guard.policies import PolicySet
from octolimb.guard.rulings import Ruling

Edit = Callable[..., ChangeSet]


class NoSecrets:
    def scan(self, content: bytes, seconds: float) -> list[Hit]:
        return []


class BrokenScanner:
    def scan(self, content: bytes, seconds: float) -> list[Hit]:
        raise ZeroDivisionError(content.decode())


class BrokenDisk:
    def resolve(self, path: str) -> str | None:
        raise OSError("no")

    def shared_identity(self, path: str) -> tuple[int, int] | None:
        return None

    def identities_below(self, directory: str) -> frozenset[tuple[int, int]]:
        return frozenset()


def ruling(outcome: Outcome, policy: str = "p", path: str = "a.py") -> Ruling:
    return Ruling(outcome, Reason(policy, RelPath(path), f"{path}: {outcome}"))


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], "allow"),
        (["allow"], "allow"),
        (["allow", "ask"], "ask"),
        (["ask", "deny", "allow"], "deny"),
        (["deny", "deny"], "deny"),
    ],
)
def test_the_worst_wins(outcomes: list[Outcome], expected: str) -> None:
    decision = weigh([ruling(outcome) for outcome in outcomes], policies="", change_set="")
    assert decision.decision == expected
    assert all(reason.message.endswith(expected) for reason in decision.reasons)


def test_the_order_of_rulings_does_not_matter() -> None:
    rulings = [ruling("deny", "b"), ruling("deny", "a", "z.py"), ruling("deny", "a"), ruling("ask")]
    one = weigh(rulings, policies="", change_set="")
    assert one == weigh(rulings[::-1], policies="", change_set="")
    assert [(reason.policy, reason.path) for reason in one.reasons] == [("a", "a.py"), ("a", "z.py"), ("b", "a.py")]


def test_a_harmless_change_is_allowed(edit: Edit) -> None:
    change_set = edit("src/app.py", "x = 1\n", "x = 2\n")
    decision = judge(PolicySet(), change_set, role="repair", scanner=NoSecrets())
    assert (decision.decision, decision.reasons) == ("allow", ())
    assert decision.change_set == change_set.digest
    assert decision.policies == digest_of(PolicySet())


def test_the_empty_change_set_is_allowed() -> None:
    assert judge(PolicySet(), ChangeSet(), scanner=NoSecrets()).decision == "allow"


def test_a_rule_that_fails_denies_without_quoting(edit: Edit, caplog: pytest.LogCaptureFixture) -> None:
    decision = judge(PolicySet(), edit("src/quoted.py", None, "x = 1\n"), scanner=BrokenScanner())
    assert decision.decision == "deny"
    assert [reason.policy for reason in decision.reasons] == ["no-secrets"]
    assert "ZeroDivisionError" in decision.reasons[0].message
    assert "quoted" not in decision.reasons[0].message + caplog.text


def test_a_disk_that_fails_denies(edit: Edit) -> None:
    decision = judge(PolicySet(), edit("src/app.py", None, "x\n"), files=BrokenDisk(), scanner=NoSecrets())
    assert [reason.policy for reason in decision.reasons] == ["protected-paths"]


def test_a_source_too_deep_to_parse_denies(edit: Edit) -> None:
    deep = "x = " + "-" * 100_000 + "1\n"
    assert judge(PolicySet(), edit("src/app.py", None, deep), role="repair", scanner=NoSecrets()).decision == "deny"


def test_roles_differ_over_tests(edit: Edit) -> None:
    change_set = edit("tests/test_a.py", "def test_a():\n    assert 1\n", "def test_a():\n    assert 1 == 1 + 0\n")
    assert judge(PolicySet(), change_set, role="repair", scanner=NoSecrets()).decision == "deny"
    assert judge(PolicySet(), change_set, role="person", scanner=NoSecrets()).decision == "allow"


def test_a_problem_with_the_policies_denies_everything(edit: Edit) -> None:
    problem = Reason("policy-files", RelPath(".intent/a.toml"), "cannot be read")
    decision = judge(PolicySet(problems=(problem,)), edit("a.txt", None, "x"), scanner=NoSecrets())
    assert decision.reasons == (problem,)


def test_the_digest_covers_the_built_in_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest_of(PolicySet())
    monkeypatch.setattr(judge_module, "_BUILT_IN_VERSIONS", (("no-secrets", 2),))
    assert digest_of(PolicySet()) != before
