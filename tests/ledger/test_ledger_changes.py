"""An object that changed in mid-job: its old version's book is closed, and what was sent is known by its hashes."""

from array import array
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.errors import UsageError
from replay_cli.ledger.changes import (
    Changed,
    Earlier,
    Multiset,
    SentBefore,
    bitmap,
    hash_of,
    hashes_in_row,
    number_of,
)
from replay_cli.ledger.group import Group, ParkedRequest, PartOutcome
from replay_cli.ledger.objects import ObjectState
from replay_cli.ledger.store import Store
from replay_cli.model import Request
from tests.ledger.checkpoints import A, B, letter, new_store, rows, take_in

CHANGED, AGAIN = A._replace(etag="a2", size=50), A._replace(etag="a3", size=60)
Ids = list[str]


def hashes(ids: Ids) -> bytes:
    return hashes_in_row(range(len(ids)), {n: hash_of(id_, b"") for n, id_ in enumerate(ids) if id_})


def batch(object_id: int, ids: Ids, settled: set[int], left_out: set[int] = frozenset()) -> Group:  # type: ignore[assignment] # never changed
    """A batch that was just read, some of its records delivered; those without an id are skipped."""
    ordinals = range(len(ids))
    skipped = {n for n in ordinals if not ids[n]}
    done = settled | skipped | left_out
    group = Group(begun=[(1, object_id)], opened=[(object_id, len(ids) - len(left_out))])
    group.message_ids = [(object_id, 0, hashes(ids), bitmap(ordinals, left_out) if left_out else None)]
    group.batches = [(object_id, 0, len(ids), len(ids) - len(done), bitmap(ordinals, done))]
    group.tallies = Counter({(object_id, "delivered", ""): len(settled), (object_id, "skipped", "page"): len(skipped)})
    return group


def known(before: SentBefore, ids: Ids) -> list[bool]:
    return [before.known.take(number_of(hash_of(id_, b""))) for id_ in ids]


def go_on(store: Store, changed: object = CHANGED) -> ObjectState:
    (state,) = take_in(store, [changed], Changed.CONTINUE)  # type: ignore[list-item] # an ArchiveObject
    store.verify_book()
    return state


@given(st.lists(st.integers(1, 2**64 - 1) | st.integers(1, 5)), st.lists(st.integers(1, 2**64 - 1) | st.integers(1, 5)))
def test_a_multiset_gives_each_number_as_often_as_it_was_added(added: list[int], taken: list[int]) -> None:
    numbers, expected = Multiset(len(set(added))), Counter(added)
    for number in added:
        numbers.add(number)
    for number in taken + added:
        assert numbers.take(number) == (expected[number] > 0)
        expected[number] -= 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("m1", b"x"), ("m1", b"y"), True),
        (("m1", b"x"), ("m2", b"x"), False),
        ((None, b"x"), (None, b"x"), True),
        ((None, b"x"), ("", b"y"), False),
        ((7, b"x"), (7, b"y"), False),
        (("\ud800", b"x"), ("\ud800", b"y"), True),
    ],
)
def test_a_record_is_known_by_its_message_id_or_else_by_its_text(
    one: tuple[object, bytes], other: tuple[object, bytes], same: bool
) -> None:
    assert (hash_of(*one) == hash_of(*other)) is same


def test_what_was_not_sent_is_taken_out_of_the_old_version_s_book(tmp_path: Path) -> None:
    store = new_store(tmp_path, [A])
    group = batch(1, ["a", "b", "", "c", "b", "d"], {0, 1, 4})
    group.tallies[1, "warning", "missing_time"] = 2
    store.apply(group)
    state = go_on(store)
    assert state == ObjectState(2, CHANGED, "waiting", 0, 1, Earlier(6))
    assert rows(store.path, "SELECT state, read, watermark FROM object") == [("replaced", 3, 6), ("waiting", 0, 0)]
    assert store.tallies() == {"delivered": {"": 3}}
    assert (store.totals()["objects"], store.totals()["pending"]) == (1, 0)
    assert known(store.sent_before(2), ["a", "a", "b", "b", "b", "c", "d"]) == [True, False, True, True] + [False] * 3
    assert go_on(store) == state, "the same version again is no change"
    store.close()


