"""How a checkpoint is written: in transactions, with SQLite's errors translated."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from replay_cli.errors import FatalError
from replay_cli.ledger.reading import Reading


class Writing(Reading):
    """Reads and writes a checkpoint, one transaction at a time."""

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Translate SQLite's errors, here only: a full or failing disk stops the run."""
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise  # a bug of ours, no disk's fault
        except sqlite3.Error as error:
            raise FatalError(
                f"cannot write the checkpoint {self.path} ({error}); nothing more is sent. "
                "Free or repair the disk and run the same command again"
            ) from None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def set_meta(self, **values: Any) -> None:
        """Keep plain values by name."""
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", [(k, str(v)) for k, v in values.items()])
