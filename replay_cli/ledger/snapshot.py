"""Snapshots of a checkpoint while it is written: what can be kept elsewhere, and go on from there."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from replay_cli.errors import FatalError

B = TypeVar("B", bound=tuple[str, str, int, int])
_WAIT = 30.0
"""Seconds that reading waits for a lock."""

_OBJECT = "SELECT id, state, watermark FROM object WHERE uri = ? AND etag = ? ORDER BY state = 'replaced', id DESC"
_ABOVE = "SELECT max(next), sum(unsettled > 0 AND first < ?2 AND next > ?3) FROM batch WHERE object = ?1"
_CLOSED = ("complete", "damaged", "replaced")


def take_snapshot(checkpoint: Path, into: Path) -> None:
    """Copy a checkpoint as it is at one moment, though its run goes on; the copy is one plain file of its owner's.

    Args:
        checkpoint: the file; it stays as it is, and its run waits for nothing.
        into: the copy's name; what was there is gone.

    Raises:
        FatalError: the one cannot be read, or the other not be written.
    """
    try:
        _make_private(into)
        with closing(_open(checkpoint)) as source, closing(_open(into)) as copy:
            source.execute("PRAGMA query_only = ON")
            copy.execute("PRAGMA synchronous = OFF")  # it is made anew after a crash
            source.backup(copy)  # in one step: in several, each commit of the run would begin it anew
            copy.execute("PRAGMA journal_mode = DELETE")
    except (OSError, sqlite3.Error) as error:
        into.unlink(missing_ok=True)
        raise FatalError(
            f"cannot copy the checkpoint {checkpoint} to {into} ({error}): free or repair the disk and run the same "
            "command again"
        ) from None


def _make_private(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _open(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_WAIT)


def still_open(snapshot: Path, announced: Sequence[B], parked: Sequence[int]) -> tuple[list[B], list[int]]:
    """Return what was announced before a snapshot was taken, and of which it does not know that it is settled.

    Args:
        snapshot: the copy, which nobody writes.
        announced: batches, as (uri, etag, first, next).
        parked: numbers of parked requests.

    Raises:
        FatalError: the copy cannot be read.
    """
    try:
        with closing(sqlite3.connect(f"{snapshot.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            there = {number for (number,) in db.execute("SELECT id FROM parked")} if parked else set[int]()
            return [batch for batch in announced if _is_open(db, *batch)], [n for n in parked if n in there]
    except sqlite3.Error as error:
        raise FatalError(f"cannot read the copy {snapshot} of the checkpoint ({error})") from None


def _is_open(db: sqlite3.Connection, uri: str, etag: str, first: int, next_: int) -> bool:
    """Tell whether something of a batch may be sent after the checkpoint was as it is."""
    row = db.execute(_OBJECT, (uri, etag)).fetchone()
    if row is None:
        return True
    number, state, watermark = row
    if state in _CLOSED or next_ <= watermark:
        return False
    end, unsettled = db.execute(_ABOVE, (number, next_, first)).fetchone()
    return bool(unsettled) or next_ > max(watermark, end or 0)
