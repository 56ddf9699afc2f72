"""The questions that a checkpoint answers: what the job is, its book, its runs, its dead letters."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from replay_cli.errors import BookError, FatalError
from replay_cli.ledger import intervals, losses
from replay_cli.ledger.content import Content, read_content
from replay_cli.ledger.glimpse import Glimpse, NewLetter, glimpse, last_letter, new_letters
from replay_cli.ledger.headway import Headway, headway, last_letters
from replay_cli.ledger.texts import GONE, unpacked
from replay_cli.ledger.timeline import Interval
from replay_cli.ledger.undelivered import undelivered


class Reading:
    """Reads a checkpoint; `Store` adds the writing.

    Args:
        path: the checkpoint, for messages.
        connection: its database, open.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection

    def _rows(self, sql: str, *parameters: Any) -> list[Any]:
        """Ask for all rows."""
        with self._asking():
            return self._db.execute(sql, parameters).fetchall()

    @contextmanager
    def unchanging(self) -> Iterator[None]:
        """Let all answers within be of one moment, though the job goes on meanwhile."""
        self._rows("BEGIN")
        try:
            yield
        finally:
            self._rows("COMMIT")

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Translate SQLite's errors, as a failing disk."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise  # `Store.open` says what the file is instead
            raise FatalError(f"cannot read the checkpoint {self.path} ({error})") from None

    def _value(self, sql: str, *parameters: Any) -> Any:
        rows = self._rows(sql, *parameters)
        return rows[0][0] if rows else None

    def meta(self, key: str) -> str | None:
        return self._value("SELECT value FROM meta WHERE key = ?", key)  # type: ignore[no-any-return] # TEXT column

    def stored_job(self) -> dict[str, Any]:
        """Return the job as `create` was given it."""
        return dict(json.loads(self.meta("job") or "{}"))

    def dead_letters(self, after: int) -> Iterator[tuple[int, dict[str, Any], bytes | None]]:
        """Give the dead letters behind number `after`: (number, its fields, the record's text; None: it is gone)."""
        rows = self._db.execute(
            "SELECT d.id, o.uri, o.etag, d.ordinal, d.unit, d.kind, d.reason, d.detail, d.attempts, d.at, d.form, "
            "d.record "
            "FROM dead_letter d JOIN object o ON o.id = d.object WHERE d.id > ? ORDER BY d.id",
            (after,),
        )
        for number, uri, etag, ordinal, unit, kind, reason, detail, attempts, at, form, kept in rows:
            fields = {
                "uri": uri,
                "etag": etag,
                "ordinal": ordinal,
                unit: ordinal + 1,
                "kind": kind,
                "reason": reason,
                "detail": detail,
                "attempts": attempts,
                "at": at,
            }
            if form in GONE:
                fields[GONE[form]] = True
            yield number, fields, unpacked(form, kept)

    def pace(self) -> dict[str, Any]:
        """Return the pace of the last run: option → value."""
        return dict(json.loads(self.meta("pace") or "{}"))

    def tallies(self) -> dict[str, dict[str, int]]:
        """Return outcome → reason → number of records."""
        book: dict[str, dict[str, int]] = {}
        for outcome, reason, n in self._rows("SELECT outcome, reason, sum(n) FROM tally GROUP BY 1, 2"):
            book.setdefault(outcome, {})[reason] = n
        return book

    def totals(self) -> dict[str, int]:
        """Return the job's plain numbers: read, pending, parked, in_doubt, objects, complete, peak, ignored, listing.

        `pending` includes the records of `parked` requests; while `listing` (1), there may be more objects.
        `in_doubt` includes the attempts that are `intended` but have no outcome: on their way while the job runs, in
        doubt when it does not.
        """
        intended = self._value("SELECT count(*) FROM intent")
        ((read, total, complete),) = self._rows(
            "SELECT coalesce(sum(read), 0), coalesce(sum(state != 'replaced'), 0), "
            "coalesce(sum(state IN ('complete', 'damaged')), 0) FROM object"
        )
        return {
            "read": read,
            "pending": self._value("SELECT coalesce(sum(unsettled), 0) FROM batch") + self.parked_records(),
            "parked": self.parked_records(),
            "in_doubt": self._value("SELECT count(*) FROM in_doubt") + intended,
            "intended": intended,
            "objects": total,
            "complete": complete,
            "peak": int(self.meta("peak") or 0),
            "ignored": int(self.meta("ignored") or 0),
            "listing": int(self.meta("listing") or 0),
        }

    def parked_records(self, *, redriven: bool = False) -> int:
        """Return how many records have requests that are parked, of all or of those that were dead letters."""
        which = "WHERE id IN (SELECT id FROM parked WHERE redriven)" if redriven else ""
        return int(self._value(f"SELECT count(*) FROM (SELECT DISTINCT object, ordinal FROM parked_record {which})"))  # noqa: S608 # constants of ours

    def damaged(self) -> list[tuple[str, str]]:
        """Return (uri, what is wrong) of the objects that could not be read to their end."""
        return list(self._rows("SELECT uri, damage FROM object WHERE state = 'damaged' ORDER BY id"))

    def changed(self) -> list[str]:
        """Return the objects that changed after they were finished."""
        return [uri for (uri,) in self._rows("SELECT uri FROM object WHERE changed_etag IS NOT NULL ORDER BY id")]

    def continued(self) -> list[str]:
        """Return the objects that changed in mid-job and were gone on with."""
        return [uri for (uri,) in self._rows("SELECT DISTINCT uri FROM object WHERE state = 'replaced' ORDER BY id")]

    def examples(self) -> dict[str, list[dict[str, Any]]]:
        """Return a few records that each warning is about, by rule: uri, line or row (1-based), detail."""
        found: dict[str, list[dict[str, Any]]] = {}
        for rule, uri, ordinal, unit, detail in self._rows(
            "SELECT e.rule, o.uri, e.ordinal, e.unit, e.detail FROM example e JOIN object o ON o.id = e.object "
            "ORDER BY e.rule, e.object, e.ordinal"
        ):
            found.setdefault(rule, []).append({"uri": uri, unit: ordinal + 1, "detail": detail})
        return found

    def records_in_part(self) -> int:
        """Count the records that became several requests, of which some arrived and others are open or given up."""
        return int(
            self._value(
                "SELECT (SELECT count(*) FROM (SELECT DISTINCT object, ordinal FROM settled_part)) + "
                "(SELECT count(*) FROM dead_letter WHERE delivered_parts != '')"
            )
        )

    def amendments(self) -> list[dict[str, Any]]:
        """Return the settings that were changed in mid-job: at (POSIX seconds), reason, setting, before, after."""
        names = ("at", "reason", "setting", "before", "after")
        rows = self._rows(f"SELECT {', '.join(names)} FROM amendment ORDER BY id")  # noqa: S608 # constants of ours
        return [dict(zip(names, row, strict=True)) for row in rows]

    def replies(self) -> dict[str, int]:
        return dict(self._rows("SELECT label, n FROM reply ORDER BY label"))

    def in_doubt(self, *, running: bool) -> Iterator[tuple[str, int, int, int, float, str]]:
        """Give every attempt in doubt: (uri, ordinal, part, attempt, POSIX seconds, cause).

        Args:
            running: a run is on, so that attempts without an outcome are under way; else it died with them.
        """
        died = "SELECT object, ordinal, part, attempt, at, 'interrupted' AS cause FROM intent"
        doubts = "SELECT object, ordinal, part, attempt, at, cause FROM in_doubt"
        yield from self._db.execute(
            "SELECT o.uri, d.ordinal, d.part, d.attempt, d.at, d.cause "  # noqa: S608 # constants of ours
            f"FROM ({doubts}{'' if running else f' UNION ALL {died}'}) d JOIN object o ON o.id = d.object ORDER BY d.at"
        )

    def lost(self) -> list[losses.Lost]:
        """Return what is to be read again because a machine was lost: what is to be sent of it is in doubt then."""
        with self._asking():
            return losses.to_look_at(self._db)

    def runs(self) -> list[dict[str, Any]]:
        """Return the job's runs, oldest first."""
        cursor = self._db.execute(
            "SELECT id, kind, started, seen, state, reason, pid, host, version, user, delivered FROM run ORDER BY id"
        )
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def timeline(self, run_id: int | None = None) -> list[Interval]:
        """Return what happened when, oldest first: in one run, or in all."""
        with self._asking():
            return intervals.read(self._db, run_id)

    def content(self) -> Content:
        """Return what the records that became requests are."""
        with self._asking():
            return read_content(self._db)

    def glimpse(self) -> Glimpse:
        """Return what is shown of a job besides its book, again and again."""
        with self._asking():
            return glimpse(self._db)

    def new_letters(self, after: int, most: int) -> list[NewLetter]:
        """Return the first dead letters behind number `after`, without their records."""
        with self._asking():
            return new_letters(self._db, after, most)

    def last_letter(self) -> int:
        """Return the number of the last dead letter; 0 when there is none."""
        with self._asking():
            return last_letter(self._db)

    def headway(self) -> Headway:
        """Return how far reading is."""
        with self._asking():
            return headway(self._db)

    def last_letters(self, most: int) -> list[dict[str, Any]]:
        """Return what was rejected or given up last: see `last_letters`."""
        with self._asking():
            return last_letters(self._db, most)

    def undelivered(self) -> list[dict[str, Any]]:
        """Return what was rejected or given up, by reason, with a few records each: see `undelivered`."""
        book = self.tallies()
        with self._asking():
            return undelivered(self._db, book)

    def verify_book(self, *, complete: bool = False) -> None:
        """Check that for each object `read = delivered + skipped + rejected + dead_lettered + pending`.

        The left side is counted as batches are read, the right side as records are settled.

        Args:
            complete: the job says that it is done: then nothing may be pending either.

        Raises:
            BookError: it does not.
        """
        rows = self._db.execute(
            "SELECT o.uri, o.read, "
            "(SELECT coalesce(sum(n), 0) FROM tally t WHERE t.object = o.id AND t.outcome != 'warning'), "
            "(SELECT coalesce(sum(unsettled), 0) FROM batch b WHERE b.object = o.id) + "
            "(SELECT count(DISTINCT ordinal) FROM parked_record p WHERE p.object = o.id) FROM object o"
        )
        for uri, read, settled, pending in rows:
            if read != settled + pending or (complete and pending):
                raise BookError(
                    f"the book of {uri} does not close: {read} read, {settled} settled, {pending} pending. "
                    f"This is a bug in replay; please report it with {self.path}"
                )
