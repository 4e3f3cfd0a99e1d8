"""Staging three edits and making them visible to a child, beside what else makes edits visible without saving them."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from timing import interleave, print_medians

from octolimb.shadow.host import ShadowHost
from octolimb.workspace.disk import DiskBase
from octolimb.workspace.limb_workspace import LimbWorkspace

SIZES = (1_000, 10_000, 50_000)
LIMIT_MS = 10.0


def run(rounds: int) -> None:
    for files in SIZES:
        with tempfile.TemporaryDirectory(prefix="octolimb-bench-") as directory:
            print(f" a repository of {files} files, a crate of 3")
            _measure(_repository(Path(directory) / "root", files), files, rounds)


def _measure(root: Path, files: int, rounds: int) -> None:
    base, scratch = DiskBase(root), root.parent
    rounds = max(3, min(rounds, 100_000 // files))
    copies = iter(range(10_000))
    with ShadowHost(base) as host:
        until_exec: list[float] = []

        def shadow() -> float:
            began = time.perf_counter()
            workspace = LimbWorkspace(root)
            for name in ("d0/m0.py", "d1/m1.py", "new/file.py"):
                workspace.write(name, "VALUE = 2\n")
            with host.project(workspace.snapshot) as projected:
                staged = (time.perf_counter() - began) * 1000
                done = projected.run(["true"], deadline=60)
            until_exec.append(staged + done.setup_ms)
            return staged + done.ms

        def copytree() -> None:
            shutil.copytree(root, scratch / f"copy{next(copies)}", symlinks=True)

        def worktree() -> None:
            command = [
                "git",
                "-C",
                str(root),
                "worktree",
                "add",
                "--detach",
                "-f",
                str(scratch / f"tree{next(copies)}"),
            ]
            subprocess.run(command, check=True, capture_output=True)

        alternatives = {"shadow, to the end of `true`": shadow, "copytree": copytree, "git worktree add": worktree}
        taken = interleave(alternatives, rounds)
    ready = until_exec[1:]
    verdict = "under" if statistics.median(ready) < LIMIT_MS else "OVER"
    print_medians({"shadow, ready to execute": ready, **taken}, against="shadow, ready to execute")
    print(f"  the median to ready is {verdict} {LIMIT_MS:.0f} ms; files by {host.isolation.files}")


def _repository(root: Path, files: int) -> Path:
    for number in range(files):
        path = root / f"d{number % 100}" / f"m{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"VALUE = {number}\n")
    git = ["git", "-C", str(root), "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "bench"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    return root
