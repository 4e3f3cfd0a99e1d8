"""The ladder that comes before search: repairs that a message already names, each tried in its own right.

Lint fixes, missing imports, misspelt names and syntax errors. It reads sources and messages; it does NOT run, import
or stage anything, and a candidate is only a hypothesis until its tests pass.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Sequence
from typing import Final

from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.limbs.candidates import Candidate, TextEdit
from octolimb.limbs.coders.close_names import (
    Ground,
    Respelling,
    respell_attribute,
    respell_import,
    respell_key,
    respell_keyword,
    respell_module,
    respell_name,
)
from octolimb.limbs.coders.imports import insert_import, sources_of
from octolimb.limbs.coders.source import Source
from octolimb.limbs.coders.syntax_repair import repair_syntax
from octolimb.sense.lint import LintFix

_UNDEFINED = re.compile(
    r"(?:name|Name|variable|Undefined name|cannot access local variable) ['`](\w+)['`]"
    r"(?: (?:is not defined|used when not defined|where it is not associated with a value|is not associated))?"
)
_ATTRIBUTE = re.compile(
    r"(?:type object |module |Object of type |Class |Module |Type )?[`']?(?:<module )?([\w.]+)[`'>]* "
    r"(?:object )?has no (?:attribute|member) [`'](\w+)[`']"
)
_CANNOT_IMPORT = re.compile(r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'")
_NO_MEMBER = re.compile(r"Module `([\w.]+)` has no member `(\w+)`")
_NO_MODULE = re.compile(r"(?:No module named '|Cannot resolve imported module `)([\w.]+)['`]")
_KEYWORD = re.compile(r"([\w.]+)\(\) got an unexpected keyword argument '(\w+)'")
_KEY = re.compile(r"KeyError: (['\"])(.+?)\1")
_HINT = re.compile(r"Did you mean:? ['`]([\w.]+)['`]\??")
_CERTAIN: Final = 0.1


def tactics(
    snapshot: Snapshot, paths: Sequence[RelPath], messages: Sequence[str], *, fixes: Sequence[LintFix] = ()
) -> Iterator[Candidate]:
    """Candidates for what `messages` complain of in the files `paths` (the likeliest first), cheapest first.

    `messages` are exception lines with their tracebacks, or findings of linters and type checkers; `fixes` what the
    linter offers (those for display only are left out). Files that are no text are passed over.
    """
    found: list[tuple[float, int, Candidate]] = []
    seen: set[tuple[TextEdit, ...]] = set()
    for candidate in _all(snapshot, paths, messages, fixes):
        if candidate.edits and candidate.edits not in seen:
            seen.add(candidate.edits)
            heapq.heappush(found, (candidate.cost, len(seen), candidate))
    while found:
        yield heapq.heappop(found)[2]


def _all(
    snapshot: Snapshot, paths: Sequence[RelPath], messages: Sequence[str], fixes: Sequence[LintFix]
) -> Iterator[Candidate]:
    for order, path in enumerate(dict.fromkeys(paths)):
        document = snapshot.get(path)
        if document is None or not document.is_text or path.suffix not in (".py", ".pyi"):
            continue
        behind = 0.05 * order
        try:
            source = Source(document.text)
        except (SyntaxError, ValueError, RecursionError):
            yield from _syntax(document.text, path, behind)
            continue
        for message in dict.fromkeys(messages):
            yield from _names(Ground(snapshot, path, source), message, behind)
    yield from _lint(fixes)


def _syntax(text: str, path: RelPath, behind: float) -> Iterator[Candidate]:
    for rank, repair in enumerate(repair_syntax(text)):
        edit = edit_between(text, repair.text, path)
        yield Candidate((edit,), "repair-syntax", _CERTAIN + behind + 0.02 * rank, repair.note)


def edit_between(before: str, after: str, path: RelPath) -> TextEdit:
    """The one edit that turns `before` into `after`, as short as a common head and tail allow."""
    limit = min(len(before), len(after))
    start = 0
    while start < limit and before[start] == after[start]:
        start += 1
    end = 0
    while end < limit - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return TextEdit(path, start, len(before) - end, after[start : len(after) - end])


def _names(ground: Ground, message: str, behind: float) -> Iterator[Candidate]:
    match = _HINT.search(message)
    hint = match.group(1) if match else ""
    for name in dict.fromkeys(_UNDEFINED.findall(message)):
        if not re.search(rf"\b{name}\b", ground.source.text):
            continue
        yield from _imports(ground, name, behind)
        # A hint may name the module that was not imported, which an import already covers.
        yield from _respelled(respell_name(ground, name, hint), "close-name", behind)
    for owner, name in dict.fromkeys([*_ATTRIBUTE.findall(message), *_NO_MEMBER.findall(message)]):
        yield from _respelled(respell_attribute(ground, owner, name, hint), "close-attribute", behind)
        yield from _respelled(respell_import(ground, name, owner, hint), "close-import", behind)
    for name, module in dict.fromkeys(_CANNOT_IMPORT.findall(message)):
        yield from _respelled(respell_import(ground, name, module, hint), "close-import", behind)
        yield from _moved_import(ground, name, module, behind)
    for module in dict.fromkeys(_NO_MODULE.findall(message)):
        yield from _respelled(respell_module(ground, module), "close-module", behind)
    for function, name in dict.fromkeys(_KEYWORD.findall(message)):
        respellings = respell_keyword(ground, function, name, hint)
        yield from _respelled(respellings, "close-keyword", behind)
    for _, key in dict.fromkeys(_KEY.findall(message)):
        yield from _respelled(respell_key(ground, key), "close-key", behind)


def _imports(ground: Ground, name: str, behind: float) -> Iterator[Candidate]:
    snapshot, path, source = ground
    for rank, wanted in enumerate(sources_of(name, snapshot, path)):
        edit = insert_import(source, path, wanted)
        if edit is not None:
            yield Candidate((edit,), "missing-import", _CERTAIN + behind + 0.1 * rank, f"add {wanted.line}")


def _moved_import(ground: Ground, name: str, module: str, behind: float) -> Iterator[Candidate]:
    """The name lives in another module than the one it is imported from."""
    snapshot, path, source = ground
    pattern = re.compile(rf"^(\s*from\s+)([\w.]+)(\s+import\s+{name}\s*)$", re.MULTILINE)
    for match in pattern.finditer(source.text):
        for rank, wanted in enumerate(sources_of(name, snapshot, path)):
            written = "." * wanted.level + wanted.module
            if wanted.name and written not in (match.group(2), module):
                edit = TextEdit(path, match.start(2), match.end(2), written)
                yield Candidate((edit,), "moved-import", 0.4 + behind + 0.1 * rank, f"import {name} from {written}")


def _respelled(respellings: Iterator[Respelling], operator: str, behind: float) -> Iterator[Candidate]:
    for respelling in respellings:
        note = f"{respelling.new} for {respelling.old}" if respelling.new else f"drop {respelling.old}"
        yield Candidate(respelling.edits, operator, round(0.2 + behind + respelling.distance, 4), note)


def _lint(fixes: Sequence[LintFix]) -> Iterator[Candidate]:
    costs = {"safe": 1.2, "unsafe": 1.6}
    offered = [fix for fix in fixes if fix.applicability in costs]
    for rank, fix in enumerate(offered):
        edits = tuple(TextEdit(fix.path, edit.start, edit.end, edit.text) for edit in fix.edits)
        note = f"{fix.code}: {fix.message}"
        yield Candidate(edits, "lint-fix", round(costs[fix.applicability] + 0.01 * rank, 4), note)
