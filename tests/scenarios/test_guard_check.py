"""`octolimb guard check`: a crate, a diff or what git has staged is judged before anyone applies it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.support.product import Octolimb

FILES: dict[str, str | bytes] = {
    "app.py": "ONE = 1\nTWO = 2\nTHREE = 3\n",
    "crlf.txt": b"one\r\ntwo\r\n",
    "latin.txt": b"caf\xe9\n",
    "endless.txt": b"no newline at the end",
    "caf\u00e9 \u201cquoted\u201d.txt": "x\n",
}
# Put together at run time, so that this repository holds nothing that looks like a token.
TOKEN = "ghp_" + "".join("aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xYzA2b"[:36])


def _repository(octolimb: Octolimb, *, commit: bool = True) -> Path:
    root = octolimb.build(FILES)
    _git(root, "init", "-q")
    if commit:
        _git(root, "add", ".")
        _git(root, "commit", "-q", "-m", "first")
    return root


def _git(root: Path, *arguments: str) -> bytes:
    settings = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "core.autocrlf=false"]
    return subprocess.run(["git", *settings, *arguments], cwd=root, check=True, capture_output=True).stdout


@pytest.mark.parametrize(
    ("crate", "code", "policy"),
    [
        ({"files": {"app.py": "ONE = 10\n"}}, 0, None),
        ({"files": {"app.py": f"KEY = '{TOKEN}'\n"}}, 1, "no-secrets"),
        ({"files": {"app.py": f"KEY = '{TOKEN[:9]}' + '{TOKEN[9:]}'\n"}}, 1, "no-secrets"),
        ({"files": {".intent/mine.toml": "kind = 'path'\n"}}, 1, "protected-paths"),
        ({"files": {".git/hooks/pre-commit": "#!/bin/sh\n"}}, 1, "protected-paths"),
        ({"files": {"Makefile": "all:\n\ttrue\n"}}, 5, "protected-paths"),
        ({"renames": {"app.py": "conftest.py"}}, 5, "protected-paths"),
    ],
)
def test_a_crate(crate: dict[str, object], code: int, policy: str | None, octolimb: Octolimb) -> None:
    answer = octolimb("--root", octolimb.build(FILES), "guard", "check", "--crate", "-", stdin=json.dumps(crate))
    assert answer.code == code, answer
    assert answer.document["decision"] == {0: "allow", 1: "deny", 5: "ask"}[code]
    assert {reason["policy"] for reason in answer.document["reasons"]} == ({policy} if policy else set())
    assert TOKEN not in answer.out + answer.err


def test_diffs_of_git(octolimb: Octolimb) -> None:
    """Renames, modes, quoted names, missing newlines, carriage returns and bytes that are not UTF-8 all fit."""
    root = _repository(octolimb)
    (root / "app.py").write_text("ONE = 1\nTWO = 22\nTHREE = 3\n")
    (root / "crlf.txt").write_bytes(b"one\r\nTWO\r\n")
    (root / "latin.txt").write_bytes(b"caf\xe9s\n")
    (root / "endless.txt").write_bytes(b"still no newline")
    (root / "caf\u00e9 \u201cquoted\u201d.txt").write_text("y\n")
    (root / "new.txt").write_text("new\n")
    _git(root, "mv", "app.py", "moved.py")
    (root / "crlf.txt").chmod(0o755)
    _git(root, "add", ".")
    diff = root.parent / "git.diff"
    for options in (["-M"], ["--no-renames"], ["-M", "-U0"]):
        diff.write_bytes(_git(root, "diff", "--cached", *options))
        _git(root, "stash", "-q")
        answer = octolimb("--root", root, "guard", "check", "--diff", diff)
        assert (answer.code, answer.document["decision"]) == (0, "allow"), answer
        _git(root, "stash", "pop", "-q", "--index")
    applied = octolimb("--root", root, "guard", "check", "--diff", diff)
    assert (applied.code, applied.document["error"]["code"]) == (2, "bad-input")


def test_diffs_that_are_denied(octolimb: Octolimb) -> None:
    root = _repository(octolimb)
    diff = root.parent / "bad.diff"
    diff.write_text(f"--- a/app.py\n+++ b/app.py\n@@ -1,1 +1,2 @@\n ONE = 1\n+KEY = '{TOKEN}'\n")
    answer = octolimb("--root", root, "guard", "check", "--diff", diff)
    assert answer.code == 1
    assert [reason["policy"] for reason in answer.document["reasons"]] == ["no-secrets"]
    assert TOKEN not in answer.out + answer.err


@pytest.mark.parametrize(
    "diff",
    [
        "hello\n",
        "--- a/app.py\n+++ b/app.py\n@@ -1,9 +1,1 @@\n-ONE = 1\n",
        "--- a/app.py\n+++ b/app.py\n@@ -1,1 +1,1 @@\n-ELEVEN = 1\n+ONE = 11\n",
        "--- a/nowhere.py\n+++ b/nowhere.py\n@@ -1,1 +1,1 @@\n-a\n+b\n",
        "--- a/../x\n+++ b/../x\n@@ -1,1 +1,1 @@\n-a\n+b\n",
        "--- /dev/null\n+++ b/app.py\n@@ -0,0 +1,1 @@\n+a\n",
        "diff --git a/x.bin b/x.bin\nnew file mode 100644\nindex 0000000..1111111\n"
        "Binary files /dev/null and b/x.bin differ\n",
        "--- a/app.py\n+++ b/app.py\n@@ -99,1 +99,1 @@\n-ONE = 1\n+ONE = 2\n",
    ],
)
def test_malformed_diffs(diff: str, octolimb: Octolimb) -> None:
    answer = octolimb("--root", octolimb.build(FILES), "guard", "check", "--diff", "-", stdin=diff)
    assert answer.code == 2, answer
    assert answer.document["schema"] == "octolimb/error/1"


@pytest.mark.parametrize("commit", [True, False], ids=["with a commit", "without one"])
def test_what_is_staged(commit: bool, octolimb: Octolimb) -> None:
    root = _repository(octolimb, commit=commit)
    (root / "extra.py").write_text("EXTRA = 1\n")
    _git(root, "add", "extra.py")
    assert octolimb("--root", root, "guard", "check", "--staged").code == 0
    (root / "extra.py").write_text(f"KEY = '{TOKEN}'\n")
    assert octolimb("--root", root, "guard", "check", "--staged").code == 0, "what is not staged is not judged"
    _git(root, "add", "extra.py")
    answer = octolimb("--root", root, "guard", "check", "--staged")
    assert answer.code == 1
    assert [reason["policy"] for reason in answer.document["reasons"]] == ["no-secrets"]
