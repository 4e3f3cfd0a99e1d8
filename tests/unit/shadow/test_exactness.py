"""Whatever is done to a workspace, every view of it is the tree that got the same done to it for real."""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.properties import examples
from tests.support.real_tree import RealTree, Refused, Tree, described, spelt

from octolimb.core.changes import changes_between
from octolimb.core.errors import OctolimbError
from octolimb.core.snapshot import Snapshot
from octolimb.shadow.host import ShadowHost
from octolimb.workspace.disk import DiskBase
from octolimb.workspace.limb_workspace import LimbWorkspace

CONTENTS = [
    b"", b"one\n", b"one\r\ntwo\r\n", b"one\rtwo\r", b"one\n\x0ctwo", b"\xef\xbb\xbfmark\n",
    "x\n".encode("utf-16"), b"# coding: latin-1\n'\xe9'\n", "\U0001f600\n".encode(), b"\0\xff\xfe", b"\\ No newline\n",
    b"--- a\n+++ b\n@@ -1 +1 @@\n", bytes(range(256)) * 3,
]  # fmt: skip
DECOMPOSED = "cafe\u0301"
COMPOSED = "caf\u00e9"
PATHS = [
    "a.py", "A.py", "b", "d", "d/x.py", "d/e", "d/e/y.txt", "d/new/z.py", "b/below", "with space", 'quo"te', "-dash",
    DECOMPOSED, f"{COMPOSED}/in.py", f"{DECOMPOSED}/new.py", f"{COMPOSED}.txt", f"{DECOMPOSED}.txt", "\U0001f600.py",
    "link", "link/x", "alias", "alias/x.py", "alias/e/y.txt", "alias/fresh.py", "out", "out/secret", "dangling",
    "loop", "here/a.py", "absolute", "climbing",
]  # fmt: skip
LINKS = {
    "link": ["a.py", "d/x.py", "nowhere", DECOMPOSED + ".txt", COMPOSED + ".txt"],
    "alias": ["d", "./d/", "here/d", "ROOT/d"],
    "out": ["..", "../outside", "/etc"],
    "dangling": ["d/made.py", "not/yet"],
    "loop": ["loop", "link"],
    "here": ["."],
    "absolute": ["ROOT/a.py", "ROOT", "/etc/hostname", "ROOT/../outside/secret"],
    "climbing": ["d/../a.py", "alias/../a.py", "d/e/../../b"],
}
FILES = ["a.py", "A.py", "b", "d/x.py", "d/e/y.txt", f"{DECOMPOSED}/in.py", f"{DECOMPOSED}.txt", "with space"]

files = st.fixed_dictionaries(
    {}, optional={name: st.tuples(st.sampled_from(CONTENTS), st.sampled_from([0o644, 0o755, 0o600])) for name in FILES}
)
links = st.fixed_dictionaries({}, optional={name: st.sampled_from(targets) for name, targets in LINKS.items()})
paths = st.sampled_from(PATHS)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("write"), paths, st.sampled_from(CONTENTS)),
        st.tuples(st.just("append"), paths, st.just(b"")),
        st.tuples(st.just("delete"), paths, st.just(b"")),
        st.tuples(st.just("rename"), paths, paths),
        st.tuples(st.sampled_from(["save", "remove"]), paths, st.sampled_from(CONTENTS)),
        st.tuples(st.just("fork"), st.just(""), st.just(b"")),
    ),
    max_size=8,
)
Files = dict[str, tuple[bytes, int]]
Operation = tuple[str, str, str | bytes]


