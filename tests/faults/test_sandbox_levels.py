"""What each level of the sandbox stops: the table of SECURITY.md, one cell a test.

Every attack is also made without any layer, and without a sandbox at all, where it succeeds: so a cell that says
"stopped" can fail. Which layer it is that stops it is what the levels with one left out show.
`python tests/faults/test_sandbox_levels.py` prints the table.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from octolimb.core.errors import CannotIsolate
from octolimb.core.snapshot import Snapshot
from octolimb.shadow import kernel
from octolimb.shadow.host import ShadowHost
from octolimb.shadow.landlock import find_abi
from octolimb.workspace.disk import DiskBase

ATTACKS: Final = Path(__file__).parents[1] / "support" / "attacks.py"
AREA_BYTES: Final = 1 << 20
PATIENCE: Final = 120.0

LEVELS: Final[dict[str, tuple[str, ...]]] = {
    "full": (),
    "without Landlock": ("landlock",),
    "without seccomp": ("seccomp",),
    "copy": ("namespaces",),
    "copy without Landlock": ("namespaces", "landlock"),
    "copy without seccomp": ("namespaces", "seccomp"),
}
NOTHING: Final = ("namespaces", "landlock", "seccomp")

IN_NAMESPACES: Final = {"full", "without Landlock", "without seccomp"}
BY_LANDLOCK: Final = {"full", "without seccomp", "copy", "copy without seccomp"}
BY_SECCOMP: Final = {"full", "without Landlock", "copy", "copy without Landlock"}

ROWS: Final[dict[str, tuple[str, set[str]]]] = {
    "change_tree": ("write to your files", IN_NAMESPACES | BY_LANDLOCK),
    "change_elsewhere": ("write elsewhere on the disk", IN_NAMESPACES | BY_LANDLOCK),
    "change_modes": ("change modes, owners or times of your files", IN_NAMESPACES),
    "read_home": ("read your HOME", IN_NAMESPACES | BY_LANDLOCK),
    "read_temporary": ("read the real `/tmp`", IN_NAMESPACES | BY_LANDLOCK),
    "read_state": ("read our state directory", IN_NAMESPACES | BY_LANDLOCK),
    "connect_tcp": ("reach the network, or a server of yours", IN_NAMESPACES),
    "connect_abstract": ("connect to an abstract socket", IN_NAMESPACES | BY_LANDLOCK),
    "connect_named": ("connect to a named socket in a place that it may read", set()),
    "list_processes": ("see other processes and their command lines", IN_NAMESPACES),
    "read_process": ("read another process's environment or memory", IN_NAMESPACES | BY_LANDLOCK),
    "trace_process": ("trace another process", IN_NAMESPACES | BY_LANDLOCK | BY_SECCOMP),
    "kill_process": ("signal another process", IN_NAMESPACES | BY_LANDLOCK),
    "share_memory": ("use System V memory of another program", IN_NAMESPACES),
    "read_shared_file": ("read shared memory in `/dev/shm`", IN_NAMESPACES),
    "trace_own_child": ("trace a child of its own", BY_SECCOMP),
    "use_keyring": ("use the kernel's keyring", BY_SECCOMP),
    "use_io_uring": ("use io_uring", BY_SECCOMP),
    "use_userfaultfd": ("use userfaultfd", BY_SECCOMP),
    "enter_user_namespace": ("make a user namespace, and be root in it", BY_SECCOMP),
    "mount_in_user_namespace": ("mount something there", BY_LANDLOCK | BY_SECCOMP),
    "start_thousands": ("start more than 4,096 processes or threads", IN_NAMESPACES),
    "take_memory": ("take more memory than the machine has", set(LEVELS)),
    "fill_disk": ("fill the disk", IN_NAMESPACES),
}
BY_LIMITS: Final = {"take_memory"}
"""What a limit stops, which is there without any layer."""
SINCE_ABI_6: Final = {"connect_abstract", "kill_process"}


class World:
    """Everything that there is to attack, in places of this test; and what became of it."""

    def __init__(self, place: Path, cleanup: contextlib.ExitStack) -> None:
        self.root = place / "repository"
        self.kept = place / "kept"
        self.secret = secrets.token_hex(8)
        for directory in (self.root, self.kept, self.kept / "state"):
            directory.mkdir()
        # Where we are root, it would be safe from those with fewer capabilities; as an ordinary user's is not.
        self.victim = subprocess.Popen(
            ["sleep", "600"],
            env={"PATH": os.environ["PATH"], "SECRET": self.secret},
            preexec_fn=kernel.drop_capabilities,  # noqa: PLW1509  No thread of ours runs yet.
        )
        cleanup.callback(self.victim.wait)
        cleanup.callback(self.victim.kill)
        self.files = {
            "tree": self.root / "app.py",
            "moded": self.root / "moded.py",
            "elsewhere": self.kept / "file",
            "temporary": place / "secret",
            "state": self.kept / "state/trusted.json",
            "home": Path.home() / f".octolimb-test-{self.secret}",
            "shared": Path(f"/dev/shm/octolimb-test-{self.secret}"),
        }
        for path in self.files.values():
            cleanup.callback(path.unlink, missing_ok=True)
            path.write_text(self.secret)
            path.chmod(0o600)
        server = cleanup.enter_context(socket.create_server(("127.0.0.1", 0), backlog=16))
        for name in (f"\0octolimb-{self.secret}", str(self.kept / "s")):
            listener = cleanup.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(name)
            listener.listen(16)
        libc = ctypes.CDLL(None, use_errno=True)
        key = secrets.randbits(30) + 1
        segment = libc.shmget(key, 4096, 0o1600)
        assert segment >= 0
        cleanup.callback(libc.shmctl, segment, 0, None)
        self.description: dict[str, Any] = {
            **{name: str(path) for name, path in self.files.items()},
            "secret": self.secret,
            "port": server.getsockname()[1],
            "abstract": f"octolimb-{self.secret}",
            "named": str(self.kept / "s"),
            "victim": self.victim.pid,
            "segment": key,
            "too_much": 4 * AREA_BYTES,
        }

    def judge(self, said: dict[str, str]) -> dict[str, bool]:
        """Which attacks succeeded: as the attacker says, but where we can look for ourselves."""
        succeeded = {name: not error for name, error in said.items()}
        succeeded["change_tree"] = self.files["tree"].read_text() != self.secret
        succeeded["change_elsewhere"] = self.files["elsewhere"].read_text() != self.secret
        succeeded["change_modes"] = self.files["moded"].stat().st_mode & 0o777 != 0o600
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.victim.wait(1 if succeeded["kill_process"] else 0)
        succeeded["kill_process"] = self.victim.returncode is not None
        return succeeded


Attack = Callable[[tuple[str, ...] | None], dict[str, bool]]


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory) -> Attack:
    """Makes all attacks with some layers left out, or with None in no sandbox, once; tells which succeeded."""
    known: dict[tuple[str, ...] | None, dict[str, bool]] = {}

    def run(without: tuple[str, ...] | None) -> dict[str, bool]:
        if without not in known:
            known[without] = _attack(tmp_path_factory.mktemp("level"), without)
        return known[without]

    return run


def _attack(place: Path, without: tuple[str, ...] | None) -> dict[str, bool]:
    with contextlib.ExitStack() as cleanup:
        world = World(place, cleanup)
        command = [sys.executable, str(ATTACKS), json.dumps(world.description)]
        if without is None:
            scratch = place / "scratch"
            scratch.mkdir()
            plain = subprocess.run(command, cwd=scratch, capture_output=True, check=False, timeout=PATIENCE)
            return world.judge(json.loads(plain.stdout))
        patch = cleanup.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("XDG_STATE_HOME", str(world.kept / "state"))
        base = DiskBase(world.root)
        keep = [world.kept, ATTACKS.parent]
        host = cleanup.enter_context(ShadowHost(base, keep=keep, area_bytes=AREA_BYTES, _without=without))
        shadow = cleanup.enter_context(host.project(Snapshot(base)))
        done = shadow.run(command, deadline=PATIENCE)
        assert done.returncode == 0, done.stderr.decode()
        return world.judge(json.loads(done.stdout))


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("level", LEVELS)
def test_each_level_stops_what_the_table_says(attack: Attack, level: str, name: str) -> None:
    if name in SINCE_ABI_6 and "copy" in level and find_abi() < 6:
        pytest.skip("this kernel's Landlock does not scope signals and sockets")
    if name == "start_thousands" and level in IN_NAMESPACES and not kernel.has_pid_limit_per_namespace():
        pytest.skip("this kernel bounds process numbers for the whole machine only")
    assert attack(LEVELS[level])[name] == (level not in ROWS[name][1])


@pytest.mark.parametrize("name", ROWS)
def test_nothing_stops_it_where_nothing_holds(attack: Attack, name: str) -> None:
    """The control: without it, "stopped" might be the attack's own mistake."""
    if not attack(None)[name]:
        pytest.skip("this machine's own settings refuse it to everybody")
    assert attack(NOTHING)[name] == (name not in BY_LIMITS)


