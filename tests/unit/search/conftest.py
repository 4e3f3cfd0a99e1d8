"""A laboratory: tiny real projects, tried in real shadows by real workers."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.limbs.candidates import Candidate, TextEdit, Trial
from octolimb.limbs.search.session import Localisation, SearchSession
from octolimb.shadow.host import ShadowHost
from octolimb.shadow.interpreter import find_interpreter
from octolimb.workspace.disk import DiskBase


class Lab:
    """One project on disk, and how to search in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            body = content if isinstance(content, bytes) else textwrap.dedent(content).lstrip("\n").encode()
            path.write_bytes(body)

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot(DiskBase(self.root))

    def edit(self, path: str, old: str, new: str) -> Candidate:
        text = self.snapshot.document(RelPath(path)).text
        assert text.count(old) == 1, f"{old!r} must name one place in {path}"
        start = text.index(old)
        return Candidate((TextEdit(RelPath(path), start, start + len(old), new),), "test", 1.0, new)

    @staticmethod
    def in_seconds(seconds: float) -> float:
        return time.monotonic() + seconds

    @contextmanager
    def session(self, *targets: str, companions: Sequence[str] = (), deadline: float = 60.0) -> Iterator[SearchSession]:
        base = DiskBase(self.root)
        snapshot = Snapshot(base)
        interpreter = find_interpreter(self.root, None)
        with (
            ShadowHost(base) as host,
            host.project(snapshot) as shadow,
            SearchSession(shadow, snapshot, interpreter, targets, companions, deadline=deadline) as session,
        ):
            yield session

    def localise(self, *targets: str, companions: Sequence[str] = ()) -> Localisation:
        with self.session(*targets, companions=companions) as session:
            return session.localise()

    def try_edits(
        self,
        path: str,
        old: str,
        news: Sequence[str],
        *targets: str,
        companions: Sequence[str] = (),
        budget: float = 30.0,
    ) -> dict[str, Trial]:
        """Tries to replace `old` by each of `news`; gives what each trial said."""
        with self.session(*targets, companions=companions) as session:
            candidates = [self.edit(path, old, new) for new in news]
            trials = session.try_candidates(candidates, until=time.monotonic() + budget)
            return {trial.candidate.note: trial for trial in trials}

    def statuses(self, candidates: Sequence[Candidate], *targets: str, budget: float = 30.0) -> list[str]:
        """Tries candidates; gives what became of each, in their order."""
        with self.session(*targets) as session:
            found = list(session.try_candidates(candidates, until=self.in_seconds(budget)))
        assert len(found) == len(candidates)
        return [next(trial.status for trial in found if trial.candidate is candidate) for candidate in candidates]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    root = tmp_path / "project"
    root.mkdir()
    return Lab(root)


@pytest.fixture
def status(lab: Lab) -> Callable[..., dict[str, str]]:
    """Writes a project whose `test_m.py` has one failing target, `test_it`, and says how each replacement fares."""

    def run(
        files: Mapping[str, str | bytes], old: str, *news: str, path: str = "m.py", target: str = "test_m.py::test_it"
    ) -> dict[str, str]:
        lab.write(files)
        return {new: trial.status for new, trial in lab.try_edits(path, old, news, target).items()}

    return run
