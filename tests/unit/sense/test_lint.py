"""The real ruff over a shadow: the project's own rules, places in UTF-16, and no report taken for a clean one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from octolimb.core.document import text_document
from octolimb.core.errors import CannotSense
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, Severity
from octolimb.sense.lint import check_lint, lint_fixes, newer_syntax
from octolimb.shadow.shadow import Shadow

MakeSnapshot = Callable[[Mapping[str, str | bytes]], Snapshot]
ShadowOf = Callable[[Snapshot], Shadow]
Lint = Callable[[Mapping[str, str | bytes]], list[Finding]]


@pytest.fixture
def lint(make_snapshot: MakeSnapshot, shadow_of: ShadowOf) -> Lint:
    def check(files: Mapping[str, str | bytes]) -> list[Finding]:
        snapshot = make_snapshot(files)
        return check_lint(shadow_of(snapshot), snapshot)

    return check


def codes(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.path, finding.code) for finding in findings]


def spans(findings: list[Finding]) -> list[tuple[int, int, int, int]]:
    spans = [finding.span for finding in findings]
    return [(span.start.line, span.start.character, span.end.line, span.end.character) for span in spans]


def ruff(settings: str, lint: str = "") -> str:
    return f"[tool.ruff]\n{settings}\n[tool.ruff.lint]\n{lint}\n"


def test_a_project_without_python_files_is_clean(lint: Lint) -> None:
    assert lint({"README.md": "hello"}) == []
    assert lint({}) == []


def test_undefined_names_and_syntax_are_errors_and_the_rest_warnings(lint: Lint) -> None:
    source = "import os\nx = nope\nreturn\n"
    found = lint({"a.py": source, "b.py": "def (:\n", "pyproject.toml": ruff("", 'select = ["F"]')})
    assert {(finding.code, finding.severity) for finding in found} == {
        ("F401", Severity.WARNING),
        ("F821", Severity.ERROR),
        ("F706", Severity.ERROR),
        ("invalid-syntax", Severity.ERROR),
    }
    assert {finding.source for finding in found} == {"lint"}


@pytest.mark.parametrize(
    ("source", "span"),
    [
        ("x = nope\n", (0, 4, 0, 8)),
        ("s = '\N{GRINNING FACE}'; y = nope\n", (0, 14, 0, 18)),
        (b"\xef\xbb\xbfs = '\xf0\x9f\x98\x80'; y = nope\r\n", (0, 14, 0, 18)),
        ("a = 1\r\ny = nope\r\n", (1, 4, 1, 8)),
        ("a = 1\ry = nope\r", (1, 4, 1, 8)),
        ("a = 1\n\x0cy = nope\n", (1, 5, 1, 9)),
        ("s = '\N{LINE SEPARATOR}'; y = nope\n", (0, 13, 0, 17)),
    ],
    ids=["plain", "astral", "BOM", "CRLF", "CR", "form feed", "line separator"],
)
def test_places_count_utf16_units_from_zero(lint: Lint, source: str | bytes, span: tuple[int, int, int, int]) -> None:
    assert spans(lint({"a.py": source})) == [span]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ('select = ["E"]', [("a.py", "F821")]),
        ("select = []", [("a.py", "F821")]),
        ('ignore = ["F821"]', []),
        ('ignore = ["F"]', []),
        ('extend-ignore = ["F8"]', []),
        ('ignore = ["F841"]', [("a.py", "F821")]),
        ('per-file-ignores = {"a.py" = ["F821"]}', []),
        ('exclude = ["a.py"]', []),
    ],
)
def test_undefined_names_are_looked_for_unless_ignored(lint: Lint, rules: str, expected: list[tuple[str, str]]) -> None:
    assert codes(lint({"a.py": "x = nope\n", "pyproject.toml": ruff("", rules)})) == expected


def test_a_ruff_toml_goes_before_the_pyproject(lint: Lint) -> None:
    files = {"a.py": "x = nope\n", "pyproject.toml": ruff("", 'ignore = ["F821"]'), "ruff.toml": ""}
    assert codes(lint(files)) == [("a.py", "F821")]


def test_noqa_and_exclude_hold_also_for_named_paths(make_snapshot: MakeSnapshot, shadow_of: ShadowOf) -> None:
    snapshot = make_snapshot(
        {
            "a.py": "x = nope  # noqa: F821\n",
            "gen/b.py": "x = nope\n",
            "c.py": "x = nope\n",
            "-d.py": "x = nope\n",
            "pyproject.toml": ruff('exclude = ["gen"]'),
        }
    )
    shadow = shadow_of(snapshot)
    assert codes(check_lint(shadow, snapshot)) == [("-d.py", "F821"), ("c.py", "F821")]
    assert codes(check_lint(shadow, snapshot, ["a.py", "gen/b.py", "c.py"])) == [("c.py", "F821")]
    assert codes(check_lint(shadow, snapshot, ["-d.py"])) == [("-d.py", "F821")]
    assert check_lint(shadow, snapshot, ["gone.py"]) == []


def test_an_unsaved_configuration_counts(make_snapshot: MakeSnapshot, shadow_of: ShadowOf) -> None:
    saved = make_snapshot({"a.py": "import os\n", "pyproject.toml": ruff("", 'select = ["E"]')})
    path = RelPath("pyproject.toml")
    unsaved = saved.with_edits({path: text_document(path, ruff("", 'select = ["F401"]'))})
    assert codes(check_lint(shadow_of(saved), saved)) == []
    assert codes(check_lint(shadow_of(unsaved), unsaved)) == [("a.py", "F401")]


def test_what_git_ignores_is_not_linted(make_snapshot: MakeSnapshot, shadow_of: ShadowOf) -> None:
    # An empty `.git` directory is all that ruff looks for.
    snapshot = make_snapshot({"a.py": "x = nope\n", "gen.py": "x = nope\n", ".gitignore": "gen.py\n", ".git/HEAD": ""})
    assert codes(check_lint(shadow_of(snapshot), snapshot)) == [("a.py", "F821")]


@pytest.mark.parametrize(
    ("configuration", "reason"),
    [
        ("[tool.ruff", "TOML parse error"),
        (ruff("foo = 1"), "unknown field `foo`"),
        (ruff("", 'select = ["Q99999"]'), "Unknown rule selector `Q99999`"),
        (ruff('extend = "gone.toml"'), "No such file"),
        (ruff('extend = "/etc/shadow"'), "/etc/shadow"),
        (ruff('required-version = "==0.1"'), "does not match the running version"),
        (ruff('output-file = "/tmp/escaped"'), "unknown field `output-file`"),
    ],
)
def test_a_broken_configuration_is_no_clean_report(lint: Lint, configuration: str, reason: str) -> None:
    with pytest.raises(CannotSense) as caught:
        lint({"a.py": "x = 1\n", "pyproject.toml": configuration})
    assert reason in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.message.startswith("ruff: ")


def test_a_crash_is_no_clean_report(lint: Lint) -> None:
    # So many operators overflow ruff's stack.
    with pytest.raises(CannotSense, match="ruff"):
        lint({"a.py": "x = " + "-" * 200_000 + "1\n"})


def test_the_configuration_cannot_make_it_write(make_snapshot: MakeSnapshot, shadow_of: ShadowOf) -> None:
    source = "import os\n"
    configuration = ruff('fix = true\nunsafe-fixes = true\ncache-dir = "cache"\noutput-format = "full"')
    snapshot = make_snapshot({"a.py": source, "pyproject.toml": configuration})
    assert codes(check_lint(shadow_of(snapshot), snapshot)) == [("a.py", "F401")]
    assert sorted(snapshot.walk()) == ["a.py", "pyproject.toml"]
    assert snapshot.document(RelPath("a.py")).text == source


def test_a_finding_in_a_notebook_names_its_cell(lint: Lint) -> None:
    notebook = (
        '{"cells": [{"cell_type": "markdown", "metadata": {}, "source": ["hi"]}, {"cell_type": "code",'
        '"execution_count": null, "metadata": {}, "outputs": [], "source": ["x = 1\\n", "y = nope"]}],'
        '"metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}'
    )
    (finding,) = [finding for finding in lint({"n.ipynb": notebook}) if finding.code == "F821"]
    assert finding.span.start.line == 0
    assert finding.detail == "cell 2, line 2, column 5"


def test_a_file_in_another_encoding_is_only_a_warning(lint: Lint) -> None:
    (finding,) = lint({"a.py": b"# coding: latin-1\nx = '\xe9'\n"})
    assert (finding.code, finding.severity) == ("E902", Severity.WARNING)


def test_fixes_are_offered_as_offsets_into_the_text(make_snapshot: MakeSnapshot, shadow_of: ShadowOf) -> None:
    configuration = ruff("", 'select = ["F401", "F841", "UP034"]')
    files: dict[str, str | bytes] = {
        "a.py": b"\xef\xbb\xbfs = '\xf0\x9f\x98\x80'\r\nimport os\r\nprint((s))\r\n",
        "b.py": "def f():\n    unused = 1\n",
        "c.py": "x = nope\n",
        "pyproject.toml": configuration,
    }
    snapshot = make_snapshot(files)
    fixes = lint_fixes(shadow_of(snapshot), snapshot)
    assert [(fix.path, fix.code, fix.applicability) for fix in fixes] == [
        ("a.py", "F401", "safe"),
        ("a.py", "UP034", "safe"),
        ("b.py", "F841", "unsafe"),
    ]
    text = snapshot.document(RelPath("a.py")).text
    for fix in reversed(fixes[:2]):
        for edit in reversed(fix.edits):
            text = text[: edit.start] + edit.text + text[edit.end :]
    assert text == "s = '\N{GRINNING FACE}'\r\nprint(s)\r\n"


def test_fixes_of_further_rules_can_be_asked_for(make_snapshot: MakeSnapshot, shadow_of: ShadowOf) -> None:
    snapshot = make_snapshot({"a.py": "import os\n", "pyproject.toml": ruff("", 'select = ["E"]')})
    shadow = shadow_of(snapshot)
    assert lint_fixes(shadow, snapshot) == []
    assert [fix.code for fix in lint_fixes(shadow, snapshot, select=["F401"])] == ["F401"]


def test_only_syntax_of_a_newer_python_is_cleared(make_snapshot: MakeSnapshot, shadow_of: ShadowOf) -> None:
    # A template string is syntax of Python 3.14; an invalid escape is an error that ruff does not look for.
    files = {"new.py": 'x = t"{y}"\n', "wrong.py": "def (:\n", "escape.py": 'x = "\\x1"\n', "fine.py": "x = 1\n"}
    snapshot = make_snapshot(files)
    cleared = newer_syntax(shadow_of(snapshot), [RelPath(path) for path in files])
    assert cleared <= {"new.py"}


def test_a_template_string_is_cleared_where_our_python_is_older(
    make_snapshot: MakeSnapshot, shadow_of: ShadowOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octolimb.sense.lint.OUR_PYTHON", "py311")
    snapshot = make_snapshot({"new.py": 'x = t"{y}"\n'})
    assert newer_syntax(shadow_of(snapshot), [RelPath("new.py")]) == {"new.py"}
