"""A checkpoint of the format before: a run brings it up to date and goes on, `status` reads it as it is."""

import sqlite3
from pathlib import Path

import pytest

from replay_cli.errors import FatalError, UsageError
from replay_cli.ledger.content import Content
from replay_cli.ledger.group import Group
from replay_cli.ledger.store import Store
from replay_cli.ledger.timeline import Interval
from replay_cli.ledger.upgrading import SCHEMA_VERSION, UPGRADABLE
from tests.ledger.checkpoints import letter, new_store, rejecting, rows

NEW = ("timeline", "content", "content_event", "content_day")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A checkpoint of format 4, with a rejected record."""
    store = new_store(tmp_path)
    store.apply(rejecting(letter(3)))
    store.end_run(1002.0, "paused", "enough")
    store.close()
    connection = sqlite3.connect(tmp_path / "job.ckpt")
    for table in NEW:
        connection.execute(f"DROP TABLE {table}")  # a constant of ours
    connection.execute("ALTER TABLE run DROP COLUMN user")
    connection.execute(f"PRAGMA user_version = {UPGRADABLE}")
    connection.close()
    return tmp_path / "job.ckpt"


def tables(path: Path) -> set[str]:
    return {name for (name,) in rows(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_a_run_brings_it_up_to_date_and_goes_on(tmp_path: Path, old: Path) -> None:
    store = Store.open(old)
    assert [(run["state"], run["user"]) for run in store.runs()] == [("paused", "")]
    store.start_run(2000.0, {})
    store.apply(Group(intervals=[Interval(2000, attempts=3)], seen=2001.0))
    store.verify_book()
    store.close()
    assert rows(old, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    again = Store.open(old)
    assert [interval.attempts for interval in again.timeline()] == [3]
    assert again.tallies()["rejected"] == {"malformed_json": 1}
    again.close()
    new = tmp_path / "new" / "job.ckpt"
    new_store(new.parent).close()
    assert tables(old) == tables(new)
    columns = "SELECT name, type, \"notnull\" FROM pragma_table_info('run')"
    assert rows(old, columns) == rows(new, columns)


def test_who_only_reads_it_leaves_it_as_it_is(old: Path) -> None:
    before = old.read_bytes()
    store = Store.open(old, read_only=True)
    assert [(run["state"], run["user"]) for run in store.runs()] == [("paused", "")]
    assert store.timeline() == []
    assert store.content() == Content({}, {}, {})
    assert [each["reason"] for each in store.undelivered()] == ["malformed_json"]
    store.close()
    assert old.read_bytes() == before
    assert not tables(old) & set(NEW)


def test_older_ones_are_refused(old: Path) -> None:
    rows(old, f"PRAGMA user_version = {UPGRADABLE - 1}")
    with pytest.raises(UsageError, match=f"another version of replay .format {UPGRADABLE - 1}"):
        Store.open(old)


def test_a_run_that_dies_in_the_middle_of_it_leaves_the_old_one(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replay_cli.ledger.upgrading.SCHEMA_VERSION", "no number")
    before = tables(old)
    with pytest.raises(FatalError, match="cannot open the checkpoint"):
        Store.open(old)
    assert tables(old) == before
    assert rows(old, "PRAGMA user_version") == [(UPGRADABLE,)]
