"""A failure as the document that others read. Apart from `encode`, since every command needs this and not the rest."""

from __future__ import annotations

from octolimb.core.errors import OctolimbError
from octolimb.documents.models import ErrorBody, ErrorDocument


def error_document(error: OctolimbError) -> ErrorDocument:
    body = ErrorBody(code=error.code, message=error.message, hint=error.hint, path=error.path)
    return ErrorDocument(error=body)
