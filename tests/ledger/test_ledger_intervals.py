"""The timeline in the checkpoint: of each time once, thinned with age, and small however long a job runs."""

import math
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.errors import FatalError
from replay_cli.ledger.group import Group
from replay_cli.ledger.intervals import DAY, HOUR, MINUTE, add_interrupted, read, thin, total, write
from replay_cli.ledger.latencies import bucket
from replay_cli.ledger.store import Store
from replay_cli.ledger.timeline import Interval
from replay_cli.ledger.upgrading import schema
from tests.ledger.checkpoints import new_store

NOW = 1_750_000_000 // HOUR * HOUR
MONTH = 30 * DAY


def database() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    db.executescript(schema())
    return db


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = database()
    yield connection
    connection.close()


def busy(at: int, generator: random.Random, attempts: int = 50) -> Interval:
    """Ten seconds of a run: replies of all kinds, latencies spread over more than three doublings."""
    seconds = [0.15 * math.exp(generator.gauss(0, 0.6)) for _ in range(attempts)]
    replies = Counter({"200": attempts - 4, "429": 2, "503": 1, "timeout": 1})
    interval = Interval(at, attempts=attempts, delivered=attempts - 4, retries=4, peak=7, slowest=max(seconds))
    interval.replies, interval.latencies = replies, Counter(map(bucket, seconds))
    interval.paused = generator.choice([0.0, 1.5])
    return interval


def test_runs_within_the_same_seconds_are_told_as_one(db: sqlite3.Connection) -> None:
    write(db, 1, [Interval(NOW, attempts=3, peak=3, replies=Counter({"200": 3}))])
    write(db, 2, [Interval(NOW, attempts=2, peak=9, replies=Counter({"200": 1, "500": 1})), Interval(NOW + 10)])
    write(db, 2, [Interval(NOW, attempts=4, peak=5, replies=Counter({"200": 2, "500": 2}))])
    first, second = read(db)
    assert (first.at, first.attempts, first.peak, first.replies) == (NOW, 7, 5, {"200": 5, "500": 2})
    assert second.at == NOW + 10


def test_old_intervals_are_merged_into_wider_ones_the_older_the_wider(db: sqlite3.Connection) -> None:
    write(db, 1, [Interval(NOW - age, attempts=1) for age in range(0, 8 * DAY, 1000)])
    thin(db, NOW)
    widths = {(NOW - interval.at, interval.seconds) for interval in read(db)}
    assert {width for age, width in widths if age <= HOUR} == {10}
    assert {width for age, width in widths if HOUR < age <= DAY} == {MINUTE}
    assert {width for age, width in widths if DAY < age <= 7 * DAY} == {10 * MINUTE}
    assert {width for age, width in widths if age > 7 * DAY} == {HOUR}
    assert all(interval.at % interval.seconds == 0 for interval in read(db))


AGES = st.integers(0, 9 * DAY)


@given(st.lists(st.tuples(AGES, st.integers(1, 3)), max_size=60), st.lists(AGES, min_size=1, max_size=4))
def test_thinning_keeps_sums_peaks_and_latencies(rows: list[tuple[int, int]], later: list[int]) -> None:
    """Whenever it is done, and however often; what comes late to a time that is thin already is added there."""
    generator, db = random.Random(1), database()
    expected = Interval(0)
    for age, run in rows:
        interval = busy((NOW - age) // 10 * 10, generator, 6)
        if any((known.at, known.seconds) == (interval.at, 10) for known in read(db)):
            continue
        write(db, run, [interval])
        expected.add(deepcopy(interval))
        thin(db, NOW)
    for seconds in sorted(later):
        thin(db, NOW + seconds)
    found = total(read(db))
    assert found.document() | {"paused_seconds": 0} == expected.document() | {"paused_seconds": 0}
    assert found.latencies == expected.latencies
    assert found.paused == pytest.approx(expected.paused)
    keys = db.execute("SELECT at, seconds, count(*) FROM timeline GROUP BY 1, 2 HAVING count(*) > 1").fetchall()
    assert [key for key in keys if key[1] > 10] == [], "what is thin is one row, whoever ran"
    db.close()


def test_a_month_of_running_stays_small(tmp_path: Path) -> None:
    """Thinned every hour. Of each width that is left in the end one interval is written: they take as much room."""
    path, generator = tmp_path / "job.ckpt", random.Random(1)
    db = sqlite3.connect(path)
    db.executescript(schema())
    db.execute("PRAGMA synchronous=OFF")
    empty = path.stat().st_size
    patterns = [busy(0, generator, 100) for _ in range(20)]
    written = 0
    for hour in range(NOW - MONTH, NOW, HOUR):
        step = 10 if hour == NOW - HOUR else MINUTE if hour >= NOW - DAY else 10 * MINUTE
        for at in range(hour, hour + HOUR, step):
            interval = patterns[at // 10 % len(patterns)]
            interval.at = at
            write(db, 1, [interval])
            written += 1
        thin(db, hour + HOUR)
        db.commit()
    intervals = read(db)
    db.close()
    assert path.stat().st_size - empty < 1_000_000
    assert total(intervals).attempts == 100 * written
    assert 3_000 < len(intervals) < 4_000


def test_attempts_of_a_run_that_died_end_as_interrupted(db: sqlite3.Connection) -> None:
    """Some of them were on the timeline when it died, some not: then as many have left as have ended."""
    write(db, 1, [Interval(NOW, attempts=12, replies=Counter({"200": 10}))])
    add_interrupted(db, 5, NOW + 3.0)
    add_interrupted(db, 1, NOW + 4.0)
    whole = total(read(db))
    assert (whole.attempts, whole.replies) == (16, {"200": 10, "interrupted": 6})


def test_it_is_thinned_and_kept_in_the_transaction_of_the_book(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    old = [Interval(NOW - 2 * HOUR + second, attempts=1) for second in range(0, 60, 10)]
    store.apply(Group(intervals=old))
    assert len(store.timeline()) == 6
    with pytest.raises((sqlite3.Error, FatalError)):
        store.apply(Group(intervals=[Interval(NOW)], thin_at=NOW, seen=object()))  # type: ignore[arg-type] # fails
    assert len(store.timeline()) == 6
    store.apply(Group(thin_at=NOW))
    (minute,) = store.timeline()
    assert (minute.seconds, minute.attempts) == (60, 6)
    store.close()
    reader = Store.open(tmp_path / "job.ckpt", read_only=True)
    assert [interval.attempts for interval in reader.timeline()] == [6]
    reader.close()
