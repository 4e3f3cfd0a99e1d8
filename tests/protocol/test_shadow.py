"""What an editor is told of a state that nobody saved: across files, as it is typed, and no longer than it is true."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.protocol.conftest import CAPABILITIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.protocol.conftest import Editor, RawServer

TEXT_AGE = 'def age_of(name: str) -> str:\n    return name + " is old"\n'
PULLING: dict[str, Any] = {
    "textDocument": {"diagnostic": {"dynamicRegistration": False}},
    "workspace": {"applyEdit": True, "diagnostics": {"refreshSupport": True}},
}


def one(part: str) -> Callable[[list[str]], bool]:
    return lambda messages: len(messages) == 1 and part in messages[0]


def none(messages: list[str]) -> bool:
    return not messages


def some(part: str) -> Callable[[list[str]], bool]:
    return lambda messages: any(part in message for message in messages)


def unsaid(part: str) -> Callable[[list[str]], bool]:
    return lambda messages: not any(part in message for message in messages)


def test_an_unsaved_change_hurts_the_file_that_depends_on_it(editor: Editor, project: Path) -> None:
    before = {path: path.read_bytes() for path in project.rglob("*.py")}
    editor.start()
    editor.open("users.py")
    editor.wait_for("octolimb/verdict", green=True)
    editor.type("users.py", TEXT_AGE)
    (pain,) = editor.pains("greeting.py", one("caused by users.py"))
    assert (pain["severity"], pain["range"]["start"]["line"]) == (1, 4)
    verdict = editor.wait_for("octolimb/verdict", green=False)
    assert [finding["path"] for finding in verdict["findings"] if finding["new"]] == ["greeting.py"]
    editor.replace("users.py", 'str:\n    return name + " is old"', "int:\n    return len(name) * 10")
    editor.pains("greeting.py", none)
    assert editor.wait_for("octolimb/verdict", green=True)["generation"] > verdict["generation"]
    assert {path: path.read_bytes() for path in project.rglob("*.py")} == before


def test_an_open_dependent_is_told_too_and_keeps_its_old_findings(editor: Editor) -> None:
    editor.start()
    editor.open("greeting.py", "import os\nfrom users import age_of\n\n\ndef f(n: str) -> int:\n    return age_of(n)\n")
    editor.open("users.py")
    editor.pains("greeting.py", some("`os` imported but unused"))
    editor.type("users.py", TEXT_AGE)
    pains = editor.pains("greeting.py", some("expected `int`, found `str`"))
    assert {pain["source"] for pain in pains} == {"octolimb lint", "octolimb types"}
    editor.close("users.py")
    pains = editor.pains("greeting.py", unsaid("expected `int`"))
    assert {pain["source"] for pain in pains} == {"octolimb lint"}


def test_a_new_unsaved_file_can_be_imported_and_a_syntax_error_is_told(editor: Editor) -> None:
    editor.start()
    editor.open("greeting.py", "from brand_new import age_of\n\nprint(age_of(1))\n")
    editor.pains("greeting.py", one("brand_new"))
    editor.open("brand_new.py", "def age_of(n: int) -> int:\n    return n\n")
    editor.pains("greeting.py", none)
    editor.type("brand_new.py", "def age_of(n: int -> int:\n    return n\n")
    pains = editor.pains("brand_new.py", lambda messages: len(messages) >= 1)
    assert pains[0]["source"] == "octolimb syntax"


def test_what_happens_on_the_disk_is_seen(editor: Editor, project: Path) -> None:
    editor.start()
    editor.open("greeting.py")
    editor.wait_for("octolimb/verdict", green=True)
    (project / "users.py").write_text(TEXT_AGE)
    changes = {"changes": [{"uri": editor.uri("users.py"), "type": 2}]}
    editor.server.send({"jsonrpc": "2.0", "method": "workspace/didChangeWatchedFiles", "params": changes})
    editor.pains("greeting.py", lambda messages: len(messages) == 1)
    (project / "users.py").unlink()
    editor.server.send({"jsonrpc": "2.0", "method": "workspace/didChangeWatchedFiles", "params": changes})
    editor.pains("greeting.py", one("users"))


def test_an_editor_that_watches_no_files_need_not_tell(editor: Editor, project: Path) -> None:
    editor.start()
    editor.open("greeting.py")
    editor.wait_for("octolimb/verdict", green=True)
    (project / "users.py").write_text(TEXT_AGE)
    editor.pains("greeting.py", one("Operator `+` is not supported"))
    (project / "users.py").rename(project / "people.py")
    editor.pains("greeting.py", one("Cannot resolve imported module `users`"))
    (project / "sub" / "deep").mkdir(parents=True)
    (project / "sub" / "deep" / "users.py").write_text("def age_of(name: str) -> int:\n    return 1\n")
    editor.type("greeting.py", "from sub.deep.users import age_of\n\n\ndef f() -> str:\n    return age_of('')\n")
    editor.pains("greeting.py", one("expected `str`, found `int`"))
    (project / "sub" / "deep" / "users.py").write_text("def age_of(name: str) -> str:\n    return ''\n")
    editor.pains("greeting.py", none)


def test_an_editor_that_watches_files_is_asked_to(editor: Editor) -> None:
    watching = {**CAPABILITIES["workspace"], "didChangeWatchedFiles": {"dynamicRegistration": True}}
    editor.start(capabilities={**CAPABILITIES, "workspace": watching})
    editor.open("greeting.py")
    editor.wait_for("octolimb/verdict", green=True)
    (request,) = [one for one in editor.asked if one["method"] == "client/registerCapability"]
    assert request["params"]["registrations"][0]["method"] == "workspace/didChangeWatchedFiles"


def test_an_editor_that_pulls_is_answered_and_not_sent_the_same(editor: Editor) -> None:
    capabilities = editor.start(capabilities=PULLING)["capabilities"]
    assert capabilities["diagnosticProvider"]["interFileDependencies"] is True
    editor.open("greeting.py")
    editor.open("users.py")
    document = {"textDocument": {"uri": editor.uri("greeting.py")}}
    clean = editor.request("textDocument/diagnostic", document)
    while "resultId" not in clean:  # The sensors were still starting.
        clean = editor.request("textDocument/diagnostic", document)
    assert (clean["kind"], clean["items"]) == ("full", [])
    again = editor.request("textDocument/diagnostic", {**document, "previousResultId": clean["resultId"]})
    assert again["kind"] == "unchanged"
    editor.type("users.py", TEXT_AGE)
    report = editor.request("textDocument/diagnostic", document)
    assert ["caused by users.py" in item["message"] for item in report["items"]] == [True]
    editor.type("users.py", "def age_of(name: str) -> int:\n    return 1\n")
    editor.wait_for("octolimb/verdict", green=True)
    assert [item["method"] for item in editor.asked].count("workspace/diagnostic/refresh") >= 1
    assert editor.diagnostics == {}


def test_an_editor_that_pulls_but_cannot_be_told_to_is_sent_everything(editor: Editor) -> None:
    """Or else an open dependent would keep what was said of it."""
    capabilities = editor.start(capabilities={**PULLING, "workspace": {"applyEdit": True}})["capabilities"]
    assert "diagnosticProvider" not in capabilities
    editor.open("greeting.py")
    editor.open("users.py")
    editor.type("users.py", TEXT_AGE)
    editor.pains("greeting.py", one("caused by users.py"))


def test_tests_run_on_what_is_unsaved(editor: Editor) -> None:
    editor.start()
    editor.open("users.py")
    green = editor.request("octolimb/sense", {"tests": "full"})
    assert (green["green"], green["tests"]["passed"]) == (True, 1)
    editor.type("users.py", "def age_of(name: str) -> int:\n    return len(name) * 11\n")
    red = editor.request("octolimb/sense", {"tests": "impacted"})
    assert red["tests"]["failures"] == ["tests/test_greeting.py::test_greet"]
    assert red["regressed"]
    (pain,) = editor.pains("tests/test_greeting.py", lambda messages: len(messages) == 1)
    assert pain["data"]["test"] == "tests/test_greeting.py::test_greet"
    editor.type("users.py", "def age_of(name: str) -> int:\n    return len(name) * 10\n")
    editor.pains("tests/test_greeting.py", none)


def test_tests_are_listed_without_being_run(editor: Editor) -> None:
    editor.start()
    more = "tests/test_more.py"
    editor.open(
        more, "class TestMore:\n    def test_it(self) -> None: ...\n\n\n# é\ndef test_that():\n    assert 'é🐙'\n"
    )
    (listed,) = editor.request("octolimb/tests/list", {"uri": editor.uri(more)})["tests"]
    assert [child["id"] for child in listed["children"]] == [f"{more}::TestMore", f"{more}::test_that"]
    # The whole definition, so that a cursor anywhere in it is in the test.
    start, end = {"line": 5, "character": 0}, {"line": 6, "character": 16}
    assert listed["children"][1]["range"] == {"start": start, "end": end}
    assert len(editor.request("octolimb/tests/list")["tests"]) == 2


def test_in_a_workspace_that_is_not_trusted_no_test_runs(editor: Editor, project: Path) -> None:
    (project / "tests" / "conftest.py").write_text(f"open({str(project / 'canary')!r}, 'w')\n")
    editor.start({"trusted": False})
    editor.open("users.py", TEXT_AGE)
    editor.pains("greeting.py", one("caused by users.py"))
    verdict = editor.request("octolimb/sense", {"tests": "full"})
    assert verdict["tests"]["selected"] == 0
    assert not (project / "canary").exists()


def test_the_shadow_s_text_can_be_read(editor: Editor) -> None:
    editor.start()
    editor.open("users.py", TEXT_AGE)
    content = editor.request("octolimb/shadow/content", {"uri": editor.uri("users.py")})
    assert content["text"] == TEXT_AGE
    assert editor.request("octolimb/shadow/content", {"uri": editor.uri("none.py")})["text"] is None


def test_another_extension_s_findings_are_left_to_it(editor: Editor) -> None:
    editor.start()
    editor.open("users.py", "import os\n" + TEXT_AGE)
    editor.pains("users.py", some("unused"))
    editor.server.send({"jsonrpc": "2.0", "method": "octolimb/standBack", "params": {"sensors": ["lint"]}})
    editor.pains("users.py", none)


def test_two_folders_have_an_engine_each(start: Callable[..., RawServer], tmp_path: Path, bare_python: Path) -> None:
    from tests.protocol.conftest import Editor

    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "library.py").write_text(f"{name} = 1\n")
        (tmp_path / name / "user.py").write_text(f"from library import {name}\n\nprint({name})\n")
    editor = Editor(start(), tmp_path, bare_python)
    folders = [{"uri": (tmp_path / name).as_uri(), "name": name} for name in ("one", "two")]
    editor.start(workspaceFolders=folders)
    editor.open("one/library.py", "other = 1\n")
    editor.pains("one/user.py", one("one"))
    editor.pains("two/user.py", none)
    editor.wait_for("octolimb/verdict", root=str(tmp_path / "one"), green=False)


def test_quick_fixes_are_edits_and_limbs_are_commands(editor: Editor) -> None:
    from tests.protocol.conftest import edited

    editor.start()
    editor.open("users.py", "import os\n" + TEXT_AGE)
    pains = editor.pains("users.py", some("unused"))
    (pain,) = [pain for pain in pains if pain["code"] == "F401"]
    params = {
        "textDocument": {"uri": editor.uri("users.py")},
        "range": pain["range"],
        "context": {"diagnostics": [pain]},
    }
    found = editor.request("textDocument/codeAction", params)
    titles = [action["title"] for action in found]
    assert any("os" in title for title in titles), titles
    assert titles[-1] == "Fix with a limb (offline)"
    edits = [action["edit"]["documentChanges"] for action in found if "edit" in action]
    fix = next(document for (document,) in edits if [edit["newText"] for edit in document["edits"]] == [""])
    assert fix["textDocument"]["version"] == 1
    context = {"diagnostics": [], "only": ["source.fixAll"]}
    (everything,) = editor.request("textDocument/codeAction", {**params, "context": context})
    edits = everything["edit"]["documentChanges"][0]["edits"]
    assert edited("import os\n" + TEXT_AGE, edits).lstrip("\n") == TEXT_AGE


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_columns_are_counted_as_the_client_counts(editor: Editor, encoding: str) -> None:
    editor.start(capabilities={"general": {"positionEncodings": [encoding]}})
    line = "s = '😀é\f\u2028'; undefined_name"
    editor.open("users.py", line + "\r\nx = 1\r")
    pain = editor.pains("users.py", some("undefined_name"))[-1]
    before = line.index("undefined_name")
    widths = {"utf-8": len(line[:before].encode()), "utf-16": before + 1, "utf-32": before}
    assert pain["range"]["start"] == {"line": 0, "character": widths[encoding]}


def test_definition_and_rename_see_what_is_unsaved(editor: Editor) -> None:
    editor.start()
    editor.open("users.py", "\n\n\ndef age_of(name: str) -> int:\n    return 1\n")
    editor.open("greeting.py")
    at = {"textDocument": {"uri": editor.uri("greeting.py")}, "position": {"line": 4, "character": 13}}
    found = editor.request("textDocument/definition", at)
    places = found if isinstance(found, list) else [found]
    assert [place.get("targetUri") or place["uri"] for place in places] == [editor.uri("users.py")]
    assert (places[0].get("targetSelectionRange") or places[0]["range"])["start"]["line"] == 3
    renamed = editor.request("textDocument/rename", {**at, "newName": "years_of"})
    assert editor.uri("users.py") in str(renamed)
    assert editor.uri("greeting.py") in str(renamed)
