from __future__ import annotations

from tests.support.shadow_repository import Repository

from octolimb.shadow.probe import probe


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


def test_advice_is_one_line(repository: Repository) -> None:
    for capability in probe(repository.host):
        assert capability.advice
        assert "\n" not in capability.advice
