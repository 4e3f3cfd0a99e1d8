"""A repository full of traps is opened, sensed and listed, untrusted: nothing of it is executed.

Each trap opens a file of its name, to read it. The files lie in our own environment, which every child may read, and
nothing in a sandbox hides from us that one was opened: so a trap that goes off in there is heard as well.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.faults.forgeries.harness import bare_interpreter

OCTOLIMB: Final = Path(sys.prefix, "bin", "octolimb")
PATIENCE: Final = 240.0
_IN_OPEN: Final = 0x20
_libc: Final = ctypes.CDLL(None)
ISOLATIONS: Final = ["", "copy"]


class Canaries:
    """Files by name, and which were opened since the last time, as inotify(7) tells it."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._watch = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._watch >= 0
        assert _libc.inotify_add_watch(self._watch, os.fsencode(place), _IN_OPEN) > 0

    def shell(self, name: str) -> str:
        return f": < '{self._file(name)}'"

    def python(self, name: str) -> str:
        return f"import os; os.close(os.open({str(self._file(name))!r}, os.O_RDONLY))"

    def heard(self) -> set[str]:
        try:
            events = os.read(self._watch, 1 << 16)
        except BlockingIOError:
            return set()
        names: set[str] = set()
        while events:
            *_, length = struct.unpack_from("iIII", events)
            names.add(events[16 : 16 + length].rstrip(b"\0").decode())
            events = events[16 + length :]
        # To open the directory itself bears no name.
        return names - {""}

    def close(self) -> None:
        os.close(self._watch)

    def _file(self, name: str) -> Path:
        path = self._place / name.replace("/", "-")
        if not path.exists():
            path.touch(0o644)
            # To make it was to open it.
            self.heard()
        return path


@pytest.fixture
def canaries() -> Iterator[Canaries]:
    with tempfile.TemporaryDirectory(prefix="octolimb-canaries-", dir=sys.prefix) as place:
        Path(place).chmod(0o755)
        canaries = Canaries(Path(place))
        yield canaries
        canaries.close()


