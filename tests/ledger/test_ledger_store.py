import os
import sqlite3
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from replay_cli.errors import BookError, FatalError, UsageError
from replay_cli.ledger.changes import Changed
from replay_cli.ledger.group import Group, PartOutcome
from replay_cli.ledger.objects import Listed
from replay_cli.ledger.store import Store
from replay_cli.ledger.upgrading import SCHEMA_VERSION
from replay_cli.model import ArchiveObject
from tests.ledger.checkpoints import JOB, A, B, letter, new_store, rejecting, rows, take_in

# -- the file -------------------------------------------------------------------------------------------------


def test_a_checkpoint_remembers_its_job(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder" / "job.ckpt"
    Store.create(path, JOB).close()
    store = Store.open(path)
    assert store.stored_job() == JOB
    store.close()


def test_checkpoints_are_for_their_owner_only(tmp_path: Path) -> None:
    """Records are in there; SQLite gives its side files the mode of the file."""
    mask = os.umask(0)
    try:
        store = new_store(tmp_path / ".replay")
    finally:
        os.umask(mask)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / ".replay").iterdir()}
    assert modes == {"job.ckpt": 0o600, "job.ckpt-wal": 0o600, "job.ckpt-shm": 0o600}
    assert stat.S_IMODE((tmp_path / ".replay").stat().st_mode) == 0o700
    store.close()


def test_what_is_committed_survives_a_power_cut(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    assert store._value("PRAGMA journal_mode") == "wal"
    assert store._value("PRAGMA synchronous") == 2, "FULL"
    store.close()
    store = Store.open(tmp_path / "job.ckpt")
    assert store._value("PRAGMA synchronous") == 2, "FULL"
    store.close()


def test_a_checkpoint_is_never_written_over(tmp_path: Path) -> None:
    new_store(tmp_path).close()
    before = (tmp_path / "job.ckpt").read_bytes()
    with pytest.raises(FatalError, match=r"cannot create the checkpoint .*File exists"):
        Store.create(tmp_path / "job.ckpt", JOB)
    assert (tmp_path / "job.ckpt").read_bytes() == before


def test_a_checkpoint_in_an_impossible_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FatalError, match="cannot create the checkpoint"):
        Store.create(tmp_path / "file" / "job.ckpt", JOB)


