"""Runs a command as an ordinary user, from a root session whose interpreter may live in a closed home.

    python ordinary_user.py COMMAND [ARGUMENT ...]

In a private mount namespace every closed directory above the interpreter and the checkout is covered by an empty one
of mode 0755 with just those put back; then the process becomes user 65534, with a private HOME, and executes the
command in the directory that it was called from. It changes nothing outside its namespace.
"""

from __future__ import annotations

import ctypes
import os
import sys
import sysconfig
from pathlib import Path

ORDINARY_UID = 65534
HOMES = Path("/home")
CHECKOUT = Path(__file__).resolve().parents[2]
_CLONE_NEWNS = 0x20000
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_PRIVATE = 0x40000
_libc = ctypes.CDLL(None, use_errno=True)


def ordinary_command(command: list[str]) -> list[str]:
    """The command that runs `command` as the ordinary user; for a caller that is root."""
    return [sys.executable, str(Path(__file__).resolve()), *command]


def needed_places() -> list[Path]:
    """What must stay reachable: the interpreter's environment and installation, and the checkout."""
    places = {sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib"), str(CHECKOUT)}
    return sorted({Path(place).resolve() for place in places})


def closed_ancestors(places: list[Path]) -> list[Path]:
    """The directories above these that others may not enter, outermost only, so that covering one covers the rest."""
    closed = {above for place in places for above in place.parents if not above.stat().st_mode & 0o001}
    return sorted(above for above in closed if not closed & set(above.parents))


def become_ordinary() -> None:
    """Leaves root for good. Raises `OSError` where this process may not."""
    _check(_libc.unshare(_CLONE_NEWNS))
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    here = Path.cwd()
    places = needed_places()
    held = [(place, os.open(place, os.O_PATH)) for place in places]
    # The homes are covered too, so that the ordinary user's own is gone with the namespace.
    covered = sorted({*closed_ancestors(places), HOMES})
    for above in covered:
        _mount("tmpfs", str(above), "tmpfs", 0, "mode=755")
    for place, fd in held:
        if any(above in place.parents for above in covered):
            place.mkdir(parents=True, exist_ok=True)
            _mount(f"/proc/self/fd/{fd}", str(place), None, _MS_BIND | _MS_REC)
    home = HOMES / "ordinary"
    home.mkdir(mode=0o700)
    os.chown(home, ORDINARY_UID, ORDINARY_UID)
    os.setgroups([])
    os.setresgid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID)
    os.setresuid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID)
    os.environ.update(HOME=str(home), TMPDIR=str(home), USER="nobody", LOGNAME="nobody", PYTHONDONTWRITEBYTECODE="1")
    os.chdir(here if os.access(here, os.X_OK) else home)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind, options)]
    _check(_libc.mount(*encoded[:3], ctypes.c_ulong(flags), encoded[3]))


def _check(result: int) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


if __name__ == "__main__":
    become_ordinary()
    os.execvp(sys.argv[1], sys.argv[1:])
