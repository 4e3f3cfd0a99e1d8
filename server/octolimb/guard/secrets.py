"""The built-in rule `no-secrets`: no change may add a credential, in plain text or built from pieces.

A well-kept token scanner does the finding, over the text as it stands and over the strings that a Python file builds
(see `folding`); `credentials` adds what has no telling format. What the old version of the same file already held does
not count. Suppression comments have no effect. No message ever holds a secret, only a rule and a short digest.
It does not follow strings that are built at run time or spread over several files.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

import platformdirs

from octolimb.core.changes import Change, ChangeSet
from octolimb.core.document import Document
from octolimb.core.positions import Position, Span, utf16_length
from octolimb.core.proposals import Reason
from octolimb.guard.credentials import Hit, find_credentials, is_placeholder
from octolimb.guard.folding import FoldedText, FoldingError, folded_texts
from octolimb.guard.rulings import NO_SECRETS, Ruling
from octolimb.guard.sources import is_python, parse_python

VERSION: Final = 1

_MAX_BYTES: Final = 32 << 20
_MAX_SECONDS: Final = 20.0
"""For all files of a change set together; at 100 MB a second only a fault takes that long."""

_FIX: Final = "read it from the environment or a secret store; if it is real, revoke it, for it has been on this disk"


class Scanner(Protocol):
    """Finds credentials with a known format."""

    def scan(self, content: bytes, seconds: float) -> list[Hit]:
        """Hits with byte offsets. Raises `TimeoutError` after `seconds`, never returning part of an answer."""
        ...


@dataclass(frozen=True)
class _Place:
    """A hit in one version of a file: zero-based lines, `span` where the text itself shows it."""

    rule: str
    digest: str
    first: int
    last: int
    span: Span | None


def judge_secrets(change_set: ChangeSet, scanner: Scanner | None = None) -> list[Ruling]:
    """The rule `no-secrets`. Every new secret denies, and so does a file that cannot be searched to its end."""
    scanner = scanner or token_scanner()
    deadline = time.monotonic() + _MAX_SECONDS
    return [ruling for change in change_set for ruling in _judge_change(change, scanner, deadline)]


def warm_up() -> None:
    """Starts loading the token scanner in the background: 0.4 s, or 3 s and more where its rules are not yet cached."""
    threading.Thread(target=_load_ahead, name="secret-scanner", daemon=True).start()


def token_scanner() -> Scanner:
    """The process's one scanner, loaded on first use. Safe to call from several threads."""
    with _loading:
        return _load_scanner()


_loading = threading.Lock()


def _load_ahead() -> None:
    # What goes wrong here goes wrong again at the judgement, which then denies and says so.
    with contextlib.suppress(Exception):
        token_scanner()


@lru_cache(maxsize=1)
def _load_scanner() -> Scanner:
    # Only here: importing it maps 35 MB of native code that most commands never need.
    import kingfisher_sdk  # noqa: PLC0415

    cache = platformdirs.user_cache_path("octolimb") / "secret-rules"
    # Without a detection policy the scanner heeds no suppression comments.
    rules = kingfisher_sdk.Rules(confidence="medium", cache_dir=cache)
    native = kingfisher_sdk.Scanner(rules)

    class TokenScanner:
        def scan(self, content: bytes, seconds: float) -> list[Hit]:
            hits: list[Hit] = []
            for finding in native.scan(content, timeout=seconds):
                generic = ".generic" in finding.rule_id
                # Parts of a pair (an AWS secret without its key id) come as invisible; here they count.
                if not (generic and is_placeholder(finding.secret)):
                    place = finding.location
                    hits.append(Hit(finding.rule_id, finding.secret, place["start_offset"], place["end_offset"]))
            return hits

    return TokenScanner()