def test_a_kill_while_it_is_created_leaves_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each step: the next run begins as if there had been none."""
    path = tmp_path / "job.ckpt"
    for step in ("set_meta", "close", "_value"):
        with monkeypatch.context() as patch:
            patch.setattr(Store, step, lambda *_, **__: 1 / 0)
            if step == "_value":
                patch.setattr(Path, "rename", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                Store.create(path, JOB)
        assert not path.exists()
    store = Store.create(path, JOB)
    assert store.stored_job() == JOB
    store.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["job.ckpt"]


def test_a_log_left_by_a_removed_checkpoint_is_not_taken_for_the_new_ones(tmp_path: Path) -> None:
    path = tmp_path / "job.ckpt"
    old = new_store(tmp_path)
    wal = (tmp_path / "job.ckpt-wal").read_bytes()
    old.close()
    path.unlink()
    (tmp_path / "job.ckpt-wal").write_bytes(wal)
    store = Store.create(path, JOB)
    assert (store.runs(), store.totals()["objects"]) == ([], 0)
    store.close()


def test_a_missing_checkpoint_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such checkpoint"):
        Store.open(tmp_path / "job.ckpt")
    with pytest.raises(UsageError, match="is a directory"):
        Store.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("read_only", [False, True])
def test_another_file_is_refused_and_left_as_it_is(tmp_path: Path, read_only: bool) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to look like one " * 100)
    database = tmp_path / "other.db"
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE t (x)")
    connection.commit()
    connection.close()
    for path in (text, database):
        before = path.read_bytes()
        with pytest.raises(UsageError, match="is not a replay checkpoint"):
            Store.open(path, read_only=read_only)
        assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [False, True])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, read_only: bool) -> None:
    (tmp_path / "job.ckpt").touch()
    with pytest.raises(UsageError, match="empty file"):
        Store.open(tmp_path / "job.ckpt", read_only=read_only)


def test_a_checkpoint_of_another_version_is_refused(tmp_path: Path) -> None:
    new_store(tmp_path).close()
    rows(tmp_path / "job.ckpt", f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(UsageError, match=f"another version of replay .format {SCHEMA_VERSION + 1}"):
        Store.open(tmp_path / "job.ckpt")


def test_a_reader_sees_a_running_job(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    reader = Store.open(tmp_path / "job.ckpt", read_only=True)
    assert reader.totals()["pending"] == 0
    store.apply(Group(opened=[(1, 5)], batches=[(1, 0, 5, 5, b"\x00")]))
    assert (reader.totals()["read"], reader.totals()["pending"]) == (5, 5)
    reader.close()
    store.close()


# -- objects --------------------------------------------------------------------------------------------------


def changed(obj: ArchiveObject) -> ArchiveObject:
    return obj._replace(etag=obj.etag + "+", size=obj.size + 1)


def test_objects_come_back_in_the_order_listed_and_new_ones_are_added(tmp_path: Path) -> None:
    store = new_store(tmp_path, [A])
    states = take_in(store, [B, A])
    assert [(state.id, state.object.uri, state.state, state.watermark) for state in states] == [
        (2, B.uri, "waiting", 0),
        (1, A.uri, "waiting", 0),
    ]
    store.close()


def test_a_changed_object_of_which_nothing_was_read_is_taken_anew(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    (state,) = take_in(store, [changed(A)])
    assert (state.id, state.object.etag, state.state, store.changed()) == (1, "a1+", "waiting", [])
    assert take_in(store, [changed(A)]) == [state]
    assert rows(store.path, "SELECT etag, size FROM object") == [("a1+", 101)]
    store.close()


def test_a_changed_object_in_progress_is_refused(tmp_path: Path) -> None:
    store = new_store(tmp_path, [A, B])
    store.apply(Group(opened=[(1, 5)], batches=[(1, 0, 5, 5, b"\x00")]))
    with pytest.raises(UsageError, match=rf"{A.uri} changed since a part of it was sent"):
        take_in(store, [changed(B), changed(A)])
    assert rows(store.path, "SELECT etag FROM object ORDER BY id") == [("a1",), ("b1",)]
    store.close()


def test_a_changed_object_with_blank_lines_passed_is_in_progress(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.apply(Group(opened=[(1, 0)], watermarks=[(1000, 1)]))
    with pytest.raises(UsageError, match="changed since"):
        take_in(store, [changed(A)])
    store.close()


def test_a_changed_object_that_was_finished_is_noted_until_it_is_back(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.apply(Group(opened=[(1, 5)], watermarks=[(5, 1)], finished=[("complete", None, 1)]))
    for _ in range(2):
        (state,) = take_in(store, [changed(A)])
        assert (state.object.etag, state.state, store.changed()) == ("a1", "complete", [A.uri])
    take_in(store, [A])
    assert store.changed() == []
    store.close()


def test_a_damaged_object_that_changed_is_taken_anew_only_if_nothing_of_it_was_read(tmp_path: Path) -> None:
    store = new_store(tmp_path, [A, B])
    store.apply(
        Group(
            opened=[(2, 5)],
            watermarks=[(5, 2)],
            finished=[("damaged", "no gzip at all", 1), ("damaged", "cut off at byte 9", 2)],
        )
    )
    assert store.damaged() == [(A.uri, "no gzip at all"), (B.uri, "cut off at byte 9")]
    state, _ = take_in(store, [changed(A), B])
    assert (state.state, state.object.etag) == ("waiting", "a1+")
    assert store.damaged() == [(B.uri, "cut off at byte 9")]
    _, state = take_in(store, [changed(A), changed(B)])
    assert (state.state, state.object.etag, store.changed()) == ("damaged", "b1", [B.uri]), "finished, so noted"
    store.close()


def test_an_object_in_progress_that_is_gone_is_missed(tmp_path: Path) -> None:
    """Without it the job would call itself complete with records pending."""
    store = new_store(tmp_path, [A, B])
    store.apply(Group(opened=[(1, 5)], batches=[(1, 0, 5, 5, b"\x00")]))
    with pytest.raises(FatalError, match=f"{A.uri} is not under the sources any more"):
        take_in(store, [B])
    store.close()


@pytest.mark.parametrize("begun", [False, True])
def test_an_object_that_is_gone_before_it_was_read_is_named_until_it_is_back(tmp_path: Path, begun: bool) -> None:
    store = new_store(tmp_path, [A, B])
    if begun:
        store.apply(Group(begun=[(1, 1)]))
    take_in(store, [B])
    assert store.damaged() == [(A.uri, "it was removed before it was read")]
    state, _ = take_in(store, [A, B])
    assert (state.state, store.damaged()) == ("waiting", [])
    store.close()


def test_what_waits_is_given_in_reading_order_and_not_twice(tmp_path: Path) -> None:
    store = new_store(tmp_path, [])
    store.begin_listing({})
    names = [("b", "2"), ("a", "2"), ("c", "1")]
    size = store.register([Listed(ArchiveObject(uri, 10, "e"), order) for uri, order in [*names, names[0]]])
    assert size == 30
    assert [state.object.uri for state in store.waiting()] == ["c", "a", "b"]
    assert [state.object.uri for state in store.waiting(1)] == ["c"]
    store.apply(Group(begun=[(1, 3)]))
    assert [state.object.uri for state in store.waiting()] == ["a", "b"]
    assert store.register([Listed(ArchiveObject("c", 10, "changed"), "1")]) == 0, "in progress: not looked at here"
    store.close()


def test_another_selection_forgets_what_was_listed_and_not_begun(tmp_path: Path) -> None:
    store = new_store(tmp_path, [A, B])
    store.apply(Group(opened=[(1, 5)], begun=[(1, 1)], batches=[(1, 0, 5, 5, b"\x00")]))
    store.begin_listing({"received_from": "2025-03-01T00:00:00Z"})
    assert (store.waiting(), [state.object for state in store.begun(Changed.REFUSE)]) == ([], [A])
    store.end_listing(0)
    assert store.damaged() == []
    store.close()


def test_a_complete_job_with_pending_records_is_a_bug_that_says_so(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.apply(Group(opened=[(1, 5)], batches=[(1, 0, 5, 5, b"\x00")]))
    store.verify_book()
    with pytest.raises(BookError):
        store.verify_book(complete=True)
    store.close()


# -- changes --------------------------------------------------------------------------------------------------


def full_group() -> Group:
    group = rejecting(letter(3))
    group.batches = [(1, 0, 5, 4, b"\x08")]
    group.intents = [(1, 0, 0, 1, 1.0), (1, 1, 0, 1, 1.0)]
    group.concluded = [(1, 0, 0, 1)]
    group.in_doubt = [(1, 0, 0, 1, 1.0, "timeout")]
    group.parts = [(1, 2, 0, None, "", 200)]
    group.replies = Counter({"200": 3})
    group.peak = 7
    return group


def everything(path: Path) -> dict[str, list[Any]]:
    tables = ["meta", "object", "batch", "settled_part", "tally", "intent", "in_doubt", "dead_letter", "reply", "run"]
    return {table: rows(path, f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables}


def test_a_group_is_applied_whole(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    group = full_group()
    group.opened = [(1, 5)]
    store.apply(group)
    found = everything(store.path)
    assert found["intent"] == [(1, 1, 0, 1, 1.0)]
    assert [row[1:] for row in found["in_doubt"]] == [(1, 0, 0, 1, 1.0, "timeout")]
    assert store.totals() == {
        "read": 5,
        "pending": 4,
        "parked": 0,
        "in_doubt": 2,
        "intended": 1,
        "objects": 1,
        "complete": 0,
        "peak": 7,
        "ignored": 0,
        "listing": 0,
    }
    assert store.tallies() == {"rejected": {"malformed_json": 1}}
    assert store.settled_parts(1) == {(2, 0): PartOutcome(None, "", 200)}
    assert store.doubts(1, 0) == {(0, 0): 1}
    assert store.replies() == {"200": 3}
    batch = store.open_batches(1)[0]
    assert [batch.is_settled(n) for n in range(5)] == [False, False, False, True, False]
    assert store.runs()[0]["seen"] == 1001.0
    store.verify_book()
    store.close()


def test_a_group_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """The last of its statements fails: a full disk, for real."""
    store = new_store(tmp_path)
    before = everything(store.path)
    store._db.execute(f"PRAGMA max_page_count = {store._value('PRAGMA page_count')}")
    group = full_group()
    group.dead_letters = [letter(n, os.urandom(100_000)) for n in range(10)]
    with pytest.raises(FatalError, match=r"cannot write the checkpoint .*full.*run the same command again"):
        store.apply(group)
    assert everything(store.path) == before
    store._db.execute("PRAGMA max_page_count = 1000000")
    store.apply(group)
    assert len(everything(store.path)["dead_letter"]) == 10
    store.close()


def test_the_watermark_forgets_what_is_below_it(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.apply(
        Group(
            opened=[(1, 20)],
            batches=[(1, 0, 10, 10, b"\x00\x00"), (1, 10, 20, 10, b"\x00\x00")],
            parts=[(1, 9, 0, None, "", 0), (1, 10, 0, "http_400", "no", 400)],
        )
    )
    store.apply(Group(watermarks=[(10, 1)], joined=[(1, 9)], tallies=Counter({(1, "delivered", ""): 10})))
    assert list(store.open_batches(1)) == [10]
    assert store.settled_parts(1) == {(10, 0): PartOutcome("http_400", "no", 400)}
    assert take_in(store, [A])[0].watermark == 10
    store.verify_book()
    store.close()


def test_the_highest_peak_of_all_runs_is_kept(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    for peak in (9, 10, 8):
        store.apply(Group(peak=peak))
    assert store.totals()["peak"] == 10
    store.close()


def test_intents_left_by_a_killed_run_become_doubts(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.apply(Group(intents=[(1, 0, 0, 2, 5.0), (1, 1, 0, 1, 5.5), (1, 2, 0, 1, 5.5)]))
    assert store.totals()["in_doubt"] == 3
    assert store.settle_intents() == 3
    assert list(store.in_doubt(running=True)) == [
        (A.uri, 0, 0, 2, 5.0, "interrupted"),
        (A.uri, 1, 0, 1, 5.5, "interrupted"),
        (A.uri, 2, 0, 1, 5.5, "interrupted"),
    ]
    assert store.replies() == {"interrupted": 2}, "records that left together were one attempt"
    assert store.settle_intents() == 0
    assert store.totals()["in_doubt"] == 3
    assert store.doubts(1, 1) == {(1, 0): 1, (2, 0): 1}
    store.close()


# -- the book -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mistake",
    [
        "UPDATE object SET read = read + 1",
        "UPDATE tally SET n = n - 1 WHERE outcome = 'delivered'",
        "UPDATE batch SET unsettled = unsettled + 1",
        "DELETE FROM batch",
        "DELETE FROM tally WHERE outcome = 'rejected'",
        # The totals agree, the objects do not.
        "UPDATE object SET read = read + CASE id WHEN 1 THEN 1 ELSE -1 END",
    ],
)
def test_a_book_that_does_not_close_says_so(tmp_path: Path, mistake: str) -> None:
    store = new_store(tmp_path, [A, B])
    tallies = Counter({(1, "delivered", ""): 3, (1, "rejected", "too_deep"): 1, (2, "skipped", "not_subscribed"): 2})
    tallies[1, "warning", "missing_time"] = 2
    store.apply(Group(opened=[(1, 5), (2, 2)], batches=[(1, 0, 5, 1, b"\x0f")], tallies=tallies))
    store.verify_book()
    store._db.execute(mistake)
    with pytest.raises(BookError, match=r"does not close: .* This is a bug"):
        store.verify_book()
    store.close()


def test_a_run_is_remembered_from_its_beginning(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    (run,) = store.runs()
    assert (run["state"], run["pid"], run["started"]) == ("running", os.getpid(), 1000.0)
    store.end_run(1010.0, "paused", "enough")
    assert [(run["state"], run["reason"], run["seen"]) for run in store.runs()] == [("paused", "enough", 1010.0)]
    store.close()
