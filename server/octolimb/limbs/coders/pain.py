"""What a failing test gives away: its exception, the values it wanted and got, and the literals in its source.

It reads text that pytest and the test's author wrote. It does NOT run anything and trusts nothing it reads: all of it
only suggests literals and names to try.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from octolimb.limbs.coders.source import parse

_MAX_LITERAL = 60
_MAX_CONSTANTS = 60
_EXCEPTION = re.compile(r"(?:^|\n)(?:E\s+)?(?:[\w.]+\.)?([A-Z]\w*(?:Error|Exception|Iteration|Interrupt|Exit)\w*)\b")
_ASSERT = re.compile(r"(?:^|\n)(?:E\s+)?(?:AssertionError: )?assert (.+)")
_WHERE = re.compile(r"(?:^|\n)(?:E\s+)?\s*\+?\s*(?:where|and)\s+(.+?) = ([\w.]+)\(")
_QUOTED = re.compile(r"'([A-Za-z_][\w.]*)'")


@dataclass(frozen=True)
class PainHints:
    """`expected`, `got` and `constants` are Python literals as source text, the likeliest first, without repeats.

    `names` are identifiers that the message quotes. Everything may be empty: hints only change the order and supply
    of candidates.
    """

    exception: str = ""
    message: str = ""
    expected: tuple[str, ...] = ()
    got: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()


def read_pain(messages: Iterable[str], test_sources: Iterable[str] = ()) -> PainHints:
    """Hints from the failure messages (as pytest prints them) and the sources of the failing tests."""
    texts = list(messages)
    exceptions = [match.group(1) for text in texts for match in _EXCEPTION.finditer(text)]
    got: dict[str, None] = {}
    expected: dict[str, None] = {}
    for text in texts:
        _read_assertions(text, expected, got)
    constants: Counter[str] = Counter()
    for source in test_sources:
        try:
            tree = parse(source)
        except (SyntaxError, ValueError):
            continue
        expected.update(dict.fromkeys(_wanted(tree)))
        constants.update(_literals(tree))
    return PainHints(
        exception=exceptions[0] if exceptions else "",
        message=texts[0][:2000] if texts else "",
        expected=tuple(expected)[:_MAX_CONSTANTS],
        got=tuple(got)[:_MAX_CONSTANTS],
        names=tuple(dict.fromkeys(name for text in texts for name in _QUOTED.findall(text))),
        constants=tuple(text for text, _ in constants.most_common(_MAX_CONSTANTS)),
    )


def _read_assertions(text: str, expected: dict[str, None], got: dict[str, None]) -> None:
    produced = {match.group(1) for match in _WHERE.finditer(text)}
    for match in _ASSERT.finditer(text):
        try:
            node = ast.parse(match.group(1).strip(), mode="eval").body
        except (SyntaxError, ValueError):
            continue
        if not isinstance(node, ast.Compare) or len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq | ast.Is):
            continue
        sides = [literal_text(node.left), literal_text(node.comparators[0])]
        if sides[1] in produced and sides[0] not in produced:
            sides.reverse()
        if sides[0]:
            got[sides[0]] = None
        if sides[1]:
            expected[sides[1]] = None


def literal_text(node: ast.expr) -> str:
    """A short literal's canonical source text, or the empty string where the node is none."""
    try:
        text = repr(ast.literal_eval(node))
        ast.literal_eval(text)  # An overflowing float is written `1e999` and shown as `inf`, which is no literal.
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ""
    return text if len(text) <= _MAX_LITERAL else ""


def _wanted(tree: ast.AST) -> Iterator[str]:
    found: Counter[str] = Counter()
    for node in ast.walk(tree):
        sides: Sequence[ast.expr] = ()
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare) and len(node.test.ops) == 1:
            sides = (node.test.comparators[0], node.test.left)
        elif isinstance(node, ast.Call) and len(node.args) > 1 and getattr(node.func, "attr", "").startswith("assert"):
            sides = (node.args[1], node.args[0])
        for side in sides:
            text = literal_text(side)
            if text:
                found[text] += 1
                break
    for text, _ in found.most_common():
        yield text


def _literals(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str) and node.value != "":
            text = literal_text(node)
            if text and not isinstance(node.value, bool):
                yield text
