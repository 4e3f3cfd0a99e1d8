"""Which repositories a person lets run their own code. It remembers outside of them and executes nothing."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from octolimb.core.errors import OctolimbError


class TrustStore:
    """A file of trusted roots in the user's state directory, bound to each root's real path and owner."""

    def __init__(self, state: Path) -> None:
        self._file = state / "trusted.json"

    def is_trusted(self, root: Path) -> bool:
        return self._read().get(str(root.resolve())) == _identity(root)

    def trust(self, root: Path) -> None:
        """Raises `OctolimbError` where the state directory cannot be written."""
        self._write({**self._read(), str(root.resolve()): _identity(root)})

    def forget(self, root: Path) -> None:
        """Raises `OctolimbError` where the state directory cannot be written."""
        self._write({path: identity for path, identity in self._read().items() if path != str(root.resolve())})

    def _read(self) -> dict[str, list[int]]:
        try:
            stored = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return {}
        return stored if isinstance(stored, dict) else {}

    def _write(self, trusted: dict[str, list[int]]) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile("w", dir=self._file.parent, delete=False) as temporary:
                json.dump(trusted, temporary, indent=1)
            os.replace(temporary.name, self._file)
        except OSError as error:
            raise OctolimbError(
                f"cannot remember trust in {self._file}: {error.strerror}",
                hint="set XDG_STATE_HOME to a directory that can be written",
            ) from None


def _identity(root: Path) -> list[int]:
    """Device, inode and owner: another repository that later stands at the same path is another repository."""
    status = root.stat()
    return [status.st_dev, status.st_ino, status.st_uid]
