"""Asks git about a repository without letting the repository's configuration run anything.

Reading commands only. What git could execute on the repository's word is switched off: the file system monitor,
hooks, external diffs, text conversion, content filters, lazy fetches over transports, pagers and prompts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from octolimb.core.errors import BadInput, CannotSense

_READING: Final = frozenset(
    {
        "cat-file",
        "diff",
        "diff-index",
        "diff-tree",
        "for-each-ref",
        "log",
        "ls-files",
        "ls-tree",
        "merge-base",
        "rev-list",
        "rev-parse",
        "show",
        "symbolic-ref",
    }
)
_DIFFING: Final = frozenset({"diff", "diff-index", "diff-tree", "log", "show"})
_NEUTRAL: Final = (
    "core.fsmonitor=",
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.alternateRefsCommand=",
    "protocol.allow=never",
    "gc.auto=0",
    "log.showSignature=false",
    # Somebody else's repository is safe to read when nothing that it configures can run.
    "safe.directory=*",
)
_SYSTEM_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_SECONDS: Final = 60.0


def run_git(root: Path, *args: str) -> bytes:
    """The standard output of `git -C root ARGS`, whose first must be a reading command.

    Raises `BadInput` with git's own first line where it fails (an unknown revision, no repository), and `CannotSense`
    where there is no git or it takes over a minute.
    """
    if not args or args[0] not in _READING:
        raise BadInput(f"git {args[0] if args else ''} is not among the commands that only read")
    command, *rest = args
    plain = ["--no-ext-diff", "--no-textconv"] if command in _DIFFING else []
    return _run(root, [*_neutral_filters(root), command, *plain, *rest])


def _neutral_filters(root: Path) -> list[str]:
    """Options that empty every content filter which the repository configures: comparing files would run them."""
    try:
        names = _run(root, ["config", "--null", "--name-only", "--get-regexp", r"^filter\..*\.(clean|smudge|process)$"])
    except BadInput:
        return []
    return [option for name in names.split(b"\0") if name for option in ("-c", os.fsdecode(name) + "=")]


def _run(root: Path, args: list[str]) -> bytes:
    git = shutil.which("git", path=_SYSTEM_PATH)
    if git is None:
        raise CannotSense("git is not installed", hint="install git, or leave out what needs its history")
    options = [option for setting in _NEUTRAL for option in ("-c", setting)]
    environment = {
        "PATH": _SYSTEM_PATH,
        "LC_ALL": "C.UTF-8",
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
    }
    try:
        done = subprocess.run(
            [git, "--no-pager", *options, "-C", str(root), *args],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise CannotSense(f"git {args[-1]} took over {_SECONDS:.0f} s in {root}") from None
    if done.returncode:
        first = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"])[0]
        raise BadInput(f"git: {first}")
    return done.stdout
