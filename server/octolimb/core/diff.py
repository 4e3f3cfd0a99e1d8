"""One file's change as git writes it, exact to the byte. It applies nothing and reads no file."""

from __future__ import annotations

import base64
import difflib
import hashlib
import zlib
from collections.abc import Sequence
from typing import Protocol

from octolimb.core.document import Document

_BINARY_LINE_BYTES = 52
_LENGTHS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class FileChange(Protocol):
    """What of a change a diff shows; see `octolimb.core.changes.Change`."""

    @property
    def kind(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def old_path(self) -> str: ...
    @property
    def spelling(self) -> str | None: ...
    @property
    def old_spelling(self) -> str | None: ...
    @property
    def before(self) -> Document | None: ...
    @property
    def after(self) -> Document | None: ...


def file_diff(change: FileChange) -> str:
    """The part of a diff that `git apply -p1` takes for this file; empty where git could not tell a difference."""
    old_name, new_name = change.old_spelling or change.old_path, change.spelling or change.path
    before, after = change.before, change.after
    if before is not None and after is not None and before.link != after.link:
        # A file becomes a link, or a link a file, only by going and coming again.
        return _part(old_name, old_name, before, None) + _part(new_name, new_name, None, after)
    return _part(old_name, new_name, before, after)


def _part(old_name: str, new_name: str, before: Document | None, after: Document | None) -> str:
    lines: list[str] = []
    if before is None and after is not None:
        lines.append(f"new file mode {_git_mode(after)}")
    elif after is None and before is not None:
        lines.append(f"deleted file mode {_git_mode(before)}")
    elif before is not None and after is not None and _git_mode(before) != _git_mode(after):
        lines += [f"old mode {_git_mode(before)}", f"new mode {_git_mode(after)}"]
    if old_name != new_name:
        lines += [f"rename from {_quoted(old_name)}", f"rename to {_quoted(new_name)}"]
    old_data, new_data = (document.data if document else b"" for document in (before, after))
    body = "" if old_data == new_data else _body(old_name, new_name, before, after)
    if not lines and not body:
        return ""
    head = f"diff --git {_quoted('a/' + old_name)} {_quoted('b/' + new_name)}"
    return "\n".join([head, *lines]) + "\n" + body


def _body(old_name: str, new_name: str, before: Document | None, after: Document | None) -> str:
    old_data, new_data = (document.data if document else b"" for document in (before, after))
    try:
        old, new = old_data.decode("utf-8"), new_data.decode("utf-8")
    except UnicodeDecodeError:
        return _binary(before, after)
    if "\0" in old or "\0" in new:
        return _binary(before, after)
    source = "/dev/null" if before is None else _quoted("a/" + old_name)
    target = "/dev/null" if after is None else _quoted("b/" + new_name)
    return _unified(_split(old), _split(new), source, target)


def _binary(before: Document | None, after: Document | None) -> str:
    """Git's binary patch without its way back, so that removing a large file takes no room.

    From git's source (`diff.c`): the deflated bytes in base 85, at most 52 a line after a letter for their number.
    """
    data = after.data if after else b""
    lines = [f"index {_blob_id(before)}..{_blob_id(after)}", "GIT binary patch", f"literal {len(data)}"]
    packed = zlib.compress(data)
    for start in range(0, len(packed), _BINARY_LINE_BYTES):
        part = packed[start : start + _BINARY_LINE_BYTES]
        lines.append(_LENGTHS[len(part) - 1] + base64.b85encode(part, pad=True).decode("ascii"))
    return "\n".join([*lines, "", ""])


def _blob_id(document: Document | None) -> str:
    if document is None:
        return "0" * 40
    data = document.data
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _unified(old: Sequence[str], new: Sequence[str], old_name: str, new_name: str) -> str:
    parts = [
        line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(old, new, old_name, new_name)
    ]
    # git reads a name up to a tab; without one a name with a space would be cut.
    for index in range(min(2, len(parts))):
        if " " in parts[index].rstrip("\n")[4:]:
            parts[index] = parts[index].rstrip("\n") + "\t\n"
    return "".join(parts)


def _split(text: str) -> list[str]:
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _git_mode(document: Document) -> str:
    return "120000" if document.link else "100755" if document.mode & 0o100 else "100644"


def _quoted(name: str) -> str:
    """As git quotes a path: in double quotes with octal escapes where it holds a quote or non-ASCII."""
    if name.isascii() and '"' not in name:
        return name
    escaped = "".join(
        "\\" + chr(byte) if byte in b'"\\' else chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"
        for byte in name.encode()
    )
    return f'"{escaped}"'
