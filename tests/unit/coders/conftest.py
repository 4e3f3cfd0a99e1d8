"""Builders for coders: a text's mutants, and snapshots that need no disk."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import Protocol

import pytest

from octolimb.core.document import Document, text_document
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Kind, Snapshot
from octolimb.limbs.candidates import Candidate
from octolimb.limbs.coders.equivalence import edited
from octolimb.limbs.coders.mutations import generate
from octolimb.limbs.coders.pain import PainHints

PATH = RelPath("module.py")


class NoFiles:
    """A base with nothing in it."""

    def kind(self, path: str) -> Kind | None:
        return None

    def read(self, path: RelPath) -> Document | None:
        return None

    def names(self, directory: str) -> Mapping[str, Kind]:
        return {}

    def spelling(self, path: RelPath) -> str:
        return path

    def inside(self, target: str) -> str | None:
        return None


class Check(Protocol):
    def __call__(self, before: str, *after: str, pain: PainHints = ...) -> None: ...


@pytest.fixture
def snapshot() -> Callable[[Mapping[str, str]], Snapshot]:
    """A snapshot of these files: `snapshot({"a.py": "x = 1\\n"})`."""

    def build(files: Mapping[str, str]) -> Snapshot:
        entries = {RelPath(path): text_document(RelPath(path), text) for path, text in files.items()}
        return Snapshot(NoFiles()).with_edits(entries)

    return build


@pytest.fixture
def applied() -> Callable[[str, Candidate], str]:
    """The text after a candidate's edits of one file."""

    def apply(text: str, candidate: Candidate) -> str:
        return edited(text, tuple((edit.start, edit.end, edit.text) for edit in candidate.edits))

    return apply


@pytest.fixture
def mutants(applied: Callable[[str, Candidate], str]) -> Callable[..., list[str]]:
    """Every text that a single edit gives, cheapest first, all lines being suspicious alike."""

    def build(text: str, pain: PainHints | None = None) -> list[str]:
        suspicion = dict.fromkeys(range(1, text.count("\n") + 2), 1.0)
        return [applied(text, one) for one in generate(text, PATH, suspicion, pain=pain or PainHints())]

    return build


@pytest.fixture
def check(mutants: Callable[..., list[str]]) -> Check:
    """Each `after` is among the mutants of `before`; bare statements stand for a function of `a, b, xs, s`."""

    def assert_among(before: str, *after: str, pain: PainHints | None = None) -> None:
        found = mutants(_function(before), pain)
        for text in after:
            assert _function(text) in found, "\n".join(["missing:", _function(text), "found:", *found[:200]])

    def _function(text: str) -> str:
        body = textwrap.dedent(text).strip("\n") + "\n"
        if body.startswith(("def ", "class ", "import ", '"""', "@", "async ", "LIMIT")):
            return body
        return "def f(a, b, xs, s):\n" + textwrap.indent(body, "    ")

    return assert_among
