"""Runs a project's tests with pytest, in a shadow and in the project's own interpreter, and says what happened.

It does not choose the tests (see `impact`), does not compare with a baseline, and never takes a missing report for a
pass (see `judging`). The other end is `in_project/pytest_reporter.py`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from octolimb.core.errors import BadPath, CannotSense
from octolimb.core.paths import RelPath, parse_directory
from octolimb.core.snapshot import Snapshot
from octolimb.sense.tests.findings import findings_of
from octolimb.sense.tests.judging import Ending, judge
from octolimb.sense.tests.seal import KEY_BYTES, unseal
from octolimb.sense.tests.stream import Reports, printable, read_reports
from octolimb.sense.tests.values import Site, TestRun, TestSelection
from octolimb.shadow.environment import path_with
from octolimb.shadow.interpreter import Interpreter
from octolimb.shadow.shadow import Completed, Shadow

__all__ = ["Site", "TestRun", "TestSelection", "findings_of", "run_tests"]

_REPORTER: Final = Path(__file__).parent / "in_project" / "pytest_reporter.py"
_OUTPUT_BYTES: Final = 1 << 20


def run_tests(
    shadow: Shadow,
    snapshot: Snapshot,
    interpreter: Interpreter,
    selection: TestSelection,
    *,
    deadline: float,
    collect_only: bool = False,
    stop_first: bool = False,
) -> TestRun:
    """Runs the selected tests as `python -m pytest` from the root of `shadow`, which shows `snapshot`.

    `deadline` is in seconds; with `collect_only` the tests are found and not run; with `stop_first` the run ends at the
    first failure and the rest is lost. Raises `CannotSense` where the interpreter cannot start or has no pytest, and
    `CannotIsolate`.
    """
    if selection.mode == "none":
        return TestRun({}, (), (), None, 0.0, selection.why)
    request = _Request.of(snapshot, selection)
    if selection.ids and not request.has_targets:
        return judge(Reports(), _nothing_to_run(), snapshot, request.wanted)
    key = secrets.token_bytes(KEY_BYTES)
    wire = {**request.wire(collect_only=collect_only, stop_first=stop_first), "key": key.hex()}
    completed = shadow.run(
        [str(interpreter.python), str(_REPORTER)],
        env={"PATH": path_with(interpreter.bin)},
        stdin=json.dumps(wire).encode(),
        deadline=deadline,
        keep=[*interpreter.keep, _REPORTER.parent],
        output_limit=_OUTPUT_BYTES,
    )
    reports = _read(completed.report, key, shadow)
    _refuse_unfit(reports, completed, interpreter, deadline)
    ending = Ending(
        returncode=completed.returncode,
        timed_out=completed.timed_out,
        ms=completed.ms,
        deadline=deadline,
        stop_first=stop_first,
        collect_only=collect_only,
        last_words=_last_line(completed.stderr),
    )
    return judge(reports, ending, snapshot, request.wanted)


def _read(stream: bytes, key: bytes, shadow: Shadow) -> Reports:
    """The reports that are really the reporter's. Behind its last one nothing may follow."""
    unsealed = unseal(stream, key)
    reports = read_reports(unsealed.lines, str(shadow.root), shadow.displaced)
    if unsealed.broken or (unsealed.rest and reports.finish is not None):
        reports.garbled = True
    return reports


@dataclass(frozen=True)
class _Request:
    """The selection sorted by what its ids are. `wanted` are the ids that must be found."""

    files: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    node_ids: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    explicit: bool = False

    @classmethod
    def of(cls, snapshot: Snapshot, selection: TestSelection) -> _Request:
        named = frozenset(selection.named)
        files, directories, node_ids, wanted = [], [], [], []
        for chosen in dict.fromkeys(selection.ids):
            path, _, names = chosen.partition("::")
            kind = _kind(snapshot, chosen)
            if kind == "directory":
                directories.append(parse_directory(chosen))
            elif kind is not None:
                files.append(str(RelPath(chosen)))
            elif names and _kind(snapshot, path) is not None:
                node_ids.append(f"{RelPath(path)}::{names}")
            # An id of one test must be found whoever chose it; a file or directory only if a person asked for it.
            if chosen in named or names or kind is None:
                wanted.append(chosen)
        return cls(tuple(files), tuple(directories), tuple(node_ids), tuple(wanted), bool(named))

    @property
    def has_targets(self) -> bool:
        return bool(self.files or self.directories or self.node_ids)

    def wire(self, *, collect_only: bool, stop_first: bool) -> dict[str, object]:
        """The request as the reporter takes it."""
        visit = tuple(dict.fromkeys(node_id.partition("::")[0] for node_id in self.node_ids))
        return {
            "args": _arguments((*self.files, *self.directories, *visit)) if self.explicit else None,
            "files": self.files,
            "directories": self.directories,
            "ids": self.node_ids,
            "visit": visit,
            "all": not self.has_targets,
            "collect_only": collect_only,
            "stop_first": stop_first,
        }


def _arguments(paths: Iterable[str]) -> list[str]:
    """Arguments that pytest reads as these paths. It splits `::` and `[` off, so such a path goes by its directory."""
    safe: dict[str, None] = {}
    for path in paths:
        argument = path
        while "::" in argument or "[" in argument:
            argument = argument.rpartition("/")[0]
        safe[f"./{argument}" if argument else "."] = None
    return list(safe)


def _kind(snapshot: Snapshot, path: str) -> str | None:
    try:
        return snapshot.kind(parse_directory(path))
    except BadPath:
        return None


def _nothing_to_run() -> Ending:
    return Ending(returncode=None, timed_out=False, ms=0.0, deadline=0.0, started=False)


def _refuse_unfit(reports: Reports, completed: Completed, interpreter: Interpreter, deadline: float) -> None:
    python = interpreter.python
    other = "or name another interpreter with --python"
    if not reports.hello:
        if completed.timed_out:
            raise CannotSense(f"{python} did not start within {deadline:g} s", hint="give it more time")
        said = _last_line(completed.stderr) or f"it ended with status {completed.returncode}"
        raise CannotSense(
            f"cannot start the project's interpreter {python}: {said}", hint="name one that works with --python"
        )
    if reports.unfit == "pytest":
        raise CannotSense(f"{python} has no pytest", hint=f"install it: {python} -m pip install pytest; {other}")
    if reports.unfit == "python":
        version = ".".join(map(str, reports.python))
        raise CannotSense(f"{python} is Python {version}; tests need 3.9 or newer", hint="name one with --python")
    if reports.unfit is not None:
        raise CannotSense(
            f"pytest cannot be imported by {python}: {reports.unfit}",
            hint=f"repair it: {python} -m pip install --force-reinstall pytest; {other}",
        )


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return printable(lines[-1].strip())[:300] if lines else ""
