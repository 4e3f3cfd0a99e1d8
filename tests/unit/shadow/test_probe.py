from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.shadow_repository import Repository

from octolimb.shadow.host import ShadowHost
from octolimb.shadow.probe import probe
from octolimb.workspace.disk import DiskBase


def test_everything_holds_with_the_overlay(overlaid: Repository) -> None:
    found = {capability.name: capability.holds for capability in probe(overlaid.host)}
    names = ["overlay", "read-only", "network", "processes", "devices", "ipc", "landlock", "seccomp", "home"]
    assert found == dict.fromkeys(names, True)


def test_without_it_the_reason_and_the_loss_are_named(copied: Repository) -> None:
    found = {capability.name: capability for capability in probe(copied.host)}
    assert not found["overlay"].holds
    assert "OCTOLIMB_ISOLATION=copy" in found["overlay"].advice
    assert not found["network"].holds
    assert found["landlock"].holds
    assert found["seccomp"].holds
    assert found["home"].holds


@pytest.mark.parametrize(("others", "loss"), [((), "the mounts alone"), (("namespaces",), "nothing keeps tests from")])
def test_a_layer_that_is_not_there_is_said_to_be_missing(tmp_path: Path, others: tuple[str, ...], loss: str) -> None:
    """Without Landlock the overlay has another boundary, a copy has none."""
    with ShadowHost(DiskBase(tmp_path), _without=(*others, "landlock", "seccomp")) as host:
        found = {capability.name: capability for capability in probe(host)}
    assert not found["landlock"].holds
    assert not found["seccomp"].holds
    assert loss in found["landlock"].advice
    assert "left out" in found["landlock"].advice
    assert "left out" in found["seccomp"].advice


def test_advice_is_one_line(repository: Repository) -> None:
    for capability in probe(repository.host):
        assert capability.advice
        assert "\n" not in capability.advice
