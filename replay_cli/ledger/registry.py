"""The objects of a job in its checkpoint: what was begun, what waits, how far each one is."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from replay_cli.ledger import changes, objects
from replay_cli.ledger.changes import Changed, SentBefore
from replay_cli.ledger.group import PartOutcome
from replay_cli.ledger.objects import Listed, ObjectState
from replay_cli.ledger.watermark import OpenBatch
from replay_cli.ledger.writing import Writing
from replay_cli.model import ArchiveObject


class Registry(Writing):
    """Takes objects in as they are listed, and gives out what is left to read of them."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(path, connection)
        self._unlisted: set[int] = set()
        self._frontier = ("", "")

    def begun(self, changed: Changed) -> list[ObjectState]:
        """Return the objects to look at before any other: those in progress, as they were begun."""
        with self._errors():
            return objects.begun(self._db, changed)

    def take_found(self, state: ObjectState, found: ArchiveObject | None, changed: Changed) -> ObjectState:
        """Take an object that was begun as it is now (None: it is gone); see `objects.take_found`.

        Raises:
            UsageError: it changed after a part of it was sent.
            FatalError: it is gone, after a part of it was sent.
        """
        with self._transaction() as db:
            return objects.take_found(db, state, found, changed)

    def begin_listing(self, settings: Mapping[str, Any]) -> None:
        """Get ready for `register`; what was listed for other settings, and not begun, is forgotten.

        For other ones than the job's, too: an amendment that is given up once it was listed leaves nothing behind.
        """
        listed_for = json.dumps(dict(settings), sort_keys=True)
        with self._transaction() as db:
            if self.meta("listed_for") not in (None, listed_for):
                objects.drop_waiting(db)
            db.execute("INSERT OR REPLACE INTO meta VALUES ('listed_for', ?)", (listed_for,))
            self._unlisted = objects.waiting_numbers(db)
            self._frontier = ("", "")
            db.execute("INSERT OR REPLACE INTO meta VALUES ('listing', '1')")

    @property
    def has_unlisted(self) -> bool:
        """Whether something waits to be read that was not listed so far."""
        return bool(self._unlisted)

    def register(self, page: Sequence[Listed]) -> int:
        """Take a page of the listing in; return how many stored bytes of it wait to be read."""
        with self._transaction() as db:
            self._frontier = max([self._frontier, *((listed.order, listed.object.uri) for listed in page)])
            return objects.register(db, page, self._unlisted)

    def end_listing(self, ignored: int) -> None:
        """Note that everything was listed, and how many names were left alone."""
        with self._transaction() as db:
            objects.end_listing(db, self._unlisted)
            db.execute("INSERT OR REPLACE INTO meta VALUES ('ignored', ?)", (str(ignored),))
            db.execute("INSERT OR REPLACE INTO meta VALUES ('listing', '0')")

    def waiting(self, limit: int = -1) -> list[ObjectState]:
        """Return the next objects that were listed and not begun, at most so many."""
        with self._errors():
            return objects.waiting(self._db, limit, self._frontier)

    def next_place(self) -> int:
        """Return the place of the next object that is begun."""
        return int(self._value("SELECT coalesce(max(place), 0) + 1 FROM object"))

    def open_batches(self, object_id: int) -> dict[int, OpenBatch]:
        """Return an object's batches above the watermark, by their first ordinal."""
        rows = self._db.execute(
            "SELECT object, first, next, unsettled, settled FROM batch WHERE object = ?", (object_id,)
        )
        return {row[1]: OpenBatch(*row) for row in rows}

    def settled_parts(self, object_id: int) -> dict[tuple[int, int], PartOutcome]:
        """Return how requests of records that are not settled ended, by (ordinal, part)."""
        rows = self._db.execute(
            "SELECT ordinal, part, reason, detail, status FROM settled_part WHERE object = ?", (object_id,)
        )
        return {(ordinal, part): PartOutcome(*outcome) for ordinal, part, *outcome in rows}

    def doubts(self, object_id: int, watermark: int) -> dict[tuple[int, int], int]:
        """Return how many attempts at an (ordinal, part) at or above the watermark ended in doubt."""
        rows = self._db.execute(
            "SELECT ordinal, part, count(*) FROM in_doubt WHERE object = ? AND ordinal >= ? GROUP BY 1, 2",
            (object_id, watermark),
        )
        return {(ordinal, part): n for ordinal, part, n in rows}

    def sent_before(self, object_id: int) -> SentBefore:
        """Return what earlier versions of an object have sent, less what its batches read so far have met of it."""
        with self._errors():
            return changes.sent_before(self._db, object_id)
