"""The environment of a child: a short list of what may come in from ours, and nothing else.

It knows no project interpreter: whoever runs one puts its `bin` before the path by `path_with`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_INHERITED: Final = frozenset({"LANG", "LANGUAGE", "TZ", "PYTHONUTF8"})
_SYSTEM_PATH: Final = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def child_environment(
    ours: Mapping[str, str], extra: Mapping[str, str], *, home: str, temporary: str
) -> dict[str, str]:
    """What a child gets: of `ours` only language, locale and time zone; then the private directories; then `extra`."""
    inherited = {name: value for name, value in ours.items() if name in _INHERITED or name.startswith("LC_")}
    return {
        "LANG": "C.UTF-8",
        **inherited,
        "PATH": os.pathsep.join(_SYSTEM_PATH),
        "HOME": home,
        "TMPDIR": temporary,
        **extra,
    }


def path_with(*directories: Path) -> str:
    """A PATH of these directories, then the system's own. None of the user's other directories is in it."""
    return os.pathsep.join([*map(str, directories), *_SYSTEM_PATH])
