"""Tells which part of a stream of reports was really written by our reporter. Bytes in, bytes out.

The reporter ends each batch of lines with `=` and a keyed digest of everything that it wrote so far. Whoever writes to
the descriptor without the key, or takes something out of it, breaks that chain. It does NOT protect against code that
gets hold of the reporter itself: both live in one process.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

KEY_BYTES: Final = 32
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True)
class Unsealed:
    """`lines` are the whole lines under an unbroken chain; `rest` is what follows. `broken`: a seal there is wrong."""

    lines: bytes
    rest: bytes
    broken: bool


def unseal(stream: bytes, key: bytes) -> Unsealed:
    """The sealed beginning of `stream`, without its seals."""
    state = blake2b(key=key, digest_size=_DIGEST_BYTES)
    sealed: list[bytes] = []
    start = end = 0
    while (newline := stream.find(b"\n", end)) >= 0:
        line, line_start, end = stream[end:newline], end, newline + 1
        if not line.startswith(b"="):
            continue
        batch = stream[start:line_start]
        state.update(batch)
        if not hmac.compare_digest(state.hexdigest().encode(), line[1:]):
            return Unsealed(b"".join(sealed), stream[start:], broken=True)
        sealed.append(batch)
        start = end
    return Unsealed(b"".join(sealed), stream[start:], broken=False)


def seal(batches: list[bytes], key: bytes) -> bytes:
    """What the reporter makes of these batches of lines."""
    state = blake2b(key=key, digest_size=_DIGEST_BYTES)
    stream = b""
    for batch in batches:
        state.update(batch)
        stream += batch + b"=" + state.hexdigest().encode() + b"\n"
    return stream
