"""Credentials that carry no telling prefix: passwords beside their names, passwords in URLs, AWS key pairs.

These complement the token scanner, which knows issuers' formats. Every pattern has bounded repetition only, so a
search takes time linear in the text. Placeholders are told from real values; nothing is looked up anywhere.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Hit:
    """Something that looks like a secret: `start` and `end` are offsets in the text that was searched."""

    rule: str
    secret: str
    start: int
    end: int


_NAME: Final = (
    r"(?P<kind>pass(?:word|wd|phrase|code)|pwd|secret|token|api[_-]?key|(?:access|private|auth|encryption|signing)[_-]?key)"
    r"(?P<tail>[a-z0-9_-]{0,24})"
)

_QUOTED: Final = re.compile(
    _NAME + r"[\"']?\]?\s{0,8}(?::\s{0,4}(?:str|bytes|Final)(?:\[str\])?\s{0,4})?(?:=>|:=|==?|:)\s{0,8}"
    r"[bru]{0,2}([\"'])(?P<value>[^\"'\s]{6,200})\2",
    re.IGNORECASE,
)

_BARE: Final = re.compile(
    r"^[ \t]{0,40}(?:export[ \t]+|-[ \t]+|ENV[ \t]+|set[ \t]+)?[a-z0-9_.-]{0,40}?" + _NAME + r"[ \t]{0,8}[:=][ \t]{0,8}"
    r"(?P<value>[^\s\"'#,;(){}\[\]<>]{6,200})[ \t]*\r?$",
    re.IGNORECASE | re.MULTILINE,
)
"""`NAME=value` without quotes, as in `.env`, YAML, INI and properties files."""

_URL: Final = re.compile(
    r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>]{0,100}:(?P<value>[^\s/@\"'<>]{4,100})@[a-z0-9\[]",
    re.IGNORECASE,
)

_AWS_KEY_ID: Final = re.compile(r"(?<![A-Z0-9])(?P<value>(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})(?![A-Z0-9])")

_PLACEHOLDER_WORDS: Final = re.compile(
    r"example|placeholder|change[_-]?(?:me|this|it)|replace[_-]?(?:me|this)|your|my[_-]?(?:secret|pass|token|key)|xxx|"
    r"\*\*\*|\.\.\.|dummy|redacted|insert|todo|sample|fake|mock|default|undefined|"
    r"^(?:test|foo|bar|baz|none|null|true|false|pass|pw|user|admin|secret|password)\W?\d{0,4}$",
    re.IGNORECASE,
)

_NAMES_ONE: Final = re.compile(
    r"(?:id|ids|name|path|file|url|uri|arn|type|hash|digest|field|prefix|re)$", re.IGNORECASE
)
"""How a name ends that says where or which a secret is, and not what: `access_key_id`, `token_url`."""

_PATH: Final = re.compile(r"(?:~|\.{1,2})?/[\w.-]+/[\w./-]*")

_REFERENCE: Final = re.compile(r"[${%<]\w*[\w(]|\{\{|\}\}|^\w+\(|^(?:https?|file|arn|vault|op|ref|env):", re.IGNORECASE)
"""A value that is filled in from elsewhere, or that names a place and not a secret."""


def find_credentials(text: str, *, python: bool) -> Iterator[Hit]:
    """Hits in `text`, in no order. In Python only quoted values count: what is bare there is a name."""
    for match in _QUOTED.finditer(text):
        if _is_likely(match):
            yield _hit("password-assignment", match)
    if not python:
        for match in _BARE.finditer(text):
            if _is_likely(match):
                yield _hit("password-assignment", match)
    for match in _URL.finditer(text):
        if not is_placeholder(match["value"]) and _is_mixed(match["value"]):
            yield _hit("credential-url", match)
    for match in _AWS_KEY_ID.finditer(text):
        if "EXAMPLE" not in match["value"]:
            yield _hit("aws-access-key-id", match)


def is_placeholder(value: str) -> bool:
    """True for what stands where a secret will go: `changeme`, `${TOKEN}`, `<password>`, `xxxx`, one repeated sign."""
    return bool(
        _PLACEHOLDER_WORDS.search(value) or _REFERENCE.search(value) or len(set(value)) < 4 or value in _SEQUENCES
    )


_SEQUENCES: Final = frozenset({"12345678", "123456789", "1234567890", "abcdefgh", "0123456789abcdef", "abc123"})


def _is_likely(match: re.Match[str]) -> bool:
    kind, value = match["kind"], match["value"]
    if _NAMES_ONE.search(match["tail"]) or is_placeholder(value) or not _is_mixed(value):
        return False
    if kind.lower().startswith(("pass", "pwd")):
        return _entropy(value) >= 2.5
    # What is called a token or a key is often the name of one: only what looks random counts.
    return len(value) >= 16 and _entropy(value) >= 3.5 and bool(re.search(r"\d.*[a-z]|[a-z].*\d", value, re.IGNORECASE))


def _is_mixed(value: str) -> bool:
    """Letters with digits or signs; an identifier, a dotted or hyphened name, a path or a version is none."""
    if (
        len(value) < 6
        or _PATH.fullmatch(value)
        or re.fullmatch(r"[A-Za-z_.:/\\-]+\d{0,2}", value)
        or re.fullmatch(r"[\d.,:_-]+", value)
    ):
        return False
    signs = sum(not character.isalnum() for character in value)
    digits = sum(character.isdigit() for character in value)
    letters = sum(character.isalpha() for character in value)
    return letters >= 2 and (digits > 0 or signs > 0) and signs <= len(value) // 2


def _entropy(value: str) -> float:
    """Shannon entropy in bits per character."""
    counts = Counter(value)
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())


def _hit(rule: str, match: re.Match[str]) -> Hit:
    return Hit(rule, match["value"], match.start("value"), match.end("value"))
