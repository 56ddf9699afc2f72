"""Texts that are not to be kept any more: dead letters that have expired, and what is known of people who are erased.

The book keeps what became of each record; only what a record said goes. That it is gone from the disk, too, and not
only from the tables, is `wipe`'s: it writes the file anew without what nothing refers to.
"""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from replay_cli.ledger import whereabouts
from replay_cli.ledger.registry import Registry
from replay_cli.ledger.texts import GONE, Form, unpacked
from replay_cli.ledger.whereabouts import Fate, Found, ReadObject

TEXTS_AT_ONCE = 500
"""So many records are looked at at once."""
_KEPT = f"form IN ({Form.PLAIN}, {Form.PACKED})"
_TO_WIPE = "to_wipe"
"""The name of what says that something was erased, and may still be on the disk."""


class RecordText(NamedTuple):
    """The text of a record, and where it stands."""

    object_id: int
    ordinal: int
    unit: str
    record: bytes


class LetterText(NamedTuple):
    """The text of a dead letter."""

    id: int
    text: RecordText


class Erasing(Registry):
    """Erases texts, and what is left of them in the file."""

    def expire_letters(self, before: float) -> int:
        """Erase the texts of the dead letters from before a moment (POSIX seconds); return how many these are."""
        with self._erasing():
            done = self._db.execute(
                f"UPDATE dead_letter SET form = {Form.EXPIRED}, record = x'', detail = '' WHERE at < ? AND {_KEPT}",  # noqa: S608 # constants
                (before,),
            )
            if done.rowcount:
                self._note_erased()
        return done.rowcount

    def letter_texts(self) -> Iterator[Sequence[LetterText]]:
        """Give the dead letters whose text is kept, some at a time; those given may be erased before the next."""
        last = 0
        while rows := self._rows(
            "SELECT id, object, ordinal, unit, record, form FROM dead_letter "  # noqa: S608 # constants
            f"WHERE id > ? AND {_KEPT} ORDER BY id LIMIT {TEXTS_AT_ONCE}",
            last,
        ):
            last = rows[-1][0]
            yield [
                LetterText(number, RecordText(object_id, ordinal, unit, unpacked(form, kept) or b""))
                for number, object_id, ordinal, unit, kept, form in rows
            ]

    def erase_letters(self, numbers: Collection[int]) -> None:
        """Erase the texts of these dead letters; they stay in the book, and are never sent again."""
        if not numbers:
            return
        with self._erasing():
            self._db.execute(
                f"UPDATE dead_letter SET form = {Form.ERASED}, record = x'', detail = '' "  # noqa: S608 # constants of ours
                "WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(numbers)),),
            )
            self._note_erased()

    def erase_details(self, places: Collection[tuple[int, int]]) -> None:
        """Erase what was noted about records: (object, ordinal)."""
        if not places:
            return
        with self._erasing():
            for table in ("example", "settled_part"):
                self._db.executemany(
                    f"UPDATE {table} SET detail = '' WHERE object = ? AND ordinal = ? AND detail != ''",  # noqa: S608 # a table of ours
                    list(places),
                )
            self._note_erased()

    def shorten_reasons(self, shorten: Callable[[str], str]) -> None:
        """Shorten what is noted about the endings of runs, which may repeat what a reply said."""
        rows = self._rows("SELECT id, reason FROM run")
        changed = [(shorter, number) for number, reason in rows if (shorter := shorten(reason)) != reason]
        if not changed:
            return
        with self._erasing():
            self._db.executemany("UPDATE run SET reason = ? WHERE id = ?", changed)
            self._note_erased()

    def example_places(self) -> list[tuple[int, int]]:
        """Return (object, ordinal) of the records that something is noted about as an example."""
        return self._rows("SELECT DISTINCT object, ordinal FROM example WHERE detail != ''")

    def gone_letters(self) -> dict[str, int]:
        """Return how many records cannot be redriven, because their texts are gone, by why: `expired`, `erased`."""
        rows = self._rows("SELECT form, count(*) FROM dead_letter WHERE kind = 'dead_lettered' GROUP BY 1 ORDER BY 1")
        return {GONE[form]: n for form, n in rows if form in GONE}

    def parked_texts(self) -> Iterator[Sequence[RecordText]]:
        """Give the records whose requests are parked, some at a time."""
        last = (-1, -1)
        while rows := self._rows(
            "SELECT r.object, r.ordinal, p.unit, r.record FROM parked_record r JOIN parked p ON p.id = r.id "
            "WHERE (r.object, r.ordinal) > (?, ?) GROUP BY 1, 2 ORDER BY 1, 2 LIMIT ?",
            *last,
            TEXTS_AT_ONCE,
        ):
            last = rows[-1][:2]
            yield [RecordText(*row) for row in rows]

    def parked_erased(self) -> None:
        """Note that parked requests were taken out, so that they are gone from the disk, too."""
        with self._erasing():
            self._note_erased()

    @property
    def is_to_be_wiped(self) -> bool:
        """Whether something was erased that the files beside the tables, or their free pages, may hold still."""
        return self.meta(_TO_WIPE) is not None

    def wipe(self) -> bool:
        """Let what was erased, now or by a run that died, be gone from the checkpoint's files, too.

        Returns:
            Whether it is gone: not as long as somebody reads an older state of the checkpoint.
        """
        if not self.is_to_be_wiped:
            return True
        with self._errors():
            # Parked records are kept in the order of their rows: SQLite copies them in that order.
            self._db.execute("VACUUM")
            ((busy, *_),) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if busy:
            return False
        with self._transaction() as db:
            db.execute("DELETE FROM meta WHERE key = ?", (_TO_WIPE,))
        return True

    # -- who is looked for ----------------------------------------------------------------------------------

    def begin_list(self) -> None:
        """Begin a list of records that are looked for."""
        with self._errors():
            whereabouts.begin_list(self._db)

    def read_objects(self) -> list[ReadObject]:
        """Return the objects of which something was, or may have been, sent."""
        with self._errors():
            return whereabouts.read_objects(self._db)

    def fate(self, object_id: int, ordinal: int) -> Fate:
        """Return what is known of a record that was read."""
        with self._errors():
            return whereabouts.fate(self._db, object_id, ordinal)

    def put_on_list(self, text: RecordText, fate: Fate, type_: str, time: str) -> None:
        """Put a record on the list, with its message's type and time; it is there once."""
        with self._errors():
            whereabouts.put_on_list(self._db, *text[:3], fate, type_, time)

    def is_on_list(self, object_id: int, ordinal: int) -> bool:
        """Tell whether a record is on the list."""
        return bool(self._rows("SELECT 1 FROM found WHERE object = ? AND ordinal = ?", object_id, ordinal))

    def list_in_part(self) -> list[tuple[int, int]]:
        """Return (object, ordinal) of those on the list of which something is noted about one of their requests."""
        return self._rows("SELECT DISTINCT object, ordinal FROM found JOIN settled_part USING (object, ordinal)")

    def listed(self) -> Iterator[Found]:
        """Give the records on the list that are, or may be, with MoEngage, in the archive's order."""
        with self._errors():
            yield from whereabouts.listed(self._db)

    def listed_by_fate(self) -> dict[str, int]:
        """Return how many records are on the list, by fate."""
        with self._errors():
            return whereabouts.counts(self._db)

    @contextmanager
    def _erasing(self) -> Iterator[None]:
        """Let what is deleted be overwritten with zeros; a run does without that, for its deletions are many."""
        usual = int(self._value("PRAGMA secure_delete"))
        self._value("PRAGMA secure_delete = ON")
        try:
            with self._transaction():
                yield
        finally:
            self._value(f"PRAGMA secure_delete = {usual}")

    def _note_erased(self) -> None:
        """Let the dead-letter file be written anew, and the checkpoint be wiped."""
        self._db.execute("DELETE FROM meta WHERE key IN ('dead_letters_written', 'dead_letters_length')")
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, '1')", (_TO_WIPE,))