def test_what_was_met_already_is_not_left_out_again_after_a_kill(tmp_path: Path) -> None:
    """The new version had `a` once more than the old one: only one of them was left out, and so it stays."""
    store = new_store(tmp_path, [A])
    store.apply(batch(1, ["a", "b"], {0, 1}))
    go_on(store)
    store.apply(batch(2, ["a", "x"], set(), {0}))
    store.verify_book()
    assert known(store.sent_before(2), ["a", "b"]) == [False, True]
    store.close()


def test_a_version_of_a_version_knows_what_each_has_sent(tmp_path: Path) -> None:
    """And counts once what the second version left out because the first had sent it."""
    store = new_store(tmp_path, [A])
    store.apply(batch(1, ["a", "b", "c"], {0, 1}))
    go_on(store)
    store.apply(batch(2, ["b", "d", "e"], {1}, {0}))
    state = go_on(store, AGAIN)
    assert (state.id, state.earlier) == (3, Earlier(3))
    assert known(store.sent_before(3), ["a", "b", "b", "c", "d", "e"]) == [True, True, False, False, True, False]
    assert store.totals()["read"] == 3
    store.close()


def test_everything_is_forgotten_when_the_object_is_complete_and_kept_when_it_is_damaged(tmp_path: Path) -> None:
    store = new_store(tmp_path, [A])
    store.apply(batch(1, ["a"], {0}))
    store.apply(Group(watermarks=[(1, 1)], finished=[("damaged", "cut off", 1)]))
    with_damage = take_in(store, [CHANGED])[0]
    assert (with_damage.state, store.changed()) == ("damaged", [A.uri])
    go_on(store)
    assert (store.damaged(), store.changed()) == ([], [])
    assert known(store.sent_before(2), ["a"]) == [True]
    store.apply(Group(finished=[("complete", None, 2)]))
    assert rows(store.path, "SELECT * FROM message_id") == []
    (state,) = take_in(store, [AGAIN], Changed.CONTINUE)
    assert (state.id, state.state, store.changed()) == (2, "complete", [A.uri]), "finished, so noted"
    store.close()


def test_attempts_in_doubt_and_settled_parts_come_along(tmp_path: Path) -> None:
    """Only those of records that are not settled; until the new version meets them, they stay where they are."""
    store = new_store(tmp_path, [A])
    group = batch(1, ["a", "b", "c"], {0})
    group.in_doubt = [(1, 0, 0, 1, 5.0, "timeout"), (1, 1, 0, 1, 5.0, "timeout"), (1, 1, 0, 2, 6.0, "reset")]
    group.parts = [(1, 2, 1, None, "", 0)]
    store.apply(group)
    go_on(store)
    assert go_on(store, AGAIN).id == 2, "nothing of it was read"
    before = store.sent_before(2)
    assert before.take_carried(number_of(hash_of("a", b""))) is None, "it was settled"
    b, c = (before.take_carried(number_of(hash_of(id_, b""))) for id_ in "bc")
    assert b == (1, 1, {0: 2}, {})
    assert c == (1, 2, {}, {1: PartOutcome(None, "", 0)})
    assert before.take_carried(number_of(hash_of("b", b""))) is None, "once"
    group = batch(2, ["x", "c", "b"], set())
    group.taken_over = [(2, 2, 1, 1), (2, 1, 1, 2)]
    store.apply(group)
    assert store.doubts(2, 0) == {(2, 0): 2}
    assert store.settled_parts(2) == {(1, 1): PartOutcome(None, "", 0)}
    assert store.sent_before(2).take_carried(number_of(hash_of("b", b""))) is None
    assert store.totals()["in_doubt"] == 3, "listed as before"
    store.close()


