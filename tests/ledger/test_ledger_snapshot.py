"""A snapshot is one moment of a checkpoint that is written meanwhile, and tells what may be sent after it."""

import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from replay_cli.errors import FatalError
from replay_cli.ledger.group import Group, ParkedRequest
from replay_cli.ledger.snapshot import still_open, take_snapshot
from replay_cli.ledger.store import Store
from replay_cli.model import Request
from tests.ledger.checkpoints import A, B, new_store, rows, take_in

OPEN = b"\x00"
Change = Callable[[Store], None]


def opened(first: int, next_: int, unsettled: int) -> Group:
    return Group(opened=[(1, next_ - first)], batches=[(1, first, next_, unsettled, OPEN)])


def parked(number: int) -> ParkedRequest:
    return ParkedRequest(number, 1, 1, Request((0,), 0, "POST", "/", b"", ("u1",), (b"{}",)), "line")


def test_it_is_one_plain_file_of_its_owner(tmp_path: Path) -> None:
    store, copy = new_store(tmp_path), tmp_path / "copy"
    copy.write_text("what was there")
    take_snapshot(store.path, copy)
    assert [path.name for path in tmp_path.glob("copy*")] == ["copy"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert rows(copy, "PRAGMA journal_mode") == [("delete",)]
    assert rows(copy, "PRAGMA integrity_check") == [("ok",)]
    store.close()
    again = Store.open(copy)
    assert [run["state"] for run in again.runs()] == ["running"]
    again.close()


def test_it_is_one_moment_though_the_run_goes_on(tmp_path: Path) -> None:
    """In each transaction a batch is opened and counted as read: a snapshot never has one without the other."""
    store, over = new_store(tmp_path), threading.Event()

    def write() -> None:
        first = 0
        while not over.is_set():
            store.apply(opened(first, first + 8, 8))
            first += 8

    writer = threading.Thread(target=write)
    writer.start()
    reads = []
    try:
        for number in range(20):
            take_snapshot(store.path, tmp_path / "copy")
            ((read, unsettled),) = rows(
                tmp_path / "copy", "SELECT read, (SELECT sum(unsettled) FROM batch) FROM object"
            )
            assert read == (unsettled or 0), number
            reads.append(read)
    finally:
        over.set()
        writer.join()
        store.close()
    assert reads == sorted(reads)


def test_one_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    checkpoint = tmp_path / "job.ckpt"
    checkpoint.write_bytes(b"no database, but long enough to be taken for one" * 100)
    with pytest.raises(FatalError, match=r"cannot copy the checkpoint .*job\.ckpt"):
        take_snapshot(checkpoint, tmp_path / "copy")
    with pytest.raises(FatalError, match=r"cannot copy the checkpoint .*gone\.ckpt"):
        take_snapshot(tmp_path / "gone.ckpt", tmp_path / "copy")
    with pytest.raises(FatalError, match=r"to .*no such folder"):
        take_snapshot(checkpoint, tmp_path / "no such folder" / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["job.ckpt"]


@pytest.mark.parametrize(
    ("change", "open_"),
    [
        (lambda _: None, True),
        (lambda store: store.apply(opened(0, 8, 8)), True),
        (lambda store: store.apply(opened(0, 4, 0)), True),
        (lambda store: store.apply(opened(0, 8, 1)), True),
        (lambda store: store.apply(opened(0, 8, 0)), False),
        (lambda store: store.apply(Group(watermarks=[(8, 1)])), False),
        (lambda store: store.apply(Group(watermarks=[(4, 1)])), True),
        (lambda store: store.apply(Group(watermarks=[(4, 1)], finished=[("complete", None, 1)])), False),
    ],
    ids=["unread", "open", "read in part", "settled in part", "settled", "passed", "passed in part", "complete"],
)
def test_a_batch_is_open_until_all_of_it_is_settled(tmp_path: Path, change: Change, open_: bool) -> None:
    store = new_store(tmp_path)
    change(store)
    take_snapshot(store.path, tmp_path / "copy")
    store.close()
    batch = (A.uri, A.etag, 0, 8)
    assert still_open(tmp_path / "copy", [batch], []) == ([batch] if open_ else [], [])


def test_a_batch_of_an_object_that_it_does_not_know_is_open(tmp_path: Path) -> None:
    """Also of one that has changed since it was listed, before it was read."""
    store = new_store(tmp_path)
    store.apply(opened(0, 8, 0))
    take_snapshot(store.path, tmp_path / "copy")
    store.close()
    unknown = [(B.uri, B.etag, 0, 8), (A.uri, "another", 0, 8)]
    assert still_open(tmp_path / "copy", unknown, []) == (unknown, [])


def test_a_parked_request_is_open_as_long_as_it_is_there(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    take_in(store, [A])
    store.begin_parking()
    store.apply(Group(parked=[parked(1), parked(2), parked(3)]))
    store.apply(Group(unparked=[2]))
    take_snapshot(store.path, tmp_path / "copy")
    store.close()
    assert still_open(tmp_path / "copy", [], [1, 2, 3]) == ([], [1, 3])
