"""The built-in rule `protected-paths`: where no change may go, and where none goes without a person's yes.

It judges names in every disguise and, through `FileSystem`, where they really lead. It does not look at contents.
"""

from __future__ import annotations

import fnmatch
import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, Protocol

from octolimb.core.changes import Change, ChangeSet
from octolimb.core.document import Document
from octolimb.core.paths import RelPath
from octolimb.core.proposals import Outcome, Reason
from octolimb.guard.confusables import skeletons
from octolimb.guard.rulings import PROTECTED_PATHS, Ruling

VERSION: Final = 1

Identity = tuple[int, int]
"""Device and inode: what a file is, whatever it is called."""


class FileSystem(Protocol):
    """What the rule must ask of the disk. Paths are relative to the root, in POSIX form."""

    def resolve(self, path: str) -> str | None:
        """Where `path` leads once every symbolic link is followed, relative to the root; None where that is outside."""
        ...

    def shared_identity(self, path: str) -> Identity | None:
        """The identity of a regular file that has more than one name; None for every other path."""
        ...

    def identities_below(self, directory: str) -> frozenset[Identity]:
        """The identities of all regular files below `directory`, no link followed."""
        ...


class Disk:
    """The real file system beneath a root."""

    def __init__(self, root: Path) -> None:
        self._root = os.path.realpath(root)

    def resolve(self, path: str) -> str | None:
        real = os.path.realpath(f"{self._root}/{path}")
        if real == self._root:
            return ""
        prefix = self._root.rstrip("/") + "/"
        return real[len(prefix) :] if real.startswith(prefix) else None

    def shared_identity(self, path: str) -> Identity | None:
        try:
            status = os.lstat(f"{self._root}/{path}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        regular = status.st_mode & 0o170000 == 0o100000
        return (status.st_dev, status.st_ino) if regular and status.st_nlink > 1 else None

    def identities_below(self, directory: str) -> frozenset[Identity]:
        found: set[Identity] = set()
        for here, _, names in os.walk(f"{self._root}/{directory}", followlinks=False):
            for name in names:
                status = os.lstat(f"{here}/{name}")
                found.add((status.st_dev, status.st_ino))
        return frozenset(found)


_SEALED: Final = {".intent": "the guard's own policies", ".git": "git's own records"}

_SHORT_NAME: Final = re.compile(r"(git|intent)~\d")
"""The 8.3 names by which Windows file systems also know `.git` and `.intent`."""

_RUNS_LATER_FILES: Final = (
    # Python: import time, test time, build time.
    *("conftest.py", "setup.py", "sitecustomize.py", "usercustomize.py", "*.pth", "noxfile.py", "hatch_build.py"),
    *("pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", ".coveragerc", "mypy.ini", ".mypy.ini"),
    *(".pylintrc", "pylintrc", ".flake8", "dodo.py", "pip.conf", ".pypirc", "uv.toml", ".python-version"),
    # Build and task runners.
    *("makefile", "gnumakefile", "*.mk", "justfile", ".justfile", "taskfile.y*ml", "rakefile", "cmakelists.txt"),
    *("meson.build", "build.gradle*", "build.bazel", "package.json", ".npmrc", ".yarnrc*", "build.rs"),
    # Git, hooks and shells.
    *(".gitmodules", ".gitattributes", ".gitconfig", ".pre-commit-config.yaml", ".pre-commit-hooks.yaml"),
    *("lefthook.y*ml", ".envrc", ".mise.toml", "mise.toml", ".tool-versions", ".bashrc", ".bash_profile", ".profile"),
    *(".zshrc", ".zshenv", ".vimrc", ".exrc", ".nvimrc", ".nvim.lua", ".gdbinit", ".lldbinit"),
    # Continuous integration and containers.
    *(".gitlab-ci.y*ml", ".travis.yml", "azure-pipelines*.y*ml", "jenkinsfile*", "bitbucket-pipelines.yml"),
    *(
        ".drone.y*ml",
        ".woodpecker.y*ml",
        "appveyor.yml",
        ".appveyor.yml",
        "cloudbuild.y*ml",
        "dockerfile",
        "dockerfile.*",
    ),
    *("*.dockerfile", "containerfile", "docker-compose*.y*ml", "compose.y*ml", "vagrantfile", "procfile"),
    *("*.code-workspace",),
)
"""Files that run code later, outside any sandbox; patterns for one lower-case name."""

_RUNS_LATER_DIRECTORIES: Final = frozenset(
    {
        *(".vscode", ".idea", ".devcontainer", ".github", ".gitlab", ".circleci", ".ci", ".buildkite", ".woodpecker"),
        *(".husky", ".githooks", ".venv", "venv", "site-packages", ".direnv", ".fleet", ".zed"),
    }
)

_RUNS_LATER: Final = re.compile("|".join(fnmatch.translate(pattern) for pattern in _RUNS_LATER_FILES))


def protection_of(path: str) -> tuple[Literal["deny", "ask"], str] | None:
    """What a path's spelling alone demands, with why, or None. Pure; `path` need not be canonical."""
    found: tuple[Literal["deny", "ask"], str] | None = None
    for shape in skeletons(path):
        segments = [_plain(segment) for segment in re.split(r"[/\\]", shape)]
        if ".." in segments:
            return "deny", "it climbs out of the directory"
        for segment in segments:
            if what := _sealed(segment):
                return "deny", f"it belongs to {what}"
        if _RUNS_LATER.match(segments[-1]):
            found = "ask", "it can run code later, outside every sandbox"
        elif later := next((segment for segment in segments[:-1] if segment in _RUNS_LATER_DIRECTORIES), None):
            found = "ask", f"files in {later} can run code later, outside every sandbox"
    return found


def judge_paths(change_set: ChangeSet, files: FileSystem | None = None) -> list[Ruling]:
    """The rule `protected-paths`. Without `files` links on the disk are not followed, which only tests should want."""
    return [ruling for change in change_set for ruling in _judge_change(change, files)]


def _judge_change(change: Change, files: FileSystem | None) -> Iterator[Ruling]:
    for path in dict.fromkeys((change.path, change.old_path)):
        yield from _judge_spelling(path)
        if files is not None:
            # What goes away is never written through, so only the way to it counts.
            written = path == change.path and change.after is not None
            yield from _judge_place(path, path if written else path.parent, files)
    if change.after is not None:
        if change.after.link:
            yield from _judge_link(change.path, change.after, files)
        elif change.after.mode & 0o6000 & ~(change.before.mode if change.before else 0):
            yield _ruling(
                "deny", change.path, "it would run with its owner's rights (setuid or setgid)", "drop the bit"
            )


def _judge_spelling(path: RelPath) -> Iterator[Ruling]:
    protection = protection_of(path)
    if protection is not None:
        outcome, why = protection
        fix = None if outcome == "ask" else "leave it out of the change"
        yield _ruling(outcome, path, why, fix)


def _judge_place(path: RelPath, reached: str, files: FileSystem) -> Iterator[Ruling]:
    real = files.resolve(reached)
    if real is None:
        yield _ruling("deny", path, "a symbolic link on the way leads outside the repository", "name a path inside")
        return
    if real != reached and (protection := protection_of(real)):
        yield _ruling(protection[0], path, f"it really is {real}: {protection[1]}", "name the real path")
    identity = files.shared_identity(path)
    if identity is not None and any(identity in files.identities_below(sealed) for sealed in _sealed_beside(path)):
        yield _ruling("deny", path, "it is a hard link to a protected file", "remove the link first")


def _judge_link(path: RelPath, link: Document, files: FileSystem | None) -> Iterator[Ruling]:
    """A link may point anywhere inside that is not protected, by a target that cannot come to mean something else."""
    try:
        target = link.data.decode("utf-8")
    except UnicodeDecodeError:
        yield _ruling("deny", path, "a symbolic link whose target is not text", "use a plain relative target")
        return
    where = posixpath.normpath(posixpath.join(path.parent, target))
    if target.startswith("/") or "\\" in target or "\0" in target or where == ".." or where.startswith("../"):
        yield _ruling("deny", path, "a symbolic link that points outside the repository", "use a target inside")
    elif re.search(r"(^|/)(?!\.\.?(/|$))[^/]+/(.*/)?\.\.(/|$)", target):
        # Through another link `down/..` is not where it stands, and that link may be made after this judgement.
        yield _ruling("deny", path, "a symbolic link that climbs after it has descended", "use the shortest target")
    elif protection := protection_of(where):
        yield _ruling(protection[0], path, f"a symbolic link to {where}: {protection[1]}", "link to something else")
    elif files is not None:
        real = files.resolve(where) if where != "." else ""
        if real is None:
            yield _ruling("deny", path, "a symbolic link that leads outside the repository", "use a target inside")
        elif real and (protection := protection_of(real)):
            yield _ruling(protection[0], path, f"a symbolic link to {real}: {protection[1]}", "link to something else")


def _plain(segment: str) -> str:
    """A name as lenient file systems take it: no blanks around it, no dots behind it, no alternate stream."""
    name = segment.split(":", 1)[0].strip()
    return name if name in (".", "..") else name.rstrip(". ")


def _sealed(segment: str) -> str | None:
    if segment in _SEALED:
        return _SEALED[segment]
    return "a directory by its short name" if _SHORT_NAME.fullmatch(segment) else None


def _sealed_beside(path: RelPath) -> Iterator[str]:
    for directory in ("", *path.ancestors):
        for name in _SEALED:
            yield posixpath.join(directory, name)


def _ruling(outcome: Outcome, path: RelPath, message: str, fix: str | None) -> Ruling:
    return Ruling(outcome, Reason(PROTECTED_PATHS, path, f"{path}: {message}", fix=fix))