@pytest.fixture
def trapped(tmp_path: Path, canaries: Canaries) -> Path:
    """The repository. It has one commit, something staged, and something that differs from both."""
    root = tmp_path / "trapped"
    bare_interpreter(root / ".venv")
    _write(root, _sources(canaries))
    for arguments in (
        ["init", "-q"],
        ["add", "-f", "app.py", "conftest.py", "tests", ".gitattributes", "pyproject.toml"],
    ):
        _git(root, *arguments)
    _git(root, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one")
    (root / "app.py").write_text("def answer():\n    return 2\n")
    _git(root, "add", "app.py")
    (root / "app.py").write_text("def answer():\n    return 3\n")
    _set_traps(root, canaries)
    return root


def _sources(canaries: Canaries) -> dict[str, str]:
    say, tell = canaries.python, canaries.shell
    task = {"command": tell("task"), "runOptions": {"runOn": "folderOpen"}}
    return {
        "app.py": "def answer():\n    return 1\n",
        "conftest.py": say("conftest") + "\n",
        "tests/conftest.py": say("tests-conftest") + "\n",
        "tests/test_app.py": say("test-module") + "\nfrom app import answer\ndef test_it():\n    assert answer()\n",
        "evil.py": say("plugin") + "\n",
        "sitecustomize.py": say("root-sitecustomize") + "\n",
        "usercustomize.py": say("root-usercustomize") + "\n",
        "json.py": say("root-json") + "\n",
        "subprocess.py": say("root-subprocess") + "\n",
        "octolimb.py": say("root-octolimb") + "\n",
        "pytest_evil.py": say("pytest-evil") + "\n",
        "setup.py": say("setup") + "\n",
        "_build.py": say("build-backend") + "\n",
        "pyproject.toml": (
            '[build-system]\nrequires = []\nbuild-backend = "_build"\nbackend-path = ["."]\n'
            '[project]\nname = "app"\nversion = "1"\n'
            '[tool.pytest.ini_options]\naddopts = "-p evil"\npythonpath = ["."]\n'
            '[tool.ruff]\nextend = "shared/ruff.toml"\ncache-dir = "../outside/cache"\n'
            '[tool.ty.environment]\npython = ".venv"\nextra-paths = ["shared", "."]\n'
        ),
        "shared/ruff.toml": 'src = ["../../outside"]\nbuiltins = ["evil"]\n',
        "mypy.ini": "[mypy]\nplugins = evil.py\n",
        ".vscode/settings.json": json.dumps(
            {"python.defaultInterpreterPath": ".venv/bin/python", "octolimb.python": "x"}
        ),
        ".vscode/tasks.json": json.dumps({"tasks": [task]}),
        ".envrc": tell("envrc") + "\n",
        "tox.ini": f'[testenv]\ncommands = sh -c "{tell("tox")}"\n',
        "Makefile": f"all:\n\t{tell('make')}\n$(shell {tell('makefile')})\n",
        ".gitattributes": "* filter=evil diff=evil merge=evil\n",
        ".gitmodules": f'[submodule "s"]\n\tpath = s\n\turl = ./s\n\tupdate = !{tell("submodule")}\n',
    }


def _set_traps(root: Path, canaries: Canaries) -> None:
    say, tell = canaries.python, canaries.shell
    [packages] = root.glob(".venv/lib/python*/site-packages")
    names = {"sitecustomize.py": "venv-sitecustomize", "usercustomize.py": "venv-usercustomize", "x.pth": "pth"}
    _write(packages, {file: say(name) for file, name in names.items()})
    real = root / ".venv/bin/python-real"
    (root / ".venv/bin/python").rename(real)
    for directory in ("", ".venv/bin"):
        for name in ("git", "ruff", "ty", "python3", "octolimb", "sh", "pytest", "uv", "pyright", "bwrap", "unshare"):
            _script(root / directory / name, tell(f"{name}-in-{directory or 'root'}"))
    _script(root / ".venv/bin/python", f'{tell("venv-python")}\nexec "{real}" "$@"')
    (root / "python").symlink_to(".venv/bin/python")
    for hook in ("post-index-change", "post-checkout", "reference-transaction", "pre-commit", "fsmonitor-watchman"):
        _script(root / ".git/hooks" / hook, tell(f"hook-{hook}"))
    (root / "evil.gitconfig").write_text(
        f'[core]\n\tpager = "{tell("included-pager")}"\n\teditor = "{tell("editor")}"\n'
    )
    helper = root / "helper"
    _script(helper, "case $1 in 1|2) ;; esac\n" + tell("git-$OCTOLIMB_NOTHING${0##*/}"))
    settings = {
        "core.fsmonitor": _trap(root, canaries, "fsmonitor"),
        "core.sshCommand": _trap(root, canaries, "ssh"),
        "core.askPass": _trap(root, canaries, "askpass"),
        "core.gitProxy": _trap(root, canaries, "proxy"),
        "core.alternateRefsCommand": _trap(root, canaries, "alternate-refs"),
        "core.hooksPath": ".git/hooks",
        "include.path": "../evil.gitconfig",
        "diff.external": _trap(root, canaries, "external-diff"),
        "diff.evil.textconv": _trap(root, canaries, "textconv"),
        "diff.evil.command": _trap(root, canaries, "diff-command"),
        "merge.evil.driver": _trap(root, canaries, "merge"),
        "filter.evil.clean": _trap(root, canaries, "clean"),
        "filter.evil.smudge": _trap(root, canaries, "smudge"),
        "filter.evil.required": "true",
        "alias.ls-files": "!" + tell("alias"),
        "credential.helper": "!" + tell("credential"),
        "gpg.program": _trap(root, canaries, "gpg"),
        "log.showSignature": "true",
        "protocol.ext.allow": "always",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.partialclonefilter": "blob:none",
        "remote.origin.url": f"ext::{_trap(root, canaries, 'promisor')}",
        "remote.origin.fetch": "+refs/heads/*:refs/remotes/origin/*",
        "uploadpack.packObjectsHook": _trap(root, canaries, "pack-objects"),
    }
    for name, value in settings.items():
        _git(root, "config", name, value)
    _git(root, "config", "core.repositoryFormatVersion", "1")
    canaries.heard()


def _trap(root: Path, canaries: Canaries, name: str) -> str:
    """A program of the repository that says its name."""
    path = root / ".git" / f"trap-{name}"
    # A filter must pass on what it reads; whoever talks to git as a remote end must not, or both wait for ever.
    _script(path, canaries.shell(name) + ("" if name == "promisor" else "\ncat"))
    return str(path)


def _script(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def _git(root: Path, *arguments: str) -> None:
    """Plain git, as a careless program runs it. What it answers does not matter."""
    subprocess.run(
        ["/usr/bin/git", "-C", root, *arguments],
        capture_output=True,
        check=False,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
    )


def _environment(root: Path, isolation: str) -> dict[str, str]:
    """Somebody has put the repository's own programs first on the path, and activated its environment."""
    state = root.parent / "state"
    return {
        "PATH": os.pathsep.join([str(root), str(root / ".venv/bin"), ".", os.environ["PATH"]]),
        "VIRTUAL_ENV": str(root / ".venv"),
        "HOME": str(root.parent),
        "XDG_STATE_HOME": str(state),
        "TMPDIR": str(root.parent),
        "LANG": "C.UTF-8",
        **({"OCTOLIMB_ISOLATION": isolation} if isolation else {}),
    }


def _octolimb(
    root: Path, *arguments: str, isolation: str = "", stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [str(OCTOLIMB), "--json", *arguments],
        cwd=root,
        env=_environment(root, isolation),
        input=stdin,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


def _frame(**message: Any) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def _session(root: Path) -> bytes:
    uri = root.as_uri()
    folder: dict[str, Any] = {
        "processId": None,
        "rootUri": uri,
        "capabilities": {},
        "workspaceFolders": [{"uri": uri, "name": "t"}],
    }
    document = {"uri": f"{uri}/app.py", "languageId": "python", "version": 1, "text": "import os\n"}
    return b"".join(
        [
            _frame(id=1, method="initialize", params={**folder, "initializationOptions": {"trusted": False}}),
            _frame(method="initialized", params={}),
            _frame(method="textDocument/didOpen", params={"textDocument": document}),
            _frame(id=2, method="shutdown"),
            _frame(method="exit"),
        ]
    )


CRATE: Final = json.dumps({"files": {"app.py": "def answer():\n    return 4\n"}}).encode()
DIFF: Final = b"--- a/app.py\n+++ b/app.py\n@@ -1,2 +1,2 @@\n def answer():\n-    return 3\n+    return 4\n"
UNTRUSTED: Final[list[tuple[list[str], bytes, set[int]]]] = [
    (["doctor"], b"", {0}),
    (["sense"], b"", {0, 1}),
    (["sense", "--tests", "none"], b"", {0, 1}),
    (["sense", "app.py", "tests/test_app.py"], b"", {0, 1}),
    (["sense", "--only", "syntax,lint,types,tests"], b"", {0, 1, 3}),
    (["sense", "--crate", "-"], CRATE, {0, 1}),
    (["sense", "--crate", "-", "--baseline", "HEAD"], CRATE, {0, 1}),
    (["sense", "--baseline", "HEAD"], b"", {0, 1}),
    (["sense", "--baseline", "none"], b"", {0, 1}),
    (["guard", "check", "--crate", "-"], CRATE, {0}),
    (["guard", "check", "--diff", "-"], DIFF, {0}),
    (["guard", "check", "--staged"], b"", {0}),
    (["schema"], b"", {0}),
    (["trust", "--forget"], b"", {0}),
]


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_untrusted_nothing_of_the_repository_is_executed(trapped: Path, canaries: Canaries, isolation: str) -> None:
    for arguments, stdin, codes in UNTRUSTED:
        done = _octolimb(trapped, *arguments, isolation=isolation, stdin=stdin)
        assert canaries.heard() == set(), arguments
        assert done.returncode in codes, (arguments, done.stdout, done.stderr)
    served = _octolimb(trapped, "serve", isolation=isolation, stdin=_session(trapped))
    assert (served.returncode, canaries.heard()) == (0, set()), served.stderr
    assert b'"id":1' in served.stdout.replace(b" ", b"")


def test_an_object_that_is_missing_is_not_fetched(trapped: Path, canaries: Canaries) -> None:
    name = subprocess.check_output(["/usr/bin/git", "-C", trapped, "rev-parse", "HEAD:app.py"], text=True).strip()
    (trapped / ".git/objects" / name[:2] / name[2:]).unlink()
    canaries.heard()
    for arguments in (["sense", "--baseline", "HEAD"], ["guard", "check", "--staged"]):
        done = _octolimb(trapped, *arguments)
        assert (done.returncode in (2, 3), canaries.heard()) == (True, set()), (arguments, done.stdout, done.stderr)
    _git(trapped, "cat-file", "-p", name)
    assert "promisor" in canaries.heard()


def test_the_traps_of_git_are_live(trapped: Path, canaries: Canaries) -> None:
    _git(trapped, "status")
    _git(trapped, "diff")
    assert {"fsmonitor", "clean", "external-diff"} & canaries.heard() >= {"fsmonitor", "clean"}
    _git(trapped, "-c", "diff.external=", "log", "-p", "-1", "--ext-diff")
    _git(trapped, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--allow-empty", "-m", "x")
    heard = canaries.heard()
    assert heard & {"textconv", "diff-command"}
    assert "hook-pre-commit" in heard


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_with_a_person_s_consent_the_traps_of_python_are_live(
    trapped: Path, canaries: Canaries, isolation: str
) -> None:
    _octolimb(trapped, "sense", "--tests", "full", "--only", "tests", isolation=isolation)
    assert canaries.heard() == {
        *("venv-python", "pth", "venv-sitecustomize", "plugin"),
        *("conftest", "tests-conftest", "test-module"),
    }


def test_trust_is_remembered_outside_of_the_root_and_can_be_taken_back(trapped: Path, canaries: Canaries) -> None:
    before = sorted(trapped.rglob("*"))
    _octolimb(trapped, "trust")
    assert sorted(trapped.rglob("*")) == before
    assert canaries.heard() == set()
    _octolimb(trapped, "sense", "--only", "tests")
    assert "conftest" in canaries.heard()
    _octolimb(trapped, "trust", "--forget")
    _octolimb(trapped, "sense", "--only", "tests")
    assert canaries.heard() == set()


def test_the_state_directory_is_hidden_from_children(tmp_path: Path) -> None:
    """Wherever the person keeps it: here in a place that children would see otherwise."""
    looks = (
        "import os\n\ndef test_it():\n    assert os.path.isdir({beside!r})\n    assert not os.path.exists({store!r})\n"
        "    try:\n        os.makedirs({state!r}, exist_ok=True)\n"
        "        open({store!r}, 'w').write('{{}}')\n    except OSError:\n        pass\n"
    )
    root = tmp_path / "project"
    with tempfile.TemporaryDirectory(prefix="octolimb-state-", dir=sys.prefix) as place:
        (beside := Path(place, "beside")).mkdir()
        store = Path(place, "state/octolimb/trusted.json")
        text = looks.format(beside=str(beside), store=str(store), state=str(store.parent))
        _write(root, {"test_state.py": text, "app.py": "", "pyproject.toml": ""})
        environment = {**os.environ, "XDG_STATE_HOME": str(Path(place, "state"))}
        for arguments, code in ((["trust"], 0), (["sense", "--only", "tests", "test_state.py::test_it"], 0)):
            done = subprocess.run(
                [OCTOLIMB, "--json", "--python", sys.executable, *arguments],
                cwd=root,
                env=environment,
                capture_output=True,
                check=False,
                timeout=PATIENCE,
            )
            assert done.returncode == code, (done.stdout, done.stderr)
        assert list(json.loads(store.read_bytes())) == [str(root.resolve())]
