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
    """All open documents by URI. One that is opened twice is replaced; a change of one that is not open is refused."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._open: dict[str, Buffer] = {}

    def __iter__(self) -> Iterator[Buffer]:
        return iter(list(self._open.values()))

    def get(self, uri: str) -> Buffer | None:
        return self._open.get(uri)

    def open(self, item: types.TextDocumentItem) -> Buffer:
        self._open[item.uri] = Buffer(item.uri, item.language_id, item.version, item.text)
        return self._open[item.uri]

    def change(self, uri: str, version: int, changes: Sequence[Change]) -> Buffer | None:
        """The buffer after the changes, made one after the other; None where it is not open."""
        buffer = self._open.get(uri)
        if buffer is None:
            return None
        text = buffer.text
        for change in changes:
            text = apply_change(text, change, self._encoding)
        self._open[uri] = replace(buffer, version=version, text=text)
        return self._open[uri]

    def close(self, uri: str) -> Buffer | None:
        return self._open.pop(uri, None)
