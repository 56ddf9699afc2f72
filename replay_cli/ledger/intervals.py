"""The timeline in the checkpoint: a row for each interval of a run, fewer and wider ones the older they are.

All functions but `read` are called within a transaction of the store.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from typing import Any

import orjson

from replay_cli.ledger.latencies import from_bytes, to_bytes
from replay_cli.ledger.timeline import Interval, start_of

MINUTE, HOUR, DAY = 60, 3600, 86400
THINNED = ((HOUR, MINUTE), (DAY, 10 * MINUTE), (7 * DAY, HOUR))
"""(age, width): intervals that are older have at least this width; both in seconds."""
_COLUMNS = "at, seconds, attempts, delivered, retries, paused, peak, slowest, replies, latencies"
_WRITE = f"INSERT OR REPLACE INTO timeline (run, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 # constants
_OF_ALL_RUNS = 0


def write(db: sqlite3.Connection, run_id: int, intervals: Iterable[Interval]) -> None:
    """Keep a run's intervals as they are now."""
    db.executemany(_WRITE, [(run_id, *_row(interval)) for interval in intervals])


def add(db: sqlite3.Connection, interval: Interval) -> None:
    """Add an interval that is no single run's to what is known of these seconds."""
    key = (interval.at, interval.seconds, _OF_ALL_RUNS)
    for row in db.execute(f"SELECT {_COLUMNS} FROM timeline WHERE at = ? AND seconds = ? AND run = ?", key).fetchall():  # noqa: S608 # constants
        interval.add(_interval(row))
    write(db, _OF_ALL_RUNS, [interval])


def add_interrupted(db: sqlite3.Connection, attempts: int, at: float) -> None:
    """Count attempts of a run that died, which have no reply: then each attempt has ended somehow."""
    (left,) = db.execute("SELECT coalesce(sum(attempts), 0) FROM timeline").fetchone()
    (ended,) = db.execute("SELECT coalesce(sum(value), 0) FROM timeline, json_each(replies)").fetchone()
    unseen = max(0, ended + attempts - left)  # they left, or were about to, when nothing of it was durable
    add(db, Interval(start_of(at), attempts=unseen, replies=Counter({"interrupted": attempts})))


def thin(db: sqlite3.Connection, now: float) -> None:
    """Merge intervals that are old into wider ones (`THINNED`); whole ones only, and what is thin stays."""
    for age, width in THINNED:
        edge = start_of(now - age, width)
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM timeline WHERE at < ? AND seconds < ?",  # noqa: S608 # constants
            (edge, width),
        ).fetchall()
        db.execute("DELETE FROM timeline WHERE at < ? AND seconds < ?", (edge, width))
        for interval in _merged(_widened(_interval(row), width) for row in rows):
            add(db, interval)


def read(db: sqlite3.Connection, run_id: int | None = None) -> list[Interval]:
    """Return the intervals of a run, or of all, in order; those of several runs at the same time as one."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM timeline WHERE ?1 IS NULL OR run = ?1 ORDER BY at, seconds",  # noqa: S608 # constants
        (run_id,),
    )
    return list(_merged(map(_interval, rows)))


def total(intervals: Iterable[Interval]) -> Interval:
    """Return what happened in all of them."""
    whole = Interval(0)
    for interval in intervals:
        whole.add(interval)
    return whole


def _widened(interval: Interval, width: int) -> Interval:
    interval.at, interval.seconds = start_of(interval.at, width), width
    return interval


def _merged(intervals: Iterable[Interval]) -> Iterable[Interval]:
    merged: dict[tuple[int, int], Interval] = {}
    for interval in intervals:
        known = merged.setdefault((interval.at, interval.seconds), interval)
        if known is not interval:
            known.add(interval)
    return merged.values()


def _row(interval: Interval) -> tuple[Any, ...]:
    numbers = (interval.at, interval.seconds, interval.attempts, interval.delivered, interval.retries)
    return (
        *numbers,
        *(interval.paused, interval.peak, interval.slowest),
        *(orjson.dumps(interval.replies).decode(), to_bytes(interval.latencies)),
    )


def _interval(row: tuple[Any, ...]) -> Interval:
    interval = Interval(*row[:-2])
    interval.replies, interval.latencies = Counter(orjson.loads(row[-2])), from_bytes(row[-1])
    return interval
