from __future__ import annotations

from pathlib import Path

import pytest

from octolimb.shadow.environment import child_environment, path_with
from octolimb.shadow.plan import FALLBACK_HOME, follow_links, plan_view


def hidden(root: Path, *keep: Path) -> list[str]:
    return [place["path"] for place in plan_view(root, keep, area_bytes=1).request["hide"]]


def test_temporary_directories_and_the_home_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"/tmp", "/var/tmp", "/run"} <= set(hidden(Path("/srv/repo")))


def test_nested_places_are_hidden_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    places = hidden(Path("/srv/repo"))
    assert not any(one != other and Path(other) in Path(one).parents for one in places for other in places)


def test_a_home_that_is_the_repository_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    plan = plan_view(tmp_path, (), area_bytes=1)
    assert plan.home == FALLBACK_HOME
    assert str(tmp_path) not in [place["path"] for place in plan.request["hide"]]


@pytest.mark.parametrize("home", ["/", "/usr/sbin", "/bin", "/nonexistent", "", "relative"])
def test_a_home_of_the_system_is_not_hidden(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.setenv("HOME", home)
    plan = plan_view(Path("/srv/repo"), (), area_bytes=1)
    assert home not in [place["path"] for place in plan.request["hide"]]
    assert plan.home == FALLBACK_HOME


def test_only_what_would_be_hidden_is_put_back(tmp_path: Path) -> None:
    inside, below = tmp_path / "a", tmp_path / "a" / "b"
    below.mkdir(parents=True)
    request = plan_view(Path("/srv/repo"), (Path("/usr"), inside, below), area_bytes=1).request
    assert request["keep"] == [str(inside)]


def test_what_lies_in_the_root_comes_with_it(tmp_path: Path) -> None:
    assert plan_view(tmp_path, (tmp_path / ".venv",), area_bytes=1).request["keep"] == []


def test_links_are_named_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to(tmp_path / "real")
    links, end = follow_links(tmp_path / "one" / "deep")
    assert links == [(f"{tmp_path}/one", "two"), (f"{tmp_path}/two", f"{tmp_path}/real")]
    assert end == f"{tmp_path}/real/deep"


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    links, _ = follow_links(tmp_path / "loop")
    assert len(links) <= 40


def test_the_environment_is_a_list_of_what_may_come_in() -> None:
    ours = {"LANG": "de_DE.UTF-8", "LC_ALL": "C", "TZ": "UTC", "AWS_SECRET": "x", "PATH": "/evil", "PYTHONPATH": "/x"}
    environment = child_environment(ours, {"EXTRA": "1"}, home="/h", temporary="/t")
    assert environment == {
        "LANG": "de_DE.UTF-8",
        "LC_ALL": "C",
        "TZ": "UTC",
        "HOME": "/h",
        "TMPDIR": "/t",
        "EXTRA": "1",
        "PATH": path_with(),
    }


def test_the_path_leads_with_what_is_given() -> None:
    assert path_with(Path("/v/bin")).split(":")[0] == "/v/bin"
    assert path_with().split(":")[0] == "/usr/local/sbin"
