"""Parked requests of people who are suppressed by now: their records are skipped, and nothing of them goes out."""

import json
import sqlite3
from collections.abc import Callable, Collection
from typing import NamedTuple

from replay_cli.ledger.group import shrink as shrink_parked
from replay_cli.model import Request

RECORDS_AT_ONCE = 500
"""So many parked records are looked at in one transaction."""

Question = Callable[[bytes], str | None]
"""Gives the reason why a record, by its text, must not be sent; None when it may be."""
Shrink = Callable[[Request, Collection[int]], Request | None]
"""Gives a request without the records at some indexes of its `ordinals`; None when none is left."""


class Place(NamedTuple):
    """Where a record stands, by its object's number."""

    object_id: int
    ordinal: int


BEFORE_ALL = Place(-1, -1)


def take_out(
    db: sqlite3.Connection, after: Place, reason_against: Question, shrink: Shrink
) -> tuple[int, Place | None]:
    """Take suppressed records out of the parked requests; a request that carries others goes on with those.

    What is known of such a record stays: how its other requests ended, and its attempts in doubt.

    Args:
        db: within a transaction.
        after: looks at the next records behind this one.
        reason_against: asked once a record, however many requests it became.
        shrink: takes records out of a request.

    Returns:
        How many records were taken out, and the last one looked at; None when there is none left.
    """
    suppressed = dict[Place, str]()
    last = None
    for object_id, ordinal, record in db.execute(
        "SELECT object, ordinal, record FROM parked_record WHERE (object, ordinal) > (?, ?) "
        "GROUP BY object, ordinal ORDER BY object, ordinal LIMIT ?",
        (*after, RECORDS_AT_ONCE),
    ):
        last = Place(object_id, ordinal)
        if (reason := reason_against(record)) is not None:
            suppressed[last] = reason
    for number, ordinals in _requests_of(db, suppressed).items():
        _take_apart(db, number, ordinals, shrink)
    for place, reason in suppressed.items():
        if not _is_open(db, place):  # else it is prepared again, and skipped then
            db.execute(
                "INSERT INTO tally VALUES (?, 'skipped', ?, 1) ON CONFLICT DO UPDATE SET n = n + 1", (place[0], reason)
            )
    return len(suppressed), last


def _requests_of(db: sqlite3.Connection, places: Collection[Place]) -> dict[int, set[int]]:
    """Return the parked requests of some records, each with the ordinals of those of them that it carries."""
    requests: dict[int, set[int]] = {}
    for place in places:
        for (number,) in db.execute("SELECT id FROM parked_record WHERE object = ? AND ordinal = ?", place):
            requests.setdefault(number, set()).add(place.ordinal)
    return requests


def _take_apart(db: sqlite3.Connection, number: int, ordinals: Collection[int], shrink: Shrink) -> None:
    request = _request(db, number)
    left = shrink(request, [index for index, ordinal in enumerate(request.ordinals) if ordinal in ordinals])
    if left is not None:
        shrink_parked(db, number, left)
        return
    for table in ("parked", "parked_lane", "parked_record"):
        db.execute(f"DELETE FROM {table} WHERE id = ?", (number,))  # noqa: S608 # a table of ours


def _request(db: sqlite3.Connection, number: int) -> Request:
    part, method, path, body, users = db.execute(
        "SELECT part, method, path, body, users FROM parked WHERE id = ?", (number,)
    ).fetchone()
    records = db.execute("SELECT ordinal, record FROM parked_record WHERE id = ? ORDER BY rowid", (number,)).fetchall()
    ordinals, texts = zip(*records, strict=True)
    return Request(ordinals, part, method, path, body, tuple(json.loads(users)), texts)


def _is_open(db: sqlite3.Connection, place: Place) -> bool:
    """Tell whether a record has another request that is not parked: then its batch is still waiting for it."""
    row = db.execute(
        "SELECT first, settled FROM batch WHERE object = ?1 AND first <= ?2 AND ?2 < next", place
    ).fetchone()
    if row is None:
        return False
    index = place.ordinal - row[0]
    return not row[1][index >> 3] >> (index & 7) & 1
