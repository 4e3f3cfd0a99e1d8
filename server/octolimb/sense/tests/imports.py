"""Which file of a project needs which, from the import statements in its sources.

It reads text and runs nothing, so it errs on one side only: it may find a dependency that is none (an import in a
string, a name that is a module elsewhere), and a file whose imports cannot be known is marked as needing everything.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from octolimb.core.errors import OctolimbError
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.sense.tests.layout import Layout, read_layout, source_files

# Matched from the start of a line, or from the end of the statement before it on the same line.
_IMPORT = re.compile(
    r"(?:[^\n]*?[;:])??[ \t]*(?:"
    r"from[ \t]*(?P<module>[.\w \t]+?)[ \t]*\bimport\b[ \t]*(?P<names>\((?:[^)#]|#[^\n]*)*\)|[^\n#;]*)"
    r"|import[ \t]+(?P<modules>[^\n#;]+))"
)
_PLUGINS = re.compile(r"^pytest_plugins\b[^=\n]*=\s*([\[(][^\])]*[\])]|[^\n]*)", re.MULTILINE)
_STRING = re.compile(r"[\"']([\w.]+)[\"']")
_DYNAMIC = re.compile(
    r"\bimport_module\b|\b__import__\b|\brunpy\b|\bimportlib\.(?:util|machinery|reload)\b|\bSourceFileLoader\b"
    r"|from importlib import (?!metadata|resources)|\bpkgutil\.(?:walk|iter)|\blazy_(?:loader|import)|\bentry_points\b"
)
_OTHER_PROCESS = re.compile(r"\bsubprocess\b|\bos\.(?:system|popen|exec|spawn|posix_spawn)|\bpexpect\b|\bPopen\b")
_NESTED_PYTEST = re.compile(r"\bpytester\b|\btestdir\b|\bpytest\.main\b|\bdoctest\b")
_DYNAMIC_WORDS = ("import_module", "__import__", "runpy", "importlib", "SourceFileLoader", "pkgutil", "lazy_", "entry_")
_PROCESS_WORDS = ("subprocess", "os.", "pexpect", "Popen")
_NESTED_WORDS = ("pytester", "testdir", "pytest.main", "doctest")


@dataclass(frozen=True)
class ImportGraph:
    """`needs` maps each file to those that it needs directly. `opaque` maps a file whose needs cannot be known to why.

    `tests` are the files that a run without arguments may collect.
    """

    needs: Mapping[RelPath, frozenset[RelPath]]
    opaque: Mapping[RelPath, str]
    tests: frozenset[RelPath]

    @cached_property
    def _needed_by(self) -> dict[RelPath, list[RelPath]]:
        needed_by: dict[RelPath, list[RelPath]] = {}
        for path, needs in self.needs.items():
            for need in needs:
                needed_by.setdefault(need, []).append(path)
        return needed_by

    def dependents(self, changed: Iterable[RelPath]) -> set[RelPath]:
        """The changed files and every file that needs one of them, at whatever distance, by what is known."""
        return set(self.distances(changed))

    def distances(self, changed: Iterable[RelPath]) -> dict[RelPath, int]:
        """The same with the number of imports that lie between, 0 for what changed itself."""
        found = dict.fromkeys(changed, 0)
        queue = deque(found)
        while queue:
            need = queue.popleft()
            for path in self._needed_by.get(need, ()):
                if path not in found:
                    found[path] = found[need] + 1
                    queue.append(path)
        return found


def build_graph(snapshot: Snapshot, layout: Layout, gone: Iterable[RelPath] = ()) -> ImportGraph:
    """The graph of the snapshot's sources. `gone` are files that existed before: who imports them still counts."""
    present = list(source_files(snapshot))
    tests = frozenset(path for path in present if layout.is_test_file(path) and layout.is_reached(path))
    index = _Index.of([*present, *(path for path in gone if path.suffix == ".py")], layout, tests)
    needs: dict[RelPath, frozenset[RelPath]] = {}
    opaque: dict[RelPath, str] = {}
    test_side = {path.parent for path in tests}
    plugins = [found for name in layout.plugins for found in index.resolve(name)]
    for path in present:
        document = snapshot.get(path)
        text = "" if document is None or document.link else document.data.decode("utf-8", "replace")
        text = text.replace("\r\n", "\n").replace("\\\n", " ")
        found = set(_imported(path, text, index))
        found.update(index.packages_of(path))
        is_test_side = path in tests or path.name == "conftest.py" or path.parent in test_side
        if is_test_side:
            found.update(index.conftests_above(path))
            found.update(plugins)
        found.discard(path)
        needs[path] = frozenset(found)
        why = _why_opaque(text, is_test_side=is_test_side)
        if why is not None:
            opaque[path] = why
    return ImportGraph(needs, opaque, tests)


