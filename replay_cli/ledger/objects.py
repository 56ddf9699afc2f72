"""The objects of a job: taken in page by page as they are listed, given out in reading order.

All functions are called within a transaction of the store.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from replay_cli.errors import FatalError, UsageError
from replay_cli.ledger import changes, losses
from replay_cli.ledger.changes import Changed, Earlier
from replay_cli.model import ArchiveObject

FINISHED = ("complete", "damaged")
"""The states of an object of which nothing is left to read."""
GONE = "it was removed before it was read"
GONE_IN_PROGRESS = "it was removed after a part of it was sent"
_COLUMNS = "id, uri, size, etag, state, watermark, place"


class ObjectState(NamedTuple):
    """One object as the checkpoint knows it, and its earlier versions where it has some."""

    id: int
    object: ArchiveObject
    state: str
    watermark: int = 0
    place: int = 0
    earlier: Earlier | None = None


class Listed(NamedTuple):
    """An object as it is listed, and the text that orders it among others (then by uri)."""

    object: ArchiveObject
    order: str


def begun(db: sqlite3.Connection, changed: Changed) -> list[ObjectState]:
    """Return what was begun and is not finished, and where changes are to be taken, what was damaged; as begun."""
    states = "('reading', 'damaged')" if changed is Changed.CONTINUE else "('reading')"
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM object WHERE state IN {states} OR (state = 'waiting' AND place > 0) "  # noqa: S608 # constants of ours
        "ORDER BY place, id"
    )
    earlier = changes.earlier_versions(db)
    return [_state(row)._replace(earlier=earlier.get(row[1])) for row in rows.fetchall()]


def take_found(
    db: sqlite3.Connection, state: ObjectState, found: ArchiveObject | None, changed: Changed
) -> ObjectState:
    """Take an object that was begun as it is now.

    Args:
        db: the checkpoint; to continue with a changed object, no intents may be left.
        state: the object as the checkpoint knows it.
        found: as it is now, None when it is gone.
        changed: what to do when it changed after a part of it was sent.

    Raises:
        UsageError: it changed after a part of it was sent.
        FatalError: it is gone, after a part of it was sent.
    """
    if found is None:
        return _take_loss(db, state, changed)
    if found.etag == state.object.etag:
        return _take_size(db, state, found)
    if state.state != "complete" and _is_untouched(db, state.id):
        return _take_anew(db, state, found)
    if changed is Changed.CONTINUE and state.state != "complete":
        number = changes.replace(db, state.id, found)
        earlier = changes.earlier_versions(db)[found.uri]
        return ObjectState(number, found, "waiting", 0, state.place, earlier)
    if state.state in FINISHED:
        _note_change(db, state.id, found.etag)
        return state
    raise UsageError(
        f"{found.uri} changed since a part of it was sent, so its line numbers mean nothing any more: go on by the "
        "message ids already sent with --changed continue, or put the old version back (--restart would send "
        "everything again)"
    )


def register(db: sqlite3.Connection, page: Sequence[Listed], unlisted: set[int]) -> int:
    """Take a page of a listing in.

    New objects are added; of one that changed, the new version is taken when nothing of it was read, and noted
    when it was finished. What is in progress is left alone: it was looked at when the run began.

    Args:
        db: the checkpoint.
        page: the objects listed.
        unlisted: the numbers of those that wait and were not listed so far; they are taken out as they are.

    Returns:
        The stored bytes of those listed here that wait to be read.
    """
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM object WHERE state != 'replaced' AND uri IN ({', '.join('?' * len(page))})",  # noqa: S608 # constants of ours
        [listed.object.uri for listed in page],
    )
    known = {row[1]: _state(row) for row in rows}
    waiting = 0
    for found, order in page:
        state = known.get(found.uri)
        if state is None:
            known[found.uri] = _add(db, found, order)
            waiting += found.size
        elif _is_waiting(state):
            if state.object.etag != found.etag:
                _take_anew(db, state, found)
            if state.id in unlisted:  # or it is listed twice
                unlisted.remove(state.id)
                waiting += found.size
        elif state.state == "damaged" and state.object.etag != found.etag and _is_unread(db, state.id):
            _take_anew(db, state, found)
            db.execute("UPDATE object SET place = 0 WHERE id = ?", (state.id,))
            waiting += found.size
        elif state.state in FINISHED:
            _note_change(db, state.id, None if state.object.etag == found.etag else found.etag)
    return waiting


def waiting(db: sqlite3.Connection, limit: int, frontier: tuple[str, str]) -> list[ObjectState]:
    """Return the next objects that were not begun, in reading order.

    Args:
        db: the checkpoint.
        limit: how many at most; -1: all.
        frontier: (order, uri) of the last object listed: what lies behind it may be preceded by what is not known yet.
    """
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM object WHERE state = 'waiting' AND place = 0 "  # noqa: S608 # constants of ours
        "AND (reading_order, uri) <= (?, ?) ORDER BY reading_order, uri LIMIT ?",
        (*frontier, limit),
    )
    states = [_state(row) for row in rows]
    some = None if limit < 0 else [state.object.uri for state in states]
    earlier = changes.earlier_versions(db, some)  # of one that was damaged, or gone for a while
    return [state._replace(earlier=earlier.get(state.object.uri)) for state in states]


def waiting_numbers(db: sqlite3.Connection) -> set[int]:
    return {number for (number,) in db.execute("SELECT id FROM object WHERE state = 'waiting' AND place = 0")}


def end_listing(db: sqlite3.Connection, unlisted: Iterable[int]) -> None:
    """Note what was never begun and is not there any more, once everything was listed."""
    db.executemany(
        "UPDATE object SET state = 'damaged', damage = ?, etag = '' WHERE id = ? AND state = 'waiting' AND place = 0",
        [(GONE, number) for number in unlisted],
    )


def drop_waiting(db: sqlite3.Connection) -> None:
    """Forget what was never begun: the next listing finds it again, if it is still wanted."""
    db.execute("DELETE FROM object WHERE state = 'waiting' AND place = 0")


def _state(row: tuple[int, str, int, str, str, int, int]) -> ObjectState:
    number, uri, size, etag, state, watermark, place = row
    return ObjectState(number, ArchiveObject(uri, size, etag), state, watermark, place)


def _is_waiting(state: ObjectState) -> bool:
    return state.state == "waiting" and not state.place


def _is_untouched(db: sqlite3.Connection, number: int) -> bool:
    """Tell whether certainly nothing of an object was sent."""
    return _is_unread(db, number) and not losses.ranges_of(db, number)


def _is_unread(db: sqlite3.Connection, number: int) -> bool:
    (read, watermark), *_ = db.execute("SELECT read, watermark FROM object WHERE id = ?", (number,)).fetchall()
    return not read and not watermark


def _add(db: sqlite3.Connection, found: ArchiveObject, order: str) -> ObjectState:
    cursor = db.execute(
        "INSERT INTO object (uri, etag, size, reading_order) VALUES (?, ?, ?, ?)",
        (found.uri, found.etag, found.size, order),
    )
    return ObjectState(int(cursor.lastrowid or 0), found, "waiting")


def _take_size(db: sqlite3.Connection, state: ObjectState, found: ArchiveObject) -> ObjectState:
    """Take an object as it was; of one that is known by a lost machine's word alone, the size is not known."""
    if found.size != state.object.size:
        db.execute("UPDATE object SET size = ? WHERE id = ?", (found.size, state.id))
    return state._replace(object=found)


