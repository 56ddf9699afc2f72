"""After a machine was lost: what may have been sent since the checkpoint that is left of it.

That is known by what was announced before: batches of objects, and parked requests. The latter are in doubt at once
(`note`). What a batch becomes is known only when it is read again, so it waits as a range of `lost`; when the batch
is opened, what is to be sent of it comes into doubt in the same transaction in which it leaves the range (`Losses` and
`look_at`).

Of an object that changed meanwhile, or is gone, the ranges are counted as they are, record by record. Which messages
they were is not known, so all that is to be sent of the new version is in doubt, too.

All functions are called within a transaction of the store.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from replay_cli.ledger.watermark import OpenBatch

CAUSE = "machine lost"
TO_ITS_END = 1 << 62
"""The `next` of a range whose end is that of its object, wherever that is."""

_KNOWN = """
SELECT d.object, d.ordinal, d.part FROM in_doubt d JOIN lost l ON l.object = d.object
WHERE d.ordinal >= l.first AND d.ordinal < l.next AND d.id > l.doubt
"""
_DOUBT_PARKED = """
INSERT INTO in_doubt (object, ordinal, part, attempt, at, cause)
SELECT p.object, r.ordinal, p.part, p.attempts + 1, ?, ? FROM parked p JOIN parked_record r ON r.id = p.id
WHERE p.id IN (SELECT value FROM json_each(?)) AND NOT EXISTS (
    SELECT 1 FROM in_doubt d
    WHERE d.object = p.object AND d.ordinal = r.ordinal AND d.part = p.part AND d.attempt > p.attempts
)
"""


class Lost(NamedTuple):
    """Records of an object, from `first` up to `next` (None: to its end), of which some may have been sent.

    `at` is when the loss was noted (POSIX seconds).
    """

    uri: str
    etag: str
    first: int
    next: int | None
    at: float


class _Range(NamedTuple):
    first: int
    next: int
    at: float
    doubt: int


# -- a loss ---------------------------------------------------------------------------------------------------


def note(
    db: sqlite3.Connection,
    batches: Iterable[tuple[str, str, int, int]],
    parked: Sequence[int],
    at: float,
    doubt: int,
) -> None:
    """Note that requests of these batches, and these parked requests, may have been sent.

    What the checkpoint knows to be settled is none of it. The objects are begun from here on, in this order.

    Args:
        db: the checkpoint, with no intents left.
        batches: (uri, etag, first, next).
        parked: numbers; those that are not there were settled before.
        at: POSIX seconds.
        doubt: the number of the last attempt in doubt before the intents came to it.
    """
    for uri, etag, first, next_ in batches:
        number = _begin(db, uri, etag)
        if number is None:
            _count_aside(db, uri, etag, _Range(first, next_, at, 0))
        else:
            _add(db, number, _Range(first, next_, at, doubt))
    db.execute(_DOUBT_PARKED, (at, CAUSE, json.dumps(parked)))


def _begin(db: sqlite3.Connection, uri: str, etag: str) -> int | None:
    """Let an object be one that was begun, as it was in the run that is lost; None where another version was."""
    row = db.execute(
        "SELECT id, etag, place, read OR watermark FROM object WHERE uri = ? AND state != 'replaced'", (uri,)
    ).fetchone()
    number, known, place, is_read = row or (None, etag, 0, False)
    if known != etag and (is_read or ranges_of(db, number)):
        return None
    place = place or db.execute("SELECT coalesce(max(place), 0) + 1 FROM object").fetchone()[0]
    if number is None:  # its size is that of the object when it is found
        cursor = db.execute("INSERT INTO object (uri, etag, size, place) VALUES (?, ?, 0, ?)", (uri, etag, place))
        return int(cursor.lastrowid or 0)
    db.execute("UPDATE object SET place = ? WHERE id = ?", (place, number))
    if known != etag:
        db.execute("UPDATE object SET etag = ?, state = 'waiting', damage = NULL WHERE id = ?", (etag, number))
    return int(number)


def _add(db: sqlite3.Connection, number: int, lost: _Range) -> None:
    """Add what of a range is neither settled nor there already."""
    state, first = db.execute("SELECT state, watermark FROM object WHERE id = ?", (number,)).fetchone()
    if state in ("complete", "damaged"):
        return
    first = max(first, lost.first)
    for known in ranges_of(db, number):
        if first < min(known.first, lost.next):
            _insert(db, number, lost._replace(first=first, next=min(known.first, lost.next)))
        first = max(first, known.next)
    if first < lost.next:
        _insert(db, number, lost._replace(first=first))


def _count_aside(db: sqlite3.Connection, uri: str, etag: str, lost: _Range) -> None:
    """Count what was lost of a version that the checkpoint is past, or has never seen."""
    row = db.execute("SELECT id FROM object WHERE uri = ? AND etag = ?", (uri, etag)).fetchone()
    if row is None:
        values = "INSERT INTO object (uri, etag, size, state, watermark) VALUES (?, ?, 0, 'replaced', ?)"
        row = (db.execute(values, (uri, etag, lost.next)).lastrowid,)
    _count(db, row[0], lost)


def _insert(db: sqlite3.Connection, number: int, lost: _Range) -> None:
    db.execute("INSERT INTO lost VALUES (?, ?, ?, ?, ?)", (number, *lost))


def ranges_of(db: sqlite3.Connection, number: int | None) -> list[_Range]:
    """Return what is to be looked at of an object, in order."""
    rows = db.execute("SELECT first, next, at, doubt FROM lost WHERE object = ? ORDER BY first", (number,))
    return [_Range(*row) for row in rows]


# -- what is opened again -------------------------------------------------------------------------------------


class Losses:
    """What a run has to look at when it opens batches; nearly always nothing.

    Args:
        ranges: object → ranges.
        known: (object, ordinal, part) of what in there is in doubt already, by the loss itself.
    """

    def __init__(self, ranges: Mapping[int, Sequence[_Range]], known: frozenset[tuple[int, int, int]]) -> None:
        self._ranges = ranges
        self._known = known

    def of_batch(self, batch: OpenBatch) -> "LostOfBatch | None":
        """Return what is to be looked at in a batch; None when nothing is."""
        ranges = [
            each
            for each in self._ranges.get(batch.object_id, ())
            if each.first < batch.next and batch.first < each.next
        ]
        return LostOfBatch(batch.object_id, ranges, self._known) if ranges else None


class LostOfBatch(NamedTuple):
    """The records of a batch of which nobody knows whether they were sent."""

    object_id: int
    ranges: Sequence[_Range]
    known: frozenset[tuple[int, int, int]]

    def at(self, ordinal: int, part: int) -> float | None:
        """Return when the loss was noted that brings a request into doubt; None when it is not, or is so already."""
        if (self.object_id, ordinal, part) in self.known:
            return None
        return next((each.at for each in self.ranges if each.first <= ordinal < each.next), None)


def read(db: sqlite3.Connection) -> Losses:
    """Return what is to be looked at."""
    ranges: dict[int, list[_Range]] = {}
    for number, *lost in db.execute("SELECT object, first, next, at, doubt FROM lost ORDER BY object, first"):
        ranges.setdefault(number, []).append(_Range(*lost))
    return Losses(ranges, frozenset(db.execute(_KNOWN)) if ranges else frozenset())


def look_at(db: sqlite3.Connection, number: int, first: int, next_: int) -> None:
    """Note that a batch of an object was opened, and what was lost of it is in doubt."""
    for lost in ranges_of(db, number):
        if lost.first < next_ and first < lost.next:
            db.execute("DELETE FROM lost WHERE object = ? AND first = ?", (number, lost.first))
            if lost.first < first:
                _insert(db, number, lost._replace(next=first))
            if next_ < lost.next:
                _insert(db, number, lost._replace(first=next_))


# -- what is never opened again -------------------------------------------------------------------------------


def finish(db: sqlite3.Connection, number: int) -> None:
    """Count what is left when an object was read to its end, and forget it."""
    count(db, number)
    db.execute("DELETE FROM lost WHERE object = ?", (number,))


def count(db: sqlite3.Connection, number: int) -> None:
    """Count the records that may have been sent of an object as attempts in doubt, because it cannot be read again."""
    for lost in ranges_of(db, number):
        _count(db, number, lost)


def pass_on(db: sqlite3.Connection, number: int, successor: int) -> None:
    """Let all that is to be sent of an object's new version come into doubt, if any of the old one's did."""
    ranges = ranges_of(db, number)
    if ranges:
        db.execute("DELETE FROM lost WHERE object = ?", (number,))
        at, doubt = min(each.at for each in ranges), min(each.doubt for each in ranges)
        _insert(db, successor, _Range(0, TO_ITS_END, at, doubt))


def _count(db: sqlite3.Connection, number: int, lost: _Range) -> None:
    if lost.next == TO_ITS_END:
        return  # counted with the version before
    known = "SELECT ordinal FROM in_doubt WHERE object = ? AND ordinal >= ? AND ordinal < ? AND id > ?"
    counted = {ordinal for (ordinal,) in db.execute(known, (number, lost.first, lost.next, lost.doubt))}
    counted.update(_settled(db, number, lost))
    attempt = "(SELECT count(*) + 1 FROM in_doubt WHERE object = ?1 AND ordinal = ?2 AND part = 0)"
    db.executemany(
        "INSERT INTO in_doubt (object, ordinal, part, attempt, at, cause) "  # noqa: S608 # a constant
        f"VALUES (?1, ?2, 0, {attempt}, ?3, ?4)",
        ((number, ordinal, lost.at, CAUSE) for ordinal in range(lost.first, lost.next) if ordinal not in counted),
    )


def _settled(db: sqlite3.Connection, number: int, lost: _Range) -> Iterator[int]:
    rows = "SELECT first, next, unsettled, settled FROM batch WHERE object = ? AND first < ? AND next > ?"
    for first, next_, unsettled, settled in db.execute(rows, (number, lost.next, lost.first)).fetchall():
        batch = OpenBatch(number, first, next_, unsettled, settled)
        yield from filter(batch.is_settled, range(max(first, lost.first), min(next_, lost.next)))


def to_look_at(db: sqlite3.Connection) -> list[Lost]:
    """Return what is still to be looked at, as it is read."""
    rows = db.execute(
        "SELECT o.uri, o.etag, l.first, l.next, l.at FROM lost l JOIN object o ON o.id = l.object "
        "WHERE o.state NOT IN ('complete', 'damaged') ORDER BY o.place, l.first"
    )
    return [Lost(uri, etag, first, None if next_ == TO_ITS_END else next_, at) for uri, etag, first, next_, at in rows]
