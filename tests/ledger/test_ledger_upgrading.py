"""A checkpoint of a format before: a run brings it up to date and goes on, `status` reads it as it is."""

from pathlib import Path

import pytest

from replay_cli.errors import FatalError, UsageError
from replay_cli.ledger.content import Content
from replay_cli.ledger.dead_letters import DeadLetterFile
from replay_cli.ledger.group import Group
from replay_cli.ledger.store import Store
from replay_cli.ledger.timeline import Interval
from replay_cli.ledger.upgrading import SCHEMA_VERSION, UPGRADABLE
from tests.ledger.checkpoints import letter, new_store, rejecting, rows

CHRONICLE = ("timeline", "content", "content_event", "content_day")


@pytest.fixture(params=UPGRADABLE)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A checkpoint of a format before, with a rejected record."""
    store = new_store(tmp_path)
    store.apply(rejecting(letter(3)))
    store.end_run(1002.0, "paused", "enough")
    store.close()
    statements = [
        "DROP TABLE lost",
        "ALTER TABLE run DROP COLUMN delivered",
        "ALTER TABLE dead_letter DROP COLUMN form",
        f"UPDATE dead_letter SET record = CAST('{letter(3).record.decode()}' AS BLOB)",
    ]
    if request.param == 4:
        statements += [f"DROP TABLE {table}" for table in CHRONICLE]
        statements.append("ALTER TABLE run DROP COLUMN user")
    for statement in (*statements, f"PRAGMA user_version = {request.param}"):
        rows(tmp_path / "job.ckpt", statement)
    return tmp_path / "job.ckpt"


def tables(path: Path) -> set[str]:
    return {name for (name,) in rows(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_a_run_brings_it_up_to_date_and_goes_on(tmp_path: Path, old: Path) -> None:
    store = Store.open(old)
    assert [(run["state"], run["delivered"]) for run in store.runs()] == [("paused", None)]
    store.start_run(2000.0, {})
    store.apply(Group(intervals=[Interval(2000, attempts=3)], seen=2001.0))
    store.note_lost([("/logs/a.gz", "a1", 0, 10)], [], 2002.0)
    store.verify_book()
    store.close()
    assert rows(old, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    again = Store.open(old)
    assert [interval.attempts for interval in again.timeline()] == [3]
    assert again.tallies()["rejected"] == {"malformed_json": 1}
    assert len(again.lost()) == 1
    again.close()
    new = tmp_path / "new" / "job.ckpt"
    new_store(new.parent).close()
    assert tables(old) == tables(new)
    for table in tables(old):
        columns = f"SELECT name, type, \"notnull\", dflt_value FROM pragma_table_info('{table}')"
        assert rows(old, columns) == rows(new, columns)


def test_the_file_of_its_dead_letters_is_written_anew_compressed(old: Path) -> None:
    plain = old.with_name("job.dead-letters.jsonl")
    plain.write_text("as it was\n")
    store = Store.open(old)
    letters = DeadLetterFile(plain.with_name(plain.name + ".gz"))
    letters.recover(store)
    store.close()
    assert letters.path.stat().st_size > 0
    assert not plain.exists()


def test_who_only_reads_it_leaves_it_as_it_is(old: Path) -> None:
    before = old.read_bytes()
    store = Store.open(old, read_only=True)
    assert [(run["state"], run["user"], run["delivered"]) for run in store.runs()] == [
        ("paused", store_user(old), None)
    ]
    assert store.timeline() == []
    assert store.content() == Content({}, {}, {})
    assert [each["reason"] for each in store.undelivered()] == ["malformed_json"]
    assert [record for _, _, record in store.dead_letters(0)] == [letter(3).record]
    assert store.lost() == []
    store.close()
    assert old.read_bytes() == before
    assert "lost" not in tables(old)


def store_user(path: Path) -> str:
    """Who began the run, as far as the checkpoint of that format knows."""
    has_user = rows(path, "SELECT 1 FROM pragma_table_info('run') WHERE name = 'user'")
    return str(rows(path, "SELECT user FROM run")[0][0]) if has_user else ""


def test_older_ones_are_refused(old: Path) -> None:
    oldest = min(UPGRADABLE) - 1
    rows(old, f"PRAGMA user_version = {oldest}")
    with pytest.raises(UsageError, match=f"another version of replay .format {oldest}"):
        Store.open(old)


def test_a_run_that_dies_in_the_middle_of_it_leaves_the_old_one(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replay_cli.ledger.upgrading.SCHEMA_VERSION", "no number")
    before, version = tables(old), rows(old, "PRAGMA user_version")
    with pytest.raises(FatalError, match="cannot open the checkpoint"):
        Store.open(old)
    assert tables(old) == before
    assert rows(old, "PRAGMA user_version") == version
