"""Line merges against `git merge-file`: what git merges we merge to the same bytes, and nothing else."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.properties import examples

from octolimb.core.document import Document
from octolimb.core.overlay import GONE
from octolimb.core.paths import RelPath
from octolimb.workspace.limb_workspace import LimbWorkspace
from octolimb.workspace.merge import merge_bytes

ENDS = (b"\n", b"\n", b"\n", b"\r\n", b"\r")


@examples(250)
@given(seed=st.integers(0, 2**32))
def test_merges_what_git_merges(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    place = tmp_path_factory.getbasetemp()
    base, ours, theirs = triple(random.Random(seed))
    assert merge_bytes(base, ours, theirs) == git_merge(place, base, ours, theirs)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        pytest.param(b"a\nb\nc\n", b"A\nb\nc\n", b"a\nb\nC\n", b"A\nb\nC\n", id="apart"),
        pytest.param(b"a\nb\n", b"A\nb\n", b"a\nB\n", None, id="adjacent"),
        pytest.param(b"a\nb\n", b"A\nb\n", b"A\nb\n", b"A\nb\n", id="alike"),
        pytest.param(b"a\nb\nc", b"A\nb\nc", b"a\nb\nc\n", b"A\nb\nc\n", id="a last line gets its end"),
        pytest.param(b"a\r\nb\r\nc\r\n", b"A\r\nb\r\nc\r\n", b"a\r\nb\r\nC\r\n", b"A\r\nb\r\nC\r\n", id="CRLF"),
        pytest.param(b"a\rb\rc\r", b"A\rb\rc\r", b"a\rb\rC\r", None, id="lone CR ends no line"),
        pytest.param(b"", b"a\n", b"b\n", None, id="both add"),
    ],
)
def test_lines(tmp_path: Path, base: bytes, ours: bytes, theirs: bytes, merged: bytes | None) -> None:
    assert merge_bytes(base, ours, theirs) == merged
    assert git_merge(tmp_path, base, ours, theirs) == merged


def test_texts_that_differ_by_very_much_conflict() -> None:
    numbers = list(range(2000))
    base = [b"%d\n" % number for number in numbers]
    random.Random(1).shuffle(numbers)
    shuffled = [b"%d\n" % number for number in numbers]
    assert merge_bytes(b"".join(base), b"".join(shuffled), b"first\n" + b"".join(base)) is None


def test_modes_and_contents_merge_each_for_itself(tmp_path: Path) -> None:
    assert rebased(tmp_path, Document(PATH, b"x", 0o755), Document(PATH, b"y")) == Document(PATH, b"y", 0o755)
    assert rebased(tmp_path, Document(PATH, b"x", 0o755), Document(PATH, b"x", 0o600)) is None
    assert rebased(tmp_path, Document(PATH, b"\0"), Document(PATH, b"x", 0o755)) == Document(PATH, b"\0", 0o755)


def test_what_both_deleted_is_gone(tmp_path: Path) -> None:
    assert rebased(tmp_path, None, None) is GONE


def test_a_deletion_meets_no_edit(tmp_path: Path) -> None:
    assert rebased(tmp_path, None, Document(PATH, b"y")) is None
    assert rebased(tmp_path, Document(PATH, b"y"), None) is None


def test_a_new_file_does_not_cover_a_new_directory(tmp_path: Path) -> None:
    ours = LimbWorkspace(tmp_path)
    limb = ours.fork()
    limb.write("new", "file\n")
    ours.write("new/inner.txt", "kept\n")
    assert limb.rebase(ours.snapshot) == ["new"]
    other = LimbWorkspace(tmp_path).fork()
    other.write("new/inner.txt", "mine\n")
    taken = LimbWorkspace(tmp_path, {"new": "a file\n"})
    assert other.rebase(taken.snapshot) == ["new/inner.txt"]


def test_the_same_move_twice_is_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a\n")
    ours = LimbWorkspace(tmp_path)
    limb = ours.fork()
    limb.rename("a", "b")
    ours.rename("a", "b")
    assert limb.rebase(ours.snapshot) == []
    assert limb.list_files("", "*") == ["b"]
    assert not limb.diff()


PATH = RelPath("file")


def rebased(root: Path, ours: Document | None, theirs: Document | None) -> Document | object | None:
    """What is there once our edit of a file with `x` in it has met theirs; None where they conflict."""
    (root / PATH).write_bytes(b"x")
    (root / PATH).chmod(0o644)
    base = LimbWorkspace(root)
    limb = base.fork()
    limb._snapshot = limb._snapshot.with_edits({PATH: ours or GONE})
    if limb.rebase(base.snapshot.with_edits({PATH: theirs or GONE})):
        return None
    return limb.snapshot.get(PATH) or GONE


def triple(chance: random.Random) -> tuple[bytes, bytes, bytes]:
    """A base and two edits of it, made of few different lines, so that there are many ways to align them."""
    alphabet = [bytes([97 + letter]) for letter in range(chance.choice((2, 4, 12, 26)))] + [b""]
    ends = chance.choice(((b"\n",), (b"\r\n",), ENDS))
    base = [chance.choice(alphabet) + chance.choice(ends) for _ in range(chance.choice((0, 3, 8, 20, 60)))]

    def edited() -> bytes:
        lines = list(base)
        for _ in range(chance.randrange(5)):
            at = chance.randrange(len(lines) + 1)
            removed = chance.randrange(4)
            added = [chance.choice(alphabet) + chance.choice(ends) for _ in range(chance.randrange(4))]
            lines[at : at + removed] = added
        return finished(lines)

    def finished(lines: list[bytes]) -> bytes:
        data = b"".join(lines)
        return data.rstrip(b"\r\n") if chance.random() < 0.2 else data

    return finished(base), edited(), edited()


def git_merge(place: Path, base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    for name, data in (("base", base), ("ours", ours), ("theirs", theirs)):
        (place / name).write_bytes(data)
    done = subprocess.run(
        ["git", "merge-file", "-p", "-q", "ours", "base", "theirs"],
        cwd=place,
        capture_output=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(place)},
    )
    assert 0 <= done.returncode < 128, done.stderr
    return done.stdout if done.returncode == 0 else None
