"""A stream of reports is believed as far as its chain of seals holds."""

from __future__ import annotations

import pytest

from octolimb.sense.tests.seal import seal, unseal

KEY = b"k" * 32
STREAM = seal([b"[1]\n", b"[2]\n[3]\n"], KEY)


def test_what_was_sealed_comes_back_without_its_seals() -> None:
    unsealed = unseal(STREAM, KEY)
    assert (unsealed.lines, unsealed.rest, unsealed.broken) == (b"[1]\n[2]\n[3]\n", b"", False)


def test_what_nobody_sealed_is_left_over() -> None:
    unsealed = unseal(STREAM + b"[4]\n", KEY)
    assert (unsealed.lines, unsealed.rest, unsealed.broken) == (b"[1]\n[2]\n[3]\n", b"[4]\n", False)


@pytest.mark.parametrize(
    "forged",
    [
        seal([b"[1]\n"], b"x" * 32),
        b"[0]\n" + STREAM,
        STREAM.replace(b"[1]", b"[7]"),
        STREAM[STREAM.index(b"[2]") :],
        b"=\n" + STREAM,
    ],
)
def test_another_key_an_addition_a_change_and_a_removal_break_the_chain(forged: bytes) -> None:
    unsealed = unseal(forged, KEY)
    assert (unsealed.lines, unsealed.broken) == (b"", True)


def test_a_change_behind_a_seal_leaves_what_came_before() -> None:
    unsealed = unseal(STREAM.replace(b"[3]", b"[7]"), KEY)
    assert (unsealed.lines, unsealed.broken) == (b"[1]\n", True)


@pytest.mark.parametrize("cut", range(len(STREAM)))
def test_a_stream_cut_anywhere_is_short_and_never_broken_but_in_a_seal(cut: int) -> None:
    unsealed = unseal(STREAM[:cut], KEY)
    assert b"[1]\n[2]\n[3]\n".startswith(unsealed.lines)
    assert not unsealed.broken
