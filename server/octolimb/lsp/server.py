"""The language server's door: `serve` runs it until the client leaves. What it does lies in `features`."""

from __future__ import annotations

import logging
import os
import secrets
import sys
from pathlib import Path

from lsprotocol import types
from pygls.lsp.server import LanguageServer

import octolimb
from octolimb.core.errors import BadInput
from octolimb.lsp.protocol import Protocol, plain_converter
from octolimb.lsp.registry import register
from octolimb.lsp.transport import parse_loopback, run_stdio, run_tcp

TOKEN_VARIABLE = "OCTOLIMB_TOKEN"  # noqa: S105 - the name of a variable, not a token.
TOKEN_LENGTH = 16

logger = logging.getLogger(__name__)


def serve(root: Path | None, *, tcp: str | None, schemas: str) -> None:
    """Serves one client on standard input and output, or on `tcp`, a loopback `HOST:PORT`; then ends the process.

    `root` wins over the folder that the editor names; `schemas` is the digest of our documents' schemas. Over TCP the
    client shows a token in `initializationOptions.token`: that of the environment's `OCTOLIMB_TOKEN`, else a fresh one
    printed to standard error with the address. Always raises `SystemExit`, with 0 after shutdown and exit and with 1
    otherwise; raises `BadInput` for an address or a token that will not do.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", force=True)
    # pygls writes every message in full, documents and the token included, at the levels below.
    for chatty in ("pygls", "watchfiles"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    if tcp is None:
        raise SystemExit(run_stdio(lambda: make_protocol(root, schemas, token=None)))
    host, port = parse_loopback(tcp)
    token, fresh = _choose_token()

    def announce(bound_host: str, bound_port: int) -> None:
        shown = f"[{bound_host}]" if ":" in bound_host else bound_host
        print(f"octolimb: listening on {shown}:{bound_port}", file=sys.stderr, flush=True)
        if fresh:
            print(f"octolimb: token {token}", file=sys.stderr, flush=True)

    try:
        code = run_tcp(lambda: make_protocol(root, schemas, token=token), host, port, announce)
    except OSError as error:
        raise BadInput(f"cannot listen on {tcp}: {error.strerror}") from error
    raise SystemExit(code)


def make_protocol(root: Path | None, schemas: str, *, token: str | None) -> Protocol:
    """A fresh server's protocol, for one connection."""
    server = QuietServer(
        "octolimb",
        octolimb.__version__,
        text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
        protocol_cls=Protocol,
        converter_factory=plain_converter,
    )
    protocol = server.protocol
    assert isinstance(protocol, Protocol)
    protocol.root, protocol.schemas, protocol.token = root, schemas, token
    register(server, protocol)
    return protocol


class QuietServer(LanguageServer):
    """Writes what went wrong to the log: the message boxes that pygls pops up help nobody."""

    def report_server_error(self, error: Exception, source: object) -> None:  # noqa: ARG002 - the signature is pygls's.
        logger.error("%s: %s", type(error).__name__, error)


def _choose_token() -> tuple[str, bool]:
    # Taken out of the environment, so that no child of ours inherits it.
    given = os.environ.pop(TOKEN_VARIABLE, None)
    if given is None:
        return secrets.token_urlsafe(24), True
    if len(given) < TOKEN_LENGTH:
        raise BadInput(f"{TOKEN_VARIABLE} is shorter than {TOKEN_LENGTH} characters", hint="or leave it unset")
    return given, False
