"""Decides what a child may see and write: which private directories are emptied, and which paths in them must stay.

It looks at paths only and changes nothing; `view` and `landlock` do the work in the child.
"""

from __future__ import annotations

import os
import pwd
import stat
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from octolimb.shadow.landlock import Fence
from octolimb.shadow.view import Hidden, ViewRequest

_SCRATCH_PLACES: Final = ("/tmp", "/var/tmp")  # noqa: S108  These are what is hidden, not what is used.
_CLOSED_PLACES: Final = ("/home", "/root", "/run")
"""Other people's homes among them: where we are root, nothing else would keep a child out of those."""
_PERSONAL_VARIABLES: Final = (
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
)
_SYSTEM_PLACES: Final = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr")
"""Some system accounts have a home here; hiding it would hide the system."""
_MOST_LINKS: Final = 40
_ABI_WITH_RENAMES: Final = 2
FALLBACK_HOME: Final = "/tmp/home"  # noqa: S108  It lies in the child's own /tmp.


@dataclass(frozen=True)
class ViewPlan:
    """`home` is where the child's private HOME lies; `request` is what the launcher needs to build the view."""

    request: ViewRequest
    home: str


def plan_view(root: Path, keep: Iterable[Path], *, area_bytes: int) -> ViewPlan:
    """What to hide for a shadow of `root` (resolved), with everything in `keep` left readable.

    A private directory that is the root, or lies in it, is part of the repository and stays as it is.
    """
    hide: list[Hidden] = []
    for path, mode in sorted(_private_directories().items()):
        inside_root = _is_in(path, str(root))
        inside_hidden = any(_is_in(path, hidden["path"]) for hidden in hide)
        if not inside_root and not inside_hidden:
            hide.append({"path": path, "mode": mode})
    links: list[tuple[str, str]] = []
    kept: set[str] = set()
    for path_kept in keep:
        steps, real = follow_links(path_kept)
        links += [step for step in steps if _lies_in_any(step[0], hide) and not _is_in(step[0], str(root))]
        if _lies_in_any(real, hide) and not _is_in(real, str(root)):
            kept.add(real)
    outermost = [path for path in sorted(kept) if not any(_is_in(path, other) for other in kept - {path})]
    outside = [link for link in dict.fromkeys(links) if not any(_is_in(link[0], path) for path in outermost)]
    request: ViewRequest = {
        "root": str(root),
        "hide": hide,
        "hide_in_kept": [
            {"path": path, "mode": mode}
            for path, mode in sorted(_private_directories().items())
            if any(_is_in(path, place) for place in outermost) and not _is_in(path, str(root))
        ],
        "links": outside,
        "keep": outermost,
        "area_bytes": area_bytes,
    }
    return ViewPlan(request, _private_home(hide, str(root)))


def fence_view(plan: ViewPlan, *, network: bool) -> Fence:
    """Where a child in a view may go: it may read all that it sees, and write what was mounted for it alone.

    The mounts say the same; so an ABI that costs the project's tests something is not worth it there.
    """
    request = plan.request
    private = [hidden["path"] for hidden in (*request["hide"], *request["hide_in_kept"])]
    return {
        "read": [("/", [])],
        "write": [request["root"], *private, plan.home],
        "tcp": network,
        "least_abi": _ABI_WITH_RENAMES,
    }


def fence_copy(plan: ViewPlan, keep: Iterable[Path], write: Iterable[Path], *, network: bool) -> Fence:
    """Where a child in a copy of the plan's root may go: it may read what a view would show, and write what is given.

    The root itself stays readable, since installed things in it are not copied. Of the devices only the harmless ones
    are: root could read a disk past all files.
    """
    request = plan.request
    holes = ["/dev", *(hidden["path"] for hidden in (*request["hide"], *request["hide_in_kept"]))]
    kept = [os.path.realpath(path) for path in keep]
    return {
        "read": [("/", holes), (request["root"], []), *((path, [h for h in holes if h != path]) for path in kept)],
        "write": [str(path) for path in write],
        "tcp": network,
        "least_abi": 1,
    }


def own_directories() -> tuple[Path, ...]:
    """What our own interpreter, package and bundled tools need to be readable."""
    places = {
        sys.prefix,
        sys.base_prefix,
        sys.exec_prefix,
        *(sysconfig.get_path(name) for name in ("scripts", "purelib", "platlib", "stdlib", "platstdlib")),
        str(Path(__file__).parent.parent),
    }
    outermost = (place for place in places if not any(place != other and _is_in(place, other) for other in places))
    return tuple(sorted(Path(place) for place in outermost))


def follow_links(path: Path) -> tuple[list[tuple[str, str]], str]:
    """Every symbolic link on the way to `path`, each as (where it is, what it says), and where the way ends."""
    links: list[tuple[str, str]] = []
    pending = Path(os.path.abspath(path)).parts[1:]
    here = "/"
    while pending:
        name, pending = pending[0], pending[1:]
        if name == "..":
            here = os.path.dirname(here)
            continue
        step = os.path.join(here, name)
        if not os.path.islink(step) or len(links) >= _MOST_LINKS:
            here = step
            continue
        target = os.readlink(step)
        links.append((step, target))
        parts = Path(target).parts
        if target.startswith("/"):
            here, parts = "/", parts[1:]
        pending = (*parts, *pending)
    return links, here


def _private_directories() -> dict[str, int]:
    """Places with other programs' or personal files, where they exist, and the mode of what replaces them."""
    places: dict[str, int] = {}
    personal = [os.environ.get(name, "") for name in _PERSONAL_VARIABLES]
    try:
        personal.append(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        # A number without an account, as containers have; then there is no home to hide either.
        personal.append("")
    for raw, mode in (
        *((place, 0o1777) for place in _SCRATCH_PLACES),
        *((place, 0o755) for place in _CLOSED_PLACES),
        *((place, 0o700) for place in personal),
    ):
        path = os.path.realpath(raw) if raw.startswith("/") else "/"
        of_system = path == "/" or any(_is_in(path, place) for place in _SYSTEM_PLACES)
        if not of_system and _is_directory(path):
            places.setdefault(path, mode)
    return places


def _private_home(hide: list[Hidden], root: str) -> str:
    """The user's own path to it, empty now, so that what looks it up elsewhere finds the same."""
    raw = os.environ.get("HOME", "")
    path = os.path.realpath(raw) if raw.startswith("/") else "/"
    return path if _lies_in_any(path, hide) and not _is_in(path, root) else FALLBACK_HOME


def _is_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except OSError:
        return False


def _lies_in_any(path: str, hide: list[Hidden]) -> bool:
    return any(_is_in(path, hidden["path"]) for hidden in hide)


def _is_in(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")
