"""What broke it, and the way back to the last green, over the wire."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.protocol.test_shadow import TEXT_AGE, none, one

if TYPE_CHECKING:
    from tests.protocol.conftest import Editor


def test_the_edit_that_broke_it_is_named_and_taken_back(editor: Editor, project: Path) -> None:
    editor.start()
    editor.open("users.py")
    editor.open("greeting.py")
    editor.wait_for("octolimb/verdict", green=True)
    before = editor.text("users.py")
    editor.type("greeting.py", editor.text("greeting.py") + "\n\nSEEN: list[str] = []\n")
    editor.wait_for("octolimb/verdict", green=True)
    harmless = editor.text("greeting.py") + "# a note\n"
    editor.type("greeting.py", harmless)
    editor.type("users.py", TEXT_AGE)
    # Asked in the same breath, before anything can have been sensed.
    cause = editor.request("octolimb/green/cause", {})
    assert cause["status"] == "found", cause
    assert [(hunk["uri"], hunk["newText"]) for hunk in cause["hunks"]] == [(editor.uri("users.py"), TEXT_AGE)]
    assert "greeting.py" in cause["pains"][0]
    back = editor.request("octolimb/green/back", {})
    assert (back["status"], back["uris"]) == ("applied", [editor.uri("greeting.py"), editor.uri("users.py")])
    assert editor.text("users.py") == before
    assert editor.text("greeting.py") == harmless.removesuffix("# a note\n")
    editor.pains("greeting.py", none)
    assert editor.request("octolimb/green/back", {})["status"] == "nothing"
    assert editor.request("octolimb/green/cause", {})["status"] == "nothing"
    assert (project / "users.py").read_text() == before


def test_where_nothing_was_green_nothing_is_known(editor: Editor, project: Path) -> None:
    (project / "users.py").write_text(TEXT_AGE)
    editor.start()
    editor.open("greeting.py")
    editor.pains("greeting.py", one("Operator `+` is not supported"))
    assert editor.request("octolimb/green/back", {})["status"] == "unknown"
    cause = editor.request("octolimb/green/cause", {})
    assert cause["status"] == "unknown"
    assert "nothing was green yet" in cause["message"]