class Pair:
    """A workspace over a disk, and the tree that the disk would be."""

    def __init__(self, top: Path, files: Files, links: dict[str, str]) -> None:
        self.disk = top / "disk"
        (top / "outside").mkdir()
        (top / "outside/secret").write_text("secret")
        for root in (self.disk, top / "real"):
            lay_out(root, files, links)
        self.real = RealTree(top / "real", self.disk)
        self.base = DiskBase(self.disk)
        self.workspace = LimbWorkspace(self.disk)

    def do(self, name: str, path: str, argument: str | bytes) -> None:
        if name == "fork":
            self.workspace = self.workspace.fork()
        elif name in ("save", "remove"):
            assert isinstance(argument, bytes)
            self._from_outside(name, path, argument)
        elif name == "append":
            self._append(path)
        else:
            done = self._try(self.workspace, name, path, argument)
            assert done == self._try(self.real, name, path, argument), (name, path, argument)

    @staticmethod
    def _try(holder: LimbWorkspace | RealTree, name: str, path: str, argument: str | bytes) -> bool:
        try:
            getattr(holder, name)(path, *([] if name == "delete" else [argument]))
        except (OctolimbError, Refused):
            return False
        return True

    def _append(self, path: str) -> None:
        try:
            old = self.workspace.read_bytes(path)
            self.workspace.write(path, self.workspace.read_text(path) + "z\n")
        except OctolimbError:
            return
        self.real.write(path, old + b"z\n")

    def _from_outside(self, name: str, path: str, data: bytes) -> None:
        """Somebody saves or removes a file on the disk; where an edit lies over it, that changes nothing to be seen."""
        relative = unicodedata.normalize("NFC", path)
        for root in (self.disk, self.real.root):
            if any((root / above).is_symlink() for above in Path(relative).parents) or (root / relative).is_symlink():
                return
        there, here = (self._spelt(root, relative) for root in (self.disk, self.real.root))
        if there is None or here is None or there.is_dir() or here.is_dir():
            return
        covered = str(here) in self.real.staged
        touched = {unicodedata.normalize("NFC", other) for other in self.real.touched}
        plain = unicodedata.normalize("NFC", str(here))
        related = any(f"{plain}/".startswith(f"{other}/") or other.startswith(f"{plain}/") for other in touched)
        if covered and there.exists() and name == "save":
            there.write_bytes(data)
        elif not related:
            for place in (there, here):
                if name == "remove":
                    place.unlink(missing_ok=True)
                else:
                    place.write_bytes(data)

    @staticmethod
    def _spelt(root: Path, path: str) -> Path | None:
        here = root
        for segment in path.split("/"):
            if not here.is_dir():
                return None
            here = here / spelt(here, segment)
        return here if here.parent.is_dir() else None


def lay_out(root: Path, files: Files, links: dict[str, str]) -> None:
    root.mkdir()
    for name, (data, mode) in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
        (root / name).chmod(mode)
    for name, target in links.items():
        (root / name).symlink_to(target.replace("ROOT", str(root)))


@contextmanager
def pair(files: Files, links: dict[str, str], operations: list[Operation]) -> Iterator[Pair]:
    top = Path(tempfile.mkdtemp())
    try:
        made = Pair(top, files, links)
        for operation in operations:
            made.do(*operation)
        yield made
    finally:
        shutil.rmtree(top)


@examples(80)
@given(files, links, operations)
def test_the_workspace_is_the_tree(files: Files, links: dict[str, str], operations: list[Operation]) -> None:
    with pair(files, links, operations) as made:
        wanted = normal(described(made.real.root))
        assert in_memory(made) == wanted
        names = sorted(name for name, (kind, _, _) in wanted.items() if kind != "directory")
        assert made.workspace.list_files("", "*") == names
        assert made.workspace.list_files("d", "*.py") == [
            name for name in names if name.startswith("d/") and fnmatch.fnmatchcase(name.rpartition("/")[2], "*.py")
        ]
        assert made.workspace.glob("*.py") == [name for name in names if "/" not in name and name.endswith(".py")]
        for path in PATHS:
            assert read(made.workspace, path) == really_read(made.real, path), path
            assert made.workspace.exists(path) == really_exists(made.real, path), path
            assert made.workspace.is_dir(path) == is_real_directory(made.real, path), path


