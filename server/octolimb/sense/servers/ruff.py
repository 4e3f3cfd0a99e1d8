"""`ruff server` as the live sensor of lint: the findings that `sense.lint` gives, and the edits of their fixes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from octolimb.core.paths import RelPath
from octolimb.core.positions import Span
from octolimb.core.snapshot import Snapshot
from octolimb.core.verdicts import Finding
from octolimb.sense.lint import CONFIGURATIONS, SOURCE, SYNTAX_CODE, finding_of, ignores_undefined_names
from octolimb.sense.servers.server import Server, own_message
from octolimb.sense.sources import Places
from octolimb.sense.tools import find_bundled
from octolimb.shadow.live import Event


class RuffServer(Server):
    """`fixes` of the answer are the edits that cure a finding, as ruff proposes them; ruff does not tell how safe."""

    name = "ruff"
    sensor = SOURCE
    _selects_undefined = True

    def prepare(self, snapshot: Snapshot) -> None:
        """Starts it anew where the snapshot's configuration asks for other options than it was started with."""
        selects = not ignores_undefined_names(snapshot)
        if selects != self._selects_undefined:
            self._selects_undefined = selects
            self.restart()

    async def findings(self, path: RelPath, text: str) -> list[tuple[Finding, str, tuple[tuple[Span, str], ...]]]:
        """What it finds in a document that it was shown with this text: finding, title of the fix, edits."""
        places = Places(text)
        found = []
        for item in await self.pull(path):
            code = item.get("code") or SYNTAX_CODE
            finding = finding_of(path, places.lsp_span(item["range"]), code, own_message(item["message"]))
            extra: dict[str, Any] = item.get("data") or {}
            edits = tuple((places.lsp_span(edit["range"]), edit["newText"]) for edit in extra.get("edits") or ())
            found.append((finding, str(extra.get("title") or ""), edits))
        return sorted(found, key=lambda one: (one[0].span, one[0].code))

    def _command(self) -> list[str]:
        return [str(find_bundled("ruff")), "server"]

    def _options(self) -> dict[str, Any]:
        lint = {"extendSelect": ["F821"]} if self._selects_undefined else {}
        return {"settings": {"lint": lint, "logLevel": "warn"}}

    def _interesting(self, events: Iterable[Event]) -> Iterable[Event]:
        """Configuration only. It may extend a file of any name, so each such change is told as the root's too."""
        configured = [event for event in events if event.path.suffix == ".toml" or event.path.name == ".gitignore"]
        if configured:
            self.complaint = None
            named = {event.path for event in configured}
            configured += [Event(RelPath(name), "changed") for name in CONFIGURATIONS if name not in named]
        return configured
