"""How far a job is with reading, and what was given up last: asked again and again while it runs."""

import sqlite3
from typing import Any, NamedTuple


class Headway(NamedTuple):
    """How far reading is.

    `stored` bytes of the objects that are finished gave `records`; `waiting` are those of objects that were listed and
    not begun. Of the objects that are being read, `reading` has (stored bytes, records read).
    """

    stored: int
    records: int
    waiting: int
    reading: list[tuple[int, int]]

    @property
    def unread(self) -> float | None:
        """About how many records are not read yet, if they are as long as those that were; None: nobody can tell."""
        if not (self.waiting or self.reading):
            return 0.0
        if not self.stored:
            return None
        in_a_byte = self.records / self.stored
        return self.waiting * in_a_byte + sum(max(0.0, size * in_a_byte - read) for size, read in self.reading)


def headway(db: sqlite3.Connection) -> Headway:
    """Tell how far reading is."""
    sums = "SELECT coalesce(sum(size), 0), coalesce(sum(read), 0) FROM object WHERE"
    stored, records = db.execute(f"{sums} state IN ('complete', 'damaged') AND read > 0").fetchone()
    waiting, _ = db.execute(f"{sums} state = 'waiting'").fetchone()
    reading = db.execute("SELECT size, read FROM object WHERE state = 'reading'").fetchall()
    return Headway(stored, records, waiting, reading)


def last_letters(db: sqlite3.Connection, most: int) -> list[dict[str, Any]]:
    """Return the last records that were rejected or given up, oldest first: at, kind, reason, uri, line or row."""
    rows = db.execute(
        "SELECT d.at, d.kind, d.reason, o.uri, d.unit, d.ordinal + 1 FROM dead_letter d "
        "JOIN object o ON o.id = d.object ORDER BY d.id DESC LIMIT ?",
        (most,),
    ).fetchall()
    names = ("at", "kind", "reason", "uri")
    return [{**dict(zip(names, row[:4], strict=True)), row[4]: row[5]} for row in reversed(rows)]
