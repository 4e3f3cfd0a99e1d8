"""One connection's messages: checks each envelope, refuses what comes at the wrong time, and starts the session.

Built on pygls, which leaves these holes that are closed here: a payload with a nested "jsonrpc" key is taken for a
message and never answered; malformed JSON, unknown shapes and requests after `shutdown` get no answer; parameters of
custom methods lose keys; notification errors pop up message boxes (see `server.py`). It does NOT read or write
a transport, and handles no document: features register for that.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from cattrs import Converter
from lsprotocol import types
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInternalError,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcMethodNotFound,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)
from pygls.protocol import (
    JsonRPCNotification,
    JsonRPCRequestMessage,
    JsonRPCResponseMessage,
    LanguageServerProtocol,
    default_converter,
    lsp_method,
)

from octolimb.core.errors import BadInput
from octolimb.lsp.options import Options, read_options
from octolimb.lsp.places import path_of_uri

PROTOCOL_VERSION = 1

# pygls answers more than these by itself, and would announce it: documents, notebooks, commands, folders.
LIFE_CYCLE = frozenset({types.INITIALIZE, types.INITIALIZED, types.SHUTDOWN, types.EXIT, types.SET_TRACE})

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Session:
    """What `initialize` settled: the folders that the editor has open, if any, and the options."""

    folders: tuple[Path, ...]
    options: Options


class Protocol(LanguageServerProtocol):
    """Call `receive` with each message's body; `exit_code` is set once the connection should end."""

    root: Path | None = None  # As told on the command line; it wins over the editor's folder.
    schemas: str = ""
    token: str | None = None

    session: Session | None = None
    exit_code: int | None = None

    methods: Sequence[str] = ()
    """The custom methods that are served."""
    on_session: Callable[[Session, types.InitializeParams], None] = staticmethod(lambda _session, _params: None)
    """Called once `initialize` is accepted, before it is answered."""
    complete_capabilities: Callable[[types.ServerCapabilities], None] = staticmethod(lambda _capabilities: None)
    """Adds to the capabilities that pygls derives from the registered features."""
    on_end: Callable[[], Awaitable[None]] | None = None
    """Called once when the connection ends, however it does."""

    def receive(self, body: bytes) -> None:
        """Handles one message. Whatever is wrong with it becomes an error answer; nothing is raised."""
        try:
            message = json.loads(body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            self.answer_error(None, JsonRpcParseError(f"Parse Error: {error}"))
            return
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            self.answer_error(None, JsonRpcInvalidRequest("Invalid Request: a JSON-RPC 2.0 object is needed"))
            return
        method, message_id = message.get("method"), message.get("id")
        if "id" in message and not (isinstance(message_id, int | str) and not isinstance(message_id, bool)):
            self.answer_error(None, JsonRpcInvalidRequest("Invalid Request: an id is a number or a string"))
        elif "method" not in message and "id" in message:
            self._receive_response(message)
        elif not isinstance(method, str):
            self.answer_error(message_id, JsonRpcInvalidRequest("Invalid Request: a method is a string"))
        elif method == types.EXIT:
            self.exit_code = 0 if self._shutdown else 1
        else:
            self._receive_call(message, method, message_id)

    def answer_error(self, message_id: int | str | None, error: JsonRpcException) -> None:
        """Answers with an error; a None id says that the message had none that could be read."""
        answer = {"code": error.code, "message": error.message}
        self._send_data({"jsonrpc": self.VERSION, "id": message_id, "error": answer})

    def as_json(self, value: Any) -> Any:
        """A typed value of the protocol as JSON values."""
        return self._converter.unstructure(value)

    def end_for_lost_stream(self) -> None:
        """The other side is gone or no longer makes sense: ends the connection as the protocol wants it counted."""
        if self.exit_code is None:
            self.exit_code = 0 if self._shutdown else 1

    def _receive_call(self, message: dict[str, Any], method: str, message_id: int | str | None) -> None:
        try:
            self._check_time(method)
            self._check_known(method)
            decoded = self._decode_call(message, method)
        except JsonRpcException as error:
            if message_id is None:
                logger.warning("ignored the notification %s: %s", method, error.message)
            else:
                self.answer_error(message_id, error)
            return
        try:
            self.handle_message(decoded)
        except Exception:  # Our own bug, or one of pygls: it goes to the log and the session lives on.
            logger.exception("while handling %s", method)
            if message_id is not None:
                self.answer_error(message_id, JsonRpcInternalError(f"Internal Error while handling {method}"))

    def _receive_response(self, message: dict[str, Any]) -> None:
        wanted = types.ResponseErrorMessage if "error" in message else JsonRPCResponseMessage
        typed = None if "error" in message else self._result_types.pop(message["id"], None)
        try:
            response = self._converter.structure({"result": None, **message}, typed or wanted)
        except Exception as error:  # noqa: BLE001 - a client's malformed answer must not end the session.
            logger.warning("ignored a malformed response: %s", type(error).__name__)
            return
        self.handle_message(response)

    def _check_time(self, method: str) -> None:
        if self._shutdown:
            raise JsonRpcInvalidRequest("Invalid Request: the server has been shut down")
        if self.session is None and method != types.INITIALIZE:
            raise JsonRpcServerNotInitialized("Server Not Initialized: initialize comes first")
        if self.session is not None and method == types.INITIALIZE:
            raise JsonRpcInvalidRequest("Invalid Request: initialize has already been answered")

    def _check_known(self, method: str) -> None:
        if method not in self.fm.builtin_features and method not in self.fm.features and method != types.CANCEL_REQUEST:
            raise JsonRpcMethodNotFound.of(method)

    def _decode_call(self, message: dict[str, Any], method: str) -> Any:
        params = message.get("params")
        if params is not None and not isinstance(params, dict | list):
            raise JsonRpcInvalidParams("Invalid Params: an object is needed")
        if method == types.CANCEL_REQUEST and not (
            isinstance(params, dict) and isinstance(params.get("id"), int | str)
        ):
            raise JsonRpcInvalidParams(
                "Invalid Params: an id is a number or a string"
            )  # pygls would fail to look it up.
        untyped = JsonRPCRequestMessage if "id" in message else JsonRPCNotification
        call_type = self.get_message_type(method) or untyped
        envelope = {"jsonrpc": self.VERSION, "method": method, "params": params}
        if "id" in message:
            envelope["id"] = message["id"]
        try:
            call = self._converter.structure(envelope, call_type)
        except Exception as error:  # Whatever a generated converter raises means that the parameters do not fit.
            raise JsonRpcInvalidParams(f"Invalid Params: they do not fit {method}") from error
        if call_type is not untyped and ("id" in message) != hasattr(call, "id"):
            raise JsonRpcInvalidRequest(f"Invalid Request: {method} is {'not ' if 'id' in message else ''}a request")
        return call

    def _register_builtin_features(self) -> None:
        super()._register_builtin_features()  # type: ignore[no-untyped-call]
        for method in self.fm.builtin_features.keys() - LIFE_CYCLE:
            del self.fm.builtin_features[method]

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        """Opens the session, or refuses it with an error that names the option at fault."""
        try:
            options, unknown = read_options(params.initialization_options)
        except BadInput as error:
            raise JsonRpcInvalidParams(f"Invalid Params: {error.message}") from error
        if self.token is not None and not hmac.compare_digest((options.token or "").encode(), self.token.encode()):
            self.exit_code = 1
            raise JsonRpcInvalidRequest("Invalid Request: initializationOptions.token is missing or wrong")
        self.session = Session((self.root,) if self.root else _folders_of(params), options)
        self.on_session(self.session, params)
        result = yield from super().lsp_initialize(params)
        experimental = {"protocol": PROTOCOL_VERSION, "schemas": self.schemas, "methods": list(self.methods)}
        result.capabilities.experimental = {"octolimb": experimental}
        self.complete_capabilities(result.capabilities)
        folders = ", ".join(map(str, self.session.folders)) or "no folder"
        logger.info("session for %s, %s", folders, "trusted" if options.trusted else "not trusted")
        if unknown:
            warning = f"unknown options are ignored: {', '.join(unknown)}"
            logger.warning("%s", warning)
            self.notify(types.WINDOW_LOG_MESSAGE, types.LogMessageParams(types.MessageType.Warning, warning))
        return result


def plain_converter() -> Converter:
    """The converter of pygls, except that parameters of methods it does not know stay the JSON that they were."""
    converter: Converter = default_converter()  # type: ignore[no-untyped-call]
    for message_type in (JsonRPCRequestMessage, JsonRPCNotification, JsonRPCResponseMessage):
        converter.register_structure_hook(message_type, lambda fields, wanted: wanted(**fields))
    return converter


def _folders_of(params: types.InitializeParams) -> tuple[Path, ...]:
    uris = [folder.uri for folder in params.workspace_folders or ()]
    if not uris and params.root_uri is not None:
        uris = [params.root_uri]
    return tuple(path for uri in uris if (path := path_of_uri(uri)) is not None)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
