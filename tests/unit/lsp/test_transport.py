from __future__ import annotations

import pytest

from octolimb.core.errors import BadInput
from octolimb.lsp.transport import parse_loopback


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("127.9.9.9:65535", ("127.9.9.9", 65535)),
        ("localhost:80", ("127.0.0.1", 80)),
        ("[::1]:80", ("::1", 80)),
    ],
)
def test_this_machine_may_be_listened_on(address: str, wanted: tuple[str, int]) -> None:
    assert parse_loopback(address) == wanted


@pytest.mark.parametrize(
    "address", ["0.0.0.0:80", "[::]:80", ":80", "192.168.0.1:80", "example.invalid:80", "127.0.0.1.invalid:80"]
)
def test_nothing_beyond_it(address: str) -> None:
    with pytest.raises(BadInput, match="not a loopback address"):
        parse_loopback(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:-1", "127.0.0.1:65536", ""])
def test_a_port_is_needed(address: str) -> None:
    with pytest.raises(BadInput):
        parse_loopback(address)
