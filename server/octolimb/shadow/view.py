"""Builds what a child sees: the shadow at the root's own path, little else writable, and nothing private to find.

It runs in the launcher's child, in a mount namespace of its own, and imports the standard library only. What to hide
and what to keep was decided outside (see `plan`); here it is only done. No file of the real machine is written.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, TypedDict

from octolimb.shadow import kernel

_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108  It lies in the child's own /dev.
_PLAIN_DEVICES: Final = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_BYTES: Final = 512 << 20
"""The most that may be written below /dev, which is to say to shared memory."""
_COVERED_IN_PROC: Final = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi")
_MOST_PROCESSES: Final = 4096
_UNMAPPED_OWNER: Final = (errno.EOVERFLOW, errno.EINVAL)


class Hidden(TypedDict):
    path: str
    mode: int


class ViewRequest(TypedDict):
    """`hide`, `links` and `keep` lie in an order in which each can be done after those before it."""

    root: str
    hide: list[Hidden]
    hide_in_kept: list[Hidden]
    links: list[tuple[str, str]]
    keep: list[str]
    area_bytes: int
    """The most that may be written to the shadow, and to each private directory."""


class CrateEntry(TypedDict):
    """`kind` is `file`, `link` or `gone`; the bytes lie at `offset` in the request's payload."""

    path: str
    kind: str
    mode: int
    offset: int
    length: int
    stamp: int