def test_the_attacks_can_be_made_on_this_machine(attack: Attack) -> None:
    """Settings of a machine may refuse a few of them, but not those that matter to everybody."""
    assert all(
        attack(None)[name] for name in ("change_tree", "read_home", "connect_tcp", "kill_process", "take_memory")
    )


def test_every_attack_has_a_row(attack: Attack) -> None:
    assert set(attack(None)) == set(ROWS)


@pytest.mark.parametrize("layer", ["landlock", "seccomp"])
@pytest.mark.parametrize("namespaces", [True, False])
def test_a_layer_that_held_and_does_not_any_more_stops_the_command(
    tmp_path: Path, layer: str, namespaces: bool
) -> None:
    base = DiskBase(tmp_path)
    others = set() if namespaces else {"namespaces"}
    with ShadowHost(base, _without=others) as host, host.project(Snapshot(base)) as shadow:
        assert shadow.run(["true"], deadline=PATIENCE).returncode == 0
        host._without = frozenset({*others, layer})
        with pytest.raises(CannotIsolate, match=f"does not hold now .{layer}: left out"):
            shadow.run(["touch", "marker"], deadline=PATIENCE)
        assert not (shadow.root / "marker").exists()
        with pytest.raises(CannotIsolate):
            shadow.spawn(["true"], deadline=PATIENCE)


