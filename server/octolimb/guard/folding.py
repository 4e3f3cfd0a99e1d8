"""The strings that a Python program builds out of constants, found without running it.

It folds concatenation, repetition, f-strings, joins, formats, slices, base64, hex and rot13, `bytes(...)`,
`map(chr, ...)`, literal tuples and lists, and names that are assigned once. It knows nothing of loops, calls to the
program's own functions or anything read at run time.
"""

from __future__ import annotations

import ast
import base64
import binascii
import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from octolimb.guard.sources import nodes_of

_MAX_LENGTH: Final = 1 << 14
"""No credential is longer; a longer result counts as unknown, so that `"x" * 10**9` costs nothing."""

_MAX_WORK: Final = 1 << 25
"""Syntax nodes visited plus characters built, over a whole file, before folding gives up."""

_FIELD: Final = re.compile(r"\{\d{0,2}\}")

Value = str | bytes | int | list["Value"]


class FoldingError(Exception):
    """The program is too large to fold within bounds; whoever asked must not take that for "nothing found"."""


@dataclass(frozen=True)
class FoldedText:
    """A string that an expression builds. Lines are zero-based, `last` included; `label` is what it is assigned to."""

    label: str
    text: str
    first: int
    last: int


def folded_texts(tree: ast.Module) -> Iterator[FoldedText]:
    """Every string that is built rather than written out, outermost expressions first. Raises `FoldingError`."""
    folder = _Folder(tree)
    for node in folder.candidates:
        try:
            value = folder.fold(node)
        except RecursionError:
            raise FoldingError(f"an expression on line {node.lineno} is nested too deeply") from None
        text = _shown(value)
        if text is not None and len(text) >= 8:
            # What only ends in a known text is not the value that the name gets.
            label = "" if id(node) in folder.partial else folder.labels.get(id(node), "")
            yield FoldedText(label, text, node.lineno - 1, (node.end_lineno or node.lineno) - 1)


