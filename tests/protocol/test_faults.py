"""What goes wrong between an editor and the server: nothing is guessed, nothing is lost, nothing is left behind."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.protocol.conftest import PATIENCE, call
from tests.protocol.test_limbs import BROKEN, TEST
from tests.protocol.test_shadow import TEXT_AGE, none, one, some, unsaid

if TYPE_CHECKING:
    from tests.protocol.conftest import Editor

LOST: dict[str, list[tuple[int, Any]]] = {
    "a version that was there before": [(2, "x = 1\n"), (1, "x = 2\n")],
    "a version that comes twice": [(2, "x = 1\n"), (2, "x = 2\n")],
    "a line that is not there": [(2, {"line": 40, "character": 0})],
}


def family(pid: int) -> set[int]:
    """A process and all that it started, whatever namespace they are in."""
    found = [pid]
    for one_of_them in found:
        with suppress(OSError):
            for children in Path(f"/proc/{one_of_them}/task").glob("*/children"):
                found += map(int, children.read_text().split())
    return set(found)


def name_of(pid: int) -> str:
    with suppress(OSError):
        return " ".join(Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0"))
    return ""


def eventually(true: Any, what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def change(editor: Editor, uri: str, version: int, what: Any) -> None:
    """A change of the whole text, or one that puts a letter at a place."""
    changes = [{"text": what}] if isinstance(what, str) else [{"range": {"start": what, "end": what}, "text": "x"}]
    document = {"uri": uri, "version": version}
    editor.server.send(call("textDocument/didChange", {"textDocument": document, "contentChanges": changes}))


def is_warning(note: dict[str, Any]) -> bool:
    return note["method"] == "window/showMessage" and "do not follow" in note["params"]["message"]


@pytest.mark.parametrize("fault", LOST)
def test_a_document_whose_changes_do_not_follow_is_left_out_until_it_is_opened_anew(editor: Editor, fault: str) -> None:
    editor.start()
    editor.open("users.py", TEXT_AGE)
    editor.pains("greeting.py", one("caused by users.py"))
    for version, what in LOST[fault]:
        change(editor, editor.uri("users.py"), version, what)
    message = editor.wait(is_warning)["params"]["message"]
    assert "users.py" in message
    assert "close it and open it again" in message
    # The disk stands for it.
    editor.pains("greeting.py", none)
    error = editor.refuse("octolimb/limb/start", {"kind": "diagnostic", "uri": editor.uri("users.py")})
    assert "is not known" in error["message"]
    # It says so once, and the next change is no news.
    change(editor, editor.uri("users.py"), 9, "x = 3\n")
    editor.close("users.py")
    editor.open("users.py", TEXT_AGE)
    editor.pains("greeting.py", one("caused by users.py"))
    assert not [note for note in editor.notes if is_warning(note)]
    assert editor.request("octolimb/shadow/content", {"uri": editor.uri("users.py")})["text"] == TEXT_AGE


def test_a_change_of_a_document_that_was_never_opened_is_not_guessed_at(editor: Editor) -> None:
    editor.start()
    change(editor, editor.uri("users.py"), 5, TEXT_AGE)
    editor.wait(is_warning)
    content = editor.request("octolimb/shadow/content", {"uri": editor.uri("users.py")})
    assert content["text"] == (editor.root / "users.py").read_text()


def test_a_proposal_for_a_document_that_was_lost_is_refused(editor: Editor) -> None:
    editor.start()
    editor.open("users.py", BROKEN)
    start = {"kind": "test", "uri": editor.uri("tests/test_greeting.py"), "text": TEST}
    limb = editor.request("octolimb/limb/start", start)["limb"]
    proposal = editor.wait_for("octolimb/limb", limb=limb, state="proposed")["proposals"][0]
    change(editor, editor.uri("users.py"), 0, BROKEN)
    for method in ("accept", "try"):
        error = editor.refuse(f"octolimb/proposal/{method}", {"id": proposal, "hunks": []})
        assert "users.py is not known" in error["message"]
    assert "workspace/applyEdit" not in [request["method"] for request in editor.asked]
    editor.close("users.py")
    editor.open("users.py", BROKEN)
    assert editor.request("octolimb/proposal/accept", {"id": proposal})["status"] == "applied"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"NAME = '\xe9t\xe9'\n", id="latin-1 without saying so"),
        pytest.param(b"# coding: latin-1\nNAME = '\xe9t\xe9'\n", id="latin-1"),
        pytest.param(b"NAME = 'a\0b'\n", id="NUL"),
        pytest.param(b"\xff\xfeN\0=\x001\0", id="UTF-16"),
    ],
)
def test_a_file_that_is_no_utf8_is_never_written_anew(editor: Editor, data: bytes) -> None:
    (editor.root / "odd.py").write_bytes(data)
    (editor.root / "greeting.py").write_text(
        "from odd import NAME\nfrom users import age_of\n\n\n"
        "def greet(name: str) -> int:\n    return age_of(NAME + name)\n"
    )
    editor.start()
    editor.open("users.py")
    editor.open("odd.py", data.decode("latin-1"))
    editor.type("users.py", TEXT_AGE)
    editor.pains("greeting.py", some("expected `int`, found `str`"))
    editor.close("odd.py")
    editor.type("users.py", (editor.root / "users.py").read_text())
    editor.pains("greeting.py", unsaid("expected `int`, found `str`"))
    assert (editor.root / "odd.py").read_bytes() == data


def test_a_storm_of_cancelled_requests_is_weathered(editor: Editor) -> None:
    editor.start()
    editor.open("users.py")
    editor.wait_for("octolimb/verdict", green=True)
    document = {"textDocument": {"uri": editor.uri("users.py")}, "position": {"line": 0, "character": 5}}
    messages: list[dict[str, Any]] = []
    for number in range(100):
        messages.append(call("textDocument/hover", document, message_id=f"h{number}"))
        messages.append(call("octolimb/sense", {"tests": "full"}, message_id=f"s{number}"))
        messages += [call("$/cancelRequest", {"id": f"{kind}{number}"}) for kind in "hs"]
        messages.append(call("$/cancelRequest", {"id": f"h{number}"}))
    editor.server.send(*messages)
    editor.type("users.py", TEXT_AGE)
    editor.pains("greeting.py", one("caused by users.py"))
    # Every one of them is answered, once.
    answered = editor._answers
    while len(answered) < 200:
        editor._take()
    assert set(answered) == {f"{kind}{number}" for kind in "hs" for number in range(100)}


@pytest.mark.parametrize("name", ["ruff", "ty"])
def test_a_child_that_is_killed_is_never_taken_for_clean(editor: Editor, name: str) -> None:
    editor.start()
    editor.open("users.py")
    editor.wait_for("octolimb/verdict", green=True)
    (child,) = [pid for pid in family(editor.server.process.pid) if f"bin/{name} " in name_of(pid)]
    os.kill(child, signal.SIGKILL)
    editor.type("users.py", TEXT_AGE + "import os\n")
    # Until it is back it counts as crashed, and then it says what there is.
    while True:
        verdict = editor.wait_for("octolimb/verdict")
        assert not verdict["green"]
        runs = {run["name"]: run["status"] for run in verdict["sensors"]}
        found = {finding["source"] for finding in verdict["findings"] if finding["new"]}
        if {"types", "lint"} <= found:
            break
        assert "crashed" in (runs["types"], runs["lint"]) or "skipped" in runs.values() or not verdict["complete"]
    assert child not in family(editor.server.process.pid)


@pytest.mark.parametrize("ending", ["the client vanishes", "it is told to exit"])
def test_whatever_runs_ends_with_the_session(editor: Editor, ending: str) -> None:
    (editor.root / "tests" / "test_slow.py").write_text(
        "import os, subprocess, sys, time\n\n\ndef test_slow():\n"
        "    if os.fork() == 0:\n        os.setsid()\n        time.sleep(600)\n    time.sleep(600)\n"
    )
    editor.start()
    editor.open("users.py")
    editor.wait_for("octolimb/verdict", green=True)
    start = {"kind": "test", "uri": editor.uri("tests/test_slow.py"), "text": "tests/test_slow.py::test_slow"}
    editor.request("octolimb/limb/start", start)
    server = editor.server.process
    eventually(
        lambda: any("pytest" in name_of(pid) or "in_project" in name_of(pid) for pid in family(server.pid)),
        "the test never began",
    )
    everybody = family(server.pid)
    assert len(everybody) > 5
    if ending == "the client vanishes":
        editor.server.stdin.close()
    else:
        editor.server.send(call("shutdown", message_id="end"), call("exit"))
    server.wait(timeout=PATIENCE)
    eventually(
        lambda: not any(Path(f"/proc/{pid}/status").exists() and name_of(pid) for pid in everybody), "somebody is left"
    )