def _why_opaque(text: str, *, is_test_side: bool) -> str | None:
    if _has_any(_DYNAMIC_WORDS, text) and _DYNAMIC.search(text):
        return "imports by name at run time"
    if (is_test_side or "sys.executable" in text) and _has_any(_PROCESS_WORDS, text) and _OTHER_PROCESS.search(text):
        return "starts other processes"
    if is_test_side and _has_any(_NESTED_WORDS, text) and _NESTED_PYTEST.search(text):
        return "runs tests of its own"
    return None


def _has_any(words: tuple[str, ...], text: str) -> bool:
    """A cheap first look: a plain word is found much faster than a pattern."""
    return any(word in text for word in words)


@dataclass(frozen=True)
class _Statement:
    """One import statement: either `modules`, or `names` from `module`, as they are written."""

    module: str
    names: tuple[str, ...]
    modules: tuple[str, ...]


def _imported(path: RelPath, text: str, index: _Index) -> Iterator[RelPath]:
    return _resolved(path, _read_statements(text), index)


def _read_statements(text: str) -> tuple[_Statement, ...]:
    """What a text imports, whatever modules there are."""
    found: list[_Statement] = []
    for match in _statements(text):
        module, names, modules = match.group("module", "names", "modules")
        if modules is not None:
            found.append(_Statement("", (), tuple(_names(modules))))
        else:
            found.append(_Statement("".join(module.split()), tuple(_names(names)), ()))
    if "pytest_plugins" in text:
        plugins = [name for match in _PLUGINS.finditer(text) for name in _STRING.findall(match.group(1))]
        found.append(_Statement("", (), tuple(plugins)))
    return tuple(found)


def _resolved(path: RelPath, statements: Iterable[_Statement], index: _Index) -> Iterator[RelPath]:
    for statement in statements:
        for name in statement.modules:
            yield from index.resolve(name)
        name = statement.module.lstrip(".")
        level = len(statement.module) - len(name)
        for bound in statement.names:
            if level:
                yield from index.resolve_relative(path, level, name, bound)
            elif bound == "*":
                yield from index.resolve(name, star=True)
            else:
                yield from index.resolve(f"{name}.{bound}")


def _statements(text: str) -> Iterator[re.Match[str]]:
    """The import statements. Looking for the word first makes this ten times as fast as searching for the pattern."""
    end = 0
    while (word := text.find("import", end)) >= 0:
        match = _IMPORT.match(text, max(end, text.rfind("\n", 0, word) + 1))
        if match is not None and match.end() > word:
            yield match
            end = match.end()
        else:
            end = word + len("import")


def _names(listed: str) -> list[str]:
    """The names that an import statement lists, without their `as` and comments."""
    bare = re.sub(r"#[^\n]*", "", listed).strip("() \t\n")
    return [words[0].strip("() ") for part in bare.split(",") if (words := part.split())]


class GrowingGraph:
    """Who imports whom, kept up to date file by file for a person who types. Not safe to share between threads.

    Unlike `build_graph` it does not care for what tests need beside their imports, nor for what cannot be known.
    """

    def __init__(self) -> None:
        self._statements: dict[RelPath, tuple[_Statement, ...]] = {}
        self._digests: dict[RelPath, str] = {}
        self._gone: set[RelPath] = set()
        self._index: _Index | None = None
        self._needs: dict[RelPath, frozenset[RelPath]] = {}
        self._needed_by: dict[RelPath, set[RelPath]] = {}

    def update(self, snapshot: Snapshot, moved: Iterable[RelPath]) -> None:
        """Takes in the snapshot, which differs from the one before at most in `moved`; the first time all is read."""
        if self._index is None:
            for path in source_files(snapshot):
                self._read(snapshot, path)
            self._index = self._resolve_all(snapshot)
        fresh = []
        moves = False
        for path in moved:
            if path.suffix != ".py":
                continue
            was_there = path in self._statements
            differs = self._read(snapshot, path)
            moves = moves or was_there != (path in self._statements) or path not in self._index.files
            if differs and path in self._statements:
                fresh.append(path)
        if moves:
            self._index = self._resolve_all(snapshot)
        else:
            for path in fresh:
                self._resolve(path, self._index)

    def nearest(self, changed: Iterable[RelPath], most: int) -> list[RelPath]:
        """At most `most` files that need one of these, the nearest first, by path at one distance; not themselves."""
        found: list[RelPath] = []
        near = set(changed)
        seen = set(near)
        while near and len(found) < most:
            near = {path for need in near for path in self._needed_by.get(need, ())} - seen
            seen |= near
            found += sorted(near)
        return found[:most]

    def _read(self, snapshot: Snapshot, path: RelPath) -> bool:
        """Reads one file; whether it differs from what was known."""
        try:
            document = snapshot.get(path)
        except OctolimbError:
            document = None
        if document is None or document.link:
            self._gone.add(path)
            self._digests.pop(path, None)
            return self._statements.pop(path, None) is not None
        self._gone.discard(path)
        if self._digests.get(path) == document.digest:
            return False
        self._digests[path] = document.digest
        text = document.data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\\\n", " ")
        statements = _read_statements(text)
        differs = self._statements.get(path) != statements
        self._statements[path] = statements
        return differs

    def _resolve_all(self, snapshot: Snapshot) -> _Index:
        layout = read_layout(snapshot)
        present = sorted(self._statements)
        tests = frozenset(path for path in present if layout.is_test_file(path) and layout.is_reached(path))
        index = _Index.of([*present, *sorted(self._gone)], layout, tests)
        self._needs, self._needed_by = {}, {}
        for path in present:
            self._resolve(path, index)
        return index

    def _resolve(self, path: RelPath, index: _Index) -> None:
        needs = {*_resolved(path, self._statements[path], index), *index.packages_of(path)} - {path}
        for need in self._needs.get(path, frozenset()) - needs:
            self._needed_by[need].discard(path)
        for need in needs:
            self._needed_by.setdefault(need, set()).add(path)
        self._needs[path] = frozenset(needs)


