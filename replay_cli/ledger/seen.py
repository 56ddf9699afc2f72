"""The messages of the window for duplicates, as the checkpoint keeps them: a row for each batch, in reading order.

A row becomes durable with the opening of its batch, which settles the duplicates: for each record it is decided once
what it is. Rows are numbered by the messages before them, so what lies outside of the window is found at once.
"""

import sqlite3
from array import array
from collections import Counter
from collections.abc import Iterator

from replay_cli.ledger.group import Group, Seen

_END = "SELECT coalesce(max(id + length(hashes) / 8), 0) FROM seen WHERE id = (SELECT max(id) FROM seen)"
_OLDEST = "SELECT coalesce(max(id), 0) FROM seen WHERE id <= ?"


def apply_seen(db: sqlite3.Connection, group: Group, size: int | None) -> None:
    """Add the messages of new batches, and forget what the window has left behind.

    Args:
        db: within a transaction.
        group: the changes.
        size: that of the window; None: all are kept.
    """
    if not group.seen_messages:
        return
    number = _end(db)
    for row in group.seen_messages:
        db.execute("INSERT INTO seen VALUES (?, ?, ?, ?, ?)", (number, *row))
        number += len(row.hashes) // 8
    if size is not None:
        db.execute(f"DELETE FROM seen WHERE id < ({_OLDEST})", (number - size,))  # noqa: S608 # a constant


def last_seen(db: sqlite3.Connection, size: int) -> Iterator["array[int]"]:
    """Give the numbers of the last `size` messages, oldest first, batch by batch."""
    begin = max(0, _end(db) - size)
    (oldest,) = db.execute(_OLDEST, (begin,)).fetchone()
    for number, hashes in db.execute("SELECT id, hashes FROM seen WHERE id >= ? ORDER BY id", (oldest,)):
        yield array("Q", hashes)[max(0, begin - number) :]


def forget_unsent(db: sqlite3.Connection, object_id: int) -> None:
    """Take out of the window what was not sent of an object that is replaced, and what repeats nothing else.

    What was a duplicate of a record that was never sent is none any more: or the record would be one in the new
    version, and lost. The object's own duplicates are out of its book, and read again.

    Args:
        db: within a transaction.
        object_id: the object; of its message ids only those are kept that were settled or parked.
    """
    (number,) = db.execute("SELECT min(id) FROM seen WHERE object = ?", (object_id,)).fetchone()
    if number is None:
        return
    unsent = set[int]()
    for (old_number,) in db.execute("SELECT id FROM seen WHERE id >= ? ORDER BY id", (number,)).fetchall():
        row = db.execute("SELECT object, first, hashes, duplicates FROM seen WHERE id = ?", (old_number,)).fetchone()
        seen = Seen(*row)
        left = _sent(db, seen, unsent) if seen.object_id == object_id else _standing(seen, unsent)
        if left is not seen or number != old_number:
            db.execute("DELETE FROM seen WHERE id = ?", (old_number,))
            if left.hashes:
                db.execute("INSERT INTO seen VALUES (?, ?, ?, ?, ?)", (number, *left))
        number += len(left.hashes) // 8


def _end(db: sqlite3.Connection) -> int:
    """Return the number of the next message."""
    (number,) = db.execute(_END).fetchone()
    return int(number)


def _sent(db: sqlite3.Connection, seen: Seen, unsent: set[int]) -> Seen:
    """Leave what was sent of a batch of the object; note what was not."""
    kept = db.execute("SELECT hashes FROM message_id WHERE object = ? AND first = ?", (seen.object_id, seen.first))
    sent = Counter(number for (hashes,) in kept for number in array("Q", hashes))
    numbers = array("Q")
    for number, is_duplicate in _messages(seen):
        if is_duplicate:
            continue
        if sent[number]:
            sent[number] -= 1
            numbers.append(number)
            unsent.discard(number)
        else:
            unsent.add(number)
    return seen._replace(hashes=numbers.tobytes(), duplicates=None)


def _standing(seen: Seen, unsent: set[int]) -> Seen:
    """Leave what stands of a batch of another object: all but the duplicates of what was not sent."""
    if unsent.isdisjoint(array("Q", seen.hashes)):
        return seen
    numbers, duplicates = array("Q"), bytearray()
    for number, is_duplicate in _messages(seen):
        if not is_duplicate:
            unsent.discard(number)
        elif number in unsent:
            continue
        numbers.append(number)
        duplicates.append(is_duplicate)
    return seen._replace(hashes=numbers.tobytes(), duplicates=bytes(duplicates) if any(duplicates) else None)


def _messages(seen: Seen) -> Iterator[tuple[int, int]]:
    numbers = array("Q", seen.hashes)
    return zip(numbers, seen.duplicates or bytes(len(numbers)), strict=True)
