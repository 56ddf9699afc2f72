"""The changes of one transaction, and the statements that make them."""

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

AttemptKey = tuple[int, int, int, int]
"""(object, ordinal, part, attempt)"""


class DeadLetter(NamedTuple):
    """A record that was rejected, or given up: `record` is its archived text, secrets masked."""

    object_id: int
    ordinal: int
    kind: str
    reason: str
    detail: str
    attempts: int
    at: float
    unit: str
    record: bytes


@dataclass(slots=True)
class Group:
    """The changes of one transaction."""

    opened: list[tuple[int, int]] = field(default_factory=list)
    """(object, records read for the first time)"""
    batches: list[tuple[int, int, int, int, bytes]] = field(default_factory=list)
    """(object, first, next, unsettled, bitmap) of the open batches that are new or changed"""
    watermarks: list[tuple[int, int]] = field(default_factory=list)
    """(watermark, object): everything below is settled"""
    finished: list[tuple[str, str | None, int]] = field(default_factory=list)
    """(state, damage, object)"""
    tallies: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    """(object, outcome, reason) → more of them"""
    intents: list[tuple[int, int, int, int, float]] = field(default_factory=list)
    concluded: list[AttemptKey] = field(default_factory=list)
    in_doubt: list[tuple[int, int, int, int, float, str]] = field(default_factory=list)
    parts: list[tuple[int, int, int]] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    replies: Counter[str] = field(default_factory=Counter)
    peak: int = 0
    seen: float = 0.0
    """POSIX seconds when the run was alive (0: no news): a killed run's duration is known by it"""

    def __bool__(self) -> bool:
        return bool(
            self.opened
            or self.batches
            or self.watermarks
            or self.finished
            or self.tallies
            or self.intents
            or self.concluded
            or self.in_doubt
            or self.parts
            or self.dead_letters
            or self.replies
            or self.peak
        )


def apply_progress(db: sqlite3.Connection, group: Group) -> None:
    db.executemany("UPDATE object SET read = read + ?2, state = 'reading' WHERE id = ?1", group.opened)
    db.executemany(
        "INSERT INTO batch VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET unsettled = excluded.unsettled, settled = excluded.settled",
        group.batches,
    )
    for watermark, object_id in group.watermarks:
        db.execute("UPDATE object SET watermark = ? WHERE id = ?", (watermark, object_id))
        db.execute("DELETE FROM batch WHERE object = ? AND first < ?", (object_id, watermark))
        db.execute("DELETE FROM delivered_part WHERE object = ? AND ordinal < ?", (object_id, watermark))
    db.executemany("UPDATE object SET state = ?, damage = ? WHERE id = ?", group.finished)
    db.executemany(
        "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        [(*key, n) for key, n in group.tallies.items()],
    )


def apply_attempts(db: sqlite3.Connection, group: Group) -> None:
    # Intents first: an attempt may begin and end within one group.
    db.executemany("INSERT INTO intent VALUES (?, ?, ?, ?, ?)", group.intents)
    db.executemany("DELETE FROM intent WHERE object = ? AND ordinal = ? AND part = ? AND attempt = ?", group.concluded)
    db.executemany(
        "INSERT INTO in_doubt (object, ordinal, part, attempt, at, cause) VALUES (?, ?, ?, ?, ?, ?)",
        group.in_doubt,
    )
    db.executemany("INSERT OR IGNORE INTO delivered_part VALUES (?, ?, ?)", group.parts)
    add_counts(db, group.replies)


def add_counts(db: sqlite3.Connection, counts: Counter[str]) -> None:
    db.executemany("INSERT INTO reply VALUES (?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n", list(counts.items()))
