"""The editor's open documents, exactly as the editor has them. They are the crate's only source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from lsprotocol import types

from octolimb.lsp.positions import Encoding, LineIndex, apply_change

Change = types.TextDocumentContentChangePartial | types.TextDocumentContentChangeWholeDocument


@dataclass(frozen=True)
class Buffer:
    """One open document at one of its versions; `version` is the editor's own count."""

    uri: str
    language: str
    version: int
    text: str

    @cached_property
    def index(self) -> LineIndex:
        return LineIndex(self.text)


class Buffers:
    """All open documents by URI. One that is opened twice is replaced.

    One whose changes do not follow on each other is lost: what the editor has is not known, and not guessed, until the
    document is opened anew or closed.
    """

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._open: dict[str, Buffer] = {}
        self.lost: set[str] = set()

    def __iter__(self) -> Iterator[Buffer]:
        return iter(list(self._open.values()))

    def get(self, uri: str) -> Buffer | None:
        return self._open.get(uri)

    def open(self, item: types.TextDocumentItem) -> Buffer:
        self.lost.discard(item.uri)
        self._open[item.uri] = Buffer(item.uri, item.language_id, item.version, item.text)
        return self._open[item.uri]

    def change(self, uri: str, version: int, changes: Sequence[Change]) -> Buffer | None:
        """The buffer after the changes, made one after the other; None where it is lost, be it by this very change."""
        buffer = self._open.pop(uri, None)
        text = buffer.text if buffer is not None and version > buffer.version else None
        for change in changes:
            if text is not None:
                text = apply_change(text, change, self._encoding)
        if buffer is None or text is None:
            self.lost.add(uri)
            return None
        self._open[uri] = replace(buffer, version=version, text=text)
        return self._open[uri]

    def close(self, uri: str) -> Buffer | None:
        self.lost.discard(uri)
        return self._open.pop(uri, None)
