"""One file's content as a value: exact bytes, and how they are text. It does not know where they came from."""

from __future__ import annotations

import codecs
import hashlib
import io
import tokenize
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from octolimb.core.errors import NotText
from octolimb.core.paths import RelPath

DEFAULT_MODE: Final = 0o644
_UTF8_BOM: Final = codecs.BOM_UTF8


@dataclass(frozen=True)
class Document:
    """`data` is the file's bytes, or a symbolic link's target where `link` is true. `mode` is permission bits only."""

    path: RelPath
    data: bytes
    mode: int = DEFAULT_MODE
    link: bool = False

    @cached_property
    def digest(self) -> str:
        """SHA-256 of kind, permission bits and bytes, in hex: two documents with one digest are the same file."""
        kind = b"link" if self.link else b"file %o" % self.mode
        return hashlib.sha256(kind + b"\0" + self.data).hexdigest()

    @cached_property
    def bom(self) -> bool:
        return self.data.startswith(_UTF8_BOM)

    @cached_property
    def encoding(self) -> str:
        """UTF-8, or for Python sources what their PEP 263 cookie declares."""
        if self.path.suffix in (".py", ".pyi"):
            try:
                encoding, _ = tokenize.detect_encoding(io.BytesIO(self.data).readline)
            except (SyntaxError, UnicodeDecodeError):
                return "utf-8"
            return "utf-8" if encoding == "utf-8-sig" else encoding
        return "utf-8"

    @cached_property
    def text(self) -> str:
        """The exact text: line ends as they are, byte-order mark left off. Raises `NotText`."""
        if self.link:
            raise NotText(f"{self.path} is a symbolic link", path=self.path)
        if b"\0" in self.data:
            raise NotText(f"{self.path} is binary", path=self.path)
        body = self.data[len(_UTF8_BOM) :] if self.bom else self.data
        try:
            return body.decode(self.encoding)
        except (UnicodeDecodeError, LookupError) as error:
            raise NotText(f"{self.path} is not {self.encoding} text: {error}", path=self.path) from None

    @cached_property
    def is_text(self) -> bool:
        try:
            _ = self.text
        except NotText:
            return False
        return True

    @cached_property
    def newline(self) -> str:
        """The line end that most lines have; LF where there is none."""
        crlf = self.data.count(b"\r\n")
        counts = {"\n": self.data.count(b"\n") - crlf, "\r\n": crlf, "\r": self.data.count(b"\r") - crlf}
        return max(counts, key=lambda end: counts[end])

    def with_text(self, text: str) -> Document:
        """The same file with other text: encoding, byte-order mark and mode kept. Raises `NotText`."""
        if not self.is_text:
            raise NotText(f"{self.path} is not text; replace its bytes instead", path=self.path)
        body = text.removeprefix("\ufeff") if self.bom else text
        # The cookie in the new text rules, so that what is written can be read back.
        probe = Document(self.path, body.encode("utf-8", "replace"), self.mode)
        try:
            encoded = body.encode(probe.encoding)
        except (UnicodeEncodeError, LookupError) as error:
            raise NotText(f"{self.path} cannot be written as {probe.encoding}: {error}", path=self.path) from None
        return replace(self, data=(_UTF8_BOM if self.bom else b"") + encoded)


def text_document(path: RelPath, text: str, *, mode: int = DEFAULT_MODE) -> Document:
    """A new text file, in UTF-8 or as its PEP 263 cookie says."""
    return Document(path, b"", mode).with_text(text)
