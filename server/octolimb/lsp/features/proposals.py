"""`octolimb/proposal/*`: shown, tried, accepted by hunks, rejected and had back. The editor alone writes."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from octolimb.core.errors import BadInput, NotFound
from octolimb.core.hunks import Edit
from octolimb.documents.encode import decision_document, proposal_document, verdict_document
from octolimb.documents.models import TestsDocument
from octolimb.documents.wire import (
    Accepted,
    ProposalAccept,
    ProposalEvent,
    ProposalList,
    ProposalReject,
    ProposalShow,
    ProposalShown,
    ProposalsListed,
    ProposalSummary,
    ProposalTry,
    ShadowContent,
    ShadowContentRequest,
    WireFile,
    WireHunk,
)
from octolimb.engine.accepting import Acceptance, Accepting, Truth
from octolimb.engine.fixing import FixResult
from octolimb.engine.needs import find_needs
from octolimb.engine.proposals import ProposalNews, ProposalStore, StoredProposal
from octolimb.engine.settling import Settlement
from octolimb.lsp.daemon import Daemon
from octolimb.lsp.edits import apply_edit
from octolimb.lsp.folder import Folder
from octolimb.lsp.messages import encode_span
from octolimb.lsp.places import Places

_NEEDS_SECONDS: Final = 120.0
_ALL_THE_SAME: Final = "Accept all the same"

logger = logging.getLogger(__name__)


class ProposalDesk:
    """One store a folder. Accepting goes one at a time: the second is measured against what the first made."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._stores: dict[Folder, ProposalStore] = {}
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        daemon.on_folder.append(self._open)
        daemon.on_folder_gone.append(lambda folder: self._stores.pop(folder, None))

    def take(self, folder: Folder, limb: str, result: FixResult, *, epoch: int) -> tuple[StoredProposal, ...]:
        """Takes in what a limb proposes; which of its hunks need which is found out in the background."""
        stored = self._stores[folder].add(limb, result, epoch=epoch)
        for one in stored:
            if len(one.hunks) > 1:
                self._later(self._find_needs(folder, one))
        return stored

    async def listed(self, _: ProposalList) -> dict[str, Any]:
        shown = [self._summary(folder, one) for folder, store in self._stores.items() for one in store.listed()]
        return ProposalsListed(proposals=shown).as_json()

    async def show(self, request: ProposalShow) -> dict[str, Any]:
        folder, _, one = self._find(request.id)
        full = proposal_document(one.proposal)
        return ProposalShown(
            proposal=self._summary(folder, one), diff=full.diff, verdict=full.verdict, receipt=full.receipt
        ).as_json()

    async def accept(self, request: ProposalAccept) -> dict[str, Any]:
        folder, store, one = self._find(request.id)
        async with self._turn:
            folder.refuse_lost(one.proposal.change_set.paths)
            acceptance = await self._work(
                folder,
                "Octolimb: checking the proposal once more",
                lambda accepting, cancelled: accepting.accept(
                    request.id, request.hunks, confirmed=request.confirmed, cancelled=cancelled
                ),
            )
            if acceptance.status != "ready":
                return self._accepted(folder, acceptance).as_json()
            assert acceptance.change_set is not None
            assert acceptance.truth is not None
            if acceptance.truth.snapshot.generation != folder.generation:
                moved = Accepted(status="stale", message="the files changed while it was checked; accept again")
                return moved.as_json()
            label = f"Octolimb: {store.get(request.id).proposal.why}"
            applied = await apply_edit(self._daemon, folder, acceptance.change_set, label)
            if not applied.done:
                return Accepted(status="failed", message=applied.why).as_json()
            store.accept(request.id, acceptance.hunks)
            return self._accepted(folder, acceptance, status="applied").as_json()

    async def attempt(self, request: ProposalTry) -> dict[str, Any]:
        folder, _, one = self._find(request.id)
        folder.refuse_lost(one.proposal.change_set.paths)
        acceptance = await self._work(
            folder,
            "Octolimb: sensing what was chosen",
            lambda accepting, cancelled: accepting.try_hunks(request.id, request.hunks, cancelled=cancelled),
        )
        return self._accepted(folder, acceptance).as_json()

    async def reject(self, request: ProposalReject) -> dict[str, Any]:
        folder, store, _ = self._find(request.id)
        return self._summary(folder, store.reject(request.id, request.hunks)).as_json()

    async def restore(self, request: ProposalReject) -> dict[str, Any]:
        folder, store, _ = self._find(request.id)
        return self._summary(folder, store.restore(request.id, request.hunks)).as_json()

    def content(self, request: ShadowContentRequest) -> ShadowContent:
        """A file's text before or after a proposal; null where there is none."""
        folder, _, one = self._find(request.proposal or "")
        solution = one.solution
        snapshot = solution.before if request.side == "before" else solution.after
        path = folder.places.path_of(request.uri)
        document = snapshot.get(path) if path is not None else None
        text = document.text if document is not None and document.is_text else None
        return ShadowContent(text=text, generation=one.generation)

    def offer(self, folder: Folder, proposals: list[str]) -> None:
        """Asks in a message box about the best one, for an editor that shows no proposals."""
        self._later(self._offer(folder, proposals[0]))

    # -- private -----------------------------------------------------------------------------------------------

    def _open(self, folder: Folder) -> None:
        store = self._stores[folder] = ProposalStore()
        loop = asyncio.get_running_loop()
        store.on_change(lambda news, one: _soon(loop, self._tell, folder, news, one))
        folder.subscribe(lambda settlement: self._mark(store, settlement))

    @staticmethod
    def _mark(store: ProposalStore, settlement: Settlement) -> None:
        store.mark_stale(settlement.snapshot)

    def _find(self, identifier: str) -> tuple[Folder, ProposalStore, StoredProposal]:
        for folder, store in self._stores.items():
            try:
                return folder, store, store.get(identifier)
            except NotFound:
                continue
        raise BadInput(f"there is no proposal {identifier!r}", hint="list the proposals again")

    async def _work(self, folder: Folder, title: str, call: Any) -> Acceptance:
        cancelled = threading.Event()
        engine = folder.engine.aside()

        def cancel() -> None:
            cancelled.set()
            engine.close()

        accepting = Accepting(engine, self._stores[folder], lambda: Truth(folder.snapshot(), folder.crate.epoch))
        try:
            async with self._daemon.client.progress(title, on_cancel=cancel):
                acceptance: Acceptance = await asyncio.to_thread(call, accepting, cancelled.is_set)
                return acceptance
        except asyncio.CancelledError:
            cancelled.set()
            raise
        finally:
            await asyncio.shield(asyncio.to_thread(engine.close))

    async def _find_needs(self, folder: Folder, one: StoredProposal) -> None:
        engine = folder.engine.aside()
        try:
            needs = await asyncio.to_thread(find_needs, engine, one, deadline=_NEEDS_SECONDS)
            self._stores[folder].keep_needs(one.id, needs)
        except Exception:
            logger.exception("while trying the hunks of %s", one.id)
        finally:
            await asyncio.shield(asyncio.to_thread(engine.close))

    async def _offer(self, folder: Folder, identifier: str) -> None:
        one = self._stores[folder].get(identifier)
        lines = one.proposal.change_set.diff.splitlines()
        shown = "\n".join(lines[:12]) + ("\n…" if len(lines) > 12 else "")
        choice = await self._daemon.client.ask_person(
            f"Octolimb proposes: {one.proposal.why}\n{shown}", "Accept", "Reject"
        )
        if choice == "Accept":
            answer = await self.accept(ProposalAccept(id=identifier))
            if answer["status"] == "ask":
                asked = f"Octolimb: {answer['message']}"
                if await self._daemon.client.ask_person(asked, _ALL_THE_SAME, "Cancel") == _ALL_THE_SAME:
                    answer = await self.accept(ProposalAccept(id=identifier, confirmed=True))
            logger.info("proposal %s: %s: %s", identifier, answer["status"], answer["message"])
        elif choice == "Reject":
            self._stores[folder].reject(identifier)

    def _later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tell(self, folder: Folder, news: ProposalNews, one: StoredProposal) -> None:
        summary = None if news == "gone" else self._summary(folder, one)
        event = ProposalEvent(event=news, id=one.id, proposal=summary)
        self._daemon.client.notify("octolimb/proposal", event.as_json())

    def _accepted(self, folder: Folder, acceptance: Acceptance, *, status: Any = None) -> Accepted:
        return Accepted(
            status=status or acceptance.status,
            message=acceptance.message,
            needs=list(acceptance.needs),
            conflicts=[folder.places.uri_of(path) for path in acceptance.conflicts],
            decision=decision_document(acceptance.decision) if acceptance.decision else None,
            verdict=verdict_document(acceptance.verdict) if acceptance.verdict else None,
        )

    def _summary(self, folder: Folder, one: StoredProposal) -> ProposalSummary:
        proposal = one.proposal
        full = verdict_document(proposal.verdict)
        tests: TestsDocument = full.tests
        places = folder.places
        return ProposalSummary(
            id=one.id,
            limb=one.limb,
            rank=proposal.rank,
            state=one.state,
            files=[
                WireFile(
                    uri=places.uri_of(change.path),
                    kind=change.kind,
                    old_uri=places.uri_of(change.old_path) if change.kind == "rename" else None,
                )
                for change in proposal.change_set
            ],
            hunks=[encode_hunk(edit, places, one) for edit in one.edits],
            why=proposal.why,
            pain=list(one.solution.pain),
            coder=proposal.coder,
            attempts=proposal.attempts,
            decision=decision_document(proposal.decision),
            green=proposal.verdict.green,
            tests=tests,
            generation=one.generation,
            revision=one.revision,
        )


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *arguments: object) -> None:
    loop.call_soon_threadsafe(call, *arguments)


def encode_hunk(edit: Edit, places: Places, one: StoredProposal | None = None) -> WireHunk:
    return WireHunk(
        id=edit.id,
        uri=places.uri_of(edit.path),
        range=encode_span(edit.before),
        after=encode_span(edit.after),
        old_text=edit.old_text,
        new_text=edit.new_text,
        needs=list(one.needs.get(edit.id, ())) if one is not None else [],
        rejected=one is not None and edit.id in one.rejected,
    )
