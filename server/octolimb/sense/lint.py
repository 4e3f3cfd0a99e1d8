"""The bundled ruff over a shadow, with the project's own configuration as the shadow has it. It changes nothing.

An unsaved `pyproject.toml` counts, and so do `exclude`, `noqa`, per-file ignores and, in a git repository,
`.gitignore`. Undefined names (F821) are always looked for, whatever the project selects, unless its configuration at
the root ignores them for all files: an undefined name is a test failure that no test has met yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from sys import version_info
from typing import Any, Final, Literal

from pydantic import BaseModel, TypeAdapter, ValidationError

from octolimb.core.errors import CannotSense
from octolimb.core.paths import RelPath
from octolimb.core.positions import Span
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, Severity
from octolimb.sense.sources import Places, read_settings, start_of_file, table_in, text_of
from octolimb.sense.tools import path_within, reason_of, run_bundled
from octolimb.shadow.shadow import Shadow

SOURCE: Final = "lint"
SYNTAX_CODE: Final = "invalid-syntax"
SYNTAX_CODES: Final = frozenset({SYNTAX_CODE, "F701", "F702", "F704", "F706", "F707"})
"""What Python itself refuses to compile: parse errors, and statements where they cannot stand."""
_ERRORS: Final = SYNTAX_CODES | {"F821"}
# Ruff's order of preference within one directory.
CONFIGURATIONS: Final = (".ruff.toml", "ruff.toml", "pyproject.toml")

OUR_PYTHON: Final = f"py3{version_info.minor}"
"""The interpreter that parses in `syntax`, in ruff's spelling."""

Applicability = Literal["safe", "unsafe", "display"]