class Parts:
    """Runs the steps of the isolation that are optional one by one, and remembers which did not hold."""

    def __init__(self) -> None:
        self.missing: list[str] = []

    def attempt(self, name: str, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError as error:
            self.missing.append(f"{name}: {error.strerror}")


def enter_namespaces(parts: Parts) -> None:
    """Leaves the machine's namespaces. The caller must have one thread. Raises `OSError` without mount or PID ones."""
    uid, gid = os.geteuid(), os.getegid()
    own_user = uid != 0
    flags = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID
    kernel.unshare(flags | kernel.CLONE_NEWUSER if own_user else flags)
    if own_user:
        for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            Path(f"/proc/self/{name}").write_text(line, encoding="ascii")
    parts.attempt("ipc", lambda: kernel.unshare(kernel.CLONE_NEWIPC))
    parts.attempt("network", _cut_network)


def prepare_view(parts: Parts) -> None:
    """What is the same for every request: all read-only, harmless devices, this namespace's processes only.

    To be called from PID 1 of the namespace. Raises `OSError` where the machine's files cannot be made read-only.
    """
    kernel.mount(None, "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.make_read_only("/")
    parts.attempt("devices", _mount_devices)
    parts.attempt("processes", _mount_proc)


def build_view(request: ViewRequest) -> None:
    """Lays out the rest in a prepared view. Raises `OSError` where the shadow cannot be mounted."""
    ground = clear_ground(request)
    # With redirects a directory of the disk can be renamed. In a user namespace the kernel refuses them: there
    # `rename` says EXDEV, as between file systems, and a program has to copy.
    mount_shadow(ground, "", redirects=True)
    bind_volumes(ground)
    for fd in (ground.root_fd, ground.stage_fd, *(fd for _, fd in ground.volumes)):
        os.close(fd)


class Ground(NamedTuple):
    """What a shadow stands on, as descriptors: they see through what is mounted over their paths later.

    `stage_fd` is the private file system of the overlay's own directories, to which no path leads; the disk itself
    is bound in it as `low`. `volumes` are what is mounted below the root, with their places.
    """

    root: str
    root_fd: int
    stage_fd: int
    volumes: list[tuple[str, int]]


def clear_ground(request: ViewRequest) -> Ground:
    """Hides what is private and puts back what is kept; the shadow itself is not mounted yet. Raises `OSError`."""
    root, size = request["root"], request["area_bytes"]
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY)
    kept = [(path, os.open(path, os.O_PATH)) for path in request["keep"] if os.path.exists(path)]
    volumes = _topmost_mounts_below(root)
    stage_fd = _mount_stage(request["hide"][0]["path"], size)
    for hidden in request["hide"]:
        _mount_private(hidden["path"], size, hidden["mode"])
    for path, target in request["links"]:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not os.path.lexists(path):
            os.symlink(target, path)
    for path, fd in kept:
        _bind(fd, path)
        os.close(fd)
    # What is kept may hold what is hidden, and showed it again just now.
    for hidden in request["hide_in_kept"]:
        if os.path.isdir(hidden["path"]):
            _mount_private(hidden["path"], size, hidden["mode"])
    os.makedirs(root, exist_ok=True)
    low = f"/proc/self/fd/{stage_fd}/low"
    os.mkdir(low)
    kernel.mount(f"/proc/self/fd/{root_fd}", low, None, kernel.MS_BIND)
    return Ground(root, root_fd, stage_fd, volumes)


def mount_shadow(ground: Ground, name: str, *, redirects: bool) -> None:
    """Mounts an overlay at the root; what is written to it goes to the stage, in `upper` with `name` at its end.

    Without `redirects` directories cannot be renamed, and the disk below may change: with them the kernel hides what
    it takes to be new there. Raises `OSError`.
    """
    stage = f"/proc/self/fd/{ground.stage_fd}"
    upper, work = f"{stage}/upper{name}", f"{stage}/work{name}"
    for directory in (upper, work):
        os.mkdir(directory)
    status = os.fstat(ground.root_fd)
    os.chmod(upper, stat.S_IMODE(status.st_mode))
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        _own_like(upper, status)
    options = f"lowerdir={stage}/low,upperdir={upper},workdir={work},index=off,metacopy=off,xino=off"
    if os.geteuid() == 0:
        options += ",redirect_dir=on" if redirects else ",redirect_dir=off"
    else:
        options += ",userxattr"
    kernel.mount("overlay", ground.root, "overlay", kernel.MS_NOSUID | kernel.MS_NODEV, options)


def bind_volumes(ground: Ground) -> None:
    """Shows what is mounted below the root in the shadow too, which would show empty directories in its place."""
    for path, fd in ground.volumes:
        # A volume that the crate's base no longer has room for stays hidden, as it is to every overlay.
        if os.path.lexists(path):
            _bind(fd, path)


def write_crate(root: str, entries: list[CrateEntry], payload: memoryview) -> None:
    """Makes the edits through the mount, so that the kernel itself keeps the overlay's books.

    No link is followed: one on the way to a file makes room for a directory, and what lies behind one is not removed.
    Each file gets the modification time that it was assigned: whole seconds, since that is what `.pyc` files record.
    Raises `OSError`; its `filename` is the path that could not be made.
    """
    for entry in entries:
        path = f"{root}/{entry['path']}"
        content = payload[entry["offset"] : entry["offset"] + entry["length"]]
        if entry["kind"] == "gone":
            if not _leads_through_link(path, root):
                remove(path)
        elif entry["kind"] == "link":
            _make_parents(path, root)
            remove(path)
            os.symlink(bytes(content), os.fsencode(path))
        else:
            _make_parents(path, root)
            _write_file(path, content, entry["mode"])
            os.utime(path, (entry["stamp"], entry["stamp"]))


def _cut_network() -> None:
    kernel.unshare(kernel.CLONE_NEWNET)
    kernel.bring_loopback_up()


def _mount_private(path: str, size: int, mode: int) -> None:
    kernel.mount("tmpfs", path, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, f"mode={mode:o},size={size}")


def _mount_stage(path: str, size: int) -> int:
    """The file system of the overlay's own directories, at a path that is about to be hidden under another mount.

    So no path leads there afterwards. To detach it would do the same, but waits several milliseconds for the kernel.
    """
    kernel.mount("tmpfs", path, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, f"mode=700,size={size}")
    return os.open(path, os.O_PATH | os.O_DIRECTORY)


def _own_like(path: str, status: os.stat_result) -> None:
    try:
        os.chown(path, status.st_uid, status.st_gid)
    except OSError:
        # In a user namespace other people's numbers cannot be given away: the copy's root is then our own.
        return


def _mount_devices() -> None:
    """The harmless devices only: root may open a disk's device for writing whatever its mount says."""
    found = [(name, os.open(f"/dev/{name}", os.O_PATH)) for name in _PLAIN_DEVICES if os.path.exists(f"/dev/{name}")]
    kernel.mount("tmpfs", "/dev", "tmpfs", kernel.MS_NOSUID, f"mode=755,size={_DEVICE_BYTES}")
    for name, fd in found:
        _bind(fd, f"/dev/{name}")
        os.close(fd)
    os.mkdir(_SHARED_MEMORY)
    os.chmod(_SHARED_MEMORY, 0o1777)  # noqa: S103  As it is everywhere; and private to the child.
    os.mkdir("/dev/pts")
    options = "newinstance,ptmxmode=0666,mode=620"
    kernel.mount("devpts", "/dev/pts", "devpts", kernel.MS_NOSUID | kernel.MS_NOEXEC, options)
    os.symlink("pts/ptmx", "/dev/ptmx")
    os.symlink("/proc/self/fd", "/dev/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{number}", f"/dev/{name}")


def _mount_proc() -> None:
    kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    if kernel.has_pid_limit_per_namespace():
        Path("/proc/sys/kernel/pid_max").write_text(str(_MOST_PROCESSES), encoding="ascii")
    for name in _COVERED_IN_PROC:
        path = f"/proc/{name}"
        if os.path.exists(path):
            kernel.mount(path, path, None, kernel.MS_BIND | kernel.MS_REC)
            kernel.make_read_only(path)


def _topmost_mounts_below(root: str) -> list[tuple[str, int]]:
    """What is mounted below the root, which an overlay over the root shows as empty directories."""
    found: list[tuple[str, int]] = []
    for path in sorted({path for path, _ in kernel.mount_points() if path.startswith(root + "/")}):
        if not any(path.startswith(above + "/") for above, _ in found):
            found.append((path, os.open(path, os.O_PATH)))
    return found


def _bind(fd: int, path: str) -> None:
    """Makes what the descriptor names appear at `path` too, with the mount flags that it has, read-only included."""
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        os.makedirs(path, exist_ok=True)
    elif not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    kernel.mount(f"/proc/self/fd/{fd}", path, None, kernel.MS_BIND | kernel.MS_REC)


def _make_parents(path: str, root: str) -> None:
    parent = os.path.dirname(path)
    if parent == root:
        return
    _make_parents(parent, root)
    if not _is_real_directory(parent):
        remove(parent)
        os.mkdir(parent, 0o755)
        # The umask is the person's own.
        os.chmod(parent, 0o755)  # noqa: S103  As it is for a directory that nobody gave a mode.


def _leads_through_link(path: str, root: str) -> bool:
    parent = os.path.dirname(path)
    return parent != root and (os.path.islink(parent) or _leads_through_link(parent, root))


def _is_real_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _write_file(path: str, content: memoryview, mode: int) -> None:
    """Keeps the owner of a file that is there; without that right, or where there is none, it is a new file."""
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        kind = 0
    if kind and not stat.S_ISREG(kind):
        remove(path)
        kind = 0
    if kind:
        try:
            _fill(path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, content, mode)
        except PermissionError:
            remove(path)
        except OSError as error:
            # Copying up a file of an owner that the user namespace does not know fails so.
            if error.errno not in _UNMAPPED_OWNER:
                raise
            remove(path)
        else:
            return
    _fill(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, content, mode)


def _fill(path: str, flags: int, content: memoryview, mode: int) -> None:
    try:
        fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
        try:
            while content:
                content = content[os.write(fd, content) :]
            os.fchmod(fd, mode)
        finally:
            os.close(fd)
    except OSError as error:
        error.filename = path
        raise


def remove(path: str) -> None:
    """Removes a file, a link or a whole directory; nothing there is no error."""
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return
