"""The changes of one transaction, and the statements that make them."""

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from replay_cli.ledger.content import Pairs
from replay_cli.ledger.texts import packed
from replay_cli.ledger.timeline import Interval
from replay_cli.model import Request

# One statement each, however many there are: between two of them this thread would wait for Python's lock, and a bulk
# request has hundreds.
_KEY = ", ".join(f"json_extract(value, '$[{index}]')" for index in range(4))
_INTEND = f"INSERT INTO intent SELECT {_KEY}, json_extract(value, '$[4]') FROM json_each(?)"  # noqa: S608 # constants
_CONCLUDE = f"DELETE FROM intent WHERE (object, ordinal, part, attempt) IN (SELECT {_KEY} FROM json_each(?))"  # noqa: S608 # as above

MOST_EXAMPLES = 3
"""Records that are kept for each rule of a warning."""

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
    status: int = 0
    delivered_parts: str = ""
    rank: int = 0


class Seen(NamedTuple):
    """The messages of a new batch that have an id and become requests, in order, where duplicates are left out.

    `hashes` has 8 bytes for each, `duplicates` one (1 for a duplicate); None: there are none.
    """

    object_id: int
    first: int
    hashes: bytes
    duplicates: bytes | None


class PartOutcome(NamedTuple):
    """How one of a record's several requests was settled while others are open; `reason` is None for a delivery."""

    reason: str | None
    detail: str = ""
    status: int = 0


class ParkedRequest(NamedTuple):
    """A request that waits in the checkpoint instead of in memory.

    `rank` orders it in its lanes; `due` (POSIX seconds) is when one that failed is tried again, None for one that only
    waits for those before it; `spent` are the seconds that it has used up of its budget, `doubted` tells whether one
    of its attempts ended in doubt; `held` ones are kept for a later run.
    """

    id: int
    rank: int
    object_id: int
    request: Request
    unit: str
    attempts: int = 0
    doubted: bool = False
    failures: int = 0
    spent: float = 0.0
    due: float | None = None
    held: bool = False
    redriven: bool = False


@dataclass(slots=True)
class Group:
    """The changes of one transaction."""

    begun: list[tuple[int, int]] = field(default_factory=list)
    """(place, object)"""
    opened: list[tuple[int, int]] = field(default_factory=list)
    """(object, records read for the first time)"""
    batches: list[tuple[int, int, int, int, bytes]] = field(default_factory=list)
    """(object, first, next, unsettled, bitmap) of the open batches that are new or changed"""
    message_ids: list[tuple[int, int, bytes, bytes | None]] = field(default_factory=list)
    """(object, first, hashes, bitmap of those left out) of the batches that are new"""
    seen_messages: list[Seen] = field(default_factory=list)
    """Of the batches that are new"""
    taken_over: list[tuple[int, int, int, int]] = field(default_factory=list)
    """(object, ordinal, object, ordinal): a record, and what it was in an earlier version of its object"""
    watermarks: list[tuple[int, int]] = field(default_factory=list)
    """(watermark, object): everything below is settled"""
    finished: list[tuple[str, str | None, int]] = field(default_factory=list)
    """(state, damage, object)"""
    tallies: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    """(object, outcome, reason) → more of them"""
    examples: list[tuple[str, int, int, str, str]] = field(default_factory=list)
    """(rule, object, ordinal, unit, detail) of records that a warning is about"""
    intents: list[tuple[int, int, int, int, float]] = field(default_factory=list)
    concluded: list[AttemptKey] = field(default_factory=list)
    in_doubt: list[tuple[int, int, int, int, float, str]] = field(default_factory=list)
    looked_at: list[tuple[int, int, int]] = field(default_factory=list)
    """(object, first, next) of batches that a lost machine may have sent, whose doubts are in this group"""
    parts: list[tuple[int, int, int, str | None, str, int]] = field(default_factory=list)
    """(object, ordinal, part, reason, detail, status)"""
    joined: list[tuple[int, int]] = field(default_factory=list)
    """(object, ordinal) of the records that are settled with their last part"""
    parked: list[ParkedRequest] = field(default_factory=list)
    """New ones, and those that failed again"""
    unloaded: list[int] = field(default_factory=list)
    """Parked requests that were in memory and wait on disk again, for those before them"""
    shrunk: list[tuple[int, Request]] = field(default_factory=list)
    """(parked request, what is left of it) of those that were taken apart"""
    unparked: list[int] = field(default_factory=list)
    """Parked requests that are settled"""
    dead_letters: list[DeadLetter] = field(default_factory=list)
    replies: Counter[str] = field(default_factory=Counter)
    content: Pairs = field(default_factory=Counter)
    """(event, day) → records of the batches that are new"""
    intervals: list[Interval] = field(default_factory=list)
    """Of the timeline, as they are now; they come with what they count"""
    thin_at: float = 0.0
    """POSIX seconds: the timeline is thinned as of then (0: not now)"""
    peak: int = 0
    seen: float = 0.0
    """POSIX seconds when the run was alive (0: no news): a killed run's duration is known by it"""

    def __bool__(self) -> bool:
        return bool(
            self.begun
            or self.opened
            or self.batches
            or self.watermarks
            or self.finished
            or self.tallies
            or self.intents
            or self.concluded
            or self.in_doubt
            or self.looked_at
            or self.parts
            or self.joined
            or self.parked
            or self.unloaded
            or self.shrunk
            or self.unparked
            or self.dead_letters
            or self.replies
            or self.peak
        )