def _take_anew(db: sqlite3.Connection, state: ObjectState, found: ArchiveObject) -> ObjectState:
    db.execute(
        "UPDATE object SET etag = ?, size = ?, state = 'waiting', damage = NULL WHERE id = ?",
        (found.etag, found.size, state.id),
    )
    return state._replace(object=found, state="waiting")


def _take_loss(db: sqlite3.Connection, state: ObjectState, changed: Changed) -> ObjectState:
    """Note that an object is gone; of one in progress, what was sent of it stays known, in case it comes back."""
    if state.state in FINISHED:
        return state
    number, cause = state.id, GONE
    if not _is_untouched(db, state.id):
        if changed is not Changed.CONTINUE:
            raise FatalError(
                f"{state.object.uri} is not under the sources any more, but belongs to this job and is not finished: "
                "put it back and run again, or go on without the rest of it with --changed continue"
            )
        number, cause = changes.replace(db, state.id, state.object._replace(size=0)), GONE_IN_PROGRESS
    db.execute("UPDATE object SET state = 'damaged', damage = ?, etag = '' WHERE id = ?", (cause, number))
    return state._replace(id=number, state="damaged")


def _note_change(db: sqlite3.Connection, number: int, etag: str | None) -> None:
    db.execute("UPDATE object SET changed_etag = ?1 WHERE id = ?2 AND changed_etag IS NOT ?1", (etag, number))
