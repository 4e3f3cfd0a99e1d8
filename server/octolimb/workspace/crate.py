"""The crate as other programs hand it over: `{"files": {path: text or null}, "renames": {old: new}}`."""

from __future__ import annotations

from collections.abc import Mapping

from octolimb.core.errors import BadInput, NotFound, NotText
from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.workspace.disk import DiskBase
from octolimb.workspace.limb_workspace import LimbWorkspace


def snapshot_with_crate(base: DiskBase, files: Mapping[str, str | None], renames: Mapping[str, str]) -> Snapshot:
    """The disk with the crate over it: renames first, then files. All of it or, with `BadInput`, nothing.

    Two spellings of one path in one crate are refused too: which of them rules would be a guess.
    """
    for paths in (files, renames, list(renames.values())):
        seen: dict[RelPath, str] = {}
        for raw in paths:
            path = RelPath(raw)
            if path in seen:
                raise BadInput(f"the crate spells {path} twice, as {seen[path]!r} and {raw!r}", path=path)
            seen[path] = raw
    workspace = LimbWorkspace(base.root, base=Snapshot(base))
    try:
        for old, new in renames.items():
            workspace.rename(old, new)
        workspace.update_crate(files)
    except (NotFound, NotText) as error:
        # The crate speaks of what is not there: that is the request's fault and not the repository's.
        raise BadInput(error.message, hint=error.hint, path=error.path) from None
    return workspace.snapshot
