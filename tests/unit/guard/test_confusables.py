"""Disguises of one name share a skeleton; honest names in other scripts stay what they are."""

from __future__ import annotations

import pytest

from octolimb.guard.confusables import skeletons


@pytest.mark.parametrize(
    "disguise",
    [
        ".intent",
        ".INTENT",
        ".\u0456ntent",  # Cyrillic i
        ".\u0131ntent",  # dotless i
        ".\u0130ntent",  # dotted capital i
        "\uff0eintent",  # full-width stop
        "\u3002intent",  # ideographic full stop
        "\u2024intent",  # one dot leader
        ".in\u200btent",  # zero-width space
        ".in\u00adtent",  # soft hyphen
        ".in\u034ftent",  # combining grapheme joiner
        ".in\ufe0ftent",  # variation selector
        ".in\U000e0041tent",  # tag character
        ".\u24d8ntent",  # circled i
        ".\U0001d48antent",  # mathematical bold italic i
        ".\uff29\uff2e\uff34\uff25\uff2e\uff34",  # full-width capitals
        ".int\u0435nt",  # Cyrillic e
        ".i\u0578t\u0435\u0578t",  # Armenian vo
        ".int\u00e9nt",  # accent
        ".\u13a5ntent",  # Cherokee v
    ],
)
def test_disguises_fall(disguise: str) -> None:
    assert ".intent" in skeletons(disguise)


def test_a_small_l_may_be_a_capital_i() -> None:
    assert ".git" in skeletons(".g\u04cft")


@pytest.mark.parametrize("name", ["docs/intent.md", "日本語.py", "привет.py", "Ünïcode", "a1l0O"])
def test_honest_names_are_not_protected_names(name: str) -> None:
    assert not {".intent", ".git"} & set(skeletons(name))


def test_plain_names_only_lose_their_case() -> None:
    assert skeletons("Src/Main.PY") == ("src/main.py",)
