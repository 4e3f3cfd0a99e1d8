"""Chooses the tests that a change can affect. Where that is not certain it chooses more, and says why.

It reads sources and configuration from a snapshot and runs nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from octolimb.core.errors import BadPath
from octolimb.core.paths import RelPath, parse_directory
from octolimb.core.snapshot import Kind, Snapshot
from octolimb.core.verdicts import TestMode
from octolimb.sense.tests.imports import ImportGraph, build_graph
from octolimb.sense.tests.layout import CONFIGURATION_FILES, Layout, read_layout
from octolimb.sense.tests.values import TestSelection

_SHOWN = 3
_UNSEARCHED = frozenset({".git", ".venv", "node_modules", "__pycache__", "site-packages"})
_TEST_DEFINITION = re.compile(rb"^[ \t]*(?:async[ \t]+)?def[ \t]+test|^class[ \t]+Test|\bTestCase\b", re.MULTILINE)


def select_tests(
    snapshot: Snapshot, mode: TestMode, changed: Collection[RelPath] | None, named: Sequence[str]
) -> TestSelection:
    """The tests to run for a change.

    `changed` are the paths that differ between the baseline and `snapshot`; None means that there is no baseline.
    `named` are paths, directories and node ids that a person gave; what among them is neither a test nor holds one
    is not about tests and left aside. Mode `full` gives all that is named, or the whole suite; `impacted` those among
    them that the change can affect, and a named node id always. Mode `none` comes back where nothing is left to run.
    """
    if mode == "none":
        return TestSelection("none", why="tests were not asked for")
    layout = read_layout(snapshot)
    asked = [*dict.fromkeys(name for raw in named if (name := _as_test(snapshot, layout, raw)) is not None)]
    if mode == "full":
        return TestSelection("full", tuple(asked), None, tuple(asked))
    if changed is not None and not changed and not asked:
        return TestSelection("none", why="nothing changed, so no test is affected")
    impacted, why = _impacted(snapshot, layout, changed)
    if impacted is None:
        return TestSelection("impacted", tuple(asked), why, tuple(asked))
    if not asked:
        # No ids would mean the whole suite.
        mode_left: TestMode = "impacted" if impacted else "none"
        return TestSelection(mode_left, tuple(sorted(impacted)), why)
    chosen: list[str] = []
    for name in asked:
        kind = _kind(snapshot, name)
        # What does not exist is kept, as are node ids: the run says what was not found.
        if name in impacted or kind is None:
            chosen.append(name)
        elif kind == "directory":
            directory = parse_directory(name)
            chosen += sorted(path for path in impacted if path.is_below(directory))
    if not chosen:
        return TestSelection("none", why="the change can affect none of the named tests")
    return TestSelection("impacted", tuple(dict.fromkeys(chosen)), why, tuple(asked))


@dataclass(frozen=True)
class Vicinity:
    """What lies near a change: `tests` are the nearest of the `total` test files that it can affect.

    `sources` are the changed files that there are, and those that import one of them.
    """

    tests: tuple[RelPath, ...]
    total: int
    sources: tuple[RelPath, ...]


def vicinity_of(snapshot: Snapshot, changed: Collection[RelPath], most: int) -> Vicinity | None:
    """The `most` test files that a change is most likely to break, nearest first; None where it affects no more.

    Near is what few imports lie between, then what lies in the same directories, then what has the changed file's name.
    """
    layout = read_layout(snapshot)
    gone = [path for path in changed if snapshot.kind(path) is None]
    graph = build_graph(snapshot, layout, gone)
    distances = graph.distances(changed)
    impacted, _ = _impacted(snapshot, layout, changed)
    files = set(graph.tests if impacted is None else impacted)
    if layout.doctests:
        files.update(path for path in changed if path in graph.needs)
    total = len(graph.needs) if layout.doctests else len(files)
    if total <= most:
        return None

    def distance(path: RelPath) -> tuple[float, int, bool, RelPath]:
        shared = max(len(set(path.ancestors) & set(other.ancestors)) for other in changed)
        is_namesake = any(_bare(other) in path.name for other in changed)
        return (distances.get(path, math.inf), -shared, not is_namesake, path)

    sources = sorted(path for path, steps in distances.items() if steps <= 1 and path in graph.needs)
    return Vicinity(tuple(sorted(files, key=distance)[:most]), total, tuple(sources))


def _bare(path: RelPath) -> str:
    return path.name.removesuffix(".py").strip("_")


def _impacted(
    snapshot: Snapshot, layout: Layout, changed: Collection[RelPath] | None
) -> tuple[set[RelPath] | None, str | None]:
    """The test files that the change can affect, or None for all; and why."""
    if changed is None:
        return None, "there is nothing to compare with, so every test runs"
    for path in sorted(changed):
        if path in CONFIGURATION_FILES:
            return None, f"{path} changed: it configures every test"
        if path.suffix != ".py":
            return None, f"{path} changed: any test may read it"
    if layout.doctests:
        return None, "doctests are collected: any file may hold tests"
    gone = [path for path in changed if snapshot.kind(path) is None]
    graph = build_graph(snapshot, layout, gone)
    for path in sorted(changed):
        if path not in graph.needs and path not in gone:
            return None, f"{path} changed: it lies where no imports are read, so any test may use it"
        deleted_test = path in gone and layout.is_test_file(path)
        if not deleted_test and graph.dependents([path]).isdisjoint(graph.tests):
            return None, f"{path} changed: no test imports it, so any test may run or read it"
    by_import = graph.dependents(changed) & graph.tests
    unsure = (graph.dependents(graph.opaque) & graph.tests) - by_import
    impacted = by_import | unsure
    why = f"{len(impacted)} of {len(graph.tests)} test files can be affected by {_shown(changed)}"
    if unsure:
        why += f", {len(unsure)} of them because what they use cannot be known ({_blame(graph, unsure)})"
    return impacted, why


def _blame(graph: ImportGraph, unsure: set[RelPath]) -> str:
    for path, why in sorted(graph.opaque.items()):
        if not graph.dependents([path]).isdisjoint(unsure):
            return f"{path} {why}"
    return "nothing names them"


def _shown(paths: Collection[RelPath]) -> str:
    return ", ".join(sorted(paths)[:_SHOWN]) + (", ..." if len(paths) > _SHOWN else "")


def _as_test(snapshot: Snapshot, layout: Layout, raw: str) -> str | None:
    """The canonical form of what a person named, or None where it is no test and holds none."""
    path, separator, names = raw.partition("::")
    kind = _kind(snapshot, raw)
    if kind is None and separator:
        try:
            return f"{RelPath(path)}::{names}"
        except BadPath:
            return raw
    try:
        canonical = parse_directory(raw)
    except BadPath:
        return raw
    if kind == "directory":
        holds = any(layout.is_test_file(found) for found in snapshot.walk(canonical, prune=_UNSEARCHED))
        return (canonical or ".") if holds else None
    found = RelPath(canonical)
    if layout.is_test_file(found):
        return found
    document = snapshot.get(found)
    holds = found.suffix == ".py" and document is not None and _TEST_DEFINITION.search(document.data) is not None
    return found if holds else None


def _kind(snapshot: Snapshot, path: str) -> Kind | None:
    try:
        return snapshot.kind(parse_directory(path))
    except BadPath:
        return None