@dataclass(frozen=True)
class _Index:
    """Modules to files, for every directory that imports may start from."""

    files: Mapping[str, RelPath]
    directories: frozenset[str]
    children: Mapping[str, list[RelPath]]
    roots: frozenset[str]
    anywhere: Mapping[str, list[str]]
    cache: dict[str, tuple[RelPath, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, paths: list[RelPath], layout: Layout, tests: frozenset[RelPath]) -> _Index:
        files: dict[str, RelPath] = {path: path for path in paths}
        directories: set[str] = set()
        children: dict[str, list[RelPath]] = {}
        anywhere: dict[str, list[str]] = {}
        for path in paths:
            directory = path.parent
            children.setdefault(directory, []).append(path)
            if path.name != "__init__.py":
                anywhere.setdefault(path.name[:-3], []).append(directory)
            while directory and directory not in directories:
                directories.add(directory)
                above, _, name = directory.rpartition("/")
                anywhere.setdefault(name, []).append(above)
                directory = above
        # pytest puts the first directory without __init__.py above each test and conftest on sys.path.
        roots = {"", "src", *(path.strip("/").removeprefix("./").strip(".") for path in layout.import_paths)}
        for path in paths:
            if path in tests or path.name == "conftest.py":
                directory = path.parent
                while directory and f"{directory}/__init__.py" in files:
                    directory = directory.rpartition("/")[0]
                roots.update((directory, path.parent))
        return cls(files, frozenset(directories), children, frozenset(roots), anywhere)

    def resolve(self, name: str, *, star: bool = False) -> tuple[RelPath, ...]:
        """Every file that importing the dotted `name`, or the longest part of it that is a module, executes."""
        key = name + "*" if star else name
        known = self.cache.get(key)
        if known is None:
            known = self.cache[key] = tuple(self._resolve(name, star=star))
        return known

    def resolve_relative(self, path: RelPath, level: int, name: str, bound: str) -> list[RelPath]:
        directory = path.parent
        for _ in range(level - 1):
            directory = directory.rpartition("/")[0]
        parts = [part for part in name.split(".") if part]
        init = self.files.get(_below(directory, "__init__.py"))
        found = [] if init is None else [init]
        star = bound == "*"
        return found + self._follow(directory, parts if star else [*parts, bound], star=star)

    def packages_of(self, path: RelPath) -> list[RelPath]:
        """The `__init__.py` of the packages that contain a file."""
        found = []
        directory = path.parent
        while (init := self.files.get(_below(directory, "__init__.py"))) is not None:
            found.append(init)
            if not directory:
                break
            directory = directory.rpartition("/")[0]
        return found

    def conftests_above(self, path: RelPath) -> list[RelPath]:
        return [
            conftest
            for directory in (*path.ancestors, "")
            if (conftest := self.files.get(_below(directory, "conftest.py"))) is not None
        ]

    def _resolve(self, name: str, *, star: bool) -> list[RelPath]:
        parts = [part for part in name.split(".") if part]
        if not parts:
            return []
        top = parts[0]
        holders = self.anywhere.get(top, [])
        starts = [directory for directory in holders if directory in self.roots]
        if not starts and top not in sys.stdlib_module_names:
            # Not where imports start from as far as we know: a monorepo, an editable install, a changed sys.path.
            starts = holders
        return [found for start in starts for found in self._follow(start, parts, star=star)]

    def _follow(self, directory: str, parts: list[str], *, star: bool) -> list[RelPath]:
        found = []
        for part in parts:
            base = _below(directory, part)
            if (module := self.files.get(f"{base}.py")) is not None:
                found.append(module)
            if base not in self.directories:
                return found
            if (init := self.files.get(f"{base}/__init__.py")) is not None:
                found.append(init)
            directory = base
        # A package's `__all__` may name submodules, which a star then imports.
        return found + self.children.get(directory, []) if star else found


def _below(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name
