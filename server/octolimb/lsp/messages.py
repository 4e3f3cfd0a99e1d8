"""Between our custom methods' JSON and our values: decoding refuses what does not fit, encoding is total."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams

from octolimb.core.errors import BadInput, OctolimbError
from octolimb.core.positions import Span
from octolimb.documents.models import Place, Range
from octolimb.documents.wire import WireRequest, WireTest
from octolimb.engine.test_list import ListedTest
from octolimb.lsp.places import Places

_REQUEST_FAILED = -32803

Request = TypeVar("Request", bound=WireRequest)


def decode(model: type[Request], params: Any) -> Request:
    """The checked parameters. Raises `JsonRpcInvalidParams` that names the first field at fault."""
    try:
        return model.model_validate({} if params is None else params)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "params"
        raise JsonRpcInvalidParams(f"Invalid Params: {place}: {first['msg']}") from error


def refusal(error: OctolimbError) -> JsonRpcException:
    """How one of our failures is answered: one line, and for programs its code, hint and path."""
    code = -32602 if isinstance(error, BadInput) else _REQUEST_FAILED
    body = {"code": error.code, "hint": error.hint, "path": error.path}
    data = {name: value for name, value in body.items() if value is not None}
    return JsonRpcException(error.message, code=code, data=data)


def encode_test(test: ListedTest, places: Places) -> WireTest:
    return WireTest(
        id=test.id,
        label=test.label,
        uri=places.uri_of(test.path),
        range=encode_span(test.span) if test.span else None,
        children=[encode_test(child, places) for child in test.children],
    )


def encode_span(span: Span) -> Range:
    """Our spans count UTF-16 columns, and so do our own methods, whatever the client negotiated for the standard's."""
    start, end = (Place(line=at.line, character=at.character) for at in (span.start, span.end))
    return Range(start=start, end=end)
