"""What isolation holds on this machine, for people: each part with what it means and how to get it.

Every part is tried in a real child; nothing is concluded from version numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from octolimb.core.errors import CannotIsolate
from octolimb.core.snapshot import Snapshot
from octolimb.shadow.host import Probed, ShadowHost
from octolimb.shadow.landlock import describe_gaps, find_abi
from octolimb.workspace.disk import DiskBase

_SECONDS: Final = 20.0
_RESTRICTIONS: Final = (
    (
        Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        "1",
        "AppArmor forbids it to ordinary users: `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or a profile"
        " with `userns` for this Python, allows it",
    ),
    (
        Path("/proc/sys/kernel/unprivileged_userns_clone"),
        "0",
        "the kernel forbids it to ordinary users: `sysctl kernel.unprivileged_userns_clone=1` allows it",
    ),
    (
        Path("/proc/sys/user/max_user_namespaces"),
        "0",
        "no user namespaces are allowed: `sysctl user.max_user_namespaces=15000` allows them",
    ),
)
_IN_CONTAINER: Final = (
    "in a container, run it with a seccomp profile that allows `unshare` and `mount`, such as `--security-opt"
    " seccomp=unconfined --cap-add SYS_ADMIN`"
)
_WAY_TO_LANDLOCK: Final = "it needs Linux 5.13 (5.19 with the overlay) with `landlock` among its `lsm=` modules"
_LANDLOCK_IN_COPY: Final = (
    "tests write only to the copy and its private HOME and TMPDIR, and read neither your HOME and /tmp nor other"
    " processes' memory"
)
_MEANING: Final = {
    "overlay": "a shadow costs a few milliseconds at any size of the repository",
    "read-only": "tests cannot write outside the shadow",
    "network": "tests reach no network but their own loopback",
    "processes": "tests see and signal no other process",
    "devices": "tests see only harmless devices",
    "ipc": "tests share no System V memory or queues with other programs",
    "home": "tests see an empty HOME and an empty /tmp of their own",
    "landlock": "what tests may write, open and signal is bounded a second time, without namespaces",
    "seccomp": "tests reach no keyring, no io_uring, no new namespaces, and less of the kernel",
    "reflink": "without an overlay, a copy shares its blocks with the repository",
}


@dataclass(frozen=True)
class Capability:
    """`advice` is one sentence: what it means that this holds, or does not, and then how to get it."""

    name: str
    holds: bool
    advice: str


def probe(host: ShadowHost) -> tuple[Capability, ...]:
    """Every part of the isolation, whether it holds for this root. Raises nothing where none does."""
    probed = host.probe()
    if probed.isolation.files != "overlay":
        return _without_overlay(probed)
    found = [Capability("overlay", holds=True, advice=_MEANING["overlay"])]
    found += [_try_out(host, "read-only", ["sh", "-c", "! touch /usr/.octolimb /etc/.octolimb 2>/dev/null"])]
    for name in ("network", "processes", "devices", "ipc"):
        reason = _reason(probed, name)
        advice = _MEANING[name] if reason is None else f"not so here ({reason}): {_MEANING[name]} only where allowed"
        found.append(Capability(name, reason is None, advice))
    found += [_landlock(probed), _seccomp(probed)]
    found.append(_try_out(host, "home", ["sh", "-c", 'test -w "$HOME" && test -w "$TMPDIR"']))
    return tuple(found)


def _landlock(probed: Probed) -> Capability:
    """In a copy it is the only boundary of files, so there its loss weighs more than under the overlay."""
    reason, overlaid = _reason(probed, "landlock"), probed.isolation.files == "overlay"
    if reason is not None:
        loss = "the mounts alone bound them" if overlaid else "nothing keeps tests from your files, home and processes"
        return Capability("landlock", holds=False, advice=f"not so here ({reason}): {loss}; {_WAY_TO_LANDLOCK}")
    abi = find_abi()
    gaps = describe_gaps(abi)
    meaning = _MEANING["landlock"] if overlaid else _LANDLOCK_IN_COPY
    return Capability("landlock", holds=True, advice=f"{meaning} (ABI {abi}{f': {gaps}' if gaps else ''})")


def _seccomp(probed: Probed) -> Capability:
    reason, meaning = _reason(probed, "seccomp"), _MEANING["seccomp"]
    return Capability("seccomp", reason is None, meaning if reason is None else f"not so here ({reason}): {meaning}")


def _reason(probed: Probed, part: str) -> str | None:
    return next((line for line in probed.missing if line.startswith(f"{part}:")), None)


def _try_out(host: ShadowHost, name: str, command: Sequence[str]) -> Capability:
    try:
        with host.project(Snapshot(DiskBase(host.root))) as shadow:
            done = shadow.run(command, deadline=_SECONDS)
    except CannotIsolate as error:
        return Capability(name, holds=False, advice=f"it could not be tried: {error.message}")
    meaning = _MEANING[name]
    return Capability(name, done.returncode == 0, meaning if done.returncode == 0 else f"not so here: {meaning}")


def _without_overlay(probed: Probed) -> tuple[Capability, ...]:
    refusal = probed.refusal or "no overlay"
    advice = f"tests run in a private copy without namespaces ({refusal}); {_way_out()}"
    reflink = probed.isolation.files == "reflink"
    return (
        Capability("overlay", holds=False, advice=advice),
        *(
            Capability(name, holds=False, advice=f"it comes with the overlay; then {_MEANING[name]}")
            for name in ("read-only", "network", "processes", "devices", "ipc")
        ),
        _landlock(probed),
        _seccomp(probed),
        Capability("home", holds=True, advice="HOME and TMPDIR are private; see `landlock` about the real ones"),
        Capability(
            "reflink",
            reflink,
            _MEANING["reflink"]
            if reflink
            else "copies take room and time; a btrfs or XFS file system would share blocks",
        ),
    )


def _way_out() -> str:
    for place, value, advice in _RESTRICTIONS:
        try:
            if place.read_text("ascii").strip() == value:
                return advice
        except OSError:
            continue
    return _IN_CONTAINER
