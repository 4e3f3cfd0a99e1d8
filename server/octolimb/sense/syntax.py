"""Python syntax of a snapshot's files, parsed in this process from their bytes. Nothing is ever executed or written.

Our own interpreter judges. A file that it cannot parse may still be right for a newer Python; who calls `check_syntax`
can pass a second opinion for such files. Line by line it does what importing the file would do first: honour the
encoding that the file declares, parse it, and check what only compiling finds (`return` outside a function).
"""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from threading import Lock
from typing import Final

from octolimb.core.document import Document
from octolimb.core.errors import OctolimbError
from octolimb.core.paths import RelPath
from octolimb.core.positions import Span
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, Severity
from octolimb.sense.sources import Places, python_files, start_of_file

SOURCE: Final = "syntax"

SecondOpinion = Callable[[Sequence[RelPath]], Collection[RelPath]]
"""Of files that our interpreter cannot parse, those that a newer Python can."""

# CPython 3.12 and 3.13 crash when they compile deeply nested comprehensions (22 levels on 3.12.1, 30 on 3.13.0).
_MOST_NESTED_COMPREHENSIONS: Final = 15
_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def check_syntax(
    snapshot: Snapshot, paths: Sequence[str] = (), *, second_opinion: SecondOpinion | None = None
) -> list[Finding]:
    """The syntax errors of the project's Python files, at most one a file, in path order. Severity is always error.

    `paths` limits the files as in `python_files`. Codes: `syntax-error`; `encoding-error` for bytes that are not text
    in the declared encoding; `too-complex` where the parser gives up; `unreadable`. Spans are in UTF-16.
    """
    found: list[Finding] = []
    doubtful: list[RelPath] = []
    for path in python_files(snapshot, paths):
        try:
            document = snapshot.get(path)
        except OctolimbError as error:
            found.append(_finding(path, start_of_file(), "unreadable", error.message))
            continue
        if document is None or document.link:
            continue
        finding, is_doubtful = _examine(document)
        if finding is not None:
            found.append(finding)
            if is_doubtful:
                doubtful.append(path)
    if doubtful and second_opinion is not None:
        cleared = frozenset(second_opinion(doubtful))
        found = [finding for finding in found if finding.path not in cleared]
    return found


def check_document(document: Document) -> Finding | None:
    """The syntax error of one Python file as our interpreter sees it, or None."""
    return _examine(document)[0]


class _Memory:
    """What files said before, by path and digest: most of a project is the same from one snapshot to the next."""

    _LIMIT: Final = 100_000

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], tuple[Finding | None, bool]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: tuple[str, str]) -> tuple[Finding | None, bool] | None:
        with self._lock:
            return self._known.get(key)

    def put(self, key: tuple[str, str], answer: tuple[Finding | None, bool]) -> None:
        with self._lock:
            self._known[key] = answer
            if len(self._known) > self._LIMIT:
                self._known.popitem(last=False)


_memory: Final = _Memory()
_filters: Final = Lock()


def _examine(document: Document) -> tuple[Finding | None, bool]:
    key = (document.path, document.digest)
    known = _memory.get(key)
    if known is None:
        known = _parse(document)
        _memory.put(key, known)
    return known


def _parse(document: Document) -> tuple[Finding | None, bool]:
    """The finding, and whether a newer Python might not have it."""
    path = document.path
    try:
        tokenize.detect_encoding(io.BytesIO(document.data).readline)
    except SyntaxError as error:
        return _finding(path, start_of_file(), "encoding-error", error.msg), False
    nul = document.data.find(b"\0")
    if nul >= 0:
        span = _after(document.data[:nul].decode(document.encoding, errors="replace"))
        return _finding(path, span, "syntax-error", "source code cannot contain null bytes"), False
    try:
        text = document.text
    except OctolimbError as error:
        return _finding(path, _undecodable(document), "encoding-error", error.message), False
    # Warning filters belong to the whole process, so only one thread at a time may change them.
    with _filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _parse_text(path, text)


def _parse_text(path: RelPath, text: str) -> tuple[Finding | None, bool]:
    places = Places(text)
    parsed = False
    try:
        tree = ast.parse(text)
        parsed = True
        if text.count("for") <= _MOST_NESTED_COMPREHENSIONS or _nesting(tree) <= _MOST_NESTED_COMPREHENSIONS:
            compile(tree, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        # The parser counts characters, the compiler bytes of UTF-8: https://docs.python.org/3/library/ast.html.
        return _finding(path, _span(error, places, in_bytes=parsed), "syntax-error", error.msg), not parsed
    except (RecursionError, MemoryError):
        message = "nested too deeply for Python to parse"
        return _finding(path, start_of_file(), "too-complex", message), False
    except ValueError as error:
        # Lone surrogates, which only odd encodings such as UTF-7 can spell, and integers of too many digits.
        return _finding(path, start_of_file(), "syntax-error", str(error)), False
    return None, False


def _span(error: SyntaxError, places: Places, *, in_bytes: bool) -> Span:
    if not error.lineno:
        return start_of_file()

    def column(line: int, offset: int) -> int:
        if not in_bytes:
            return offset
        return len(places.line(line).encode()[: offset - 1].decode(errors="ignore")) + 1

    start = column(error.lineno, max(error.offset or 1, 1))
    # CPython writes 0 or -1 where it does not know the end.
    if not error.end_lineno or not error.end_offset or error.end_offset < 1:
        return places.span(error.lineno, start)
    return places.span(error.lineno, start, error.end_lineno, column(error.end_lineno, error.end_offset))


def _undecodable(document: Document) -> Span:
    """Where the first byte is that the file's encoding cannot have."""
    try:
        document.data.decode(document.encoding)
    except UnicodeDecodeError as error:
        return _after(error.object[: error.start].decode(document.encoding, errors="replace"))
    except LookupError:
        pass
    return start_of_file()


def _after(text: str) -> Span:
    end = Places(text.removeprefix("\ufeff")).end
    return Span(end, end)


def _nesting(tree: ast.AST) -> int:
    """How deep comprehensions nest, found without recursion."""
    deepest = 0
    stack = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        depth += isinstance(node, _COMPREHENSIONS)
        deepest = max(deepest, depth)
        stack.extend((child, depth) for child in ast.iter_child_nodes(node))
    return deepest


def _finding(path: RelPath, span: Span, code: str, message: str) -> Finding:
    return Finding(path, span, Severity.ERROR, SOURCE, code, message)
