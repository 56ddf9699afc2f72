"""What a checkpoint shows to somebody who looks again and again while a run goes on: cheap, and of one moment."""

import sqlite3
from collections import Counter
from typing import NamedTuple

from replay_cli.ledger import intervals
from replay_cli.ledger.latencies import Latencies

TAKEN_BACK = "taken_back:"
"""In `meta`, before a reason: how many dead letters of it were ever sent again."""


class Glimpse(NamedTuple):
    """A job's numbers.

    `objects` and `stored` are objects and their bytes by state, `taken_back` the dead letters that were ever sent
    again, by reason; `completed` is when the job was complete the last time (POSIX seconds, 0: never).
    """

    objects: dict[str, int]
    stored: dict[str, int]
    taken_back: dict[str, int]
    latencies: Latencies
    completed: float


class NewLetter(NamedTuple):
    """A dead letter as it is told of: where its record is, and why it was given up."""

    number: int
    uri: str
    unit: str
    place: int
    reason: str
    detail: str


def glimpse(db: sqlite3.Connection) -> Glimpse:
    """Look at a checkpoint."""
    states = db.execute("SELECT state, count(*), sum(size) FROM object WHERE state != 'replaced' GROUP BY 1").fetchall()
    (completed,) = db.execute(
        "SELECT coalesce(max(seen), 0) FROM run WHERE state = 'complete' AND kind = 'run'"
    ).fetchone()
    return Glimpse(
        {state: n for state, n, _ in states},
        {state: size for state, _, size in states},
        taken_back(db),
        intervals.total(intervals.read(db)).latencies,
        float(completed),
    )


def taken_back(db: sqlite3.Connection) -> dict[str, int]:
    """Return how many dead letters were ever sent again, by reason."""
    rows = db.execute(
        "SELECT substr(key, ?), CAST(value AS INTEGER) FROM meta WHERE key GLOB ?",
        (len(TAKEN_BACK) + 1, f"{TAKEN_BACK}*"),
    )
    return dict(rows.fetchall())


def note_taken_back(db: sqlite3.Connection, reasons: Counter[str]) -> None:
    """Count dead letters that are sent again; within a transaction."""
    db.executemany(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
        [(f"{TAKEN_BACK}{reason}", n) for reason, n in reasons.items()],
    )


def new_letters(db: sqlite3.Connection, after: int, most: int) -> list[NewLetter]:
    """Return the first dead letters behind number `after`, without their records; places count from 1."""
    rows = db.execute(
        "SELECT d.id, o.uri, d.unit, d.ordinal + 1, d.reason, d.detail FROM dead_letter d "
        "JOIN object o ON o.id = d.object WHERE d.id > ? ORDER BY d.id LIMIT ?",
        (after, most),
    )
    return [NewLetter(*row) for row in rows]


def last_letter(db: sqlite3.Connection) -> int:
    """Return the number of the last dead letter; 0 when there is none."""
    return int(db.execute("SELECT coalesce(max(id), 0) FROM dead_letter").fetchone()[0])
