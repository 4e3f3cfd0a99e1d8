"""`ty server` as the live sensor of types: the findings that `sense.types` gives, and answers about the code."""

from __future__ import annotations

from typing import Any, Final

from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding, Severity
from octolimb.sense.servers.server import Server, own_message
from octolimb.sense.sources import Places, read_settings, table_in, text_of
from octolimb.sense.tools import find_bundled
from octolimb.sense.types import SOURCE, environment_of, finding_of
from octolimb.shadow.interpreter import Interpreter

_SEVERITIES: Final = {1: Severity.ERROR, 2: Severity.WARNING, 3: Severity.INFORMATION, 4: Severity.HINT}


class TyServer(Server):
    """It reads its configuration once: what changes that starts it anew, so that a broken one is told as at a start."""

    name = "ty"
    sensor = SOURCE
    interpreter: Interpreter | None = None
    _settings: object = None
    _environment: dict[str, str]

    def prepare(self, snapshot: Snapshot) -> None:
        """Starts it anew where the snapshot's configuration of ty is another than it was started with."""
        settings = _settings_of(snapshot)
        if settings != self._settings:
            known, self._settings = self._settings, settings
            self._environment = environment_of(snapshot, self.interpreter)
            if known is not None:
                self.restart()

    async def findings(self, snapshot: Snapshot, path: RelPath, text: str) -> list[Finding]:
        """What it finds in a document that it was shown with this text."""
        places = Places(text)
        found = []
        for item in await self.pull(path):
            if not item.get("code"):
                continue  # A hint for editors to grey something out; no rule of ty finds it.
            severity = _SEVERITIES[item.get("severity", 1)]
            span = places.lsp_span(item["range"])
            message = own_message(item["message"])
            code = str(item["code"])
            found.append(finding_of(snapshot, self.interpreter, path, span, severity, code, message))
        return sorted(found, key=lambda finding: (finding.span, finding.code))

    def _command(self) -> list[str]:
        return [str(find_bundled("ty")), "server"]

    def _options(self) -> dict[str, Any]:
        return {"logLevel": "warn"}

    def _configuration(self) -> dict[str, Any]:
        return {"diagnosticMode": "openFilesOnly", "configuration": {"environment": self._environment}}


def _settings_of(snapshot: Snapshot) -> object:
    text = text_of(snapshot, RelPath("pyproject.toml"))
    parsed = read_settings(snapshot, "pyproject.toml")
    relevant: object = (table_in(parsed, "tool", "ty"), table_in(parsed, "project").get("requires-python"))
    # One that cannot be read is another one with every letter.
    return relevant if parsed else text or "", text_of(snapshot, RelPath("ty.toml"))
