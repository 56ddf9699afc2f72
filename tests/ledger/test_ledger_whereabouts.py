"""What a checkpoint knows of single records: of what was sent, what may have been, and what was not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from replay_cli.ledger.erasing import RecordText
from replay_cli.ledger.store import Store
from replay_cli.ledger.whereabouts import Fate
from tests.ledger.checkpoints import A, B, letter, new_store, rejecting


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Object 1 is read up to 20: all below 10 are settled, of the batch behind it all but 10, 11, 12 and 13."""
    store = new_store(tmp_path, [A, B])
    with store._transaction() as db:
        db.execute("UPDATE object SET watermark = 10, read = 20, state = 'reading' WHERE id = 1")
        db.execute("INSERT INTO batch VALUES (1, 10, 20, 4, ?)", (bytes([0b11110000, 0b11]),))
        db.execute("INSERT INTO tally VALUES (1, 'delivered', '', 16)")
    yield store
    store.close()


def test_what_is_settled_was_sent_or_left_out(store: Store) -> None:
    assert {store.fate(1, ordinal) for ordinal in (0, 9, 14, 19)} == {Fate.SETTLED}


def test_what_is_open_was_not_sent_unless_an_attempt_is_in_doubt_or_a_part_arrived(store: Store) -> None:
    with store._transaction() as db:
        db.execute("INSERT INTO in_doubt VALUES (1, 1, 11, 0, 1, 1.0, 'reset')")
        db.execute("INSERT INTO intent VALUES (1, 12, 0, 1, 1.0)")
        db.execute("INSERT INTO settled_part VALUES (1, 13, 0, NULL, '', 0), (1, 10, 0, 'http_400', '', 0)")
    fates = [store.fate(1, ordinal) for ordinal in (10, 11, 12, 13)]
    assert fates == [Fate.NOT_SENT, Fate.IN_DOUBT, Fate.IN_DOUBT, Fate.SENT_IN_PART]


def test_what_was_in_doubt_and_is_settled_is_not_in_doubt_any_more(store: Store) -> None:
    with store._transaction() as db:
        db.execute("INSERT INTO in_doubt VALUES (1, 1, 14, 0, 1, 1.0, 'reset')")
    assert store.fate(1, 14) is Fate.SETTLED


def test_what_is_parked_was_not_sent(store: Store) -> None:
    with store._transaction() as db:
        db.execute("INSERT INTO parked_record VALUES (1, 15, 1, x'')")
    assert store.fate(1, 15) is Fate.NOT_SENT


def test_a_dead_letter_tells_by_its_reason_and_its_parts(store: Store) -> None:
    given_up = [
        letter(1, kind="rejected"),
        letter(2, kind="dead_lettered", reason="in_doubt"),
        letter(3, kind="dead_lettered", reason="http_400", delivered_parts="0,2"),
    ]
    store.apply(rejecting(*given_up))
    assert [store.fate(1, n) for n in (1, 2, 3)] == [Fate.NOT_SENT, Fate.IN_DOUBT, Fate.SENT_IN_PART]
    store.erase_letters([1, 2, 3])
    assert [store.fate(1, n) for n in (1, 2, 3)] == [Fate.NOT_SENT, Fate.IN_DOUBT, Fate.SENT_IN_PART]


def test_what_a_lost_machine_may_have_sent_is_in_doubt_until_it_is_known(store: Store) -> None:
    with store._transaction() as db:
        db.execute("INSERT INTO lost VALUES (1, 0, 30, 1.0, 0), (2, 0, ?, 1.0, 0)", (1 << 62,))
    fates = {ordinal: store.fate(1, ordinal) for ordinal in (9, 10, 14, 29, 30)}
    in_doubt = dict.fromkeys((10, 29), Fate.IN_DOUBT)
    assert fates == {9: Fate.SETTLED, 14: Fate.SETTLED, 30: Fate.NOT_SENT} | in_doubt
    assert [(obj.uri, obj.next) for obj in store.read_objects()] == [(A.uri, 30), (B.uri, 1 << 62)]


def test_only_objects_of_which_something_may_be_with_moengage_are_looked_through(store: Store) -> None:
    (found,) = store.read_objects()
    assert (found.id, found.next, found.whole, found.replaced, found.left_out) == (1, 20, False, False, False)
    with store._transaction() as db:
        db.execute("INSERT INTO tally VALUES (1, 'skipped', 'suppressed', 2), (2, 'skipped', 'not_subscribed', 9)")
        db.execute("UPDATE object SET state = 'complete'")
    (found,) = store.read_objects()
    assert (found.whole, found.left_out) == (True, True)


def test_a_record_is_listed_once_and_what_was_not_sent_is_not(store: Store) -> None:
    store.begin_list()
    store.put_on_list(RecordText(1, 4, "line", b""), Fate.IN_DOUBT, "track", "2025-03-01")
    store.put_on_list(RecordText(1, 4, "line", b""), Fate.SENT, "", "")
    store.put_on_list(RecordText(1, 2, "row", b""), Fate.SENT, "", "")
    store.put_on_list(RecordText(1, 3, "line", b""), Fate.NOT_SENT, "", "")
    assert [(found.ordinal, found.fate, found.type) for found in store.listed()] == [
        (2, Fate.SENT, ""),
        (4, Fate.IN_DOUBT, "track"),
    ]
    assert store.listed_by_fate() == {"in_doubt": 1, "not_sent": 1, "sent": 1}
