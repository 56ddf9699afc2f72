"""An object that changed while it was in progress: what was sent of it is known by its message ids.

For each batch the checkpoint keeps a hash of every message id. When another version comes (`replace`), the old one's
book is closed over what it has settled or parked, and of the hashes only those stay. The new version is read from its
beginning; a record that an earlier version had sent (`SentBefore`) is left out, once for each time that it was sent.
"""

import sqlite3
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from hashlib import blake2b
from typing import Any, NamedTuple, TypeGuard

from replay_cli.ledger import losses
from replay_cli.ledger.group import Group, PartOutcome
from replay_cli.ledger.seen import forget_unsent
from replay_cli.model import ArchiveObject

HASH_BYTES = 8
_BASE_RANK = 43
"""Bits of a rank behind the object's number."""


class Changed(StrEnum):
    """What to do with an object that changed since a part of it was sent."""

    REFUSE = "refuse"
    CONTINUE = "continue"


class Earlier(NamedTuple):
    """The earlier versions of an object: how far one of them was read at most."""

    extent: int


class Carried(NamedTuple):
    """A record that an earlier version did not settle, with its attempts in doubt and its settled requests, by part."""

    object_id: int
    ordinal: int
    doubts: dict[int, int]
    parts: dict[int, PartOutcome]


class Multiset:
    """64-bit numbers other than 0, each with a count; 12 bytes a place, so that a million fit into memory.

    Args:
        most: how many different ones there will be at most.
    """

    def __init__(self, most: int) -> None:
        size = 1 << (2 * most + 1).bit_length()
        self._mask = size - 1
        self._numbers = array("Q", bytes(8 * size))
        self._counts = array("L", bytes(array("L").itemsize * size))

    def _place(self, number: int) -> int:
        numbers, mask = self._numbers, self._mask
        place = number & mask
        while numbers[place] and numbers[place] != number:
            place = (place + 1) & mask
        return place

    def add(self, number: int) -> None:
        place = self._place(number)
        self._numbers[place] = number
        self._counts[place] += 1

    def take(self, number: int) -> bool:
        """Take a number out once; False when it is not in there."""
        place = self._place(number)
        if not self._counts[place]:
            return False
        self._counts[place] -= 1
        return True


class SentBefore:
    """What earlier versions of an object have sent and this one has not met yet, and what they have left unsettled."""

    def __init__(self, most: int) -> None:
        self.known = Multiset(most)
        self._carried: dict[int, list[Carried]] = {}

    def carry(self, number: int, carried: Carried) -> None:
        self._carried.setdefault(number, []).append(carried)

    def take_carried(self, number: int) -> Carried | None:
        """Return what is known of a record's attempts in an earlier version, once."""
        waiting = self._carried.get(number)
        return waiting.pop(0) if waiting else None


def is_message_id(value: Any) -> TypeGuard[str]:
    """Tell whether it names a message: a text that is not empty."""
    return bool(value) and isinstance(value, str)


def hash_of(message_id: Any, record: bytes) -> bytes:
    """Return what a record is known by in another version: a hash of its message id, or of its text without one."""
    text = message_id.encode(errors="surrogatepass") if is_message_id(message_id) else record
    return blake2b(text, digest_size=HASH_BYTES).digest()


def number_of(hash_: bytes) -> int:
    return int.from_bytes(hash_, sys.byteorder)


def hashes_in_row(ordinals: range, hashes: Mapping[int, bytes]) -> bytes:
    """Return the hashes of a batch in a row, zeros where there is none."""
    nothing = bytes(HASH_BYTES)
    return b"".join([hashes.get(ordinal, nothing) for ordinal in ordinals])


