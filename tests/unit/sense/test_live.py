"""Live findings are those of a fresh process, whatever moved before, and whoever died."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.conftest import RunAs
from tests.support.live_sensing import Editor, fresh
from tests.unit.sense.test_static_matrix import CASES, SAVED

from octolimb.core.errors import BadInput
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.workspace.crate import snapshot_with_crate

Files = Mapping[str, str | bytes]
WriteProject = Callable[[Files], Path]
A, B = RelPath("src/shop/prices.py"), RelPath("src/shop/cart.py")
STRINGLY = "def price(name: str) -> str:\n    return name\n"


@pytest.fixture(params=["overlay", "copy"])
def isolation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "copy":
        monkeypatch.setenv("OCTOLIMB_ISOLATION", "copy")


@asynccontextmanager
async def editing(root: Path) -> AsyncIterator[Editor]:
    editor = Editor(root)
    try:
        yield editor
    finally:
        await editor.live.close()


@pytest.mark.usefixtures("isolation")
async def test_every_case_of_the_matrix_one_after_the_other(write_project: WriteProject) -> None:
    """Each follows the saved state, and each is undone: nothing of it may stay."""
    async with editing(write_project(SAVED)) as editor:
        saved = await editor.settled(Snapshot(editor.base))
        assert saved == fresh(Snapshot(editor.base))
        for case, (files, renames) in CASES.items():
            if case == "a configuration that breaks the linter":
                continue  # See below.
            snapshot = snapshot_with_crate(editor.base, files, renames)
            assert await editor.settled(snapshot) == fresh(snapshot), case
            assert await editor.settled(Snapshot(editor.base)) == saved, f"after {case}"


@pytest.mark.usefixtures("isolation")
async def test_unsaved_pain_shows_in_the_dependent(write_project: WriteProject) -> None:
    async with editing(write_project(SAVED)) as editor:
        snapshot = snapshot_with_crate(editor.base, {A: STRINGLY}, {})
        near = await editor.live.dependents(snapshot, [A])
        assert near == [B, "tool.py"]
        settled = await editor.live.settle(snapshot, [A, *near])
        assert settled.generation == snapshot.generation
        assert [finding.source for finding in settled.findings[B]] == ["types"]
        assert [run.status for run in settled.sensors] == ["ran", "ran"]


@pytest.mark.usefixtures("isolation")
async def test_outside_saves_are_seen(write_project: WriteProject) -> None:
    root = write_project(SAVED)
    async with editing(root) as editor:
        await editor.settled(Snapshot(editor.base))
        (root / "new.tmp").write_text(STRINGLY)
        (root / "new.tmp").rename(root / A)
        await editor.check_after(A)
        status = (root / A).stat()
        (root / A).write_text(SAVED[A])  # type: ignore[arg-type]
        os.utime(root / A, ns=(status.st_atime_ns, status.st_mtime_ns))
        await editor.check_after(A)
        (root / A).unlink()
        await editor.check_after(A)
        (root / "src/shop/prices").mkdir()
        (root / "src/shop/prices/__init__.py").write_text(STRINGLY)
        await editor.check_after("src/shop/prices")
        (root / "pyproject.toml").write_text('[tool.ruff.lint]\nselect = ["W"]\n')
        await editor.check_after("pyproject.toml")
        (root / "src/shop/prices/__init__.py").write_text("def price(name: str) -> float:\n    return 1.0\n")
        await editor.live.disk_changed(None)
        await editor.check()


async def test_a_configuration_that_breaks_a_sensor(write_project: WriteProject) -> None:
    """It crashes with the reason, as in a fresh process, and runs again when the configuration is mended."""
    async with editing(write_project(SAVED)) as editor:
        await editor.settled(Snapshot(editor.base))
        for text, crashed in (
            ("[tool.ruff]\nfoo = 1\n", ["lint"]),
            ("[tool.ty]\nbar = 1\n", ["types"]),
            ("[tool.ruff\n", ["lint", "types"]),
            ("", []),
        ):
            snapshot = snapshot_with_crate(editor.base, {"pyproject.toml": text}, {})
            settled = await editor.live.settle(snapshot, editor.sources(snapshot))
            assert [run.name for run in settled.sensors if run.status == "crashed"] == crashed, text
            assert all("pyproject.toml" in (run.why or "") for run in settled.sensors if run.status == "crashed")


async def test_configurations_that_follow_each_other_at_once(write_project: WriteProject) -> None:
    """A child that is just being started for one is started again for the next."""
    async with editing(write_project(SAVED)) as editor:
        await editor.live.settle(Snapshot(editor.base), [])
        for turn in range(12):
            text = f'[tool.ty.rules]\nunresolved-reference = "{("warn", "ignore", "error")[turn % 3]}"\n'
            text += '[tool.ruff.lint]\nignore = ["F821"]\n' * (turn % 2)
            snapshot = snapshot_with_crate(editor.base, {"pyproject.toml": text}, {})
            task = asyncio.create_task(editor.live.settle(snapshot, [A]))
            await asyncio.sleep(0.03 * (turn % 4))
            task.cancel()
            await asyncio.wait([task])
        assert await editor.settled(snapshot) == fresh(snapshot)


async def test_a_file_that_goes_while_it_is_open(write_project: WriteProject) -> None:
    async with editing(write_project(SAVED)) as editor:
        await editor.live.settle(Snapshot(editor.base), [A, B])
        gone = snapshot_with_crate(editor.base, {A: None}, {})
        settled = await editor.live.settle(gone, [A, B])
        assert settled.findings[A] == ()
        assert await editor.settled(gone) == fresh(gone)


@pytest.mark.parametrize("name", ["ruff", "ty"])
async def test_a_killed_child_is_started_again(write_project: WriteProject, name: str) -> None:
    async with editing(write_project(SAVED)) as editor:
        expected = await editor.settled(Snapshot(editor.base))
        editor.kill(name)
        assert await editor.settled(Snapshot(editor.base)) == expected
        snapshot = snapshot_with_crate(editor.base, {A: STRINGLY}, {})
        editor.kill(name)
        assert await editor.settled(snapshot) == fresh(snapshot)


async def test_a_child_that_keeps_dying_is_crashed_and_recovers(write_project: WriteProject) -> None:
    async with editing(write_project(SAVED)) as editor:
        await editor.live.settle(Snapshot(editor.base), [A])
        limit = time.monotonic() + 20
        while (run := editor.live.status()[1]).status != "crashed" and time.monotonic() < limit:
            editor.kill("ty")
            await asyncio.sleep(0.02)
        assert run.status == "crashed"
        assert "SIGKILL" in (run.why or "")
        settled = await editor.live.settle(Snapshot(editor.base), [A, B])
        assert [run.status for run in settled.sensors] == ["ran", "crashed"]
        await asyncio.wait_for(editor.recovered.wait(), 30)
        settled = await editor.live.settle(Snapshot(editor.base), [A, B])
        assert [run.status for run in settled.sensors] == ["ran", "ran"]


@pytest.mark.usefixtures("isolation")
async def test_a_killed_host_is_started_again_with_all_unsaved(write_project: WriteProject) -> None:
    async with editing(write_project(SAVED)) as editor:
        snapshot = snapshot_with_crate(editor.base, {A: STRINGLY}, {})
        expected = await editor.settled(snapshot)
        assert expected == fresh(snapshot)
        for _ in range(2):
            os.kill(editor.host_pid, signal.SIGKILL)
            # A kill takes its time; whoever asks in that moment is told that the host is not running.
            while editor.live._shadow.alive:
                await asyncio.sleep(0.001)
            assert await editor.settled(snapshot) == expected


async def test_a_cancelled_call_leaves_nothing_stale(write_project: WriteProject) -> None:
    async with editing(write_project(SAVED)) as editor:
        await editor.settled(Snapshot(editor.base))
        numbers = random.Random(7)
        for turn in range(30):
            text = f"def price(name: str) -> {('int', 'str')[turn % 2]}:\n    return missing{turn}\n"
            snapshot = snapshot_with_crate(editor.base, {A: text}, {})
            task = asyncio.create_task(editor.live.settle(snapshot, [A, B]))
            await asyncio.sleep(numbers.random() * 0.01)
            task.cancel()
            await asyncio.wait([task])
        assert await editor.settled(snapshot) == fresh(snapshot)


@pytest.mark.usefixtures("isolation")
async def test_questions_about_the_unsaved_state(write_project: WriteProject) -> None:
    async with editing(write_project(SAVED)) as editor:
        text = "from shop.costs import price\n\nprice('')\n"
        renamed = snapshot_with_crate(editor.base, {"use.py": text}, {A: "src/shop/costs.py"})
        place = {"textDocument": {"uri": editor.uri("use.py")}, "position": {"line": 2, "character": 1}}
        (found,) = await editor.live.ask(renamed, "textDocument/definition", place)
        assert (found.get("targetUri") or found.get("uri")) == editor.uri("src/shop/costs.py")
        hover = await editor.live.ask(renamed, "textDocument/hover", place)
        assert "def price" in str(hover)
        references = {"context": {"includeDeclaration": True}, **place}
        found = await editor.live.ask(renamed, "textDocument/references", references)
        assert {one["uri"] for one in found} == {editor.uri("use.py"), editor.uri("src/shop/costs.py")}
        edit = await editor.live.ask(renamed, "textDocument/rename", {"newName": "cost", **place})
        assert editor.uri("use.py") in str(edit)
        document = {"textDocument": {"uri": editor.uri("src/shop/costs.py")}}
        (symbol,) = await editor.live.ask(renamed, "textDocument/documentSymbol", document)
        assert symbol["name"] == "price"
        moved = {"files": [{"oldUri": editor.uri("src/shop/costs.py"), "newUri": editor.uri("src/shop/fees.py")}]}
        assert "use.py" in str(await editor.live.ask(renamed, "workspace/willRenameFiles", moved))
        with pytest.raises(BadInput):
            await editor.live.ask(renamed, "workspace/executeCommand", {})


async def test_fixes_come_with_their_edits(write_project: WriteProject) -> None:
    async with editing(write_project({"a.py": "import os\nx = '😀'; import re\n"})) as editor:
        settled = await editor.live.settle(Snapshot(editor.base), [RelPath("a.py")])
        assert [fix.finding.code for fix in settled.fixes if "Remove" in fix.title] == ["F401", "F401"]
        assert all(fix.edits for fix in settled.fixes)


async def test_a_source_that_is_not_utf8(write_project: WriteProject) -> None:
    async with editing(write_project({"a.py": b"# -*- coding: latin-1 -*-\nx = '\xe9'\n"})) as editor:
        snapshot = Snapshot(editor.base)
        live = [one for one in await editor.settled(snapshot) if one.source == "types"]
        assert live == [one for one in fresh(snapshot) if one.source == "types"] != []


@pytest.mark.usefixtures("isolation")
@pytest.mark.parametrize("seed", [int(os.environ.get("OCTOLIMB_SEED", "11"))])
async def test_random_days(write_project: WriteProject, seed: int) -> None:
    """Edits, saves, outside changes, deaths and undoing in any order; every few steps beside a fresh process."""
    numbers = random.Random(seed)
    seconds = float(os.environ.get("OCTOLIMB_SECONDS", "8"))
    root = write_project(SAVED)
    async with editing(root) as editor:
        limit = time.monotonic() + seconds
        steps: list[str] = []
        while time.monotonic() < limit or len(steps) < 12:
            steps.append(await editor.random_step(numbers))
            if numbers.random() < 0.4:
                await editor.live.settle(editor.snapshot, editor.sources(editor.snapshot)[:3])
            if len(steps) % 4 == 0:
                assert await editor.settled(editor.snapshot) == fresh(editor.snapshot), (seed, steps)
    print(f"seed {seed}: {len(steps)} steps")


@pytest.mark.parametrize("as_user", ["ordinary"], indirect=True)
def test_it_holds_for_an_ordinary_user(as_user: RunAs, request: pytest.FixtureRequest) -> None:
    here = str(Path(__file__).resolve())
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(request.config.rootpath),
        "-k",
        "killed or saves or dependent",
    ]
    done = as_user([sys.executable, "-m", "pytest", *options, here])
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " skipped" not in done.stdout