def test_no_variable_of_the_environment_leaves_a_layer_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OCTOLIMB_WITHOUT", "OCTOLIMB_ISOLATION", "_WITHOUT"):
        monkeypatch.setenv(name, "landlock,seccomp")
    with ShadowHost(DiskBase(tmp_path)) as host:
        assert host.probe().missing == ()


@pytest.mark.parametrize(
    ("without", "sandbox", "missing"),
    [
        ((), "full", []),
        (("landlock",), "full", ["landlock: left out"]),
        (("seccomp",), "partial", ["seccomp: left out"]),
        (("namespaces",), "none", []),
        (NOTHING, "none", ["landlock: left out", "seccomp: left out"]),
    ],
)
def test_the_level_is_named_as_it_is(
    tmp_path: Path, without: tuple[str, ...], sandbox: str, missing: list[str]
) -> None:
    with ShadowHost(DiskBase(tmp_path), _without=without) as host:
        assert (host.isolation.sandbox, list(host.probe().missing)) == (sandbox, missing)


SOCKETS = """
import socket
for family, kind in ((socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET6, socket.SOCK_DGRAM), (16, socket.SOCK_RAW)):
    try:
        socket.socket(family, kind, 0).close()
        print("yes")
    except OSError as error:
        print(error.strerror)
socket.socketpair()[0].close()
try:
    socket.create_connection(("127.0.0.1", PORT), 5)
    print("connected")
except OSError as error:
    print(error.strerror)
"""


@pytest.mark.parametrize(
    ("without", "network", "said"),
    [
        (("namespaces",), True, ["yes"] * 3 + ["connected"]),
        (("namespaces",), False, ["Address family not supported by protocol"] * 4),
        (("namespaces", "seccomp"), False, ["yes"] * 3 + ["Permission denied"]),
        (("namespaces", "landlock"), False, ["Address family not supported by protocol"] * 4),
    ],
)
def test_what_needs_no_network_gets_none(
    tmp_path: Path, without: tuple[str, ...], network: bool, said: list[str]
) -> None:
    """The bundled tools run so, in a copy too, where nothing else keeps them from it."""
    base = DiskBase(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = SOCKETS.replace("PORT", str(server.getsockname()[1]))
        with ShadowHost(base, _without=without) as host, host.project(Snapshot(base)) as shadow:
            done = shadow.run([sys.executable, "-c", code], deadline=PATIENCE, network=network)
    assert done.stdout.decode().splitlines() == said, done.stderr.decode()


def table() -> str:
    """The rows of SECURITY.md."""
    lines = [f"| What a child might do | {' | '.join(LEVELS)} |", "|---" * (len(LEVELS) + 1) + "|"]
    for title, levels in ROWS.values():
        cells = ["stopped" if level in levels else "**possible**" for level in LEVELS]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def test_the_table_is_the_one_that_people_read() -> None:
    assert table() in (Path(__file__).parents[2] / "SECURITY.md").read_text("utf-8")


if __name__ == "__main__":
    print(table())
