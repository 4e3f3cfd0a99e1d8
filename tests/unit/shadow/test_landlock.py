"""What each ABI of Landlock restricts, all of them tried on this kernel; and which places a rule is made for."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from octolimb.shadow import kernel, landlock
from octolimb.shadow.landlock import Fence, describe_gaps, find_abi, restrict

PROGRAM = """
import json, os, signal, socket, sys
from octolimb.shadow import kernel, landlock

fence, newest, place, parent = json.loads(sys.argv[1])
kernel.forbid_new_privileges()
listener = socket.create_server(("127.0.0.1", 0))
outside = socket.socket(socket.AF_UNIX)
landlock.restrict(fence, newest=newest)

def attempt(name, act):
    try:
        act()
    except OSError:
        return
    print(name)

attempt("read", lambda: open(f"{place}/outside/file").read())
attempt("write", lambda: open(f"{place}/outside/file", "r+").close())
attempt("make", lambda: open(f"{place}/outside/new", "x").close())
attempt("remove", lambda: os.unlink(f"{place}/outside/gone"))
attempt("link out", lambda: os.link(f"{place}/inside/file", f"{place}/outside/link"))
attempt("truncate", lambda: os.truncate(f"{place}/outside/file", 0))
attempt("rename in", lambda: os.rename(f"{place}/inside/file", f"{place}/inside/deep/file"))
attempt("write in", lambda: open(f"{place}/inside/new", "w").close())
attempt("connect", lambda: socket.create_connection(listener.getsockname(), 5))
attempt("signal", lambda: os.kill(parent, 0))
attempt("device", lambda: open("/dev/null", "w").write("x"))
"""
ALWAYS = {"read", "write in", "device"}
EXPECTED = {
    1: ALWAYS | {"truncate", "connect", "signal"},
    2: ALWAYS | {"truncate", "connect", "signal", "rename in"},
    3: ALWAYS | {"connect", "signal", "rename in"},
    4: ALWAYS | {"signal", "rename in"},
    5: ALWAYS | {"signal", "rename in"},
    6: ALWAYS | {"rename in"},
}


@pytest.mark.parametrize("abi", EXPECTED)
def test_each_abi_restricts_what_it_can(tmp_path: Path, abi: int) -> None:
    if find_abi() < abi:
        pytest.skip(f"this kernel speaks ABI {find_abi()}")
    for name in ("outside/file", "outside/gone", "inside/file", "inside/deep/other"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    fence: Fence = {"read": [("/", [])], "write": [str(tmp_path / "inside")], "tcp": False, "least_abi": 1}
    order = json.dumps([fence, abi, str(tmp_path), os.getpid()])
    done = subprocess.run([sys.executable, "-c", PROGRAM, order], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.splitlines()) == EXPECTED[abi]


def test_the_newest_abi_has_no_gap_and_older_ones_name_theirs() -> None:
    assert describe_gaps(6) == describe_gaps(9) == ""
    assert describe_gaps(5) == "signals and abstract sockets are not restricted"
    assert [describe_gaps(abi).count(",") for abi in (1, 2, 3, 4)] == [3, 2, 1, 1]


def test_an_abi_below_the_least_is_refused_before_anything_is_restricted() -> None:
    fence: Fence = {"read": [], "write": [], "tcp": True, "least_abi": 2}
    with pytest.raises(OSError, match="rename between directories"):
        restrict(fence, newest=1)
    assert Path(__file__).read_text()


@pytest.mark.parametrize(
    ("code", "reason"),
    [(38, "this kernel has no Landlock"), (95, "Landlock was not enabled at boot"), (1, "Operation")],
)
def test_a_kernel_without_it_says_why(monkeypatch: pytest.MonkeyPatch, code: int, reason: str) -> None:
    def refuse(*_arguments: object) -> int:
        ctypes.set_errno(code)
        return -1

    monkeypatch.setattr(kernel, "system_call", refuse)
    with pytest.raises(OSError, match=reason):
        find_abi()


def test_rules_that_the_kernel_does_not_keep_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(number: int, first: object, *_arguments: object) -> int:
        asks_for_abi = number == 444 and first is None
        return 6 if asks_for_abi else os.dup(2)

    monkeypatch.setattr(kernel, "system_call", answers)
    with pytest.raises(OSError, match="does not keep them"):
        restrict({"read": [("/", [])], "write": [], "tcp": True, "least_abi": 1})


def test_a_place_without_its_holes_is_what_lies_around_them(tmp_path: Path) -> None:
    for name in ("a/b/hidden", "a/b/shown", "a/shown", "c"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    (tmp_path / "a/b/link").symlink_to("hidden")
    holes = [str(tmp_path / "a/b/hidden"), "/elsewhere"]
    found = {path.removeprefix(f"{tmp_path}/") for path in landlock._without(str(tmp_path), holes)}
    assert found == {"a/b/shown", "a/shown", "c"}
    assert list(landlock._without(str(tmp_path / "c"), holes)) == [str(tmp_path / "c")]
    assert list(landlock._without(holes[0], holes)) == []
