"""What a lost machine may have sent is noted once, as far as it is not settled, until it is looked at or counted."""

from pathlib import Path

import pytest

from replay_cli.ledger.changes import Changed
from replay_cli.ledger.group import Group, ParkedRequest
from replay_cli.ledger.losses import CAUSE, Lost
from replay_cli.ledger.store import Store
from replay_cli.model import Request
from tests.ledger.checkpoints import JOB, A, B, new_store, rows, take_in

AT = 2000.0
BATCH = (A.uri, A.etag, 0, 8)


def lost(first: int, next_: int | None, uri: str = A.uri, etag: str = A.etag) -> Lost:
    return Lost(uri, etag, first, next_, AT)


def opened(first: int, next_: int, settled: int) -> Group:
    """A batch of eight, whose first records are settled."""
    return Group(opened=[(1, 8)], batches=[(1, first, next_, 8 - settled, bytes([(1 << settled) - 1]))])


def doubts(store: Store) -> list[tuple[int, int, int, str]]:
    return rows(store.path, "SELECT object, ordinal, attempt, cause FROM in_doubt ORDER BY 1, 2, 3")


def test_a_loss_is_noted_once(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    for announced in ([BATCH, (A.uri, A.etag, 8, 16)], [BATCH], [(A.uri, A.etag, 4, 20)]):
        store.note_lost(announced, [], AT)
    assert store.lost() == [lost(0, 8), lost(8, 16), lost(16, 20)]
    store.close()


@pytest.mark.parametrize(
    ("group", "left"),
    [
        (Group(watermarks=[(4, 1)]), [lost(4, 8)]),
        (Group(watermarks=[(8, 1)]), []),
        (Group(finished=[("complete", None, 1)]), []),
        (opened(0, 8, 3), [lost(0, 8)]),
    ],
    ids=["passed in part", "passed", "complete", "open"],
)
def test_what_is_settled_is_not_lost(tmp_path: Path, group: Group, left: list[Lost]) -> None:
    store = new_store(tmp_path)
    store.apply(group)
    store.note_lost([BATCH], [], AT)
    assert store.lost() == left
    store.close()


def test_the_objects_are_read_first_in_the_order_of_the_lost_run(tmp_path: Path) -> None:
    """Also one that the checkpoint has never heard of; its size is known when it is found."""
    store = new_store(tmp_path)
    new = ("/logs/0-new.gz", "n1", 0, 5)
    store.note_lost([(B.uri, B.etag, 0, 8), new, BATCH], [], AT)
    assert [state.object.uri for state in store.begun(Changed.REFUSE)] == [B.uri, new[0], A.uri]
    (found,) = take_in(store, [A._replace(uri=new[0], etag=new[1], size=77), A, B])[:1]
    assert found.object.size == 77
    assert store.waiting() == []
    store.close()


def test_one_that_had_changed_before_it_was_read_is_lost_as_it_was_then(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.note_lost([(A.uri, "a2", 0, 8)], [], AT)
    assert store.lost() == [lost(0, 8, etag="a2")]
    assert rows(store.path, "SELECT etag, state FROM object") == [("a2", "waiting")]
    store.close()


def test_a_version_that_the_checkpoint_is_past_is_counted(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.apply(opened(0, 8, 3))
    for _ in range(2):
        store.note_lost([(A.uri, "a2", 0, 3)], [], AT)
    assert store.lost() == []
    assert doubts(store) == [(2, ordinal, 1, CAUSE) for ordinal in range(3)]
    assert store.totals()["objects"] == 1
    store.close()


def test_a_batch_that_is_opened_leaves_with_its_doubts(tmp_path: Path) -> None:
    """Also where batches fall otherwise than they did."""
    store = new_store(tmp_path)
    store.note_lost([BATCH, (A.uri, A.etag, 8, 16)], [], AT)
    store.apply(Group(in_doubt=[(1, 5, 0, 1, AT, CAUSE)], looked_at=[(1, 4, 10)]))
    assert store.lost() == [lost(0, 4), lost(10, 16)]
    assert doubts(store) == [(1, 5, 1, CAUSE)]
    store.close()


def test_what_is_left_when_an_object_was_read_to_its_end_is_counted(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.note_lost([BATCH], [], AT)
    store.apply(Group(looked_at=[(1, 0, 6)]))
    store.apply(Group(finished=[("damaged", "cut short", 1)]))
    assert rows(store.path, "SELECT * FROM lost") == []
    assert doubts(store) == [(1, 6, 1, CAUSE), (1, 7, 1, CAUSE)]
    store.close()


def test_what_is_settled_of_an_object_that_changed_is_not_counted(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.apply(opened(0, 8, 3))
    store.note_lost([BATCH], [], AT)
    take_in(store, [A._replace(etag="a2")], Changed.CONTINUE)
    assert [ordinal for _, ordinal, *_ in doubts(store)] == [3, 4, 5, 6, 7]
    assert store.lost() == [lost(0, None, etag="a2")]
    store.close()


def test_one_that_was_gone_and_comes_back_is_still_in_doubt(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.note_lost([BATCH], [], AT)
    take_in(store, [], Changed.CONTINUE)
    assert store.lost() == []
    assert len(doubts(store)) == 8
    take_in(store, [A._replace(etag="a3")])
    assert store.lost() == [lost(0, None, etag="a3")]
    store.close()


def test_intents_and_parked_requests_come_into_doubt_at_once(tmp_path: Path) -> None:
    """Each once, whatever is noted again; what was settled since has no number any more."""
    store = new_store(tmp_path)
    store.begin_parking()
    request = Request((2, 3), 0, "POST", "/", b"", ("u1",), (b"{}", b"{}"))
    waiting = [ParkedRequest(number, 1, 1, request, "line", attempts=4) for number in (1, 2)]
    store.apply(Group(parked=waiting[:1], intents=[(1, 2, 0, 5, 1500.0), (1, 7, 0, 1, 1500.0)]))
    for _ in range(2):
        store.note_lost([BATCH], [1, 2], AT)
    assert doubts(store) == [(1, 2, 5, "interrupted"), (1, 3, 5, CAUSE), (1, 7, 1, "interrupted")]
    assert store.settle_intents() == 0
    store.close()


def test_a_copy_knows_whose_it_is(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "job.ckpt", JOB)
    assert store.custodian() is None
    store.set_custodian("5f2c")
    store.close()
    again = Store.open(tmp_path / "job.ckpt", read_only=True)
    assert again.custodian() == "5f2c"
    again.close()
