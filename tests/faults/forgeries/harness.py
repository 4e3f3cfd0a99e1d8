"""Puts each forgery before the two doors: the verdict on the tests that a person named, and the guard of repairs."""

from __future__ import annotations

import shutil
import venv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path
from typing import Final

from tests.faults.forgeries.catalogue import PROJECT, Forgery
from tests.faults.forgeries.processes import PROCESSES
from tests.faults.forgeries.runners import RUNNERS
from tests.faults.forgeries.values import VALUES

from octolimb.core.errors import OctolimbError
from octolimb.core.verdicts import Verdict
from octolimb.engine.engine import Engine, Sensing

FORGERIES: Final = (*PROCESSES, *RUNNERS, *VALUES)
_PYTEST_AND_NEEDS: Final = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Judgement:
    """What the two doors said. `why` is the verdict's first error, or its state where it has none."""

    green: bool
    why: str
    allowed: bool
    reason: str


def bare_interpreter(place: Path) -> Path:
    """An environment with pytest and nothing else: a plugin of ours would only take time."""
    venv.create(place, with_pip=False, symlinks=True)
    [packages] = place.glob("lib/python*/site-packages")
    for name in _PYTEST_AND_NEEDS:
        for file in files(name) or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(file.locate()), packages / file)
    return place / "bin" / "python"


@contextmanager
def doors(place: Path) -> Iterator[Doors]:
    """The project in `place`, ready to be judged."""
    root = place / "project"
    for name, text in PROJECT.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    python = bare_interpreter(place / "bare")
    with Engine(root, python=python, state=place / "state") as engine:
        yield Doors(engine)


class Doors:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def verdict(self, forgery: Forgery) -> Verdict:
        snapshot = self.engine.snapshot({**forgery.edits, **forgery.extra})
        sensing = Sensing("full", frozenset({"tests"}), forgery.tests, _SECONDS)
        return self.engine.sense(snapshot, self.engine.disk(), sensing)

    def judge(self, forgery: Forgery) -> Judgement:
        green, why = self._judge_verdict(forgery)
        snapshot = self.engine.snapshot({**forgery.edits, **forgery.extra})
        decision = self.engine.judge(self.engine.changes(self.engine.disk(), snapshot), role="repair")
        reason = decision.reasons[0].message if decision.reasons else "nothing against it"
        return Judgement(green, why, decision.decision == "allow", f"{decision.decision}: {reason}")

    def judge_all(self, forgeries: tuple[Forgery, ...]) -> list[Judgement]:
        """Two at a time, which is what a small machine has cores for."""
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(self.judge, forgeries))

    def _judge_verdict(self, forgery: Forgery) -> tuple[bool, str]:
        try:
            verdict = self.verdict(forgery)
        except OctolimbError as error:
            return False, f"no verdict: {error.message}"
        messages = [finding.message for finding in verdict.findings]
        crashed = [f"no verdict: {sensor.why}" for sensor in verdict.sensors if sensor.status == "crashed"]
        return verdict.green, next(iter([*crashed, *messages]), "green" if verdict.green else "not green")


def table(forgeries: tuple[Forgery, ...], judgements: list[Judgement]) -> str:
    """Markdown: what each forgery met at either door."""
    lines = ["| Forgery | Verdict | Guard (a repair) |", "|---|---|---|"]
    for forgery, judgement in zip(forgeries, judgements, strict=True):
        verdict = f"**not seen**: {forgery.known or '?'}" if judgement.green else f"red: {_short(judgement.why)}"
        passed = f"**not seen**: {forgery.limit or '?'}" if judgement.green else "allowed, as it gains nothing"
        guard = passed if judgement.allowed else _short(judgement.reason)
        lines.append(f"| {forgery.name} | {verdict} | {guard} |")
    seen = sum(not judgement.green for judgement in judgements)
    refused = sum(not judgement.allowed for judgement in judgements)
    through = sum(judgement.green and judgement.allowed for judgement in judgements)
    lines += ["", f"{len(judgements)} forgeries: {seen} red, {refused} refused, {through} through both doors."]
    return "\n".join(lines)


def _short(text: str) -> str:
    text = " ".join(text.split()).replace("|", "\\|")
    return text if len(text) <= 110 else f"{text[:107]}..."
