"""Change sets as workspace edits, and how the editor is asked to make one. Only the editor writes.

Text edits come first, bound to the version of each open document, and stay in the editor's buffers. What touches the
disk (create, rename, delete) comes last, and a person is told of it before.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from octolimb.core.changes import Change, ChangeSet
from octolimb.core.document import Document
from octolimb.core.hunks import edits_of
from octolimb.lsp.daemon import Daemon
from octolimb.lsp.folder import Folder
from octolimb.lsp.positions import LineIndex

_DISK: Final = "octolimb-disk"
Step = types.TextDocumentEdit | types.CreateFile | types.RenameFile | types.DeleteFile

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Applied:
    """Whether the editor made the edit; `why` says what happened if not, and what to do about what was made."""

    done: bool
    why: str = ""


async def apply_edit(daemon: Daemon, folder: Folder, change_set: ChangeSet, label: str) -> Applied:
    """Has the editor make the changes, which lead from the folder's snapshot as it is now."""
    client = daemon.client
    if not client.can("workspace.apply_edit"):
        return Applied(done=False, why="this editor cannot be asked to make edits; apply the diff by hand")
    if refused := _cannot(daemon, change_set):
        return Applied(done=False, why=refused)
    touching = [change for change in change_set if change.kind != "modify"]
    if touching and not client.annotates:
        told = ", ".join(f"{change.kind} {change.path}" for change in touching)
        yes = await client.ask_person(f"Octolimb: this changes files on the disk: {told}", "Go on", "Cancel")
        if yes != "Go on":
            return Applied(done=False, why="a person said no to changing files on the disk")
    params = types.ApplyWorkspaceEditParams(_workspace_edit(daemon, folder, change_set), label)
    try:
        answer = await client.ask(types.WORKSPACE_APPLY_EDIT, params)
    except JsonRpcException as error:
        return Applied(done=False, why=f"the editor refused: {error.message}")
    if answer.applied:
        return Applied(done=True)
    return Applied(done=False, why=_recovery(folder, change_set, answer.failure_reason))


def _cannot(daemon: Daemon, change_set: ChangeSet) -> str | None:
    """Why the editor could not carry this out, asked before it begins."""
    able = daemon.client.resource_operations if daemon.client.can("workspace.workspace_edit.document_changes") else ()
    for change in change_set:
        if change.kind != "modify" and change.kind not in able:
            return f"this editor cannot {change.kind} files in an edit ({change.path}); apply the diff by hand"
        for document in (change.before, change.after):
            if document is not None and not document.is_text and change.kind != "delete":
                return f"{change.path} is not text, which an editor's edit cannot carry"
        if change.kind == "modify" and change.before and change.after and change.before.data == change.after.data:
            return f"{change.path} changes its mode only, which an editor's edit cannot carry"
    return None


def _workspace_edit(daemon: Daemon, folder: Folder, change_set: ChangeSet) -> types.WorkspaceEdit:
    if not daemon.client.can("workspace.workspace_edit.document_changes"):
        changes = {folder.places.uri_of(change.path): _text_edits(daemon, change_set, change) for change in change_set}
        return types.WorkspaceEdit(changes=changes)
    texts: list[Step] = []
    files: list[Step] = []
    noted = _DISK if daemon.client.annotates else None
    for change in change_set:
        uri, old_uri = folder.places.uri_of(change.path), folder.places.uri_of(change.old_path)
        if change.kind == "create":
            files += [types.CreateFile(uri, annotation_id=noted), *_filled(uri, change.after)]
            continue
        if change.kind == "delete":
            files.append(types.DeleteFile(uri, annotation_id=noted))
            continue
        edits = _text_edits(daemon, change_set, change)
        if edits:
            buffer = daemon.buffers.get(old_uri)
            version = buffer.version if buffer is not None else None
            texts.append(types.TextDocumentEdit(types.OptionalVersionedTextDocumentIdentifier(old_uri, version), edits))
        if change.kind == "rename":
            files.append(types.RenameFile(old_uri, uri, annotation_id=noted))
    annotation = types.ChangeAnnotation(
        "Octolimb changes files on the disk", needs_confirmation=True, description="Text edits stay unsaved."
    )
    annotations = {_DISK: annotation} if noted and files else None
    return types.WorkspaceEdit(document_changes=[*texts, *files], change_annotations=annotations)


def _filled(uri: str, document: Document | None) -> list[Step]:
    if document is None or not document.text:
        return []
    start = types.Range(types.Position(0, 0), types.Position(0, 0))
    identifier = types.OptionalVersionedTextDocumentIdentifier(uri, None)
    return [types.TextDocumentEdit(identifier, [types.TextEdit(start, document.text)])]


def _text_edits(daemon: Daemon, change_set: ChangeSet, change: Change) -> list[types.TextEdit]:
    if change.before is None or change.after is None or change.before.data == change.after.data:
        return []
    index = LineIndex(change.before.text)
    return [
        types.TextEdit(index.to_client(edit.before, daemon.encoding), edit.new_text)
        for edit in edits_of(change_set)
        if edit.path == change.path
    ]


def _recovery(folder: Folder, change_set: ChangeSet, reason: str | None) -> str:
    """What was made of an edit that failed midway, by looking at the shadow and the disk as they are now."""
    now = folder.snapshot()
    made: list[str] = []
    for change in change_set:
        document = now.get(change.path)
        if (document.digest if document else None) == (change.after.digest if change.after else None):
            made.append(change.path)
    said = f"the editor did not make the whole edit ({reason or 'it does not say why'})"
    if not made:
        return f"{said}; nothing was changed"
    logger.warning("%s; changed are: %s", said, ", ".join(made))
    return f"{said}; changed are {', '.join(made)}: the editor's undo in each of them takes it back"
