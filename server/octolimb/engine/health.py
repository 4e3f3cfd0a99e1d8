"""What works on this machine for this root, found by trying it, with what to do about what does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from octolimb import __version__
from octolimb.core.errors import OctolimbError
from octolimb.core.verdicts import Isolation
from octolimb.engine.engine import Engine
from octolimb.sense.tools import find_bundled
from octolimb.shadow.probe import Capability, probe

_SECONDS: Final = 30.0
_ASK_PYTEST: Final = (
    "import sys; print('Python %d.%d.%d' % sys.version_info[:3]); import pytest; print('pytest', pytest.__version__)"
)


@dataclass(frozen=True)
class Health:
    """`ready`: everything that sensing needs is there. A capability that only isolates is no condition for it."""

    version: str
    root: str
    trusted: bool
    python: str
    isolation: Isolation
    capabilities: tuple[Capability, ...]
    ready: bool


def examine(engine: Engine) -> Health:
    """Tries each part. The project's interpreter is run only where the root is trusted. Raises `CannotIsolate`."""
    trusted = engine.is_trusted
    isolation = engine.host.isolation
    sensors = (_tool(engine, "ruff"), _tool(engine, "ty"))
    interpreter = _interpreter(engine, trusted=trusted)
    return Health(
        version=__version__,
        root=str(engine.root),
        trusted=trusted,
        python=str(engine.interpreter.python),
        isolation=isolation,
        capabilities=(*probe(engine.host), *sensors, interpreter, _trust(trusted=trusted)),
        ready=all(capability.holds for capability in (*sensors, interpreter)),
    )


def _tool(engine: Engine, name: str) -> Capability:
    try:
        binary = find_bundled(name)
        with engine.host.project(engine.disk()) as shadow:
            done = shadow.run([str(binary), "--version"], deadline=_SECONDS)
    except OctolimbError as error:
        return Capability(name, holds=False, advice=f"it could not be tried: {error.message}")
    if done.returncode != 0:
        return Capability(name, holds=False, advice=f"{binary} does not run; install octolimb again")
    return Capability(name, holds=True, advice=done.stdout.decode("utf-8", "replace").strip())


def _interpreter(engine: Engine, *, trusted: bool) -> Capability:
    interpreter = engine.interpreter
    where = f"{interpreter.python} ({interpreter.origin})"
    if not trusted:
        return Capability("python", holds=True, advice=f"{where}; not run, since this root is not trusted")
    try:
        with engine.host.project(engine.disk()) as shadow:
            command = [str(interpreter.python), "-c", _ASK_PYTEST]
            done = shadow.run(command, deadline=_SECONDS, keep=interpreter.keep)
    except OctolimbError as error:
        return Capability("python", holds=False, advice=f"it could not be tried: {error.message}")
    said = ", ".join(done.stdout.decode("utf-8", "replace").split("\n")[:2]).strip(", ")
    if done.returncode != 0:
        advice = f"{where} has no pytest; get it with: {interpreter.python} -m pip install pytest"
        return Capability("python", holds=False, advice=advice)
    return Capability("python", holds=True, advice=f"{where}: {said}")


def _trust(*, trusted: bool) -> Capability:
    if trusted:
        return Capability("trust", holds=True, advice="this repository's own code may run, in the shadow")
    advice = "only syntax, lint and types are sensed; run `octolimb trust` to let this repository's tests run"
    return Capability("trust", holds=False, advice=advice)
