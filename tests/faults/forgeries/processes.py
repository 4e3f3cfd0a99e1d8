"""Forgeries that end, replace or split the process, and those that write to the descriptors of our reports."""

from __future__ import annotations

from typing import Final

from tests.faults.forgeries.catalogue import Forgery, at_import, in_answer

_PIPES: Final = """
import json, os, stat

def pipes():
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if int(name) > 2 and stat.S_ISFIFO(os.fstat(int(name)).st_mode):
                found.append(int(name))
        except OSError:
            pass
    return found

RECORDS = [["phase", 1, "call", "passed", 0.1], ["phase", 1, "teardown", "passed", 0.1], ["finish", 0]]
LINES = "".join(json.dumps(record) + "\\n" for record in RECORDS).encode()
"""

PROCESSES: Final[tuple[Forgery, ...]] = (
    in_answer("exits at once with 0", "os._exit(0)", "import os"),
    at_import("exits at once with 0 when imported", "import os\nos._exit(0)"),
    in_answer("sys.exit(0) in the test", "sys.exit(0)", "import sys"),
    at_import("SystemExit when imported", "raise SystemExit(0)"),
    in_answer("kills itself", "os.kill(os.getpid(), 9)", "import os"),
    in_answer("kills its parent and exits with 0", "os.kill(os.getppid(), 9)\nos._exit(0)", "import os"),
    in_answer("is ended by an alarm", "signal.setitimer(signal.ITIMER_REAL, 0.01)\nsignal.pause()", "import signal"),
    in_answer("becomes /bin/true", 'os.execv("/bin/true", ["true"])', "import os"),
    in_answer("forks, and the parent exits with 0", "if os.fork():\n    os._exit(0)", "import os"),
    in_answer(
        "forks, and the parent waits for the child and exits with 0",
        "child = os.fork()\nif child:\n    os.waitpid(child, 0)\n    os._exit(0)",
        "import os",
    ),
    in_answer("exits with 0 at the interpreter's end", "atexit.register(os._exit, 0)", "import atexit, os"),
    in_answer("interrupts the main thread", "_thread.interrupt_main()\nfor _ in range(10**8): pass", "import _thread"),
    in_answer(
        "exits with 0 from another thread",
        "threading.Thread(target=os._exit, args=(0,)).start()\nthreading.Event().wait()",
        "import os, threading",
    ),
    in_answer("raises KeyboardInterrupt", "raise KeyboardInterrupt"),
    in_answer("raises GeneratorExit", "raise GeneratorExit"),
    in_answer("pytest.exit with 0", 'pytest.exit("done", returncode=0)', "import pytest"),
    in_answer("exits with 0 through C", "ctypes.CDLL(None)._exit(0)", "import ctypes"),
    in_answer("runs out of stack in C", "faulthandler._stack_overflow()", "import faulthandler"),
    in_answer(
        "writes passing reports to every pipe",
        "for pipe in pipes():\n    os.write(pipe, LINES)\nos._exit(0)",
        _PIPES,
    ),
    in_answer(
        "writes passing reports with seals of its own",
        """
        import hashlib
        lines = LINES + b"=" + hashlib.blake2b(LINES, digest_size=16).hexdigest().encode() + b"\\n"
        for pipe in pipes():
            os.write(pipe, lines)
        os._exit(0)
        """,
        _PIPES,
    ),
    in_answer(
        "takes the failure out of the pipe and puts a pass in",
        """
        def rewrite():
            for pipe in pipes():
                reader = os.open(f"/proc/self/fd/{pipe}", os.O_RDONLY | os.O_NONBLOCK)
                try:
                    os.write(pipe, os.read(reader, 1 << 20).replace(b"failed", b"passed"))
                except OSError:
                    pass
        import atexit
        atexit.register(os._exit, 0)
        atexit.register(rewrite)
        """,
        _PIPES,
    ),
    in_answer(
        "writes passing reports to the descriptor that the environment names",
        """
        descriptor = int(os.environ.get("OCTOLIMB_REPORT_FD", "3"))
        try:
            os.write(descriptor, LINES)
        except OSError:
            pass
        os._exit(0)
        """,
        _PIPES,
    ),
    in_answer(
        "prints passing reports and exits with 0",
        "os.write(1, LINES)\nos.write(2, LINES)\nprint(LINES.decode(), flush=True)\nos._exit(0)",
        _PIPES,
    ),
    in_answer(
        "puts /dev/null in the place of every pipe",
        "for pipe in pipes():\n    os.dup2(os.open(os.devnull, os.O_WRONLY), pipe)",
        _PIPES,
    ),
    in_answer("closes every descriptor", "os.closerange(3, 1 << 20)", "import os"),
    in_answer("PYTEST_ADDOPTS in the environment", 'os.environ["PYTEST_ADDOPTS"] = "-k nothing"', "import os"),
)