def bitmap(ordinals: range, marked: Iterable[int]) -> bytes:
    """Return the marked ordinals as a bitmap, least significant bit first."""
    bits = bytearray((len(ordinals) + 7) // 8)
    for ordinal in marked:
        bits[(ordinal - ordinals.start) >> 3] |= 1 << ((ordinal - ordinals.start) & 7)
    return bytes(bits)


def apply_message_ids(db: sqlite3.Connection, group: Group) -> None:
    db.executemany("INSERT INTO message_id VALUES (?, ?, ?, ?)", group.message_ids)
    for object_id, ordinal, old_object, old_ordinal in group.taken_over:
        for table in ("in_doubt", "settled_part"):
            db.execute(
                f"UPDATE {table} SET object = ?, ordinal = ? WHERE object = ? AND ordinal = ?",  # noqa: S608 # constants of ours
                (object_id, ordinal, old_object, old_ordinal),
            )
        db.execute("DELETE FROM carried WHERE object = ? AND ordinal = ?", (old_object, old_ordinal))
    for state, _, object_id in group.finished:
        if state == "complete":
            _forget(db, object_id)


def _forget(db: sqlite3.Connection, object_id: int) -> None:
    """Forget the message ids of an object that is complete, and all of its earlier versions but their book."""
    versions = "(SELECT id FROM object WHERE uri = (SELECT uri FROM object WHERE id = ?))"
    db.execute(
        f"DELETE FROM settled_part WHERE (object, ordinal) IN (SELECT object, ordinal FROM carried "  # noqa: S608 # constants of ours
        f"WHERE object IN {versions})",
        (object_id,),
    )
    for table in ("carried", "message_id"):
        db.execute(f"DELETE FROM {table} WHERE object IN {versions}", (object_id,))  # noqa: S608 # constants of ours


# -- a new version --------------------------------------------------------------------------------------------


def earlier_versions(db: sqlite3.Connection, uris: Sequence[str] | None = None) -> dict[str, Earlier]:
    """Return the objects that have earlier versions, by uri: of all, or of some."""
    some = "" if uris is None else f"AND uri IN ({', '.join('?' * len(uris))})"
    rows = db.execute(
        f"SELECT uri, max(watermark) FROM object WHERE state = 'replaced' {some} GROUP BY uri",  # noqa: S608 # constants of ours
        uris or (),
    )
    return {uri: Earlier(extent) for uri, extent in rows}


def replace(db: sqlite3.Connection, object_id: int, listed: ArchiveObject) -> int:
    """Close an object's book over what it has settled or parked, and begin its new version; return its number.

    Requests that only wait in the checkpoint behind others go with the unsettled ones: they are read anew.

    Args:
        db: within a transaction; no intents may be left.
        object_id: the version known so far.
        listed: the new one.
    """
    batches = db.execute("SELECT first, next, settled FROM batch WHERE object = ?", (object_id,)).fetchall()
    unsettled = {
        ordinal
        for first, next_, settled in batches
        for ordinal in range(first, next_)
        if not _has(settled, ordinal - first)
    }
    losses.count(db, object_id)
    unsettled |= _drop_followers(db, object_id, unsettled)
    _keep_hashes(db, object_id, unsettled)
    forget_unsent(db, object_id)
    (uncounted,) = db.execute(
        "SELECT coalesce(sum(n), 0) FROM tally WHERE object = ? AND outcome IN ('skipped', 'rejected')", (object_id,)
    ).fetchone()
    db.execute(
        "DELETE FROM tally WHERE object = ? AND outcome IN ('skipped', 'rejected', 'warning')",
        (object_id,),
    )
    letters = db.execute("DELETE FROM dead_letter WHERE object = ? AND kind = 'rejected'", (object_id,))
    if letters.rowcount:  # the file beside the checkpoint is written anew
        db.execute("DELETE FROM meta WHERE key IN ('dead_letters_written', 'dead_letters_length')")
    db.execute("DELETE FROM batch WHERE object = ?", (object_id,))
    extent = max((next_ for _, next_, _ in batches), default=0)
    db.execute(
        "UPDATE object SET state = 'replaced', damage = NULL, changed_etag = NULL, read = read - ?, "
        "watermark = max(watermark, ?) WHERE id = ?",
        (uncounted + len(unsettled), extent, object_id),
    )
    cursor = db.execute(
        "INSERT INTO object (uri, etag, size, place) SELECT uri, ?, ?, place FROM object WHERE id = ?",
        (listed.etag, listed.size, object_id),
    )
    number = int(cursor.lastrowid or 0)
    losses.pass_on(db, object_id, number)
    _let_go_first(db, object_id)
    return number


def _drop_followers(db: sqlite3.Connection, object_id: int, unsettled: set[int]) -> set[int]:
    """Drop the parked requests of records that were never attempted or are unsettled, and return their ordinals.

    The former wait for earlier ones that may have to be read again, so they must be read again behind them.
    """
    kept = {
        ordinal
        for (ordinal,) in db.execute(
            "SELECT r.ordinal FROM parked p JOIN parked_record r ON r.id = p.id WHERE p.object = ?1 AND "
            "(p.attempts OR p.doubted OR r.ordinal IN (SELECT ordinal FROM in_doubt WHERE object = ?1 "
            "UNION ALL SELECT ordinal FROM settled_part WHERE object = ?1))",
            (object_id,),
        )
        if ordinal not in unsettled
    }
    ordinals: dict[int, set[int]] = {}
    for number, ordinal in db.execute("SELECT id, ordinal FROM parked_record WHERE object = ?", (object_id,)):
        ordinals.setdefault(number, set()).add(ordinal)
    followers = {number: its for number, its in ordinals.items() if not its & kept}
    for table in ("parked", "parked_lane", "parked_record"):
        db.executemany(f"DELETE FROM {table} WHERE id = ?", [(number,) for number in followers])  # noqa: S608 # constants of ours
    return set().union(*followers.values())


def _keep_hashes(db: sqlite3.Connection, object_id: int, unsettled: set[int]) -> None:
    """Keep the hashes of what was sent from this version, and of what is unsettled but was attempted."""
    touched = {
        ordinal
        for (ordinal,) in db.execute(
            "SELECT ordinal FROM in_doubt WHERE object = ?1 UNION SELECT ordinal FROM settled_part WHERE object = ?1",
            (object_id,),
        )
    }
    rows = "SELECT first, hashes, left_out FROM message_id WHERE object = ?"
    for first, hashes, left_out in db.execute(rows, (object_id,)).fetchall():
        kept, before = array("Q", hashes), left_out or bytes(len(hashes))
        for index, ordinal in enumerate(range(first, first + len(kept))):
            if ordinal in unsettled and ordinal in touched:
                hash_ = hashes[HASH_BYTES * index : HASH_BYTES * (index + 1)]
                db.execute("INSERT INTO carried VALUES (?, ?, ?)", (object_id, ordinal, hash_))
            if ordinal in unsettled or _has(before, index):
                kept[index] = 0
        db.execute(
            "UPDATE message_id SET hashes = ?, left_out = NULL WHERE object = ? AND first = ?",
            (kept.tobytes(), object_id, first),
        )


def _has(bits: bytes, index: int) -> bool:
    return bool(bits[index >> 3] >> (index & 7) & 1)


def _let_go_first(db: sqlite3.Connection, object_id: int) -> None:
    """Rank what is still parked of the old version before all of the new one: nobody waits before it in its lanes."""
    (place,) = db.execute("SELECT place FROM object WHERE id = ?", (object_id,)).fetchone()
    numbers = db.execute("SELECT id FROM parked WHERE object = ?", (object_id,)).fetchall()
    for table in ("parked", "parked_lane"):
        db.executemany(
            f"UPDATE {table} SET rank = ? WHERE id = ?",  # noqa: S608 # constants of ours
            [(place << _BASE_RANK, number) for (number,) in numbers],
        )


def sent_before(db: sqlite3.Connection, object_id: int) -> SentBefore:
    """Return what earlier versions of an object have sent, less what its batches read so far have met of it."""
    versions = (
        "SELECT id FROM object WHERE state = 'replaced' AND uri = (SELECT uri FROM object WHERE id = ?)",
        (object_id,),
    )
    earlier = [number for (number,) in db.execute(*versions)]
    places = ", ".join("?" * len(earlier))
    (most,) = db.execute(
        f"SELECT coalesce(sum(length(hashes)), 0) / {HASH_BYTES} FROM message_id WHERE object IN ({places})",  # noqa: S608 # constants of ours
        earlier,
    ).fetchone()
    before = SentBefore(most)
    kept = f"SELECT hashes FROM message_id WHERE object IN ({places})"  # noqa: S608 # constants of ours
    for (hashes,) in db.execute(kept, earlier):
        for number in array("Q", hashes):
            if number:
                before.known.add(number)
    met = "SELECT hashes, left_out FROM message_id WHERE object = ? AND left_out IS NOT NULL"
    for hashes, left_out in db.execute(met, (object_id,)):
        for index, number in enumerate(array("Q", hashes)):
            if _has(left_out, index):
                before.known.take(number)
    open_ = f"SELECT object, ordinal, hash FROM carried WHERE object IN ({places}) ORDER BY object, ordinal"  # noqa: S608 # constants of ours
    for old_object, ordinal, hash_ in db.execute(open_, earlier).fetchall():
        before.carry(number_of(hash_), _carried(db, old_object, ordinal))
    return before


def _carried(db: sqlite3.Connection, object_id: int, ordinal: int) -> Carried:
    place = (object_id, ordinal)
    doubts = db.execute("SELECT part, count(*) FROM in_doubt WHERE object = ? AND ordinal = ? GROUP BY 1", place)
    parts = db.execute("SELECT part, reason, detail, status FROM settled_part WHERE object = ? AND ordinal = ?", place)
    return Carried(*place, dict(doubts), {part: PartOutcome(*outcome) for part, *outcome in parts})