class _Folder:
    def __init__(self, tree: ast.Module) -> None:
        self.candidates: list[ast.expr] = []
        self.labels: dict[int, str] = {}
        self.partial: set[int] = set()
        self._names: dict[str, ast.expr] = {}
        self._known: dict[int, Value | None] = {}
        self._busy: set[int] = set()
        self._work = 0
        bound: Counter[str] = Counter()
        part_of_chain: set[int] = set()
        for node in nodes_of(tree):
            self._spend(1)
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    self.labels[id(node.value)] = _label(target)
                    if isinstance(target, ast.Name):
                        self._names[target.id] = node.value
            elif isinstance(node, ast.keyword):
                self.labels[id(node.value)] = node.arg or ""
            elif isinstance(node, ast.Dict):
                self.labels.update((id(value), _label(key)) for key, value in zip(node.keys, node.values, strict=True))
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                bound[node.id] += 1
            elif isinstance(node, ast.arg):
                bound[node.arg] += 2
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
                part_of_chain.update(id(side) for side in (node.left, node.right) if isinstance(side, ast.BinOp))
            if isinstance(node, ast.expr) and _builds(node) and id(node) not in part_of_chain:
                self.candidates.append(node)
        self._names = {name: value for name, value in self._names.items() if bound[name] == 1}

    def fold(self, node: ast.expr) -> Value | None:
        key = id(node)
        if key not in self._known:
            if key in self._busy:
                return None
            self._busy.add(key)
            try:
                value = self._fold(node)
            except (ValueError, TypeError, IndexError, KeyError, OverflowError, LookupError):
                # The program itself would fail here, so it builds nothing.
                value = None
            finally:
                self._busy.discard(key)
            self._known[key] = value if _bounded(value) else None
            self._spend(8 + (0 if value is None or isinstance(value, int) else len(value)))
        return self._known[key]

    def _spend(self, work: int) -> None:
        self._work += work
        if self._work > _MAX_WORK:
            raise FoldingError("it builds more text than can be checked")

    def _fold(self, node: ast.expr) -> Value | None:
        match node:
            case ast.Constant(value=str() | bytes() as text):
                return text
            case ast.Constant(value=int() as number) if not isinstance(number, bool):
                return number
            case ast.Name(id=name, ctx=ast.Load()):
                return self.fold(self._names[name]) if name in self._names else None
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                positive = self.fold(operand)
                return -positive if isinstance(positive, int) else None
            case ast.BinOp(op=ast.Add()):
                return self._sum(node, _terms(node))
            case ast.BinOp(left=left, op=operator, right=right):
                return self._binary(left, operator, right)
            case ast.JoinedStr(values=values):
                return self._sum(node, values)
            case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
                shown = self.fold(value)
                return str(shown) if isinstance(shown, str | int) else None
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return self._all(elements)
            case ast.Subscript(value=value, slice=index):
                return self._subscript(value, index)
            case ast.Call(func=function, args=arguments, keywords=[]):
                return self._call(function, arguments)
            case ast.ListComp() | ast.GeneratorExp():
                return self._comprehension(node)
        return None

    def _sum(self, node: ast.expr, terms: Sequence[ast.expr]) -> Value | None:
        values = [self.fold(term) for term in terms]
        if None in values:
            self.partial.add(id(node))
        return _sum(values)

    def _all(self, nodes: Sequence[ast.expr]) -> list[Value] | None:
        values = [self.fold(node) for node in nodes]
        return [value for value in values if value is not None] if None not in values else None

    def _binary(self, left: ast.expr, operator: ast.operator, right: ast.expr) -> Value | None:
        first = self.fold(left)
        if isinstance(operator, ast.Mod) and isinstance(first, str):
            given = self.fold(right)
            if given is None or len(first) > 4096 or not set("0123456789*").isdisjoint(first):
                return None
            return first % (tuple(given) if isinstance(given, list) else given)
        second = self.fold(right)
        if isinstance(operator, ast.Mult):
            text, times = (first, second) if isinstance(second, int) else (second, first)
            if isinstance(text, str | bytes) and isinstance(times, int) and len(text) * times <= _MAX_LENGTH:
                return text * times
        if isinstance(first, int) and isinstance(second, int):
            # Enough arithmetic for codes such as `chr(100 + 3)` and `chr(x ^ 42)`.
            table: dict[type[ast.operator], Callable[[int, int], int]] = {
                ast.Sub: int.__sub__, ast.BitXor: int.__xor__, ast.Mult: int.__mul__
            }  # fmt: skip
            return table[type(operator)](first, second) if type(operator) in table else None
        return None

    def _subscript(self, value: ast.expr, index: ast.expr) -> Value | None:
        whole = self.fold(value)
        if not isinstance(whole, str | bytes | list):
            return None
        if isinstance(index, ast.Slice):
            bounds: list[int | None] = []
            for part in (index.lower, index.upper, index.step):
                bound = None if part is None else self.fold(part)
                if part is not None and not isinstance(bound, int):
                    return None
                bounds.append(bound if isinstance(bound, int) else None)
            return whole[slice(*bounds)]
        position = self.fold(index)
        return whole[position] if isinstance(position, int) else None

    def _call(self, function: ast.expr, arguments: list[ast.expr]) -> Value | None:
        if isinstance(function, ast.Attribute):
            name = function.attr
            # `codecs.decode(x, "rot13")` takes the text as an argument, `x.decode("utf-8")` is a method of it.
            of_codecs = isinstance(function.value, ast.Name) and function.value.id == "codecs"
            if name in _DECODERS and arguments and (name != "decode" or of_codecs):
                return _decode(name, self.fold(arguments[0]), [self.fold(other) for other in arguments[1:]])
            receiver = self.fold(function.value)
            if receiver is None:
                return None
            return _method(receiver, name, [self.fold(argument) for argument in arguments])
        if not isinstance(function, ast.Name):
            return None
        if function.id == "map" and len(arguments) == 2 and isinstance(arguments[0], ast.Name):
            items = _items(self.fold(arguments[1]))
            return None if items is None else _strip([_builtin(arguments[0].id, [item]) for item in items])
        values = [self.fold(argument) for argument in arguments]
        if function.id in _DECODERS and values:
            return _decode(function.id, values[0], values[1:])
        return _builtin(function.id, values)

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> Value | None:
        """`chr(c) for c in [...]` and the like: one plain loop without conditions, over a literal."""
        match node.generators:
            case [ast.comprehension(target=ast.Name(id=name), iter=source, ifs=[], is_async=0)]:
                items = _items(self.fold(source))
            case _:
                return None
        if items is None or len(items) > 4096:
            return None
        found: list[Value | None] = []
        names, known, self._names = self._names, self._known, dict(self._names)
        try:
            for item in items:
                if not isinstance(item, str | bytes | int):
                    return None
                self._names[name] = ast.Constant(item)
                self._known = {}
                found.append(self.fold(node.elt))
        finally:
            self._names, self._known = names, known
        return _strip(found)


