"""The bundled ty over a shadow: type errors of the project as the shadow has it. It executes nothing of the project.

With the project's trusted interpreter ty resolves third-party imports in that interpreter's environment. Without one
it gets our own environment, and never a `.venv` of the repository, whose contents an untrusted repository chooses; a
third-party import that is not found there says nothing about the project and is then only a warning.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, TypeAdapter, ValidationError

from octolimb.core.errors import BadPath, CannotSense
from octolimb.core.paths import RelPath
from octolimb.core.positions import Span
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, Severity
from octolimb.sense.sources import Places, read_settings, table_in, text_of
from octolimb.sense.tools import path_within, reason_of, run_bundled
from octolimb.shadow.interpreter import Interpreter
from octolimb.shadow.shadow import Shadow

SOURCE: Final = "types"
NO_INTERPRETER: Final = "without the project's interpreter: third-party imports are not judged"
# What ty falls back to where nothing tells it the project's version.
_NEWEST_PYTHON: Final = "3.14"
# Exit statuses of ty 0.0.105: 0 nothing found, 1 errors found, 2 unusable settings, or files that it could not read
# (then with a whole report), 101 a defect of its own, at times with a report.
UNREADABLE: Final = "io"
_MODULE: Final = re.compile(r"Cannot resolve imported module `([^`]*)`")


class _Point(BaseModel):
    line: int
    column: int


class _Positions(BaseModel):
    begin: _Point
    end: _Point


class _Location(BaseModel):
    path: str
    positions: _Positions


class _Issue(BaseModel):
    """One element of `ty check --output-format gitlab`; lines and columns from one, columns in code points."""

    check_name: str
    description: str
    severity: Literal["info", "minor", "major", "critical", "blocker"]
    location: _Location


_SEVERITIES: Final = {"info": Severity.INFORMATION, "minor": Severity.WARNING}


@cache
def _report() -> TypeAdapter[list[_Issue]]:
    return TypeAdapter(list[_Issue])


def check_types(
    shadow: Shadow,
    snapshot: Snapshot,
    interpreter: Interpreter | None,
    paths: Sequence[str] = (),
    *,
    deadline: float = 600.0,
) -> list[Finding]:
    """What ty finds in the project, or in `paths`, in ty's order. `shadow` must show `snapshot`.

    `interpreter` is the project's, or None where it may not be used. Errors are errors and warnings warnings, but for
    a file in an encoding that ty cannot read, which is a warning. Raises `CannotSense` with ty's own reason where it
    could not run.
    """
    present = [path for path in paths if snapshot.kind(path) is not None]
    if paths and not present:
        return []
    options = {"python": "--python", "python-version": "--python-version"}
    environment = [
        word for name, value in environment_of(snapshot, interpreter).items() for word in (options[name], value)
    ]
    keep = directories_for(interpreter)
    command = ["check", "--no-progress", "--color", "never", "--output-format", "gitlab", "--force-exclude"]
    completed = run_bundled(shadow, "ty", [*command, *environment, "--", *present], deadline=deadline, keep=keep)
    try:
        issues = _report().validate_json(completed.stdout)
    except ValidationError:
        raise CannotSense(f"ty: {reason_of(completed, shadow)}") from None
    failed = any(issue.severity not in _SEVERITIES for issue in issues)
    unread = any(issue.check_name == UNREADABLE for issue in issues)
    if completed.returncode != (2 if unread else 1 if failed else 0):
        raise CannotSense(f"ty: {reason_of(completed, shadow)}")
    places: dict[RelPath, Places] = {}
    findings = [_finding(shadow, snapshot, issue, interpreter, places) for issue in issues]
    return [finding for finding in findings if finding is not None]


def environment_of(snapshot: Snapshot, interpreter: Interpreter | None) -> dict[str, str]:
    """Ty's settings in the table `environment` that name the Python environment and, where need be, its version."""
    if interpreter is not None:
        return {"python": str(interpreter.python)}
    found = {"python": sys.prefix}
    # Else ty would take the version of our own environment for the project's and reject newer syntax.
    if not _declares_version(snapshot):
        found["python-version"] = _NEWEST_PYTHON
    return found


def directories_for(interpreter: Interpreter | None) -> tuple[Path, ...]:
    """The directories that must be readable for that environment."""
    return interpreter.keep if interpreter is not None else (Path(sys.prefix), Path(sys.base_prefix))


def _declares_version(snapshot: Snapshot) -> bool:
    pyproject = read_settings(snapshot, "pyproject.toml")
    environments = (
        table_in(read_settings(snapshot, "ty.toml"), "environment"),
        table_in(pyproject, "tool", "ty", "environment"),
    )
    declared = any("python-version" in environment for environment in environments)
    return declared or "requires-python" in table_in(pyproject, "project")


def _finding(
    shadow: Shadow, snapshot: Snapshot, issue: _Issue, interpreter: Interpreter | None, places: dict[RelPath, Places]
) -> Finding | None:
    path = path_within(shadow, issue.location.path)
    if path is None:
        return None
    if path not in places:
        places[path] = Places(None if path.suffix == ".ipynb" else text_of(snapshot, path))
    begin, end = issue.location.positions.begin, issue.location.positions.end
    span = places[path].span(begin.line, begin.column, end.line, end.column)
    message = issue.description.removeprefix(f"{issue.check_name}: ")
    severity = _SEVERITIES.get(issue.severity, Severity.ERROR)
    return finding_of(snapshot, interpreter, path, span, severity, issue.check_name, message)


def finding_of(
    snapshot: Snapshot,
    interpreter: Interpreter | None,
    path: RelPath,
    span: Span,
    severity: Severity,
    code: str,
    message: str,
) -> Finding:
    """A diagnostic of ty as a finding: what says nothing about the project is only a warning."""
    if code == UNREADABLE or (interpreter is None and _is_foreign_import(snapshot, message)):
        severity = Severity.WARNING
    return Finding(path, span, severity, SOURCE, code, message)


def _is_foreign_import(snapshot: Snapshot, message: str) -> bool:
    """True for an import that ty did not find and that is none of the project's own modules."""
    match = _MODULE.match(message)
    if match is None or match[1].startswith("."):
        return False
    top = match[1].partition(".")[0]
    candidates = (f"{folder}{top}{ending}" for folder in ("", "src/") for ending in ("", ".py", ".pyi"))
    try:
        return all(snapshot.kind(candidate) is None for candidate in candidates)
    except BadPath:
        # A name that no file can have.
        return True
