"""The real ty over a shadow: severities, environments that may and may not be read, and its ways to fail."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from octolimb.core.errors import CannotSense
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, Severity
from octolimb.sense.types import check_types
from octolimb.shadow.interpreter import Interpreter, find_interpreter
from octolimb.shadow.shadow import Shadow

Files = Mapping[str, str | bytes]
MakeSnapshot = Callable[[Files], Snapshot]
ShadowOf = Callable[[Snapshot], Shadow]
Check = Callable[[Files], list[Finding]]

ENVIRONMENT: Files = {
    ".venv/pyvenv.cfg": f"home = {Path(sys.base_prefix) / 'bin'}\nversion = 3.11.0\n",
    ".venv/lib/python3.11/site-packages/vendored.py": "LIMIT: int = 1\n",
}


@pytest.fixture
def untrusted(make_snapshot: MakeSnapshot, shadow_of: ShadowOf) -> Check:
    def check(files: Files) -> list[Finding]:
        snapshot = make_snapshot(files)
        return check_types(shadow_of(snapshot), snapshot, None)

    return check


def told(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.path, finding.code, str(finding.severity)) for finding in findings]


def test_a_project_without_python_files_is_clean(untrusted: Check) -> None:
    assert untrusted({"README.md": "hello"}) == []


def test_errors_are_errors_and_warnings_warnings(untrusted: Check) -> None:
    found = untrusted({"a.py": "x: int = 'a'\nreveal_type(x)\n"})
    assert [(finding.code, finding.severity) for finding in found] == [
        ("invalid-assignment", Severity.ERROR),
        ("undefined-reveal", Severity.WARNING),
        ("revealed-type", Severity.INFORMATION),
    ]
    assert found[0].source == "types"
    assert not found[0].message.startswith("invalid-assignment")


@pytest.mark.parametrize(
    "source",
    [
        "s = '\N{GRINNING FACE}'; y = nope\n",
        b"\xef\xbb\xbfs = '\xf0\x9f\x98\x80'; y = nope\r\n",
    ],
    ids=["astral", "BOM and CRLF"],
)
def test_places_count_utf16_units_from_zero(untrusted: Check, source: str | bytes) -> None:
    (finding,) = untrusted({"a.py": source})
    assert (finding.span.start.character, finding.span.end.character) == (14, 18)


def test_packages_in_the_root_and_in_src_are_found(untrusted: Check) -> None:
    files = {
        "top.py": "A: int = 1\n",
        "src/pkg/__init__.py": "",
        "src/pkg/inner.py": "B: int = 1\n",
        "use.py": "from top import A\nfrom pkg.inner import B\nfrom pkg import gone\na: str = A\nb: str = B\n",
    }
    assert [finding.span.start.line for finding in untrusted(files)] == [2, 3, 4]


def test_an_untrusted_environment_is_not_read(untrusted: Check) -> None:
    found = untrusted({**ENVIRONMENT, "a.py": "import vendored\nx: str = vendored.LIMIT\n"})
    assert told(found) == [("a.py", "import-not-found", "warning")]


def test_a_trusted_environment_is_read(make_snapshot: MakeSnapshot, shadow_of: ShadowOf) -> None:
    snapshot = make_snapshot({**ENVIRONMENT, "a.py": "import vendored\nx: str = vendored.LIMIT\nimport gone\n"})
    shadow = shadow_of(snapshot)
    (shadow.root / ".venv/bin").mkdir()
    (shadow.root / ".venv/bin/python").symlink_to(sys.executable)
    interpreter = find_interpreter(shadow.root, None)
    assert interpreter.origin == "venv"
    found = check_types(shadow, snapshot, interpreter)
    assert told(found) == [("a.py", "invalid-assignment", "error"), ("a.py", "import-not-found", "error")]


def test_without_trust_only_imports_of_the_project_itself_must_be_found(untrusted: Check) -> None:
    files = {
        "pkg/__init__.py": "",
        "pkg/a.py": "import pkg.gone\nfrom . import missing\nfrom .also import gone\nimport requests_like.api\n",
    }
    assert [(finding.span.start.line, finding.severity) for finding in untrusted(files)] == [
        (0, Severity.ERROR),
        (1, Severity.ERROR),
        (2, Severity.ERROR),
        (3, Severity.WARNING),
    ]


@pytest.mark.parametrize(
    ("pyproject", "found"),
    [
        ("", []),
        ('[project]\nname = "p"\nversion = "1"\n', []),
        ('[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.9"\n', ["invalid-syntax"]),
        ('[tool.ty.environment]\npython-version = "3.10"\n', ["invalid-syntax"]),
    ],
)
def test_syntax_is_judged_by_the_version_that_the_project_declares(
    untrusted: Check, pyproject: str, found: list[str]
) -> None:
    assert [finding.code for finding in untrusted({"a.py": "type X = int\n", "pyproject.toml": pyproject})] == found


def test_files_that_it_cannot_read_do_not_hide_the_others(untrusted: Check) -> None:
    found = untrusted({"a.py": b"# coding: latin-1\nx = '\xe9'\n", "b.py": "x: int = 'a'\n"})
    assert told(found) == [("a.py", "io", "warning"), ("b.py", "invalid-assignment", "error")]


def test_paths_limit_what_is_checked(make_snapshot: MakeSnapshot, shadow_of: ShadowOf) -> None:
    snapshot = make_snapshot({"a.py": "x: int = ''\n", "pkg/b.py": "x: int = ''\n", "-c.py": "x: int = ''\n"})
    shadow = shadow_of(snapshot)
    assert [finding.path for finding in check_types(shadow, snapshot, None, ["pkg"])] == ["pkg/b.py"]
    assert [finding.path for finding in check_types(shadow, snapshot, None, ["-c.py", "gone.py"])] == ["-c.py"]
    assert check_types(shadow, snapshot, None, ["gone.py"]) == []


@pytest.mark.parametrize(
    ("pyproject", "reason"),
    [
        ("[tool.ty", "TOML parse error"),
        ("[tool.ty]\nfoo = 1\n", "unknown field `foo`"),
    ],
)
def test_a_broken_configuration_is_no_clean_report(untrusted: Check, pyproject: str, reason: str) -> None:
    with pytest.raises(CannotSense) as caught:
        untrusted({"a.py": "x = 1\n", "pyproject.toml": pyproject})
    assert reason in caught.value.message
    assert "\n" not in caught.value.message


def test_a_crash_is_no_clean_report(untrusted: Check) -> None:
    # So many operators overflow ty's stack.
    with pytest.raises(CannotSense, match="ty"):
        untrusted({"a.py": "x = " + "-" * 200_000 + "1\n"})


def test_an_environment_that_is_none_is_a_reason(make_snapshot: MakeSnapshot, shadow_of: ShadowOf) -> None:
    snapshot = make_snapshot({"a.py": "x = 1\n", "env/bin/python": ""})
    shadow = shadow_of(snapshot)
    directory = shadow.root / "env/bin"
    interpreter = Interpreter(directory / "gone", "option", (), directory)
    with pytest.raises(CannotSense, match="ty: "):
        check_types(shadow, snapshot, interpreter)


def test_nothing_is_written(make_snapshot: MakeSnapshot, shadow_of: ShadowOf) -> None:
    snapshot = make_snapshot({"a.py": "x: int = ''\n"})
    assert check_types(shadow_of(snapshot), snapshot, None)
    assert list(snapshot.walk()) == [RelPath("a.py")]
