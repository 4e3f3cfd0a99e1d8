"""Candidates a second on a real project with one broken line, beside a cold pytest for each candidate."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from pathlib import Path

import demo
from project import real_project
from released import python_of

TEST = "tests/test_iterutils.py::test_chunk_ranges"
COLD_RUNS = 5


def run(rounds: int) -> None:
    with real_project(broken=True) as root:
        cold: list[float] = []
        warm: list[float] = []
        seconds: list[float] = []
        for _ in range(max(1, rounds // 2)):
            cold += [_cold_run(root) for _ in range(COLD_RUNS)]
            command = [*demo.octolimb(root), "--json", "fix", TEST, "--budget", "20"]
            answer = json.loads(subprocess.run(command, check=False, capture_output=True).stdout)
            warm.append(answer["attempts"] / answer["searched"])
            seconds.append(answer["seconds"])
            assert answer["proposals"], answer["message"]
        a_second = 1 / statistics.median(cold)
        ratio = statistics.median(warm) / a_second
        print(f"  a cold pytest for each candidate   {a_second:8.1f} candidates a second        1.0 x")
        print(
            f"  the limb's warm search             {statistics.median(warm):8.1f} candidates a second   {ratio:8.1f} x"
        )
        print(f"  from the command to the proposals  {statistics.median(seconds):8.1f} s, confirmed cold and judged")


def _cold_run(root: Path) -> float:
    began = time.perf_counter()
    command = [str(python_of(root)), "-m", "pytest", "-q", "-p", "no:cacheprovider", TEST]
    subprocess.run(command, cwd=root, check=False, capture_output=True)
    return time.perf_counter() - began
