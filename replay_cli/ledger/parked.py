"""Parked requests in the checkpoint: which are there, and which may come back into memory.

A request may come back when every earlier one in each of its lanes is settled, or in memory before it. What is in
memory is known by a temporary table of the connection: it is empty again when a run begins.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from replay_cli.ledger.group import ParkedRequest, PartOutcome
from replay_cli.model import Request

LOADED_OF_A_LANE = 32
"""So many of a lane come back at once."""

_FIELDS = (
    "id, rank, object, part, method, path, body, users, unit, attempts, doubted, failures, spent, due, held, redriven"
)
_BLOCKED = """
SELECT 1 FROM parked_lane mine JOIN parked_lane other
ON other.lane = mine.lane AND (other.rank, other.id) < (mine.rank, mine.id)
WHERE mine.id = ? AND other.id NOT IN (SELECT id FROM loaded) LIMIT 1
"""
_HEADS = """
UPDATE parked SET due = 0 WHERE due IS NULL AND id NOT IN (SELECT id FROM loaded) AND NOT EXISTS (
    SELECT 1 FROM parked_lane mine JOIN parked_lane other
    ON other.lane = mine.lane AND (other.rank, other.id) < (mine.rank, mine.id)
    WHERE mine.id = parked.id AND other.id NOT IN (SELECT id FROM loaded)
)
"""


class Returning(NamedTuple):
    """A parked request that comes back, with what the checkpoint knows of its records that became several.

    `doubts` counts its attempts in doubt that are later than `parked.attempts`: a run died with them under way, of the
    records `doubted`; a request that was being taken apart has others. `parts` maps an ordinal to how many requests of
    that record are parked, and how its settled ones ended.
    """

    parked: ParkedRequest
    doubts: int
    parts: dict[int, tuple[int, dict[int, PartOutcome]]]
    doubted: frozenset[int] = frozenset()


class Loaded(NamedTuple):
    """The requests that come back, and when to look again: POSIX seconds, infinity when none is due."""

    requests: list[Returning]
    next_due: float


class ParkedBefore(NamedTuple):
    """What earlier runs parked: lane → requests in it, how many these are, and the first free number."""

    lanes: dict[str, int]
    requests: int
    next_number: int


def begin(db: sqlite3.Connection, *, redriven: bool) -> ParkedBefore:
    """Make a run ready for what earlier ones parked: those that failed are due at once, held ones get a new budget.

    Args:
        db: within a transaction.
        redriven: leave all others aside, for their turn comes when the archive is read.
    """
    db.execute("CREATE TEMP TABLE IF NOT EXISTS loaded (id INTEGER PRIMARY KEY)")
    db.execute("DELETE FROM loaded")
    if redriven:
        db.execute("INSERT INTO loaded SELECT id FROM parked WHERE NOT redriven")
    db.execute("UPDATE parked SET held = 0, failures = 0, spent = 0 WHERE held")
    db.execute("UPDATE parked SET due = 0 WHERE due IS NOT NULL")
    theirs = "id NOT IN (SELECT id FROM loaded)"
    lanes = dict(db.execute(f"SELECT lane, count(*) FROM parked_lane WHERE {theirs} GROUP BY lane"))  # noqa: S608 # constants of ours
    (requests,) = db.execute(f"SELECT count(*) FROM parked WHERE {theirs}").fetchone()  # noqa: S608 # constants of ours
    return ParkedBefore(lanes, requests, *db.execute("SELECT coalesce(max(id), 0) + 1 FROM parked").fetchone())


def release_heads(db: sqlite3.Connection) -> None:
    """Make those due that wait for nobody."""
    db.execute(_HEADS)


def load(db: sqlite3.Connection, lanes: Iterable[str], now: float, limit: int) -> Loaded:
    """Take back what is due, and the next of some lanes, at most `limit` in all."""
    returning: list[Returning] = []
    due = db.execute(
        "SELECT id FROM parked WHERE due <= ? AND NOT held AND id NOT IN (SELECT id FROM loaded) ORDER BY due LIMIT ?",
        (now, limit),
    ).fetchall()
    blocked = []
    for (number,) in due:
        if _is_blocked(db, number):
            blocked.append(number)
        else:
            returning.append(_take(db, number))
    if blocked:  # their lanes are asked for when those before them are settled
        db.execute("UPDATE parked SET due = NULL WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(blocked),))
    for lane in lanes:
        returning.extend(_next_of(db, lane, now, limit - len(returning)))
    (first_due,) = db.execute(
        "SELECT min(due) FROM parked WHERE due IS NOT NULL AND NOT held AND id NOT IN (SELECT id FROM loaded)"
    ).fetchone()
    return Loaded(returning, float("inf") if first_due is None else first_due)


def _next_of(db: sqlite3.Connection, lane: str, now: float, limit: int) -> Iterator[Returning]:
    rows = db.execute(
        "SELECT p.id, p.due, p.held FROM parked_lane l JOIN parked p ON p.id = l.id "
        "WHERE l.lane = ? AND l.id NOT IN (SELECT id FROM loaded) ORDER BY l.rank, l.id LIMIT ?",
        (lane, max(0, min(limit, LOADED_OF_A_LANE))),
    ).fetchall()
    for number, due, held in rows:
        if held or (due is not None and due > now) or _is_blocked(db, number):
            return
        yield _take(db, number)


def _is_blocked(db: sqlite3.Connection, number: int) -> bool:
    return db.execute(_BLOCKED, (number,)).fetchone() is not None


def _take(db: sqlite3.Connection, number: int) -> Returning:
    db.execute("INSERT INTO loaded VALUES (?)", (number,))
    row = db.execute(f"SELECT {_FIELDS} FROM parked WHERE id = ?", (number,)).fetchone()  # noqa: S608 # constants of ours
    # In the order in which they stand in the body, which is that of their times.
    records = db.execute("SELECT ordinal, record FROM parked_record WHERE id = ? ORDER BY rowid", (number,)).fetchall()
    number, rank, object_id, part, method, path, body, users, unit, attempts, doubted, *rest = row
    ordinals = tuple(ordinal for ordinal, _ in records)
    request = Request(
        ordinals, part, method, path, body, tuple(json.loads(users)), tuple(record for _, record in records)
    )
    failures, spent, due, held, redriven = rest
    parked = ParkedRequest(
        *(number, rank, object_id, request, unit, attempts, bool(doubted), failures, spent, due, bool(held)),
        redriven=bool(redriven),
    )
    doubts = dict(
        db.execute(
            "SELECT ordinal, max(attempt) FROM in_doubt WHERE object = ? AND part = ? AND attempt > ? "
            "AND ordinal IN (SELECT value FROM json_each(?)) GROUP BY ordinal",
            (object_id, part, attempts, json.dumps(ordinals)),
        )
    )
    parts = {ordinal: _parts(db, object_id, ordinal) for ordinal in ordinals}
    return Returning(parked, max(doubts.values(), default=0), parts, frozenset(doubts))


def _parts(db: sqlite3.Connection, object_id: int, ordinal: int) -> tuple[int, dict[int, PartOutcome]]:
    (parked,) = db.execute(
        "SELECT count(*) FROM parked_record WHERE object = ? AND ordinal = ?", (object_id, ordinal)
    ).fetchone()
    return parked, settled_parts(db, object_id, ordinal)


def settled_parts(db: sqlite3.Connection, object_id: int, ordinal: int) -> dict[int, PartOutcome]:
    """Return how the settled requests of a record ended, by part."""
    rows = db.execute(
        "SELECT part, reason, detail, status FROM settled_part WHERE object = ? AND ordinal = ?", (object_id, ordinal)
    )
    return {part: PartOutcome(reason, detail, status) for part, reason, detail, status in rows}
