"""Reads what `in_project/pytest_reporter.py` wrote: bytes in, facts out. It runs nothing and judges nothing.

The other end runs the project's code, so nothing is taken on trust: a record that is not of the expected shape ends the
stream there, as if the process had died.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from octolimb.core.errors import BadPath
from octolimb.core.paths import RelPath

Place = tuple[RelPath, int]
"""A file below the root and a one-based line."""


@dataclass(frozen=True)
class Facts:
    """What is known of one failure. `deepest` is the innermost frame of the project's code, `test` of the test file."""

    kind: str = ""
    message: str = ""
    detail: str = ""
    deepest: Place | None = None
    test: Place | None = None
    crash: Place | None = None


@dataclass(frozen=True)
class Phase:
    """One report of one test. `when` is `setup`, `call` or `teardown`, `seconds` what it took."""

    when: str
    outcome: str
    seconds: float
    facts: Facts = Facts()
    xfail: str | None = None
    subtest: str | None = None
    raised: str | None = None
    """The exception that was raised in it although it was reported as passed."""


@dataclass(frozen=True)
class Trouble:
    """Something that went wrong outside of a test: `stage` is collect, conftest, usage, internal or tampered."""

    stage: str
    path: RelPath | None
    facts: Facts
    node_id: str = ""


@dataclass
class Reports:
    """Everything that arrived. `finish` is the exit status that pytest gave; None where the stream breaks off.

    `sources` are the SHA-256 of test modules as they were just before they were imported.
    """

    hello: bool = False
    python: tuple[int, ...] = ()
    executable: str = ""
    unfit: str | None = None
    pytest: str = ""
    inifile: RelPath | None = None
    collected: tuple[str, ...] | None = None
    files: dict[str, RelPath | None] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    phases: dict[str, list[Phase]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    deselected: set[str] = field(default_factory=set)
    near: list[str] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    sources: dict[RelPath, str] = field(default_factory=dict)
    running: str | None = None
    stopped: tuple[str, str] | None = None
    finish: int | None = None
    garbled: bool = False


def read_reports(stream: bytes, root: str, displaced: Mapping[str, str] = {}) -> Reports:
    """The complete records of `stream`; a last line without its end is what a dying process left, and is dropped.

    `root` is the directory, as the child saw it, that paths are made relative to. What failures say of the
    places in `displaced` they say of what each one is called elsewhere.
    """
    reader = _Reader(root, displaced)
    for line in stream.split(b"\n")[:-1]:
        try:
            record = json.loads(line)
            reader.take(record)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
            reader.reports.garbled = True
            break
    return reader.reports


class _Reader:
    def __init__(self, root: str, displaced: Mapping[str, str]) -> None:
        self.reports = Reports()
        self._displaced = displaced
        self._prefix = root.rstrip("/") + "/"
        self._ids: list[str] = []

    def take(self, record: list[object]) -> None:
        reports = self.reports
        match record:
            case ["hello", [*version], str(executable)]:
                reports.hello = True
                reports.python = tuple(int(str(part)) for part in version)
                reports.executable = printable(executable)
            case ["unfit", str(what)]:
                reports.unfit = what
            case ["session", str(version), str(_), str(inifile)]:
                reports.pytest = version
                reports.inifile = self.relative(inifile)
            case ["error", str(stage), str(path), dict(facts), *rest]:
                node_id = printable(str(rest[0])) if rest else ""
                reports.troubles.append(Trouble(stage, self.relative(path), self.facts(facts), node_id))
            case ["tampered", str(what)]:
                message = f"{printable(what)} was replaced while the tests ran, so nobody can say what they did"
                reports.troubles.append(Trouble("tampered", None, Facts(kind="run", message=message)))
            case ["source", str(path), str(digest)]:
                if (relative := self.relative(path)) is not None:
                    reports.sources[relative] = digest
            case ["skipped", str(node_id), str(_), str(reason)]:
                reports.skipped[printable(node_id)] = printable(reason)
            case ["deselected", [*ids]]:
                reports.deselected.update(printable(str(node_id)) for node_id in ids)
            case ["near", [*ids]]:
                reports.near.extend(printable(str(node_id)) for node_id in ids)
            case ["collected", [*groups]]:
                self.collect(groups)
            case ["start", int() | str() as item, int() | None as line]:
                node_id = self.node_id(item)
                reports.running = node_id
                if line is not None:
                    reports.lines[node_id] = line + 1
            case ["phase", int() | str() as item, str(when), str(outcome), int() | float() as seconds, *rest]:
                self.phase(self.node_id(item), when, outcome, float(seconds), rest[0] if rest else {})
            case ["stopped", str(kind), str(message)]:
                reports.stopped = (printable(kind), printable(message))
            case ["finish", int(status)]:
                reports.finish = status
            case _:
                raise ValueError("a record of an unknown shape")

    def collect(self, groups: list[object]) -> None:
        for group in groups:
            match group:
                case [str(file), [*ids]]:
                    path = self.relative(file)
                    for raw in ids:
                        node_id = printable(str(raw))
                        self._ids.append(node_id)
                        self.reports.files[node_id] = path
                case _:
                    raise ValueError("a group of an unknown shape")
        self.reports.collected = tuple(dict.fromkeys(self._ids))

    def phase(self, node_id: str, when: str, outcome: str, seconds: float, extra: object) -> None:
        if not isinstance(extra, dict):
            raise ValueError("facts of an unknown shape")
        xfail, subtest, raised = extra.get("xfail"), extra.get("sub"), extra.get("raised")
        phase = Phase(
            when,
            outcome,
            seconds,
            self.facts(extra) if extra else Facts(),
            None if xfail is None else printable(str(xfail)),
            None if subtest is None else printable(str(subtest)),
            None if raised is None else printable(str(raised)),
        )
        self.reports.phases.setdefault(node_id, []).append(phase)
        if when == "teardown" and self.reports.running == node_id:
            self.reports.running = None

    def node_id(self, item: int | str) -> str:
        return self._ids[item] if isinstance(item, int) and item >= 0 else printable(str(item))

    def facts(self, raw: dict[str, object]) -> Facts:
        def text(name: str) -> str:
            value = raw.get(name, "")
            if not isinstance(value, str):
                return ""
            for place, usual in self._displaced.items():
                value = value.replace(place, usual)
            return printable(value)

        return Facts(
            text("type"),
            " ".join(text("message").split()),
            text("detail"),
            self.place(raw.get("deepest")),
            self.place(raw.get("test")),
            self.place(raw.get("crash")),
        )

    def place(self, raw: object) -> Place | None:
        match raw:
            case [str(path), int(line)]:
                relative = self.relative(path)
                return None if relative is None else (relative, max(line, 1))
            case _:
                return None

    def relative(self, path: str) -> RelPath | None:
        """The path below the root; None for one outside it, or one that no `RelPath` can spell."""
        if path.startswith("/"):
            if not path.startswith(self._prefix):
                return None
            path = path[len(self._prefix) :]
        try:
            return RelPath(path) if path else None
        except BadPath:
            return None


def printable(text: str) -> str:
    """The text with lone surrogates spelt out, since no JSON document or terminal takes them."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
