"""A limb over the wire: started, watched, cancelled; what it proposes is shown, tried, accepted, rejected, had back."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.protocol.conftest import CAPABILITIES, Editor

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.protocol.conftest import RawServer

BROKEN = "def age_of(name: str) -> int:\n    return len(name) * 11\n"
TEST = "tests/test_greeting.py::test_greet"


@pytest.fixture
def proposed(editor: Editor) -> tuple[Editor, dict[str, Any]]:
    """An editor in which a limb has proposed a repair of an unsaved mistake, and the first proposal."""
    editor.start()
    editor.open("users.py")
    editor.type("users.py", BROKEN)
    limb = editor.request(
        "octolimb/limb/start", {"kind": "test", "uri": editor.uri("tests/test_greeting.py"), "text": TEST}
    )["limb"]
    status = editor.wait_for("octolimb/limb", limb=limb, state="proposed")
    event = editor.wait_for("octolimb/proposal", event="new", id=status["proposals"][0])
    return editor, event["proposal"]


def test_a_limb_repairs_an_unsaved_mistake_and_writes_nothing(
    proposed: tuple[Editor, dict[str, Any]], project: Path
) -> None:
    editor, proposal = proposed
    assert proposal["green"]
    assert [hunk["newText"] for hunk in proposal["hunks"]] == ["    return len(name) * 10\n"]
    assert (project / "users.py").read_text().endswith("* 10\n")
    shown = editor.request("octolimb/proposal/show", {"id": proposal["id"]})
    assert "+    return len(name) * 10" in shown["diff"]
    for side, text in (("before", BROKEN), ("after", BROKEN.replace("11", "10"))):
        params = {"uri": editor.uri("users.py"), "proposal": proposal["id"], "side": side}
        assert editor.request("octolimb/shadow/content", params)["text"] == text


def test_accepting_edits_the_buffer_and_not_the_disk(proposed: tuple[Editor, dict[str, Any]], project: Path) -> None:
    editor, proposal = proposed
    (project / "users.py").write_text("# saved elsewhere\n")
    accepted = editor.request("octolimb/proposal/accept", {"id": proposal["id"]})
    assert accepted["status"] == "applied", accepted
    assert editor.text("users.py") == BROKEN.replace("11", "10")
    assert (project / "users.py").read_text() == "# saved elsewhere\n"
    assert editor.request("octolimb/proposal/list")["proposals"][0]["state"] == "accepted"


def test_what_was_rejected_can_be_had_back(proposed: tuple[Editor, dict[str, Any]]) -> None:
    editor, proposal = proposed
    rejected = editor.request("octolimb/proposal/reject", {"id": proposal["id"]})
    assert (rejected["state"], rejected["hunks"][0]["rejected"]) == ("rejected", True)
    assert editor.text("users.py") == BROKEN
    restored = editor.request("octolimb/proposal/restore", {"id": proposal["id"]})
    assert (restored["state"], restored["hunks"][0]["rejected"]) == ("open", False)
    assert restored["revision"] > rejected["revision"] > proposal["revision"]


def test_a_person_who_typed_elsewhere_keeps_it(proposed: tuple[Editor, dict[str, Any]]) -> None:
    editor, proposal = proposed
    editor.type("users.py", "# mine\n\n\n\n\n\n" + BROKEN)
    editor.wait_for("octolimb/proposal", event="changed", id=proposal["id"])
    accepted = editor.request("octolimb/proposal/accept", {"id": proposal["id"]})
    assert accepted["status"] == "applied", accepted
    assert editor.text("users.py") == "# mine\n\n\n\n\n\n" + BROKEN.replace("11", "10")


def test_a_person_who_typed_there_is_told_of_a_conflict(proposed: tuple[Editor, dict[str, Any]]) -> None:
    editor, proposal = proposed
    editor.type("users.py", BROKEN.replace("11", "12"))
    accepted = editor.request("octolimb/proposal/accept", {"id": proposal["id"]})
    assert (accepted["status"], accepted["conflicts"]) == ("conflict", [editor.uri("users.py")])
    assert editor.text("users.py") == BROKEN.replace("11", "12")


def test_an_edit_that_the_editor_refuses_is_told_of(proposed: tuple[Editor, dict[str, Any]]) -> None:
    editor, proposal = proposed
    editor.answers["workspace/applyEdit"] = {"applied": False, "failureReason": "read-only"}
    accepted = editor.request("octolimb/proposal/accept", {"id": proposal["id"]})
    assert accepted["status"] == "failed"
    assert "read-only" in accepted["message"]
    assert "nothing was changed" in accepted["message"]
    assert editor.request("octolimb/proposal/list")["proposals"][0]["state"] == "open"


def test_a_limb_that_is_cancelled_ends(editor: Editor, project: Path) -> None:
    (project / "tests" / "test_slow.py").write_text("import time\n\n\ndef test_slow():\n    time.sleep(600)\n")
    editor.start()
    start = {"kind": "test", "uri": editor.uri("tests/test_slow.py"), "text": "tests/test_slow.py::test_slow"}
    limb = editor.request("octolimb/limb/start", start)["limb"]
    editor.wait_for("octolimb/limb", limb=limb, state="sensing")
    editor.request("octolimb/limb/cancel", {"limb": limb})
    assert editor.wait_for("octolimb/limb", limb=limb, state="cancelled")["proposals"] == []


def test_the_command_line_does_not_write_what_an_editor_holds_unsaved(
    project: Path,
    start: Callable[..., RawServer],
    bare_python: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    runtime = tempfile.TemporaryDirectory(prefix="octolimb-")
    request.addfinalizer(runtime.cleanup)
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime.name)
    (project / "users.py").write_text(BROKEN)
    editor = Editor(start(), project, bare_python)
    editor.start()
    editor.open("users.py")
    editor.type("users.py", BROKEN + "# thinking\n")
    editor.wait_for("octolimb/verdict", green=True)

    def fix() -> tuple[int, dict[str, Any]]:
        options = ["--root", str(project), "--python", str(bare_python), "--json"]
        command = [sys.executable, "-m", "octolimb", *options, "fix", TEST, "--apply", "--budget", "30"]
        done = subprocess.run(command, capture_output=True, check=False, timeout=200)
        return done.returncode, json.loads(done.stdout)

    code, answer = fix()
    assert (code, answer["status"]) == (6, "stale")
    assert "users.py has unsaved changes in an editor; nothing was written; save" in answer["message"]
    assert (project / "users.py").read_text() == BROKEN
    editor.save("users.py")
    editor.wait_for("octolimb/verdict", green=True)
    code, answer = fix()
    assert (code, answer["status"]) == (0, "applied")
    assert (project / "users.py").read_text() == BROKEN.replace("11", "10") + "# thinking\n"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"kind": "test", "uri": "{root}/users.py", "text": "tests/none.py::test"}, "there is no tests/none.py"),
        ({"kind": "goal", "uri": "{root}/users.py", "text": "faster"}, "no limb for a goal"),
        ({"kind": "diagnostic", "uri": "{root}/users.py", "version": 7}, "changed meanwhile"),
        ({"kind": "diagnostic", "uri": "file:///elsewhere.py"}, "none of the open folders"),
        ({"kind": "diagnostic", "uri": "{root}/users.py", "tentacles": 8}, "tentacles"),
        ({"kind": "dance", "uri": "{root}/users.py"}, "kind"),
    ],
)
def test_what_no_limb_can_do_is_refused(editor: Editor, params: dict[str, Any], said: str) -> None:
    editor.start()
    editor.open("users.py")
    params["uri"] = params["uri"].replace("{root}", editor.root.as_uri())
    assert said in editor.refuse("octolimb/limb/start", params)["message"]


def test_no_limb_runs_in_a_workspace_that_is_not_trusted(editor: Editor) -> None:
    editor.start({"trusted": False})
    error = editor.refuse("octolimb/limb/start", {"kind": "diagnostic", "uri": editor.uri("users.py")})
    assert "not trusted" in error["message"]


def test_an_editor_that_shows_no_proposals_is_asked_in_a_message(editor: Editor) -> None:
    editor.answers["window/showMessageRequest"] = {"title": "Accept"}
    plain = {key: value for key, value in CAPABILITIES.items() if key != "experimental"}
    editor.start(capabilities=plain)
    editor.open("users.py", BROKEN)
    start = {"kind": "test", "uri": editor.uri("tests/test_greeting.py"), "text": TEST}
    arguments = {"command": "octolimb.limb.start", "arguments": [start]}
    limb = editor.request("workspace/executeCommand", arguments)["limb"]
    status = editor.wait_for("octolimb/limb", limb=limb, state="proposed")
    while (proposal := editor.request("octolimb/proposal/list")["proposals"][0])["state"] != "accepted":
        assert proposal["id"] == status["proposals"][0]
        editor.wait_for("octolimb/proposal", event="changed", id=proposal["id"])
    assert editor.text("users.py") == BROKEN.replace("11", "10")
    (question,) = [asked for asked in editor.asked if asked["method"] == "window/showMessageRequest"]
    assert "+    return len(name) * 10" in question["params"]["message"]
