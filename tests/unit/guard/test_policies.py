"""Policies from `.intent/`: read strictly, or nothing passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from octolimb.core.changes import ChangeSet
from octolimb.core.document import Document
from octolimb.core.errors import BadInput
from octolimb.core.paths import RelPath
from octolimb.guard.judge import digest_of, judge
from octolimb.guard.policies import PolicySet, load_policies
from octolimb.workspace.disk import DiskBase

Edit = Callable[..., ChangeSet]

GOOD = """
kind = "path"
id = "no-migrations"
statement = "migrations are written by people"
severity = "block"
[scope]
paths = ["migrations/", "*.SQL"]
"""


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., PolicySet]:
    def write_and_load(**files: str) -> PolicySet:
        (tmp_path / ".intent").mkdir(exist_ok=True)
        for name, text in files.items():
            (tmp_path / ".intent" / name.replace("__", ".")).write_text(text)
        return load_policies(DiskBase(tmp_path))

    return write_and_load


def test_no_directory_means_the_built_ins_alone(tmp_path: Path) -> None:
    assert load_policies(DiskBase(tmp_path)) == PolicySet()


def test_a_good_policy(load: Callable[..., PolicySet]) -> None:
    policies = load(a__toml=GOOD)
    assert policies.problems == ()
    assert [policy.id for policy in policies.policies] == ["no-migrations"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("migrations/0001.py", "deny"),
        ("app/migrations/x.py", "deny"),
        ("MIGRATIONS/0001.py", "deny"),
        ("m\u0456grations/0001.py", "deny"),
        ("dump.sql", "deny"),
        ("app/models.py", "allow"),
        ("migrations.py", "allow"),
    ],
)
def test_scope(path: str, expected: str, load: Callable[..., PolicySet], edit: Edit) -> None:
    assert judge(load(a__toml=GOOD), edit(path, None, "x = 1\n")).decision == expected


@pytest.mark.parametrize(("severity", "expected"), [("block", "deny"), ("ask", "ask"), ("warn", "allow")])
def test_severity(severity: str, expected: str, load: Callable[..., PolicySet], edit: Edit) -> None:
    decision = judge(load(a__toml=GOOD.replace('"block"', f'"{severity}"')), edit("x.sql", None, "x"))
    assert decision.decision == expected
    assert [reason.policy for reason in decision.reasons] == ["no-migrations"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind = ", "not TOML"),
        (GOOD.replace('kind = "path"\n', ""), "field kind"),
        (GOOD.replace('"path"', '"python"'), "field kind"),
        (GOOD.replace('"block"', '"maybe"'), "field severity"),
        (GOOD + 'path = ["x"]\n', "field scope.path"),
        ("extra = 1\n" + GOOD, "field extra"),
        (GOOD.replace("no-migrations", "no-secrets"), "built in"),
        (GOOD.replace("no-migrations", "Bad Id"), "field id"),
        (GOOD.replace('["migrations/", "*.SQL"]', "[]"), "field scope.paths"),
        (GOOD.replace('"*.SQL"', '"!x"'), "field scope.paths"),
        (GOOD.replace('["migrations/", "*.SQL"]', '"x"'), "field scope.paths"),
        (GOOD.replace('"no-migrations"', "7"), "field id"),
    ],
)
def test_what_cannot_be_read_denies_everything(
    text: str, said: str, load: Callable[..., PolicySet], edit: Edit
) -> None:
    decision = judge(load(bad__toml=text), edit("harmless.txt", None, "x"))
    assert decision.decision == "deny"
    assert decision.reasons[0].path == ".intent/bad.toml"
    assert said in decision.reasons[0].message


@pytest.mark.parametrize("name", ["a__yaml", "a__json", "a__py", "policy", "a__toml__bak"])
def test_a_file_that_this_version_cannot_evaluate_denies(name: str, load: Callable[..., PolicySet], edit: Edit) -> None:
    assert judge(load(**{name: GOOD}), edit("a.txt", None, "x")).decision == "deny"


def test_prose_beside_the_policies_is_no_policy(load: Callable[..., PolicySet]) -> None:
    assert load(README__md="hello", a__toml=GOOD).problems == ()


def test_two_files_with_one_id_deny(load: Callable[..., PolicySet]) -> None:
    assert len(load(a__toml=GOOD, b__toml=GOOD).problems) == 1


def test_policies_in_directories_below_count(tmp_path: Path) -> None:
    (tmp_path / ".intent/deep").mkdir(parents=True)
    (tmp_path / ".intent/deep/a.toml").write_text(GOOD)
    assert len(load_policies(DiskBase(tmp_path)).policies) == 1


def test_a_directory_that_is_a_link_denies(tmp_path: Path, edit: Edit) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".intent").symlink_to("elsewhere")
    assert judge(load_policies(DiskBase(tmp_path)), edit("a.txt", None, "x")).decision == "deny"


def test_a_policy_that_is_a_link_denies(tmp_path: Path) -> None:
    (tmp_path / ".intent").mkdir()
    (tmp_path / "a.toml").write_text(GOOD)
    (tmp_path / ".intent/a.toml").symlink_to("../a.toml")
    assert len(load_policies(DiskBase(tmp_path)).problems) == 1


class Unreadable(DiskBase):
    """A disk whose policy files may be listed but not read."""

    def read(self, path: RelPath) -> Document | None:
        raise BadInput(f"cannot read {path}: Permission denied", path=path)


def test_a_policy_that_may_not_be_read_denies(tmp_path: Path) -> None:
    (tmp_path / ".intent").mkdir()
    (tmp_path / ".intent/a.toml").write_text(GOOD)
    assert len(load_policies(Unreadable(tmp_path)).problems) == 1


def test_the_digest_moves_with_every_file(load: Callable[..., PolicySet]) -> None:
    digests = {digest_of(PolicySet()), digest_of(load(a__toml=GOOD))}
    digests.add(digest_of(load(a__toml=GOOD + "\n")))
    digests.add(digest_of(load(README__md="prose")))
    assert len(digests) == 4


def test_this_repository_reads_its_own() -> None:
    root = Path(__file__).parents[3]
    assert load_policies(DiskBase(root)).problems == ()
    assert load_policies(DiskBase(root)).policies
