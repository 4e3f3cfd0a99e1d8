"""Misspelt names: variables, attributes, imported names, keys and keyword arguments, by what is spelt alike nearby.

It reads sources only; it does NOT import a module to see what is in it.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import sys
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.limbs.candidates import TextEdit
from octolimb.limbs.coders.imports import module_name, project_files
from octolimb.limbs.coders.source import Function, Source, parse

_CUTOFF: Final = 0.6
_MOST: Final = 5


class Ground(NamedTuple):
    """The file `path` of `snapshot`, parsed: where names are respelt."""

    snapshot: Snapshot
    path: RelPath
    source: Source


class Respelling(NamedTuple):
    """One way to respell a name; `distance` is 0 for the same word up to case, towards 1 for one hardly alike."""

    edits: tuple[TextEdit, ...]
    old: str
    new: str
    distance: float


def respell_name(ground: Ground, name: str, hint: str = "") -> Iterator[Respelling]:
    """Other names for an undefined one: those of the file and the builtins."""
    _, path, source = ground
    known: dict[str, None] = {}
    places: list[ast.AST] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name):
            if node.id == name and isinstance(node.ctx, ast.Load):
                places.append(node)
            elif node.id != name:
                known[node.id] = None
        elif isinstance(node, ast.arg):
            known[node.arg] = None
        elif isinstance(node, Function | ast.ClassDef):
            known[node.name] = None
        elif isinstance(node, ast.alias):
            known[(node.asname or node.name).partition(".")[0]] = None
        elif isinstance(node, ast.ExceptHandler) and node.name:
            known[node.name] = None
    spans = [source.span(node) for node in places]
    yield from _respelled(path, spans, name, [*known, *dir(builtins)], hint)
    attributes = {node.attr for node in ast.walk(source.tree) if isinstance(node, ast.Attribute)}
    if name in attributes and spans:
        edits = tuple(TextEdit(path, start, end, f"self.{name}") for start, end in spans)
        yield Respelling(edits, name, f"self.{name}", 0.5)


def respell_attribute(ground: Ground, owner: str, name: str, hint: str = "") -> Iterator[Respelling]:
    """Other attributes where `owner`, a type or module as the message names it, has no `name`."""
    snapshot, path, source = ground
    spans = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr == name:
            end = source.span(node)[1]
            spans.append((end - len(name), end))
    if spans:
        known = [*attributes_of(owner, snapshot)]
        used = [node.attr for node in ast.walk(source.tree) if isinstance(node, ast.Attribute) and node.attr != name]
        yield from _respelled(path, spans, name, known or used, hint)


def respell_import(ground: Ground, name: str, module: str, hint: str = "") -> Iterator[Respelling]:
    """Other names to import where `module` has no `name`."""
    snapshot, path, source = ground
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            if alias.name == name:
                start = source.offset(alias.lineno, alias.col_offset)
                known = list(attributes_of(module, snapshot))
                yield from _respelled(path, [(start, start + len(name))], name, known, hint)


def respell_module(ground: Ground, module: str) -> Iterator[Respelling]:
    """Other modules where there is none of that name."""
    snapshot, path, source = ground
    known = [name for name in sys.stdlib_module_names if not name.startswith("_")]
    known += [module_name(other, snapshot) for other, _ in project_files(snapshot) if other != path]
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            written = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            if module in written:
                start, end = source.span(node)
                place = source.text.find(module, start, end)
                if place >= 0:
                    yield from _respelled(path, [(place, place + len(module))], module, known, "")


def respell_key(ground: Ground, key: str) -> Iterator[Respelling]:
    """Other strings of the file for a key that is missing."""
    _, path, source = ground
    known: dict[str, None] = {}
    spans: list[tuple[int, int, str]] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if isinstance(source.parents.get(node), ast.JoinedStr):
                continue
            if node.value == key:
                raw = source.of(node)
                if raw[1:-1] == key:
                    start, end = source.span(node)
                    spans.append((start + 1, end - 1, raw[0]))
            elif node.value.isprintable() and len(node.value) <= 40:
                known[node.value] = None
    safe = [text for text in known if not set(text) & set("\\'\"")]
    for start, end, _ in spans:
        yield from _respelled(path, [(start, end)], key, safe, "")


def respell_keyword(ground: Ground, function: str, name: str, hint: str = "") -> Iterator[Respelling]:
    """Other parameters where `function` takes no keyword `name`; then the call without it."""
    snapshot, path, source = ground
    bare = function.rpartition(".")[2]
    known = list(_parameters(bare, snapshot))
    if bare == "__init__" and "." in function:
        known += _parameters(function.split(".")[-2], snapshot)
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        for place, word in enumerate(node.keywords):
            if word.arg == name:
                start, _ = source.span(word)
                yield from _respelled(path, [(start, start + len(name))], name, known, hint, cutoff=0.45)
                items = source.items(node)
                index = len(node.args) + place
                if len(items) == len(node.args) + len(node.keywords):
                    low, high = items[index]
                    if index:
                        low = items[index - 1][1]
                    elif len(items) > 1:
                        high = items[1][0]
                    yield Respelling((TextEdit(path, low, high, ""),), name, "", 0.9)


def attributes_of(owner: str, snapshot: Snapshot) -> Iterator[str]:
    """What a class or module has, from the project's sources, the builtins, or a standard module loaded here."""
    kind = getattr(builtins, owner, None)
    if isinstance(kind, type):
        yield from (name for name in dir(kind) if not name.startswith("__"))
        return
    for path, text in project_files(snapshot):
        whole = module_name(path, snapshot) == owner
        if not whole and f"class {owner}" not in text:
            continue
        try:
            tree = parse(text)
        except (SyntaxError, ValueError, RecursionError):
            continue
        if whole:
            yield from _top_names(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name == owner:
                yield from _members(node)
    module = sys.modules.get(owner) if owner in sys.stdlib_module_names else None
    if module is not None:
        yield from (name for name in dir(module) if not name.startswith("_"))


def _top_names(tree: ast.Module) -> Iterator[str]:
    for statement in tree.body:
        if isinstance(statement, Function | ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    yield node.id
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in statement.names)


def _members(node: ast.ClassDef) -> Iterator[str]:
    for inner in ast.walk(node):
        match inner:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                yield name
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield statement.target.id
        elif isinstance(statement, ast.Assign):
            yield from (target.id for target in statement.targets if isinstance(target, ast.Name))


def _parameters(name: str, snapshot: Snapshot) -> Iterator[str]:
    for _, text in project_files(snapshot):
        if f"def {name}" not in text and f"class {name}" not in text:
            continue
        try:
            tree = parse(text)
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(tree):
            functions: list[ast.AST] = []
            if isinstance(node, Function) and node.name == name:
                functions = [node]
            elif isinstance(node, ast.ClassDef) and node.name == name:
                functions = [inner for inner in node.body if isinstance(inner, Function) and inner.name == "__init__"]
                yield from (
                    inner.target.id
                    for inner in node.body
                    if isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name)
                )
            for function in functions:
                assert isinstance(function, Function)
                arguments = [*function.args.args, *function.args.kwonlyargs]
                yield from (argument.arg for argument in arguments if argument.arg not in ("self", "cls"))


def _respelled(
    path: RelPath, spans: list[tuple[int, int]], old: str, known: Iterable[str], hint: str, *, cutoff: float = _CUTOFF
) -> Iterator[Respelling]:
    if not spans:
        return
    scored: dict[str, float] = {}
    lowered = old.lower().replace("_", "")
    for name in known:
        if name == old or not name:
            continue
        ratio = difflib.SequenceMatcher(None, old.lower(), name.lower()).ratio()
        if name.lower().replace("_", "") == lowered:
            ratio = 1.0
        elif old in name or name in old:
            ratio = max(ratio, cutoff)
        if ratio >= cutoff:
            scored[name] = 1.0 - ratio
    if hint and hint != old:
        scored[hint] = -0.01
    for name, distance in sorted(scored.items(), key=lambda item: (item[1], item[0]))[:_MOST]:
        everywhere = tuple(TextEdit(path, start, end, name) for start, end in spans)
        yield Respelling(everywhere, old, name, max(distance, 0.0))
        if len(spans) > 1:
            for edit in everywhere[:_MOST]:
                yield Respelling((edit,), old, name, max(distance, 0.0) + 0.3)
