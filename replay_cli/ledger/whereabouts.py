"""What became of single records, as far as a checkpoint tells it by their places; and the list of those looked for.

The list is a temporary table of the connection: it holds places and times, and goes with it.
"""

import sqlite3
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

_IN_DOUBT = "in_doubt"
_LEFT_OUT_UNSEEN = ("suppressed", "suppressed_by_email", "duplicate", "not_in_only_ids", "in_except_ids")
"""Reasons for which a record is skipped that the record and the settings of the job do not tell."""


class Fate(StrEnum):
    """Whether MoEngage has a record."""

    SENT = "sent"
    PERHAPS_SENT = "perhaps_sent"
    """Sent, or left out: the object has records that were left out for what is not known any more"""
    SENT_IN_PART = "sent_in_part"
    IN_DOUBT = "in_doubt"
    NOT_SENT = "not_sent"
    SETTLED = "settled"
    """Sent, skipped or rejected: the checkpoint counts these, and has no places of them"""


class ReadObject(NamedTuple):
    """An object of which something was, or may have been, sent.

    No record from ordinal `next` on was read, unless the object is `whole`. Of one that was `replaced`, the bytes that
    were read are there no more. `left_out` tells whether it has records that were left out for unseen reasons.
    """

    id: int
    uri: str
    etag: str
    next: int
    whole: bool
    replaced: bool
    left_out: bool


class Found(NamedTuple):
    """A record that was looked for: `type` and `time` are the message's, "" where they are not known."""

    uri: str
    ordinal: int
    unit: str
    fate: Fate
    type: str
    time: str


_READ_OBJECTS = f"""
SELECT id, uri, etag, max(watermark, coalesce((SELECT max(next) FROM batch WHERE object = o.id), 0),
    coalesce((SELECT max(next) FROM lost WHERE object = o.id), 0)),
    state IN ('complete', 'damaged'), state = 'replaced',
    EXISTS (SELECT 1 FROM tally WHERE object = o.id AND outcome = 'skipped' AND n > 0 AND reason IN {_LEFT_OUT_UNSEEN})
FROM object o WHERE EXISTS (SELECT 1 FROM tally WHERE object = o.id AND outcome = 'delivered' AND n > 0)
    OR EXISTS (SELECT 1 FROM settled_part WHERE object = o.id)
    OR EXISTS (SELECT 1 FROM in_doubt WHERE object = o.id)
    OR EXISTS (SELECT 1 FROM intent WHERE object = o.id)
    OR EXISTS (SELECT 1 FROM lost WHERE object = o.id)
    OR EXISTS (SELECT 1 FROM dead_letter WHERE object = o.id AND delivered_parts != '')
ORDER BY place, id
"""  # noqa: S608 # constants
_AT = "object = ?1 AND ordinal = ?2"
_PARTS_ARRIVED = f"SELECT 1 FROM settled_part WHERE {_AT} AND reason IS NULL"  # noqa: S608 # a constant
_DOUBTS = f"SELECT 1 FROM in_doubt WHERE {_AT} UNION ALL SELECT 1 FROM intent WHERE {_AT} LIMIT 1"  # noqa: S608 # as above
_PARKED = f"SELECT 1 FROM parked_record WHERE {_AT}"  # noqa: S608 # as above
_LETTER = f"SELECT reason, delivered_parts FROM dead_letter WHERE {_AT} ORDER BY id DESC"  # noqa: S608 # as above
_LOST = "SELECT 1 FROM lost WHERE object = ?1 AND first <= ?2 AND ?2 < next"
_ABOVE = "SELECT 1 FROM object WHERE id = ?1 AND watermark <= ?2 AND state NOT IN ('complete', 'damaged')"
_BATCH = "SELECT first, settled FROM batch WHERE object = ?1 AND first <= ?2 AND ?2 < next"


def read_objects(db: sqlite3.Connection) -> list[ReadObject]:
    """Return the objects of which something was, or may have been, sent, in the order in which they were begun."""
    return [ReadObject(*row[:4], *map(bool, row[4:])) for row in db.execute(_READ_OBJECTS)]


def fate(db: sqlite3.Connection, object_id: int, ordinal: int) -> Fate:
    """Return what a checkpoint knows of a record that was read."""
    place = (object_id, ordinal)
    letter = db.execute(_LETTER, place).fetchone()
    if letter is not None:
        reason, parts = letter
        doubted = reason == _IN_DOUBT or _is_there(db, _DOUBTS, place)
        return Fate.SENT_IN_PART if parts else Fate.IN_DOUBT if doubted else Fate.NOT_SENT
    is_open = _is_open(db, place)
    if not (is_open or _is_there(db, _PARKED, place)):
        return Fate.SETTLED
    if _is_there(db, _PARTS_ARRIVED, place):
        return Fate.SENT_IN_PART
    doubted = _is_there(db, _DOUBTS, place) or (is_open and _is_there(db, _LOST, place))
    return Fate.IN_DOUBT if doubted else Fate.NOT_SENT


def _is_there(db: sqlite3.Connection, sql: str, place: tuple[int, int]) -> bool:
    return db.execute(sql, place).fetchone() is not None


def _is_open(db: sqlite3.Connection, place: tuple[int, int]) -> bool:
    """Tell whether a record is neither settled nor parked; what lies above the watermark in no batch was not read."""
    batch = db.execute(_BATCH, place).fetchone()
    if batch is None:
        return _is_there(db, _ABOVE, place)
    first, settled = batch
    index = place[1] - first
    return not settled[index >> 3] >> (index & 7) & 1


def begin_list(db: sqlite3.Connection) -> None:
    """Begin a list of records that are looked for."""
    db.execute(
        "CREATE TEMP TABLE found (object INTEGER, ordinal INTEGER, unit TEXT, fate TEXT, type TEXT, time TEXT, "
        "PRIMARY KEY (object, ordinal)) WITHOUT ROWID"
    )


def put_on_list(
    db: sqlite3.Connection, object_id: int, ordinal: int, unit: str, fate: Fate, type_: str, time: str
) -> None:
    """Put a record on the list, once; a `Fate.NOT_SENT` too, so that it is not looked at again."""
    db.execute("INSERT OR IGNORE INTO found VALUES (?, ?, ?, ?, ?, ?)", (object_id, ordinal, unit, fate, type_, time))


def listed(db: sqlite3.Connection) -> Iterator[Found]:
    """Give the records on the list that are, or may be, with MoEngage, in the archive's order."""
    rows = db.execute(
        "SELECT o.uri, f.ordinal, f.unit, f.fate, f.type, f.time FROM found f JOIN object o ON o.id = f.object "
        "WHERE f.fate != ? ORDER BY o.uri, o.id, f.ordinal",
        (Fate.NOT_SENT,),
    )
    for uri, ordinal, unit, told, type_, time in rows:
        yield Found(uri, ordinal, unit, Fate(told), type_, time)


def counts(db: sqlite3.Connection) -> dict[str, int]:
    """Return how many records are on the list, by fate."""
    return dict(db.execute("SELECT fate, count(*) FROM found GROUP BY 1 ORDER BY 1"))
