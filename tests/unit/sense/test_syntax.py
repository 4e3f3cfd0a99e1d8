"""Syntax errors become findings at the right place; whatever the bytes, nothing crashes and nothing runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

import pytest

from octolimb.core.document import Document
from octolimb.core.overlay import GONE
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, Severity
from octolimb.sense.syntax import check_document, check_syntax

MakeSnapshot = Callable[[Mapping[str, str | bytes]], Snapshot]


def check(source: str | bytes) -> Finding | None:
    return check_document(Document(RelPath("a.py"), source if isinstance(source, bytes) else source.encode()))


def place(source: str | bytes) -> tuple[int, int]:
    finding = check(source)
    assert finding is not None
    return finding.span.start.line, finding.span.start.character


@pytest.mark.parametrize(
    "source",
    [
        "",
        "x = 1\n",
        b"\xef\xbb\xbfx = 1\r\n",
        "x = 1\ry = 2\r",
        "x = '\N{GRINNING FACE}'\n",
        b"# coding: latin-1\nx = '\xe9'\n",
        "#!/usr/bin/python\n# -*- coding: utf-8 -*-\nx = '\N{SNOWMAN}'\n",
        "x = 1\n\x0cy = 2\n",
        "x = '\\d'\n",
        "x is 1\n",
        "assert (x, 'always true')\n",
    ],
)
def test_what_python_takes_has_no_finding(source: str | bytes) -> None:
    assert check(source) is None


@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        ("def (:\n", 0, 4),
        ("x = 1\ny = = 2\n", 1, 4),
        ("x = 1\r\ny = = 2\r\n", 1, 4),
        ("x = 1\ry = = 2\r", 1, 4),
        (b"\xef\xbb\xbfy = = 2\r\n", 0, 4),
        # One astral character is two UTF-16 units, one code point and four bytes.
        ("s = '\N{GRINNING FACE}'; y = = 1\n", 0, 14),
        ("s = '\N{GRINNING FACE}'; return 1\n", 0, 10),
        ("s = '\xe9\N{GRINNING FACE}'; return 1\n", 0, 11),
        (b"# coding: latin-1\ns = '\xe9' ; return\n", 1, 10),
        ("return\n", 0, 0),
        ("for x in y:\npass\n", 1, 0),
        ("def f():\n    break\n", 1, 4),
        ("def f(a, a): pass\n", 0, 9),
        ("(\n", 0, 0),
        ("x = '''\n\n", 0, 4),
        ("x = 1\0\n", 0, 5),
        (b"\xef\xbb\xbfx\r\ny\0\n", 1, 1),
    ],
)
def test_the_place_counts_utf16_units_from_zero(source: str | bytes, line: int, column: int) -> None:
    assert place(source) == (line, column)


def test_a_finding_is_an_error_of_the_syntax_sensor() -> None:
    finding = check("x = (1,\n")
    assert finding is not None
    assert (finding.source, finding.severity, finding.code) == ("syntax", Severity.ERROR, "syntax-error")
    assert "never closed" in finding.message


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (b"x = '\xff'\n", 0),
        (b"x = 1\ny = '\xff'\n", 1),
        (b"# coding: no-such\nx = 1\n", 0),
        (b"\xef\xbb\xbf# coding: latin-1\nx = 1\n", 0),
        (b"# coding: ascii\nx = 1\ny = '\xe9'\n", 2),
        (b"# coding: rot13\nk = 1\n", 0),
    ],
)
def test_bytes_that_are_not_text_are_a_finding(source: bytes, line: int) -> None:
    finding = check(source)
    assert finding is not None
    assert finding.code == "encoding-error"
    assert finding.span.start.line == line


@pytest.mark.parametrize(
    "source",
    [
        "x = " + "(" * 5000 + ")" * 5000,
        "x = " + "-" * 100_000 + "1",
        "x = " + "[" * 100 + "a" + " for a in a]" * 100,
        "x = " + "f(" * 3000 + ")" * 3000,
        "a" + ".a" * 100_000,
        "x = " + "1" * 10_000,
        b"# coding: utf-7\nx = '+2AA-'\n",
    ],
    ids=["parentheses", "minus", "comprehensions", "calls", "attributes", "digits", "surrogate"],
)
def test_hostile_sources_end_in_a_finding_or_none(source: str | bytes) -> None:
    finding = check(source)
    assert finding is None or finding.severity is Severity.ERROR


def test_the_source_is_never_run() -> None:
    sys.modules.pop("octolimb_canary", None)
    assert check("import sys\nsys.modules['octolimb_canary'] = sys\n") is None
    assert "octolimb_canary" not in sys.modules


def test_the_project_is_walked_without_its_environments(make_snapshot: MakeSnapshot) -> None:
    bad = "def (:\n"
    snapshot = make_snapshot(
        {
            "a.py": bad,
            "pkg/b.pyi": bad,
            "pkg/c.txt": bad,
            ".venv/lib/d.py": bad,
            "node_modules/e.py": bad,
            "myenv/pyvenv.cfg": "",
            "myenv/f.py": bad,
            "__pycache__/g.py": bad,
        }
    )
    assert [finding.path for finding in check_syntax(snapshot)] == ["a.py", "pkg/b.pyi"]


def test_paths_limit_the_files(make_snapshot: MakeSnapshot) -> None:
    snapshot = make_snapshot({"a.py": "(", "pkg/b.py": "(", "pkg/sub/c.py": "(", "pkgs/d.py": "("})
    assert [finding.path for finding in check_syntax(snapshot, ["pkg"])] == ["pkg/b.py", "pkg/sub/c.py"]
    assert [finding.path for finding in check_syntax(snapshot, ["a.py", "gone.py"])] == ["a.py"]


def test_unsaved_edits_count(make_snapshot: MakeSnapshot) -> None:
    snapshot = make_snapshot({"a.py": "(", "b.py": "x = 1\n"})
    broken = Document(RelPath("b.py"), b"(")
    edited = snapshot.with_edits({RelPath("a.py"): GONE, broken.path: broken})
    assert [finding.path for finding in check_syntax(edited)] == ["b.py"]
    assert [finding.path for finding in check_syntax(snapshot)] == ["a.py"]


def test_a_second_opinion_is_asked_for_parse_errors_only(make_snapshot: MakeSnapshot) -> None:
    asked: list[RelPath] = []

    def clear_all(paths: Sequence[RelPath]) -> list[RelPath]:
        asked.extend(paths)
        return asked

    snapshot = make_snapshot({"newer.py": "x = = 1\n", "outside.py": "return\n", "bytes.py": b"\xff\n"})
    left = check_syntax(snapshot, second_opinion=clear_all)
    assert asked == ["newer.py"]
    assert [finding.path for finding in left] == ["bytes.py", "outside.py"]
