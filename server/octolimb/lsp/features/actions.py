"""Code actions: ruff's fixes as edits at once, and limbs for what no rule can mend."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final

from lsprotocol import types

from octolimb.core.changes import changes_between
from octolimb.core.hunks import edits_of
from octolimb.core.paths import RelPath
from octolimb.core.positions import Span
from octolimb.core.snapshot import Snapshot
from octolimb.documents.wire import LimbStart, WirePosition, WireRange
from octolimb.engine.settling import is_python
from octolimb.lsp.daemon import Daemon
from octolimb.lsp.features.diagnostics import SOURCE
from octolimb.lsp.folder import Folder
from octolimb.sense.lint import LintFix, lint_fixes

START_LIMB: Final = "octolimb.limb.start"
FIX_ALL: Final = f"{types.CodeActionKind.SourceFixAll.value}.octolimb"
ORGANIZE_IMPORTS: Final = f"{types.CodeActionKind.SourceOrganizeImports.value}.octolimb"
KINDS: Final = (types.CodeActionKind.QuickFix, FIX_ALL, ORGANIZE_IMPORTS)
_TITLES: Final = {FIX_ALL: "Octolimb: fix all that is safe to fix", ORGANIZE_IMPORTS: "Octolimb: organise imports"}
_MOST_LIMBS: Final = 5
_SECONDS: Final = 30.0
_MOST_ROUNDS: Final = 10


async def code_actions(daemon: Daemon, params: types.CodeActionParams) -> list[types.CodeAction]:
    """What can be done about a range. Source actions come with their edits only where they were asked for by name."""
    uri = params.text_document.uri
    located = daemon.locate(uri)
    if located is None or not is_python(located[1]):
        return []
    folder, path = located
    found: list[types.CodeAction] = []
    if _wanted(params.context, types.CodeActionKind.QuickFix):
        found += _quick_fixes(daemon, folder, path, params)
        found += _limbs(daemon, folder, path, params)
    for kind in (FIX_ALL, ORGANIZE_IMPORTS):
        if params.context.only and _wanted(params.context, kind):
            action = types.CodeAction(_TITLES[kind], kind, data={"kind": kind, "uri": uri})
            found.append(action if _resolves(daemon) else await resolve(daemon, action))
    return found


async def resolve(daemon: Daemon, action: types.CodeAction) -> types.CodeAction:
    """The action with its edits. Raises `CannotSense` where ruff cannot run."""
    wanted: Any = action.data
    if not isinstance(wanted, dict) or wanted.get("kind") not in _TITLES:
        return action
    folder, path = daemon.need(str(wanted["uri"]))
    buffer = daemon.buffer_at(folder, path)
    index = daemon.index_of(folder, path)
    before = folder.snapshot()
    after = await asyncio.to_thread(_fixed, folder, before, path, str(wanted["kind"]))
    edits = [
        types.TextEdit(index.to_client(edit.before, daemon.encoding), edit.new_text)
        for edit in edits_of(changes_between(before, after))
    ]
    action.edit = edit_of(daemon, str(wanted["uri"]), buffer.version if buffer else None, edits)
    return action


def edit_of(daemon: Daemon, uri: str, version: int | None, edits: Sequence[types.TextEdit]) -> types.WorkspaceEdit:
    """Edits of one document, bound to its version where the client can check it."""
    if not daemon.client.can("workspace.workspace_edit.document_changes"):
        return types.WorkspaceEdit(changes={uri: list(edits)})
    document = types.OptionalVersionedTextDocumentIdentifier(uri, version)
    return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(document, list(edits))])


def _fixed(folder: Folder, snapshot: Snapshot, path: RelPath, kind: str) -> Snapshot:
    """The snapshot with the file fixed, in as many rounds as one fix needs another or stands in its way."""
    for _ in range(_MOST_ROUNDS):
        fixes = list(_disjoint(_ruff_fixes(folder, snapshot, path, kind)))
        if not fixes:
            break
        document = snapshot.document(path)
        text = document.text
        for edit in sorted((edit for fix in fixes for edit in fix.edits), key=lambda edit: edit.start, reverse=True):
            text = text[: edit.start] + edit.text + text[edit.end :]
        snapshot = snapshot.with_edits({path: document.with_text(text)})
    return snapshot


def _ruff_fixes(folder: Folder, snapshot: Snapshot, path: RelPath, kind: str) -> list[LintFix]:
    select = ("I",) if kind == ORGANIZE_IMPORTS else ()
    with folder.engine.host.project(snapshot) as shadow:
        fixes = lint_fixes(shadow, snapshot, (path,), select=select, deadline=_SECONDS)
    if kind == ORGANIZE_IMPORTS:
        return [fix for fix in fixes if fix.code.startswith("I0")]
    return [fix for fix in fixes if fix.applicability == "safe"]


def _disjoint(fixes: Sequence[LintFix]) -> Iterator[LintFix]:
    """Of fixes that touch the same text the first one; the others come with the next round."""
    taken: list[tuple[int, int]] = []
    for fix in fixes:
        if all(edit.end <= low or high <= edit.start for edit in fix.edits for low, high in taken):
            taken += [(edit.start, max(edit.end, edit.start + 1)) for edit in fix.edits]
            yield fix


def _quick_fixes(
    daemon: Daemon, folder: Folder, path: RelPath, params: types.CodeActionParams
) -> Iterator[types.CodeAction]:
    settlement = folder.settler.latest
    if settlement is None or settlement.generation != folder.generation:
        return
    index = daemon.index_of(folder, path)
    buffer = daemon.buffer_at(folder, path)
    asked = index.from_client(params.range, daemon.encoding)
    for fix in settlement.fixes:
        if fix.finding.path != path or not _touch(fix.finding.span, asked):
            continue
        edits = [types.TextEdit(index.to_client(span, daemon.encoding), text) for span, text in fix.edits]
        yield types.CodeAction(
            fix.title,
            types.CodeActionKind.QuickFix,
            diagnostics=_same(params.context.diagnostics, fix.finding.code),
            edit=edit_of(daemon, params.text_document.uri, buffer.version if buffer else None, edits),
        )


def _limbs(daemon: Daemon, folder: Folder, path: RelPath, params: types.CodeActionParams) -> Iterator[types.CodeAction]:
    if not folder.options.trusted:
        return
    buffer = daemon.buffer_at(folder, path)
    index = daemon.index_of(folder, path)
    for diagnostic in params.context.diagnostics[:_MOST_LIMBS]:
        test = diagnostic.data.get("test") if isinstance(diagnostic.data, dict) else None
        ours = (diagnostic.source or "").startswith(SOURCE)
        span = index.from_client(diagnostic.range, daemon.encoding)
        request = LimbStart(
            kind="test" if ours and test else "diagnostic",
            uri=params.text_document.uri,
            range=_wire(span),
            version=buffer.version if buffer else None,
            text=str(test) if ours and test else None,
        )
        title = "Repair this test with a limb (offline)" if request.kind == "test" else "Fix with a limb (offline)"
        arguments = [request.model_dump(by_alias=True, exclude_none=True)]
        yield types.CodeAction(
            title,
            types.CodeActionKind.QuickFix,
            diagnostics=[diagnostic],
            command=types.Command(title, START_LIMB, arguments=arguments),
        )


def _wanted(context: types.CodeActionContext, kind: types.CodeActionKind | str) -> bool:
    name = kind.value if isinstance(kind, types.CodeActionKind) else kind
    only = [item.value if isinstance(item, types.CodeActionKind) else item for item in context.only or ()]
    return not only or any(name == item or name.startswith(f"{item}.") for item in only)


def _resolves(daemon: Daemon) -> bool:
    return daemon.client.can("text_document.code_action.resolve_support")


def _touch(one: Span, other: Span) -> bool:
    return one.start <= other.end and other.start <= one.end


def _same(diagnostics: Sequence[types.Diagnostic], code: str) -> list[types.Diagnostic]:
    return [item for item in diagnostics if item.code == code and (item.source or "").startswith(SOURCE)]


def _wire(span: Span) -> WireRange:
    start, end = (WirePosition(line=at.line, character=at.character) for at in (span.start, span.end))
    return WireRange(start=start, end=end)