@dataclass(frozen=True)
class LintEdit:
    """Replaces the characters from `start` up to `end` (code points into the document's text) with `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class LintFix:
    """Edits that together cure one finding, as ruff proposes them; they do not overlap.

    `safe` keeps the meaning of the code, `unsafe` may not, `display` is for people only.
    """

    path: RelPath
    span: Span
    code: str
    message: str
    applicability: Applicability
    edits: tuple[LintEdit, ...]


class _Location(BaseModel):
    row: int
    column: int


class _Edit(BaseModel):
    content: str
    location: _Location
    end_location: _Location


class _Fix(BaseModel):
    applicability: Applicability
    edits: list[_Edit]


class _Diagnostic(BaseModel):
    """One element of `ruff check --output-format json`; columns count code points, rows and columns from one."""

    code: str | None
    message: str
    filename: str
    cell: int | None = None
    location: _Location
    end_location: _Location
    fix: _Fix | None = None


@cache
def _report() -> TypeAdapter[list[_Diagnostic]]:
    return TypeAdapter(list[_Diagnostic])


def check_lint(
    shadow: Shadow, snapshot: Snapshot, paths: Sequence[str] = (), *, deadline: float = 600.0
) -> list[Finding]:
    """What ruff finds in the project, or in `paths`; in ruff's order. `shadow` must show `snapshot`.

    Syntax errors and undefined names are errors, the rest are warnings. A finding in a notebook stands at the start of
    the file and names its cell in `detail`. Raises `CannotSense` with ruff's own reason where it could not run.
    """
    places: dict[RelPath, Places] = {}
    found: list[Finding] = []
    for path, diagnostic in _diagnostics(shadow, snapshot, paths, (), deadline):
        code = diagnostic.code or SYNTAX_CODE
        span, detail = _place(snapshot, path, diagnostic, places)
        found.append(finding_of(path, span, code, diagnostic.message, detail=detail))
    return found


def finding_of(path: RelPath, span: Span, code: str, message: str, *, detail: str = "") -> Finding:
    """A diagnostic of ruff as a finding: syntax errors and undefined names are errors, the rest are warnings."""
    severity = Severity.ERROR if code in _ERRORS else Severity.WARNING
    return Finding(path, span, severity, SOURCE, code, message, detail=detail)


def lint_fixes(
    shadow: Shadow,
    snapshot: Snapshot,
    paths: Sequence[str] = (),
    *,
    select: Sequence[str] = (),
    deadline: float = 600.0,
) -> list[LintFix]:
    """The fixes that ruff proposes for its findings, notebooks left out; nothing is applied.

    `select` are further rules to look for beside the project's. Raises `CannotSense`.
    """
    places: dict[RelPath, Places] = {}
    found: list[LintFix] = []
    for path, diagnostic in _diagnostics(shadow, snapshot, paths, select, deadline):
        if diagnostic.fix is None or diagnostic.cell is not None:
            continue
        span, _ = _place(snapshot, path, diagnostic, places)
        text = places[path]
        edits = tuple(
            LintEdit(
                text.offset(edit.location.row, edit.location.column),
                text.offset(edit.end_location.row, edit.end_location.column),
                edit.content,
            )
            for edit in diagnostic.fix.edits
        )
        code = diagnostic.code or SYNTAX_CODE
        found.append(LintFix(path, span, code, diagnostic.message, diagnostic.fix.applicability, edits))
    return found


def newer_syntax(shadow: Shadow, paths: Sequence[RelPath], *, deadline: float = 600.0) -> frozenset[RelPath]:
    """Of these files, those that are right for the newest Python known to ruff, yet too new for our interpreter.

    Only that clears a file: ruff must reject it for our version and accept it for the newest, so what ruff merely
    overlooks (an invalid escape, say) stays an error. Raises `CannotSense`.
    """
    rejected = _broken(shadow, paths, ("--target-version", OUR_PYTHON), deadline)
    if not rejected:
        return frozenset()
    return rejected - _broken(shadow, sorted(rejected), (), deadline)


def _broken(shadow: Shadow, paths: Sequence[RelPath], options: Sequence[str], deadline: float) -> frozenset[RelPath]:
    # E902 reports files that cannot be read; syntax errors are reported whatever is selected.
    arguments = ("--isolated", "--select", "E902", *options)
    diagnostics = _run(shadow, arguments, paths, deadline)
    return frozenset(path for diagnostic in diagnostics if (path := path_within(shadow, diagnostic.filename)))


def _diagnostics(
    shadow: Shadow, snapshot: Snapshot, paths: Sequence[str], select: Sequence[str], deadline: float
) -> list[tuple[RelPath, _Diagnostic]]:
    present = [path for path in paths if snapshot.kind(path) is not None]
    if paths and not present:
        return []
    rules = [*select] if ignores_undefined_names(snapshot) else ["F821", *select]
    arguments = ["--force-exclude"]
    if rules:
        arguments += ["--extend-select", ",".join(rules)]
    diagnostics = _run(shadow, arguments, present, deadline)
    placed = [(path_within(shadow, diagnostic.filename), diagnostic) for diagnostic in diagnostics]
    return [(path, diagnostic) for path, diagnostic in placed if path is not None]


def _run(shadow: Shadow, arguments: Sequence[str], paths: Sequence[str], deadline: float) -> list[_Diagnostic]:
    command = ["check", "--no-cache", "--no-fix", "--exit-zero", "--output-format", "json", *arguments, "--"]
    completed = run_bundled(shadow, "ruff", [*command, *(paths or ["."])], deadline=deadline)
    if completed.returncode != 0:
        raise CannotSense(f"ruff: {reason_of(completed, shadow)}")
    try:
        return _report().validate_json(completed.stdout)
    except ValidationError:
        raise CannotSense("ruff ended well, but its report cannot be read") from None


def _place(
    snapshot: Snapshot, path: RelPath, diagnostic: _Diagnostic, places: dict[RelPath, Places]
) -> tuple[Span, str]:
    if diagnostic.cell is not None:
        where = f"cell {diagnostic.cell}, line {diagnostic.location.row}, column {diagnostic.location.column}"
        return start_of_file(), where
    if path not in places:
        places[path] = Places(text_of(snapshot, path))
    start, end = diagnostic.location, diagnostic.end_location
    return places[path].span(start.row, start.column, end.row, end.column), ""


def ignores_undefined_names(snapshot: Snapshot) -> bool:
    """True where the configuration at the root says that F821 is to be ignored everywhere.

    On the command line `--extend-select` would overrule it. Configurations further down, or that this one extends, are
    not looked at: an undefined name too many is the safer mistake.
    """
    for name in CONFIGURATIONS:
        if snapshot.kind(name) is None:
            continue
        settings = read_settings(snapshot, name)
        if name == "pyproject.toml":
            settings = table_in(settings, "tool", "ruff")
        tables = (settings, table_in(settings, "lint"))
        ignored = [rule for table in tables for key in ("ignore", "extend-ignore") for rule in _list(table, key)]
        return any(rule == "ALL" or (rule and "F821".startswith(rule)) for rule in ignored)
    return False


def _list(table: dict[str, Any], key: str) -> list[str]:
    value = table.get(key)
    return [rule for rule in value if isinstance(rule, str)] if isinstance(value, list) else []
