"""Programs of one user tell each other what is unsaved, and nobody else."""

from __future__ import annotations

import asyncio
import socket
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.engine.conftest import MakeEngine

from octolimb.core.changes import changes_between
from octolimb.core.document import Document
from octolimb.core.errors import Stale
from octolimb.core.paths import RelPath
from octolimb.engine.unsaved import Announcement, announce, unsaved_elsewhere

Announce = Callable[..., "asyncio.Future[Announcement]"]


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's runtime directory, empty. Its path is short, as sockets need it."""
    with tempfile.TemporaryDirectory(prefix="octolimb-") as directory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
        yield Path(directory)


@pytest.fixture
async def announcements() -> AsyncIterator[list[Announcement]]:
    found: list[Announcement] = []
    yield found
    for one in found:
        one.close()


def sockets(runtime: Path) -> list[Path]:
    return sorted((runtime / "octolimb").glob("*.sock"))


async def test_what_is_unsaved_is_told_as_it_is_now(
    runtime: Path, tmp_path: Path, announcements: list[Announcement]
) -> None:
    names = ["b.py", "pkg/a.py"]
    announcements.append(await announce(tmp_path, lambda: names))
    assert await asyncio.to_thread(unsaved_elsewhere, tmp_path) == {"b.py", "pkg/a.py"}
    names.clear()
    assert await asyncio.to_thread(unsaved_elsewhere, tmp_path) == frozenset()
    names.append("c.py")
    assert await asyncio.to_thread(unsaved_elsewhere, tmp_path / "elsewhere") == frozenset()
    (path,) = sockets(runtime)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    announcements[0].close()
    assert sockets(runtime) == []
    assert await asyncio.to_thread(unsaved_elsewhere, tmp_path) == frozenset()


def test_a_socket_that_nobody_listens_on_is_removed(runtime: Path, tmp_path: Path) -> None:
    async def leave() -> None:
        one = await announce(tmp_path, lambda: ["a.py"])
        one._server.close()

    asyncio.run(leave())
    assert len(sockets(runtime)) == 1
    assert unsaved_elsewhere(tmp_path) == frozenset()
    assert sockets(runtime) == []


def test_one_that_was_left_under_our_number_is_replaced(runtime: Path, tmp_path: Path) -> None:
    async def twice() -> frozenset[RelPath]:
        first = await announce(tmp_path, lambda: ["old.py"])
        first._server.close()
        second = await announce(tmp_path, lambda: ["new.py"])
        try:
            return await asyncio.to_thread(unsaved_elsewhere, tmp_path)
        finally:
            second.close()

    assert asyncio.run(twice()) == {"new.py"}


@pytest.mark.parametrize(
    "answer", [b"", b"no JSON\n", b"[]\n", b'{"unsaved": 7}\n', b'{"unsaved": ["../out.py"]}\n', None]
)
def test_one_that_answers_nonsense_or_not_at_all_is_passed_over(
    runtime: Path, tmp_path: Path, answer: bytes | None
) -> None:
    async def ask() -> frozenset[RelPath]:
        right = await announce(tmp_path, lambda: ["a.py"])

        writers: list[asyncio.StreamWriter] = []

        async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            if answer is not None:
                writer.write(answer)
                writer.close()

        other = right.path.with_name(right.path.name.replace("-", "-1", 1))
        odd = await asyncio.start_unix_server(tell, other)
        try:
            return await asyncio.to_thread(unsaved_elsewhere, tmp_path)
        finally:
            for writer in writers:
                writer.close()
            odd.close()
            right.close()

    assert asyncio.run(ask()) == {"a.py"}


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_a_directory_that_others_may_enter_is_not_used(runtime: Path, tmp_path: Path, mode: int) -> None:
    (runtime / "octolimb").mkdir()
    (runtime / "octolimb").chmod(mode)
    with pytest.raises(PermissionError, match="not private"):
        asyncio.run(announce(tmp_path, list))
    assert unsaved_elsewhere(tmp_path) == frozenset()


def test_a_directory_that_is_a_link_is_not_used(runtime: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o700)
    (runtime / "octolimb").symlink_to(tmp_path / "mine")
    with pytest.raises(PermissionError):
        asyncio.run(announce(tmp_path, list))


async def test_nothing_is_written_over_what_an_editor_holds(
    make_engine: MakeEngine, announcements: list[Announcement]
) -> None:
    engine = make_engine({"a.py": "x = 1\n", "b.py": "y = 1\n"})
    announcements.append(await announce(engine.root, lambda: ["a.py"]))
    before = engine.disk()
    for name, is_refused in (("a.py", True), ("b.py", False)):
        path = RelPath(name)
        changes = changes_between(before, before.with_edits({path: Document(path, b"z = 1\n")}))
        decision = engine.judge(changes, role="person")
        if is_refused:
            with pytest.raises(Stale, match=r"a\.py has unsaved changes in an editor"):
                await asyncio.to_thread(engine.apply, changes, decision)
        else:
            await asyncio.to_thread(engine.apply, changes, decision)
    assert (engine.root / "a.py").read_text() == "x = 1\n"
    assert (engine.root / "b.py").read_text() == "z = 1\n"


async def test_a_child_in_a_view_does_not_see_it(make_engine: MakeEngine, announcements: list[Announcement]) -> None:
    engine = make_engine({"a.py": ""})
    announcements.append(await announce(engine.root, lambda: ["a.py"]))
    path = announcements[0].path
    assert path.exists()
    if engine.host.isolation.files != "overlay":
        pytest.fail("no overlay here")
    code = f"import os; print(os.path.exists({str(path)!r}))"

    def look() -> bytes:
        with engine.host.project(engine.disk()) as shadow:
            return shadow.run([sys.executable, "-c", code], deadline=30.0).stdout

    assert (await asyncio.to_thread(look)).strip() == b"False"


def test_a_plain_program_can_ask(runtime: Path, tmp_path: Path) -> None:
    """What is said on the wire, for other programs: one line."""

    async def listen() -> bytes:
        one = await announce(tmp_path, lambda: ["a.py"])

        def ask() -> bytes:
            with socket.socket(socket.AF_UNIX) as plain:
                plain.connect(str(one.path))
                return plain.makefile("rb").read()

        try:
            return await asyncio.to_thread(ask)
        finally:
            one.close()

    said = asyncio.run(listen())
    assert said.endswith(b'"unsaved": ["a.py"]}\n')
