"""Which method is answered by what: the one table of the language server. Nothing is decided here."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer

from octolimb.core.errors import OctolimbError
from octolimb.documents.wire import (
    FolderRequest,
    LimbCancel,
    LimbStart,
    ProposalAccept,
    ProposalList,
    ProposalReject,
    ProposalShow,
    ProposalTry,
    SenseRequestParams,
    ShadowContentRequest,
    StandBack,
    TestsListRequest,
    WireRequest,
)
from octolimb.lsp.client import Client
from octolimb.lsp.daemon import Daemon
from octolimb.lsp.features import actions, sync
from octolimb.lsp.features.diagnostics import Diagnostics
from octolimb.lsp.features.history import HistoryDesk
from octolimb.lsp.features.intelligence import DOCUMENT_METHODS, Intelligence
from octolimb.lsp.features.limbs import LimbDesk
from octolimb.lsp.features.proposals import ProposalDesk
from octolimb.lsp.features.sensing import SensingDesk
from octolimb.lsp.messages import decode, refusal
from octolimb.lsp.positions import choose_encoding
from octolimb.lsp.protocol import Protocol, Session

COMMANDS: Final = (actions.START_LIMB, "octolimb.proposal.accept", "octolimb.proposal.reject")

logger = logging.getLogger(__name__)


class _Desks:
    """Everything that one session needs, made when `initialize` is accepted."""

    def __init__(self, protocol: Protocol, session: Session, params: types.InitializeParams) -> None:
        general = params.capabilities.general
        encoding = choose_encoding(list(general.position_encodings or ()) if general is not None else None)
        self.client = Client(protocol, params.capabilities)
        self.daemon = Daemon(self.client, encoding, session.options)
        self.diagnostics = Diagnostics(self.daemon)
        self.sensing = SensingDesk(self.daemon, self.diagnostics)
        self.history = HistoryDesk(self.daemon)
        self.proposals = ProposalDesk(self.daemon)
        self.limbs = LimbDesk(self.daemon, self.proposals)
        self.intelligence = Intelligence(self.daemon, protocol.as_json)
        self.folders = session.folders

    async def close(self) -> None:
        self.limbs.cancel_all()
        await self.daemon.close()


def register(server: LanguageServer, protocol: Protocol) -> None:
    """Registers every method; the session's own things are made when it opens."""
    table = _Table(server, protocol)
    table.standard()
    table.custom()
    protocol.methods = sorted(name for name in server.protocol.fm.features if name.startswith("octolimb/"))


