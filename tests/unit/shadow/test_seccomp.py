"""What the filter answers, on both architectures, by running its program as the kernel would; and one real call."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys

import pytest
from tests.support.shadow_repository import Repository

from octolimb.shadow import kernel
from octolimb.shadow.seccomp import _REFUSED, ARCHITECTURES, Architecture, assemble, restrict

ALLOW = 0x7FFF0000
KILL = 0x80000000
EPERM, ENOSYS, NO_FAMILY = (0x50000 | code for code in (errno.EPERM, errno.ENOSYS, errno.EAFNOSUPPORT))
X86, ARM = ARCHITECTURES["x86_64"], ARCHITECTURES["aarch64"]
BOTH = pytest.mark.parametrize("machine", [X86, ARM], ids=["x86_64", "aarch64"])
I386 = 0x40000003


def answer(machine: Architecture, number: int, *arguments: int, audit: int | None = None, network: bool = True) -> int:
    """Interprets the program, of which each instruction is one of five."""
    program = assemble(machine, network=network)
    words = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("=iIQ6Q", number, machine.audit if audit is None else audit, 0, *(w % 2**64 for w in words))
    loaded = at = 0
    while True:
        code, then, otherwise, operand = struct.unpack_from("=HBBI", program, at * 8)
        at += 1
        if code == 0x20:
            (loaded,) = struct.unpack_from("=I", data, operand)
        elif code == 0x06:
            return int(operand)
        else:
            at += then if (loaded == operand if code == 0x15 else loaded & operand) else otherwise


@BOTH
def test_every_refused_call_is_refused_and_others_are_not(machine: Architecture) -> None:
    refused = {numbers[machine.column] for numbers in _REFUSED.values()} - {None}
    assert all(answer(machine, number) == EPERM for number in refused if number is not None)
    looked_into = {machine.clone3, machine.socket, machine.socketpair}
    others = set(range(470)) - refused - looked_into
    assert all(answer(machine, number) == ALLOW for number in others)


def test_the_numbers_are_those_of_the_headers() -> None:
    """Where there is a compiler, it is asked."""
    names = {**{name: numbers[0 if os.uname().machine == "x86_64" else 1] for name, numbers in _REFUSED.items()}}
    source = "#include <sys/syscall.h>\n" + "".join(f"{name} SYS_{name}\n" for name in names)
    try:
        done = subprocess.run(["cc", "-E", "-P", "-"], input=source, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no C compiler with headers")
    found = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition(" ")
        if name in names and value.isdigit():
            found[name] = int(value)
    assert len(found) > 40
    assert found == {name: names[name] for name in found}


@BOTH
def test_new_namespaces_are_refused_however_they_are_asked_for(machine: Architecture) -> None:
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert answer(machine, machine.clone, flag | 17) == EPERM
        assert answer(machine, machine.unshare, flag) == EPERM
    assert answer(machine, machine.unshare, 0x80) == EPERM
    assert answer(machine, machine.clone3) == ENOSYS


@BOTH
@pytest.mark.parametrize("flags", [17, 0x4111, 0x3D0F00, 0x1200011, 0x80 | 0x4000])
def test_processes_and_threads_are_started_as_ever(machine: Architecture, flags: int) -> None:
    """fork, vfork, pthread_create and fork of the C library; the last has an odd signal at its end."""
    assert answer(machine, machine.clone, flags) == ALLOW


@BOTH
def test_unsharing_what_is_no_namespace_is_allowed(machine: Architecture) -> None:
    assert answer(machine, machine.unshare, 0x200 | 0x400) == ALLOW


@BOTH
def test_nothing_is_typed_into_a_terminal(machine: Architecture) -> None:
    assert answer(machine, machine.ioctl, 0, 0x5412) == EPERM
    assert answer(machine, machine.ioctl, 0, 0x541C) == EPERM
    # The kernel looks at the low half only, and so does the filter.
    assert answer(machine, machine.ioctl, 0, 1 << 32 | 0x5412) == EPERM
    assert answer(machine, machine.ioctl, 0, 0x5401) == ALLOW


@BOTH
def test_a_personality_may_be_asked_for_and_not_taken(machine: Architecture) -> None:
    assert answer(machine, machine.personality, 0) == answer(machine, machine.personality, 0xFFFFFFFF) == ALLOW
    assert answer(machine, machine.personality, 0x0040000) == EPERM


@BOTH
@pytest.mark.parametrize(
    ("family", "protocol", "with_network", "without"),
    [
        (1, 0, ALLOW, ALLOW),
        (2, 6, ALLOW, NO_FAMILY),
        (10, 0, ALLOW, NO_FAMILY),
        (16, 0, ALLOW, NO_FAMILY),
        (16, 4, NO_FAMILY, NO_FAMILY),
        (17, 0, NO_FAMILY, NO_FAMILY),
        (38, 0, NO_FAMILY, NO_FAMILY),
        (40, 0, NO_FAMILY, NO_FAMILY),
        (1 << 32 | 40, 0, NO_FAMILY, NO_FAMILY),
    ],
)
def test_families_of_sockets(
    machine: Architecture, family: int, protocol: int, with_network: int, without: int
) -> None:
    assert answer(machine, machine.socket, family, 1, protocol) == with_network
    assert answer(machine, machine.socket, family, 1, protocol, network=False) == without


@BOTH
def test_another_architecture_s_calls_end_the_process(machine: Architecture) -> None:
    assert answer(machine, 20, audit=I386) == KILL


def test_the_third_numbering_of_x86_is_refused() -> None:
    assert answer(X86, 0x40000000 | 39) == EPERM


def test_every_jump_stays_in_the_program() -> None:
    """A jump is one byte long: too long a body would have failed to assemble."""
    assert all(len(assemble(machine, network=True)) // 8 < 256 for machine in (X86, ARM))


def test_an_unknown_architecture_has_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.uname", lambda: type("Name", (), {"machine": "riscv64"}))
    with pytest.raises(OSError, match="no filter for riscv64"):
        restrict(network=True)


def test_a_filter_that_the_kernel_does_not_keep_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "system_call", lambda *_arguments: 0)
    with pytest.raises(OSError, match="does not keep it"):
        restrict(network=True)


WORK = """
import asyncio, ctypes, concurrent.futures, mmap, multiprocessing, os, pty, signal, socket, subprocess, sys, tempfile
from multiprocessing import shared_memory
import threading