def _builds(node: ast.AST) -> bool:
    """Expressions that may build a string; a mere literal is scanned where it stands."""
    match node:
        case ast.BinOp(op=ast.Add() | ast.Mod() | ast.Mult()) | ast.JoinedStr() | ast.Call(func=ast.Attribute()):
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name in _DECODERS or name in ("str", "bytes", "bytearray", "chr", "reversed")
        case ast.Subscript(slice=ast.Slice()):
            return True
        case ast.Constant(value=str() | bytes()):
            # Written with escapes or in several pieces it does not stand in the text as it reads.
            return True
    return False


def _label(target: ast.expr | None) -> str:
    match target:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str() as name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str() as name)):
            return name
    return ""


def _terms(node: ast.expr) -> list[ast.expr]:
    """The terms of a chain of additions, left to right, without recursion: chains may be thousands long."""
    terms: list[ast.expr] = []
    pending = [node]
    while pending:
        here = pending.pop()
        if isinstance(here, ast.BinOp) and isinstance(here.op, ast.Add):
            pending += [here.right, here.left]
        else:
            terms.append(here)
    return terms


def _sum(values: Sequence[Value | None]) -> Value | None:
    """Adds up what is known. A part that is not known splits the text, and the longest whole part counts."""
    runs: list[list[Value]] = [[]]
    for value in values:
        if value is None:
            runs.append([])
        else:
            runs[-1].append(value)
    sums = [_add_all(run) for run in runs if run]
    known = [value for value in sums if value is not None]
    if len(runs) == 1:
        return known[0] if known else None
    return max((value for value in known if isinstance(value, str)), key=len, default=None)


def _add_all(values: Sequence[Value]) -> Value | None:
    if sum(len(value) for value in values if not isinstance(value, int)) > _MAX_LENGTH:
        return None
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) == len(values):
        return "".join(texts)
    blobs = [value for value in values if isinstance(value, bytes)]
    if len(blobs) == len(values):
        return b"".join(blobs)
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) == len(values):
        return sum(numbers)
    lists = [value for value in values if isinstance(value, list)]
    return [item for part in lists for item in part] if len(lists) == len(values) else None


def _method(receiver: Value, name: str, arguments: list[Value | None]) -> Value | None:
    if name == "join" and len(arguments) == 1 and not isinstance(receiver, int):
        return _join(receiver, _items(arguments[0]) or [])
    if isinstance(receiver, str) and name == "format" and None not in arguments:
        # Only bare fields: a width such as `{:>999999999}` would build what it says.
        bare = _FIELD.sub("", receiver.replace("{{", "").replace("}}", ""))
        return receiver.format(*arguments) if len(receiver) <= 4096 and "{" not in bare else None
    if None in arguments:
        return None
    if isinstance(receiver, bytes) and name in ("decode", "hex") and len(arguments) <= 2:
        if name == "hex":
            return receiver.hex()
        encoding = arguments[0] if arguments and isinstance(arguments[0], str) else "utf-8"
        return receiver.decode(encoding)
    if isinstance(receiver, str) and name == "encode" and len(arguments) <= 1:
        encoding = arguments[0] if arguments and isinstance(arguments[0], str) else "utf-8"
        return receiver.encode(encoding)
    if isinstance(receiver, str) and name in ("strip", "lower", "upper", "swapcase", "replace", "lstrip", "rstrip"):
        texts = [argument for argument in arguments if isinstance(argument, str)]
        if len(texts) == len(arguments) and len(receiver) <= 4096 and sum(map(len, texts)) <= 256:
            result: str = getattr(receiver, name)(*texts)
            return result
    return None


