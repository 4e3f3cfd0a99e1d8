"""The one path constructor: what it makes canonical and what it refuses."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octolimb.core.errors import BadPath
from octolimb.core.paths import RelPath, join, parse_directory


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("a.py", "a.py"),
        ("./a.py", "a.py"),
        ("src//app/./main.py", "src/app/main.py"),
        ("src/", "src"),
        (".intent/x", ".intent/x"),
        ("./.intent/x", ".intent/x"),
        ("..hidden/file..py", "..hidden/file..py"),
        ("a b/ü😀.py", "a b/ü😀.py"),
        (unicodedata.normalize("NFD", "café.py"), "café.py"),
        ("ab:c.py", "ab:c.py"),
    ],
)
def test_spellings_of_one_file_are_one_path(raw: str, canonical: str) -> None:
    assert RelPath(raw) == canonical


@pytest.mark.parametrize(
    "raw",
    [
        "",
        ".",
        "./",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/../b",
        "a/../../b",
        "a/..",
        "a\\b",
        "..\\x",
        "C:/x",
        "c:x",
        "a\0b",
        "a\nb",
        "a\x7fb",
        "a\x85b",
        "\ud800",
        "x" * 256,
        "/".join(["dir"] * 2000),
    ],
)
def test_what_is_not_plainly_below_the_root_is_refused(raw: str) -> None:
    with pytest.raises(BadPath):
        RelPath(raw)


@pytest.mark.parametrize("raw", [None, 3, b"a.py", ["a"]])
def test_what_is_no_text_is_refused(raw: object) -> None:
    with pytest.raises(BadPath):
        RelPath(raw)  # type: ignore[arg-type]


@given(st.text(alphabet=st.sampled_from("ab./\\ \0é~:"), max_size=24))
def test_any_text_is_refused_or_canonical(raw: str) -> None:
    try:
        path = RelPath(raw)
    except BadPath:
        return
    assert RelPath(str(path)) == path
    assert not path.startswith("/")
    assert ".." not in path.split("/")
    assert "." not in path.split("/")


@pytest.mark.parametrize(("raw", "canonical"), [("", ""), (".", ""), ("./", ""), ("./.", ""), ("src/", "src")])
def test_directories_may_be_the_root(raw: str, canonical: str) -> None:
    assert parse_directory(raw) == canonical


@pytest.mark.parametrize("raw", ["..", "./..", "/", "../src", "..."[:2] + "/a"])
def test_a_directory_does_not_climb(raw: str) -> None:
    with pytest.raises(BadPath):
        parse_directory(raw)


def test_parts_of_a_path() -> None:
    path = RelPath("src/app/main.py")
    assert (path.name, path.parent, path.suffix) == ("main.py", "src/app", ".py")
    assert path.ancestors == ["src/app", "src"]
    assert path.is_below("src")
    assert path.is_below("")
    assert not path.is_below("sr")
    assert not RelPath("src2/x").is_below("src")
    assert join("", "a") == "a"
    assert RelPath(".gitignore").suffix == ""