def parked(number: int, ordinal: int, attempts: int) -> ParkedRequest:
    request = Request((ordinal,), 0, "POST", "/", b"{}", ("u1",), (b"{}",))
    return ParkedRequest(number, (1 << 43) + ordinal, 1, request, "line", attempts, due=1.0 if attempts else None)


def test_of_the_parked_requests_those_stay_that_were_tried(tmp_path: Path) -> None:
    """What only waited behind them is read anew; what stays goes before all of the new version."""
    store = new_store(tmp_path, [A])
    group = batch(1, ["a", "b", "c", "d", "e"], {0})
    group.begun = [(1, 1)]
    group.batches = [(1, 0, 5, 1, bitmap(range(5), {0, 1, 2, 3}))]
    group.parked = [parked(1, 1, 3), parked(2, 2, 0), parked(3, 3, 0)]
    group.in_doubt = [(1, 3, 0, 1, 5.0, "interrupted")]
    store.apply(group)
    store.verify_book()
    go_on(store)
    assert rows(store.path, "SELECT id, rank FROM parked") == [(1, 1 << 43), (3, 1 << 43)]
    assert rows(store.path, "SELECT id, rank FROM parked_lane") == [(1, 1 << 43), (3, 1 << 43)]
    assert (store.totals()["read"], store.totals()["pending"]) == (3, 2)
    assert known(store.sent_before(2), ["a", "b", "c", "d", "e"]) == [True, True, False, True, False]
    store.close()


def test_a_record_that_is_parked_in_part_goes_with_its_open_requests(tmp_path: Path) -> None:
    store = new_store(tmp_path, [A])
    group = batch(1, ["a"], set())
    group.parked = [parked(1, 0, 3)]
    store.apply(group)
    go_on(store)
    assert (store.totals()["read"], store.totals()["pending"]) == (0, 0)
    assert known(store.sent_before(2), ["a"]) == [False]
    store.close()


def test_rejected_records_of_the_old_version_are_no_dead_letters_any_more(tmp_path: Path) -> None:
    store = new_store(tmp_path, [A])
    group = Group(opened=[(1, 2)], watermarks=[(2, 1)], dead_letters=[letter(0), letter(1, kind="dead_lettered")])
    group.tallies = Counter({(1, "rejected", "malformed_json"): 1, (1, "dead_lettered", "http_400"): 1})
    store.apply(group)
    store.set_meta(dead_letters_written=2, dead_letters_length=200)
    go_on(store)
    assert [fields["kind"] for _, fields, _ in store.dead_letters(after=0)] == ["dead_lettered"]
    assert store.meta("dead_letters_length") is None, "the file is written anew"
    store.close()


def test_without_leave_a_change_is_refused_and_nothing_is_replaced(tmp_path: Path) -> None:
    store = new_store(tmp_path, [A, B])
    store.apply(batch(2, ["a", "b"], {0}))
    with pytest.raises(UsageError, match="--changed continue"):
        take_in(store, [A, B._replace(etag="b2")])
    assert rows(store.path, "SELECT state FROM object") == [("waiting",), ("reading",)]
    store.close()


def test_an_amendment_is_recorded_with_the_settings(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.amend({"settings": {"strict": True}}, "too lax", 5.0, [("strict", "off", "on")])
    assert store.stored_job() == {"settings": {"strict": True}}
    assert store.amendments() == [{"at": 5.0, "reason": "too lax", "setting": "strict", "before": "off", "after": "on"}]
    store.close()


def test_a_row_of_hashes_has_eight_bytes_an_ordinal() -> None:
    row = array("Q", hashes_in_row(range(5, 8), {6: hash_of("a", b"")}))
    assert list(row) == [0, number_of(hash_of("a", b"")), 0]