def _join(separator: str | bytes | list[Value], items: Sequence[Value]) -> Value | None:
    if len(separator) * len(items) > _MAX_LENGTH:
        return None
    if isinstance(separator, str):
        return separator.join([item for item in items if isinstance(item, str)])
    return separator.join([item for item in items if isinstance(item, bytes)]) if isinstance(separator, bytes) else None


def _builtin(name: str, values: list[Value | None]) -> Value | None:
    if len(values) == 2 and name == "int" and isinstance(values[0], str) and isinstance(values[1], int):
        return int(values[0], values[1]) if len(values[0]) <= 64 else None
    if len(values) != 1 and not (name in ("bytes", "str") and len(values) == 2):
        return None
    value = values[0]
    if name == "chr" and isinstance(value, int):
        return chr(value)
    if name == "ord" and isinstance(value, str):
        return ord(value)
    if name == "int" and isinstance(value, str) and len(value) <= 64:
        return int(value)
    if name in ("bytes", "bytearray"):
        if isinstance(value, list):
            return bytes([item for item in value if isinstance(item, int)])
        return value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else None
    if name == "str":
        return value.decode() if isinstance(value, bytes) else str(value) if isinstance(value, str | int) else None
    if name == "reversed":
        items = _items(value)
        return None if items is None else items[::-1]
    return _items(value) if name in ("list", "tuple", "iter") else None


_DECODERS: Final = frozenset(
    {
        *("b64decode", "urlsafe_b64decode", "standard_b64decode", "decodebytes", "a2b_base64", "b32decode"),
        *("b16decode", "b85decode", "a85decode", "fromhex", "unhexlify", "a2b_hex", "decode"),
    }
)


def _decode(name: str, value: Value | None, options: Sequence[Value | None]) -> Value | None:
    if not isinstance(value, str | bytes) or len(value) > _MAX_LENGTH:
        return None
    raw = value if isinstance(value, bytes) else value.encode()
    try:
        if name == "decode":
            encoding = options[0] if options else "utf-8"
            if encoding in ("rot13", "rot_13") and isinstance(value, str):
                return codecs.encode(value, "rot13")
            if encoding in ("hex", "base64", "hex_codec", "base64_codec"):
                return binascii.unhexlify(raw) if "hex" in str(encoding) else base64.b64decode(raw)
            return raw.decode(encoding) if isinstance(encoding, str) else None
        if name in ("fromhex", "unhexlify", "a2b_hex", "b16decode"):
            return bytes.fromhex(raw.decode())
        if name == "b32decode":
            return base64.b32decode(raw)
        if name == "b85decode":
            return base64.b85decode(raw)
        if name == "a85decode":
            return base64.a85decode(raw)
        return base64.b64decode(raw, altchars=b"-_" if name.startswith("urlsafe") else None)
    except (binascii.Error, UnicodeError):
        return None


def _items(value: Value | None) -> list[Value] | None:
    if isinstance(value, list):
        return value
    return list(value) if isinstance(value, str | bytes) else None


def _strip(values: Sequence[Value | None]) -> list[Value] | None:
    return None if None in values else [value for value in values if value is not None]


def _bounded(value: Value | None) -> bool:
    if isinstance(value, int):
        return abs(value) < 1 << 64
    return value is None or len(value) <= _MAX_LENGTH


def _shown(value: Value | None) -> str | None:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else None