def square(number):
    return number * number

async def talk():
    async def echo(reader, writer):
        writer.write(await reader.readline())
        writer.close()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("localhost", server.sockets[0].getsockname()[1])
    writer.write(b"hello\\n")
    assert await reader.readline() == b"hello\\n"
    writer.close()
    process = await asyncio.create_subprocess_exec("true")
    assert await process.wait() == 0
    server.close()

if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert pool.map(square, [3]) == [9]
    segment = shared_memory.SharedMemory(create=True, size=64)
    segment.close()
    segment.unlink()
    thread = threading.Thread(target=square, args=(1,))
    thread.start()
    thread.join()
    assert subprocess.run(["sh", "-c", "cat < /dev/null | cat > /dev/null; exit 3"]).returncode == 3
    asyncio.run(talk())
    socket.getaddrinfo("localhost", 80)
    assert socket.if_nameindex()
    here, there = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    here.bind("\\0of our own")
    here.listen()
    there.connect("\\0of our own")
    with tempfile.TemporaryDirectory() as place:
        os.makedirs(f"{place}/a/b")
        os.mkdir(f"{place}/c")
        with open(f"{place}/a/b/file", "w") as file:
            file.write("text")
        os.rename(f"{place}/a/b/file", f"{place}/c/file")
        os.link(f"{place}/c/file", f"{place}/a/link")
        os.truncate(f"{place}/a/link", 0)
        os.mkfifo(f"{place}/pipe")
    with tempfile.TemporaryFile() as file:
        file.write(bytes(4096))
        file.flush()
        mmap.mmap(file.fileno(), 4096).close()
    child, terminal = pty.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    child = os.fork()
    if child == 0:
        signal.pause()
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    os.close(os.memfd_create("memory"))
    for name in ("/dev/null", "/dev/stderr", "/proc/self/fd/2", os.path.expanduser("~/file")):
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT))
    print("works")
"""


def test_what_test_suites_do_goes_on_working(repository: Repository) -> None:
    repository.workspace.write("work.py", WORK)
    done = repository.run(sys.executable, "work.py")
    assert (done.stdout, done.returncode) == (b"works\n", 0), done.stderr.decode()