def apply_progress(db: sqlite3.Connection, group: Group) -> None:
    db.executemany("UPDATE object SET place = ? WHERE id = ?", group.begun)
    db.executemany("UPDATE object SET read = read + ?2, state = 'reading' WHERE id = ?1", group.opened)
    db.executemany(
        "INSERT INTO batch VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET unsettled = excluded.unsettled, settled = excluded.settled",
        group.batches,
    )
    for watermark, object_id in group.watermarks:
        db.execute("UPDATE object SET watermark = ? WHERE id = ?", (watermark, object_id))
        db.execute("DELETE FROM batch WHERE object = ? AND first < ?", (object_id, watermark))
    db.executemany("UPDATE object SET state = ?, damage = ? WHERE id = ?", group.finished)
    db.executemany(
        "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        [(*key, n) for key, n in group.tallies.items()],
    )
    db.executemany(
        "INSERT OR IGNORE INTO example SELECT ?1, ?2, ?3, ?4, ?5 "  # noqa: S608 # a constant of ours
        f"WHERE (SELECT count(*) FROM example WHERE rule = ?1) < {MOST_EXAMPLES}",
        group.examples,
    )


def apply_attempts(db: sqlite3.Connection, group: Group) -> None:
    # Intents first: an attempt may begin and end within one group.
    if group.intents:
        db.execute(_INTEND, (orjson.dumps(group.intents).decode(),))
    if group.concluded:
        db.execute(_CONCLUDE, (orjson.dumps(group.concluded).decode(),))
    db.executemany(
        "INSERT INTO in_doubt (object, ordinal, part, attempt, at, cause) VALUES (?, ?, ?, ?, ?, ?)",
        group.in_doubt,
    )
    db.executemany("INSERT OR IGNORE INTO settled_part VALUES (?, ?, ?, ?, ?, ?)", group.parts)
    db.executemany("DELETE FROM settled_part WHERE object = ? AND ordinal = ?", group.joined)
    add_counts(db, group.replies)


def apply_letters(db: sqlite3.Connection, letters: Sequence[DeadLetter]) -> None:
    db.executemany(
        "INSERT INTO dead_letter (object, ordinal, kind, reason, detail, attempts, at, unit, record, status, "
        "delivered_parts, rank, form) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        map(_letter_row, letters),
    )


def _letter_row(letter: DeadLetter) -> tuple[object, ...]:
    form, kept = packed(letter.record)
    return (*letter._replace(record=kept), int(form))


def apply_parked(db: sqlite3.Connection, group: Group) -> None:
    # In this order: a request may be parked and settled within one group.
    for parked in group.parked:
        _park(db, parked)
    for number, left in group.shrunk:
        shrink(db, number, left)
    db.executemany("UPDATE parked SET due = NULL WHERE id = ?", [(number,) for number in group.unloaded])
    if group.unloaded or group.unparked:
        db.executemany("DELETE FROM loaded WHERE id = ?", [(number,) for number in group.unloaded + group.unparked])
    for table in ("parked", "parked_lane", "parked_record"):
        db.executemany(f"DELETE FROM {table} WHERE id = ?", [(number,) for number in group.unparked])  # noqa: S608 # constants of ours


def _park(db: sqlite3.Connection, parked: ParkedRequest) -> None:
    changing = (parked.attempts, parked.doubted, parked.failures, parked.spent, parked.due, parked.held)
    known = db.execute(
        "UPDATE parked SET attempts = ?, doubted = ?, failures = ?, spent = ?, due = ?, held = ? WHERE id = ?",
        (*changing, parked.id),
    )
    if known.rowcount:
        db.execute("DELETE FROM loaded WHERE id = ?", (parked.id,))
        return
    request = parked.request
    db.execute(
        "INSERT INTO parked VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(parked.id, parked.rank, parked.object_id, request.part, request.method, request.path, request.body),
            *(json.dumps(request.users), parked.unit, *changing, parked.redriven),
        ),
    )
    lanes = [(lane, parked.rank, parked.id) for lane in dict.fromkeys(request.users)]
    db.executemany("INSERT INTO parked_lane VALUES (?, ?, ?)", lanes)
    records = zip(request.ordinals, request.records, strict=True)
    rows = [(parked.object_id, ordinal, parked.id, record) for ordinal, record in records]
    db.executemany("INSERT INTO parked_record VALUES (?, ?, ?, ?)", rows)


def shrink(db: sqlite3.Connection, number: int, left: Request) -> None:
    """Leave only the records of a request in a parked one."""
    db.execute(
        "UPDATE parked SET method = ?, path = ?, body = ?, users = ? WHERE id = ?",
        (left.method, left.path, left.body, json.dumps(left.users), number),
    )
    db.execute("DELETE FROM parked_lane WHERE id = ?", (number,))
    lanes = "INSERT INTO parked_lane SELECT ?, rank, id FROM parked WHERE id = ?"
    db.executemany(lanes, [(lane, number) for lane in dict.fromkeys(left.users)])
    db.execute(
        "DELETE FROM parked_record WHERE id = ? AND ordinal NOT IN (SELECT value FROM json_each(?))",
        (number, json.dumps(left.ordinals)),
    )


def add_counts(db: sqlite3.Connection, counts: Counter[str]) -> None:
    db.executemany("INSERT INTO reply VALUES (?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n", list(counts.items()))
