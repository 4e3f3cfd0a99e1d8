"""In which order candidates go out: quick ones first, slow ones in between, and every one exactly once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from octolimb.limbs.candidates import Candidate
from octolimb.limbs.search.queue import Batch, CandidateQueue
from octolimb.limbs.search.units import Planner

Lab = Any  # The class stands in conftest.py, which tests cannot import.


@pytest.fixture
def project(lab: Lab) -> Lab:
    lab.write({"m.py": "LIMIT = 1\ndef f():\n    return 0\n"})
    return lab


def quick(lab: Lab, number: int) -> Candidate:
    candidate: Candidate = lab.edit("m.py", "return 0", f"return {number}")
    return candidate


def slow(lab: Lab, number: int) -> Candidate:
    candidate: Candidate = lab.edit("m.py", "LIMIT = 1", f"LIMIT = {number}")
    return candidate


def batches(lab: Lab, candidates: list[Candidate]) -> Iterator[Batch]:
    queue = CandidateQueue(iter(candidates), Planner(lab.snapshot), parked=True)
    while batch := queue.take(last=False):
        yield batch


def test_several_quick_batches_go_before_a_slow_one(project: Lab) -> None:
    candidates = [make(project, number) for number in range(300) for make in (slow, quick)]
    assert [batch.afresh for batch in batches(project, candidates)][:10] == [False] * 4 + [True] + [False] * 4 + [True]


def test_slow_ones_do_not_wait_where_nothing_is_quick(project: Lab) -> None:
    first = next(batches(project, [slow(project, number) for number in range(300)]))
    assert first.afresh
    assert len(first.waiting) == 8


def test_every_candidate_goes_out_exactly_once(project: Lab) -> None:
    candidates = [make(project, number) for number in range(100) for make in (slow, quick)]
    found = [waiting.candidate.note for batch in batches(project, candidates) for waiting in batch.waiting]
    assert sorted(found) == sorted(candidate.note for candidate in candidates)
