"""What is proposed, until a person has decided."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.offered import edited, offered

from octolimb.core.errors import BadInput, NotFound
from octolimb.core.snapshot import Snapshot
from octolimb.engine.proposals import ProposalStore, StoredProposal
from octolimb.workspace.disk import DiskBase

BEFORE = "a\nb\nc\n"
AFTER = "A\nb\nC\n"
News = list[tuple[str, int, str]]


@pytest.fixture
def truth(tmp_path: Path) -> Snapshot:
    (tmp_path / "a.py").write_text(BEFORE)
    (tmp_path / "b.py").write_text(BEFORE)
    return Snapshot(DiskBase(tmp_path))


@pytest.fixture
def store() -> ProposalStore:
    return ProposalStore()


def add(store: ProposalStore, truth: Snapshot, limb: str = "limb") -> StoredProposal:
    [stored] = store.add(limb, offered(truth, {"a.py": AFTER}), epoch=1)
    return stored


def listen(store: ProposalStore) -> News:
    heard: News = []
    store.on_change(lambda news, stored: heard.append((news, stored.revision, stored.state)))
    return heard


def test_ids_are_never_given_twice(truth: Snapshot) -> None:
    result = offered(truth, {"a.py": AFTER}, {"b.py": AFTER})
    stored = [one for _ in range(3) for one in ProposalStore().add("limb", result, epoch=1)]
    assert len({one.id for one in stored}) == 6
    assert all(one.id == one.proposal.id for one in stored)


def test_the_newest_limb_comes_first(store: ProposalStore, truth: Snapshot) -> None:
    store.add("old", offered(truth, {"a.py": AFTER}, {"b.py": AFTER}), epoch=1)
    store.add("new", offered(truth, {"a.py": AFTER}), epoch=1)
    assert [(one.limb, one.proposal.rank) for one in store.listed()] == [("new", 1), ("old", 1), ("old", 2)]


def test_rejected_hunks_can_be_had_back(store: ProposalStore, truth: Snapshot) -> None:
    stored = add(store, truth)
    heard = listen(store)
    assert store.reject(stored.id, ["h1"]).remaining == ("h2",)
    assert store.reject(stored.id, ["h1"]).revision == 2
    assert store.reject(stored.id).state == "rejected"
    assert store.restore(stored.id, ["h2"]).remaining == ("h2",)
    assert store.restore(stored.id).remaining == ("h1", "h2")
    assert heard == [("changed", 2, "open"), ("changed", 3, "rejected"), ("changed", 4, "open"), ("changed", 5, "open")]


def test_what_was_accepted_stays_so(store: ProposalStore, truth: Snapshot) -> None:
    stored = add(store, truth)
    assert store.accept(stored.id, ["h1"]).state == "open"
    assert store.reject(stored.id).state == "accepted"
    assert store.restore(stored.id).remaining == ("h2",)
    assert store.accept(stored.id, ["h2"]).state == "accepted"


def test_what_is_not_there_is_refused(store: ProposalStore, truth: Snapshot) -> None:
    stored = add(store, truth)
    with pytest.raises(BadInput, match="h9"):
        store.reject(stored.id, ["h9"])
    store.drop(stored.id)
    store.drop(stored.id)
    with pytest.raises(NotFound):
        store.get(stored.id)


def test_stale_as_long_as_the_bytes_differ(store: ProposalStore, truth: Snapshot) -> None:
    stored = add(store, truth)
    heard = listen(store)
    assert store.mark_stale(edited(truth, {"b.py": "typed"})) == ()
    [marked] = store.mark_stale(edited(truth, {"a.py": "typed"}))
    assert (marked.id, marked.state) == (stored.id, "stale")
    assert store.mark_stale(edited(truth, {"a.py": "typed more"})) == ()
    [marked] = store.mark_stale(truth)
    assert marked.state == "open"
    assert heard == [("changed", 2, "stale"), ("changed", 3, "open")]


def test_only_what_remains_can_go_stale(store: ProposalStore, truth: Snapshot) -> None:
    [stored] = store.add("limb", offered(truth, {"a.py": AFTER, "b.py": AFTER}), epoch=1)
    store.reject(stored.id, ["h1", "h2"])
    assert store.mark_stale(edited(truth, {"a.py": "typed"})) == ()
    assert store.mark_stale(edited(truth, {"b.py": None}))


def test_a_new_file_is_stale_once_it_is_there(store: ProposalStore, truth: Snapshot) -> None:
    store.add("limb", offered(truth, {"new.py": "x\n"}), epoch=1)
    assert store.mark_stale(truth) == ()
    assert store.mark_stale(edited(truth, {"new.py": "y\n"}))


def test_what_was_found_by_trying_is_kept(store: ProposalStore, truth: Snapshot) -> None:
    stored = add(store, truth)
    store.keep_needs(stored.id, {"h1": ("h2",)})
    assert store.keep_needs(stored.id, {"h2": ()}).needs == {"h1": ("h2",), "h2": ()}


def test_decided_ones_make_room_first(truth: Snapshot) -> None:
    store = ProposalStore(most=2)
    first, second = add(store, truth, "first"), add(store, truth, "second")
    store.reject(second.id)
    heard = listen(store)
    third = add(store, truth, "third")
    assert {one.id for one in store.listed()} == {first.id, third.id}
    assert [news for news, _, _ in heard] == ["gone", "new"]


def test_a_listener_that_fails_or_has_gone_does_no_harm(store: ProposalStore, truth: Snapshot) -> None:
    store.on_change(lambda _, __: 1 // 0)  # type: ignore[arg-type]
    heard: list[str] = []
    stop = store.on_change(lambda news, _: heard.append(news))
    stored = add(store, truth)
    stop()
    stop()
    store.reject(stored.id)
    assert heard == ["new"]
