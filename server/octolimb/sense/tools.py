"""Runs the linter and the type checker that this distribution brings, over a shadow. It does not read their reports.

The binaries come from our own installed distributions, never from PATH, so a repository cannot put its own in their
place. Their user-wide settings are out of reach in a shadow; the project's own are read there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from octolimb.core.errors import BadPath, CannotSense
from octolimb.core.paths import RelPath
from octolimb.shadow.shadow import Completed, Shadow

_REPORT_LIMIT: Final = 128 << 20
"""Bytes of report that we take. A report that is longer is no report."""


@cache
def find_bundled(name: str) -> Path:
    """The executable `name` of our own distribution `name`. Raises `CannotSense` where it is not installed."""
    try:
        files = distribution(name).files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        if file.name in (name, f"{name}.exe") and (path := Path(str(file.locate())).resolve()).is_file():
            return path
    raise CannotSense(f"{name} is not installed with octolimb", hint="install octolimb again, with its dependencies")


def run_bundled(
    shadow: Shadow, name: str, arguments: Sequence[str], *, deadline: float, keep: Sequence[Path] = ()
) -> Completed:
    """Runs our own `name` at the shadow's root for at most `deadline` seconds.

    `keep` are further directories that it must be able to read. Raises `CannotSense` where it did not end by itself
    or wrote more than we take; any exit status is the caller's to judge.
    """
    binary = find_bundled(name)
    completed = shadow.run(
        [str(binary), *arguments],
        deadline=deadline,
        keep=(binary.parent, *keep),
        output_limit=_REPORT_LIMIT,
        network=False,
    )
    if completed.timed_out or completed.returncode is None:
        raise CannotSense(f"{name} did not finish within {deadline:.0f} s")
    if completed.truncated:
        raise CannotSense(f"{name} reported more than {_REPORT_LIMIT >> 20} MB")
    if completed.returncode < 0:
        raise CannotSense(f"{name} was killed by signal {-completed.returncode}")
    return completed


def reason_of(completed: Completed, shadow: Shadow) -> str:
    """The tool's own words for its failure, in one line."""
    lines = completed.stderr.decode(errors="replace").replace(f"{shadow.root}/", "").splitlines()
    lines = [line.strip() for line in lines if line.strip()]
    causes = [line.removeprefix("Cause:").strip() for line in lines if line.startswith("Cause:")]
    if not causes:
        return lines[0][:500] if lines else f"it ended with status {completed.returncode} and said nothing"
    # Under the last cause the tool may draw the place (lines with a bar), and then name the mistake.
    last = lines[-1]
    if not last.startswith("Cause:") and "|" not in last:
        causes.append(last)
    return ": ".join(causes)[:500]


def path_within(shadow: Shadow, name: str) -> RelPath | None:
    """The repository's path for a file that a tool named, absolutely or from the root; None for one outside."""
    relative = name.removeprefix(f"{shadow.root}/")
    try:
        return RelPath(relative)
    except BadPath:
        return None