class _Table:
    def __init__(self, server: LanguageServer, protocol: Protocol) -> None:
        self._server = server
        self._protocol = protocol
        self._desks: _Desks | None = None
        protocol.on_session = self._open
        protocol.complete_capabilities = self._complete
        protocol.on_end = self._close

    @property
    def desks(self) -> _Desks:
        assert self._desks is not None
        return self._desks

    # -- the session's life ------------------------------------------------------------------------------------

    def _open(self, session: Session, params: types.InitializeParams) -> None:
        self._desks = _Desks(self._protocol, session, params)
        if session.options.is_code_intelligent:
            self._intelligence()

    async def _close(self) -> None:
        desks, self._desks = self._desks, None
        if desks is not None:
            await desks.close()

    async def _initialized(self, _: types.InitializedParams) -> None:
        desks = self.desks
        for directory in desks.folders:
            desks.daemon.open_folder(directory)
        if not desks.client.can("workspace.did_change_watched_files.dynamic_registration"):
            desks.daemon.watch()
            return
        try:
            registrations = types.RegistrationParams([sync.watching()])
            await desks.client.ask(types.CLIENT_REGISTER_CAPABILITY, registrations)
        except JsonRpcException as error:
            logger.warning("the client does not watch files: %s", error.message)
            desks.daemon.watch()

    def _complete(self, capabilities: types.ServerCapabilities) -> None:
        if not self.desks.client.pulls:
            # Announced, it would be asked for beside what is sent, and everything shown twice.
            capabilities.diagnostic_provider = None
        capabilities.position_encoding = self.desks.daemon.encoding
        folders = types.WorkspaceFoldersServerCapabilities(supported=True, change_notifications=True)
        capabilities.workspace = types.WorkspaceOptions(workspace_folders=folders)
        capabilities.execute_command_provider = types.ExecuteCommandOptions(list(COMMANDS))

    # -- standard methods --------------------------------------------------------------------------------------

    def standard(self) -> None:
        self._on(types.INITIALIZED, self._initialized)
        self._on(types.TEXT_DOCUMENT_DID_OPEN, lambda params: sync.did_open(self.desks.daemon, params))
        self._on(types.TEXT_DOCUMENT_DID_CHANGE, lambda params: sync.did_change(self.desks.daemon, params))
        self._on(types.TEXT_DOCUMENT_DID_CLOSE, self._did_close)
        self._on(types.TEXT_DOCUMENT_DID_SAVE, lambda params: sync.did_save(self.desks.daemon, params))
        self._on(
            types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
            lambda params: sync.did_change_watched_files(self.desks.daemon, params),
        )
        self._on(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, self._did_change_folders)
        self._on(types.WORKSPACE_DID_CHANGE_CONFIGURATION, lambda _: None)
        self._on(
            types.TEXT_DOCUMENT_DIAGNOSTIC,
            self._diagnostic,
            types.DiagnosticOptions(inter_file_dependencies=True, workspace_diagnostics=False, identifier="octolimb"),
        )
        kinds = types.CodeActionOptions(code_action_kinds=list(actions.KINDS), resolve_provider=True)
        self._on(types.TEXT_DOCUMENT_CODE_ACTION, self._code_action, kinds)
        self._on(types.CODE_ACTION_RESOLVE, self._resolve_action)
        self._on(types.WORKSPACE_EXECUTE_COMMAND, self._execute)
        self._on(types.WINDOW_WORK_DONE_PROGRESS_CANCEL, self._cancel_progress)

    def _did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        self.desks.diagnostics.closed(params.text_document.uri)
        sync.did_close(self.desks.daemon, params)

    async def _did_change_folders(self, params: types.DidChangeWorkspaceFoldersParams) -> None:
        await sync.did_change_workspace_folders(self.desks.daemon, params)

    async def _diagnostic(self, params: types.DocumentDiagnosticParams) -> types.DocumentDiagnosticReport:
        return await self.desks.diagnostics.answer(params)

    async def _code_action(self, params: types.CodeActionParams) -> list[types.CodeAction]:
        found: list[types.CodeAction] = await _answered(actions.code_actions(self.desks.daemon, params))
        return found

    async def _resolve_action(self, action: types.CodeAction) -> types.CodeAction:
        resolved: types.CodeAction = await _answered(actions.resolve(self.desks.daemon, action))
        return resolved

    async def _execute(self, params: types.ExecuteCommandParams) -> Any:
        arguments = list(params.arguments or ())
        if params.command == actions.START_LIMB and len(arguments) == 1:
            return await _answered(self.desks.limbs.start(decode(LimbStart, arguments[0])))
        if params.command == "octolimb.proposal.accept" and len(arguments) == 1:
            return await _answered(self.desks.proposals.accept(decode(ProposalAccept, arguments[0])))
        if params.command == "octolimb.proposal.reject" and len(arguments) == 1:
            return await _answered(self.desks.proposals.reject(decode(ProposalReject, arguments[0])))
        raise JsonRpcInvalidParams(f"Invalid Params: no command {params.command!r} with {len(arguments)} arguments")

    def _cancel_progress(self, params: types.WorkDoneProgressCancelParams) -> None:
        cancel = self.desks.client.cancels.get(params.token)
        if cancel is not None:
            cancel()

    def _intelligence(self) -> None:
        for method in DOCUMENT_METHODS:
            self._on(method, self._forward(method), _intelligence_options(method))
        self._on(types.WORKSPACE_SYMBOL, self._symbols)

    def _forward(self, method: str) -> Callable[[Any], Awaitable[Any]]:
        async def ask(params: Any) -> Any:
            return await _answered(self.desks.intelligence.about_document(method, params))

        return ask

    async def _symbols(self, params: types.WorkspaceSymbolParams) -> Any:
        return await _answered(self.desks.intelligence.symbols(params))

    # -- our own methods ---------------------------------------------------------------------------------------

    def custom(self) -> None:
        self._ask("octolimb/limb/start", LimbStart, lambda desks: desks.limbs.start)
        self._ask("octolimb/limb/cancel", LimbCancel, lambda desks: desks.limbs.cancel)
        self._ask("octolimb/proposal/list", ProposalList, lambda desks: desks.proposals.listed)
        self._ask("octolimb/proposal/show", ProposalShow, lambda desks: desks.proposals.show)
        self._ask("octolimb/proposal/accept", ProposalAccept, lambda desks: desks.proposals.accept)
        self._ask("octolimb/proposal/try", ProposalTry, lambda desks: desks.proposals.attempt)
        self._ask("octolimb/proposal/reject", ProposalReject, lambda desks: desks.proposals.reject)
        self._ask("octolimb/proposal/restore", ProposalReject, lambda desks: desks.proposals.restore)
        self._ask("octolimb/shadow/content", ShadowContentRequest, lambda _: self._content)
        self._ask("octolimb/sense", SenseRequestParams, lambda desks: desks.sensing.sense)
        self._ask("octolimb/tests/list", TestsListRequest, lambda desks: desks.sensing.tests)
        self._ask("octolimb/doctor", FolderRequest, lambda desks: desks.sensing.doctor)
        self._ask("octolimb/green/back", FolderRequest, lambda desks: desks.history.back)
        self._ask("octolimb/green/cause", FolderRequest, lambda desks: desks.history.cause)
        self._ask("octolimb/standBack", StandBack, lambda _: self._stand_back)

    async def _content(self, request: ShadowContentRequest) -> dict[str, Any]:
        folder = self.desks.daemon.folder_of(request.uri)
        if request.proposal is not None:
            return self.desks.proposals.content(request).as_json()
        return self.desks.sensing.content(folder, request.uri).as_json()

    async def _stand_back(self, request: StandBack) -> None:
        self.desks.diagnostics.stand_back(frozenset(request.sensors))

    # -- registering -------------------------------------------------------------------------------------------

    def _on(self, method: str, handler: Callable[..., Any], options: Any = None) -> None:
        # What pygls registers it marks by attributes, which a bound method does not take.
        if inspect.iscoroutinefunction(handler):

            async def handle_later(params: Any) -> Any:
                return await handler(params)

            self._server.feature(method, options)(handle_later)
        else:

            def handle(params: Any) -> Any:
                return handler(params)

            self._server.feature(method, options)(handle)

    def _ask(self, method: str, model: type[WireRequest], answerer: Callable[[_Desks], Callable[[Any], Any]]) -> None:
        async def handle(params: Any) -> Any:
            return await _answered(answerer(self.desks)(decode(model, params)))

        self._on(method, handle)


async def _answered(work: Awaitable[Any]) -> Any:
    """The answer, our own failures as the protocol's errors."""
    try:
        return await work
    except OctolimbError as error:
        raise refusal(error) from error


def _intelligence_options(method: str) -> Any:
    if method == types.TEXT_DOCUMENT_COMPLETION:
        return types.CompletionOptions(trigger_characters=["."])
    if method == types.TEXT_DOCUMENT_SIGNATURE_HELP:
        return types.SignatureHelpOptions(trigger_characters=["(", ","], retrigger_characters=[")"])
    if method == types.TEXT_DOCUMENT_RENAME:
        return types.RenameOptions(prepare_provider=True)
    return None