@examples(60, cost=3)
@given(files, links, operations)
def test_git_makes_the_tree_of_the_diff(files: Files, links: dict[str, str], operations: list[Operation]) -> None:
    with pair(files, links, operations) as made:
        if text := changes_between(Snapshot(made.base), made.workspace.snapshot).diff:
            done = subprocess.run(
                ["git", "-c", "core.autocrlf=false", "apply", "-p1", "--whitespace=nowarn", "-"],
                cwd=made.disk, input=text.encode(), capture_output=True, check=False,
                env={**os.environ, "GIT_CEILING_DIRECTORIES": str(made.disk.parent)},
            )  # fmt: skip
            assert done.returncode == 0, (done.stderr, text)
        assert as_git_sees(made.disk) == as_git_sees(made.real.root)


@pytest.mark.parametrize("projection", ["overlay", "copy"])
@examples(6, cost=40)
@given(files=files, links=links, operations=operations)
def test_a_child_sees_the_tree(
    projection: str, files: Files, links: dict[str, str], operations: list[Operation]
) -> None:
    with pair(files, links, operations) as made, pytest.MonkeyPatch.context() as patch:
        if projection == "copy":
            patch.setenv("OCTOLIMB_ISOLATION", "copy")
        with ShadowHost(made.base) as host, host.project(made.workspace.snapshot) as shadow:
            done = shadow.run([sys.executable, "-S", "-c", WALK], deadline=60)
            assert done.returncode == 0, done.stderr.decode()
        seen = {name: (kind, mode, bytes.fromhex(data)) for name, (kind, mode, data) in json.loads(done.stdout).items()}
        assert seen == described(made.real.root)


WALK = """
import json, os, stat
root = os.getcwd()
tree = {}
for here, directories, names in os.walk(root):
    for name in directories + names:
        path = os.path.join(here, name)
        status = os.lstat(path)
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISLNK(status.st_mode):
            entry = "link", 0, os.fsencode(os.readlink(path)).replace(os.fsencode(root), b"ROOT")
        elif stat.S_ISDIR(status.st_mode):
            entry = "directory", mode, b""
        else:
            with open(path, "rb") as file:
                entry = "file", mode, file.read()
        tree[os.path.relpath(path, root)] = (*entry[:2], entry[2].hex())
print(json.dumps(tree))
"""


def normal(tree: Tree) -> Tree:
    """The tree under its names in NFC, directories' modes left out: so far the workspace tells it."""
    return {
        unicodedata.normalize("NFC", name): (kind, 0 if kind == "directory" else mode, data)
        for name, (kind, mode, data) in tree.items()
    }


def in_memory(made: Pair) -> Tree:
    snapshot = made.workspace.snapshot
    tree: Tree = {}
    pending = [""]
    while pending:
        directory = pending.pop()
        for name, kind in snapshot.names(directory).items():
            path = f"{directory}/{name}" if directory else name
            assert snapshot.kind(path) == kind
            if kind == "directory":
                tree[path] = kind, 0, b""
                pending.append(path)
            else:
                document = snapshot.document(made.workspace._place(path))
                data = document.data.replace(os.fsencode(made.disk), b"ROOT") if document.link else document.data
                tree[path] = kind, 0 if document.link else document.mode, data
    return tree


def as_git_sees(root: Path) -> Tree:
    """Git knows the executable bit of a mode, and no empty directory."""
    roots = [os.fsencode(root.parent / name) for name in ("disk", "real")]
    tree: Tree = {}
    for name, (kind, mode, data) in described(root).items():
        if kind == "link":
            for other in roots:
                data = data.replace(other, b"ROOT")  # noqa: PLW2901
        if kind != "directory":
            tree[name] = kind, mode & 0o100, data
    return tree


def read(workspace: LimbWorkspace, path: str) -> bytes | None:
    try:
        return workspace.read_bytes(path)
    except OctolimbError:
        return None


def really_read(real: RealTree, path: str) -> bytes | None:
    try:
        place = real.place(path, last=True)
    except Refused:
        return None
    return place.read_bytes() if place.is_file() else None


def really_exists(real: RealTree, path: str) -> bool:
    try:
        return os.path.lexists(real.place(path))
    except Refused:
        return False


def is_real_directory(real: RealTree, path: str) -> bool:
    return really_exists(real, path) and real.place(path).is_dir() and not real.place(path).is_symlink()
