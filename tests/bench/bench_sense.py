"""One test file of a real project after an unsaved edit: the shadow, beside what makes the same verdict possible."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from project import real_project
from released import python_of
from timing import interleave, print_medians

from octolimb.sense.tests.run import TestSelection, run_tests
from octolimb.shadow.host import ShadowHost
from octolimb.shadow.interpreter import find_interpreter
from octolimb.workspace.disk import DiskBase
from octolimb.workspace.limb_workspace import LimbWorkspace

TESTS = "tests/test_iterutils.py"
EDITED = "boltons/iterutils.py"


def run(rounds: int) -> None:
    with real_project(broken=False) as root, TemporaryDirectory() as scratch, ShadowHost(DiskBase(root)) as host:
        interpreter = find_interpreter(root, None)
        edited = LimbWorkspace(root)
        edited.write(EDITED, edited.read_text(EDITED) + "\n")
        selection = TestSelection("full", (TESTS,))

        def shadow() -> None:
            with host.project(edited.snapshot) as projected:
                done = run_tests(projected, edited.snapshot, interpreter, selection, deadline=120)
            assert done.results

        def in_place() -> None:
            _pytest(root, python_of(root))

        def copied() -> None:
            copy = Path(scratch) / "copy"
            shutil.copytree(root, copy, symlinks=True, ignore=shutil.ignore_patterns(".venv"))
            (copy / EDITED).write_text(edited.read_text(EDITED))
            _pytest(copy, python_of(root))
            shutil.rmtree(copy)

        names = {
            "shadow + cold pytest": shadow,
            "copytree + cold pytest": copied,
            "saved, cold pytest in place": in_place,
        }
        print_medians(interleave(names, rounds), against="saved, cold pytest in place")


def _pytest(root: Path, python: Path) -> None:
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", TESTS]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