def _judge_change(change: Change, scanner: Scanner, deadline: float) -> Iterator[Ruling]:
    before, after = change.before, change.after
    if change.path != change.old_path or before is None:
        name = change.path.encode()
        for hit in scanner.scan(name, _remaining(deadline)):
            yield _denied(change, f"its name looks like a secret ({hit.rule}, sha256 {_digest(hit.secret)})", None)
    if after is None or (before is not None and before.data == after.data):
        return
    try:
        found = _places(after, scanner, deadline)
        known = {place.digest for place in _places(before, scanner, deadline)} if found and before else set()
    except (TimeoutError, FoldingError) as error:
        yield _denied(change, f"it could not be searched for secrets to the end ({error})", None)
        return
    fresh = [place for place in found if place.digest not in known]
    if not fresh:
        return
    added = {line for line, _ in change.added_lines} if before is not None and after.is_text else None
    reported: set[str] = set()
    for place in fresh:
        new = added is None or not added.isdisjoint(range(place.first, place.last + 1))
        # A built string can change by a piece elsewhere, so it counts wherever it stands.
        if (new or place.span is None) and place.digest not in reported:
            reported.add(place.digest)
            yield _denied(change, f"line {place.first + 1} adds what looks like a secret ({place.rule}, "
                          f"sha256 {place.digest})", place.span)  # fmt: skip


def _places(document: Document, scanner: Scanner, deadline: float) -> list[_Place]:
    """Raises `TimeoutError` and `FoldingError`."""
    if len(document.data) > _MAX_BYTES:
        raise TimeoutError(f"it has over {_MAX_BYTES >> 20} MB")
    if not document.is_text:
        hits = [*scanner.scan(document.data, _remaining(deadline))]
        hits += find_credentials(document.data.decode("latin-1"), python=False)
        return [_Place(hit.rule, _digest(hit.secret), 0, 0, None) for hit in hits]
    text = document.text
    found = list(_plain_places(text, scanner, deadline, python=is_python(document)))
    tree = parse_python(document)
    if tree is not None:
        built = [folded for folded in folded_texts(tree) if folded.label or folded.text not in text]
        found += _built_places(built, scanner, deadline)
    return sorted(found, key=lambda place: (place.first, place.span is None, place.rule))


def _plain_places(text: str, scanner: Scanner, deadline: float, *, python: bool) -> Iterator[_Place]:
    content = text.encode("utf-8", "surrogatepass")
    spots = [
        # The scanner counts bytes.
        (hit, len(content[: hit.start].decode("utf-8", "ignore")), len(content[: hit.end].decode("utf-8", "ignore")))
        for hit in scanner.scan(content, _remaining(deadline))
    ]
    spots += [(hit, hit.start, hit.end) for hit in find_credentials(text, python=python)]
    for hit, start, end in spots:
        span = Span(_position(text, start), _position(text, end))
        yield _Place(hit.rule, _digest(hit.secret), span.start.line, span.end.line, span)


def _built_places(built: Iterable[FoldedText], scanner: Scanner, deadline: float) -> Iterator[_Place]:
    """All built strings are searched as one text, each beside the name that it is given."""
    texts = list(dict.fromkeys(built))
    starts: list[int] = []
    size = 0
    lines: list[str] = []
    for folded in texts:
        starts.append(size)
        line = f'{folded.label} = "{folded.text}"\n\n' if folded.label else f"{folded.text}\n\n"
        lines.append(line)
        size += len(line)
    if not lines:
        return
    joined = "".join(lines)
    content = joined.encode("utf-8", "replace")
    spots = [
        (hit, len(content[: hit.start].decode("utf-8", "ignore")))
        for hit in scanner.scan(content, _remaining(deadline))
    ]
    spots += [(hit, hit.start) for hit in find_credentials(joined, python=True)]
    for hit, start in spots:
        folded = texts[bisect_right(starts, start) - 1]
        yield _Place(hit.rule, _digest(hit.secret), folded.first, folded.last, None)


def _position(text: str, offset: int) -> Position:
    line_start = text.rfind("\n", 0, offset) + 1
    return Position(text.count("\n", 0, offset), utf16_length(text[line_start:offset]))


def _remaining(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("time is up")
    return seconds


def _digest(secret: str) -> str:
    """Enough to tell two secrets apart, too little to confirm a guess of a strong one."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _denied(change: Change, message: str, span: Span | None) -> Ruling:
    return Ruling("deny", Reason(NO_SECRETS, change.path, f"{change.path}: {message}", span, _FIX))
