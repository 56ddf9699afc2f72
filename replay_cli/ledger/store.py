"""The checkpoint file: SQLite in WAL mode with `synchronous=FULL`, so that what is committed survives a power cut.

A `Store` belongs to one thread at a time. Everything that a run changes goes through `apply`, one transaction for
one group of changes: the book and the watermark can never disagree.
"""

import json
import os
import pwd
import socket
import sqlite3
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from errno import EEXIST
from pathlib import Path
from typing import Any

from replay_cli import __version__
from replay_cli.errors import FatalError, UsageError
from replay_cli.ledger import changes, intervals, losses, parked, redrive, suppressing
from replay_cli.ledger.content import apply_content
from replay_cli.ledger.erasing import Erasing
from replay_cli.ledger.group import Group, add_counts, apply_attempts, apply_letters, apply_parked, apply_progress
from replay_cli.ledger.parked import Loaded, ParkedBefore
from replay_cli.ledger.redrive import Block, Letter, Which
from replay_cli.ledger.seen import apply_seen, last_seen
from replay_cli.ledger.upgrading import SCHEMA_VERSION, UPGRADABLE, schema, stand_in, upgrade
from replay_cli.model import Request

APPLICATION_ID = 0x52504C59  # "RPLY", so that `file` and we know a checkpoint when we see one
OUTCOMES = ("delivered", "skipped", "rejected", "dead_lettered")


class Store(Erasing):
    """One checkpoint file: `create` a new one, or `open` one that is there."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(path, connection)
        self.run_id = 0
        self._window_size: int | None = None

    @classmethod
    def create(cls, path: Path, job: dict[str, Any]) -> "Store":
        """Make a new checkpoint; its file is readable by its owner only.

        It is made under another name and then renamed: a run that dies meanwhile leaves none behind, not half a
        one that the next run would stumble over.

        Raises:
            FatalError: the file cannot be written, or there is one.
        """
        draft = path.with_name(path.name + ".new")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.path.lexists(path):
                raise FileExistsError(EEXIST, os.strerror(EEXIST))
            _remove_remains(draft)
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            cls._fill(draft, job)
            _remove_remains(path)
            draft.rename(path)
            _sync_folder(path.parent)
        except OSError as error:
            raise FatalError(f"cannot create the checkpoint {path}: {error.strerror}") from None
        store = cls(path, _connect(path))
        with store._errors():
            _make_durable(store._db)
        return store

    @classmethod
    def _fill(cls, path: Path, job: dict[str, Any]) -> None:
        store = cls(path, _connect(path))
        try:
            with store._errors():
                _make_durable(store._db)
                store._db.executescript(
                    f"BEGIN IMMEDIATE;\n{schema()}\n"
                    f"PRAGMA application_id={APPLICATION_ID};\nPRAGMA user_version={SCHEMA_VERSION};\nCOMMIT;"
                )
                store.set_meta(job=json.dumps(job))
        finally:
            store.close()

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> "Store":
        """Open an existing checkpoint.

        Raises:
            UsageError: there is none, or the file is something else, or of another version.
        """
        if path.is_dir():
            raise UsageError(f"{path} is a directory, not a checkpoint")
        if not path.is_file():
            raise UsageError(f"{path}: there is no such checkpoint")
        try:
            store = cls(path, _connect(path, read_only=read_only))
        except sqlite3.Error as error:
            raise UsageError(f"{path} cannot be opened ({error})") from None
        try:
            version = store._require_checkpoint()
            if not read_only:
                _make_durable(store._db)
            if version in UPGRADABLE:
                (stand_in if read_only else upgrade)(store._db, version)
        except sqlite3.DatabaseError as error:
            store.close()
            if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise UsageError(f"{path} is not a replay checkpoint ({error})") from None
            raise FatalError(f"cannot open the checkpoint {path} ({error})") from None
        except (UsageError, FatalError):
            store.close()
            raise
        return store

    def _require_checkpoint(self) -> int:
        """Return the format of a checkpoint that can be used, one way or the other."""
        application, version = self._value("PRAGMA application_id"), self._value("PRAGMA user_version")
        if application == 0 and version == 0 and not self._value("SELECT count(*) FROM sqlite_master"):
            raise UsageError(f"{self.path} is an empty file, not a replay checkpoint: remove it and run again")
        if application != APPLICATION_ID:
            raise UsageError(f"{self.path} is not a replay checkpoint")
        if version not in (*UPGRADABLE, SCHEMA_VERSION):
            raise UsageError(
                f"{self.path} was written by another version of replay (format {version}): go on with that one, or "
                "begin anew where no checkpoint is"
            )
        return int(version)

    def close(self) -> None:
        self._db.close()

    # -- what the job is ------------------------------------------------------------------------------------

    def amend(self, job: Mapping[str, Any], reason: str, at: float, changes_: Iterable[tuple[str, str, str]]) -> None:
        """Go on with other settings from here: `changes_` are (setting, before, after), as people read them."""
        with self._transaction() as db:
            db.execute("UPDATE meta SET value = ? WHERE key = 'job'", (json.dumps(dict(job)),))
            db.executemany(
                "INSERT INTO amendment (at, reason, setting, before, after) VALUES (?, ?, ?, ?, ?)",
                [(at, reason, *change) for change in changes_],
            )

    def start_run(self, now: float, pace: Mapping[str, Any], kind: str = "run") -> None:
        """Note that a run (or a redrive) begins: who, where, which version, at which pace."""
        self.set_meta(pace=json.dumps(dict(pace)))
        row = (now, now, "running", "", os.getpid(), socket.gethostname(), __version__, kind, _user())
        with self._transaction() as db:
            cursor = db.execute(
                "INSERT INTO run (started, seen, state, reason, pid, host, version, kind, user, delivered) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
                row,
            )
            self.run_id = int(cursor.lastrowid or 0)

    def end_run(self, now: float, state: str, reason: str) -> None:
        with self._transaction() as db:
            row = (now, state, reason, self.run_id)
            db.execute("UPDATE run SET seen = ?, state = ?, reason = ? WHERE id = ?", row)

    def begin_window(self, size: int) -> Iterator["array[int]"]:
        """Give the numbers of the last messages seen, at most so many, oldest first; from now on no more are kept.

        To be called when the objects that changed were looked at: what was not sent of them is then forgotten.

        Raises:
            FatalError: the checkpoint cannot be read.
        """
        self._window_size = size
        return self._last_seen(size)

    def _last_seen(self, size: int) -> Iterator["array[int]"]:
        with self._errors():
            yield from last_seen(self._db, size)

    # -- a run's changes ------------------------------------------------------------------------------------

    def apply(self, group: Group) -> None:
        """Make a group of changes durable, all or none.

        Raises:
            FatalError: the disk is full or failing; nothing of the group was written.
        """
        with self._transaction() as db:
            changes.apply_message_ids(db, group)
            apply_seen(db, group, self._window_size)
            apply_progress(db, group)
            apply_attempts(db, group)
            _apply_losses(db, group)
            apply_parked(db, group)
            apply_letters(db, group.dead_letters)
            apply_content(db, group.content)
            intervals.write(db, self.run_id, group.intervals)
            if group.thin_at:
                intervals.thin(db, group.thin_at)
            if group.seen:
                db.execute("UPDATE run SET seen = ? WHERE id = ?", (group.seen, self.run_id))
            if delivered := sum(n for (_, outcome, _), n in group.tallies.items() if outcome == "delivered"):
                db.execute("UPDATE run SET delivered = delivered + ? WHERE id = ?", (delivered, self.run_id))
            if group.peak:
                db.execute(
                    "INSERT INTO meta VALUES ('peak', ?) ON CONFLICT DO UPDATE "
                    "SET value = excluded.value WHERE CAST(excluded.value AS INTEGER) > CAST(value AS INTEGER)",
                    (str(group.peak),),
                )

    # -- parked requests ------------------------------------------------------------------------------------

    def begin_parking(self, *, redriven: bool = False) -> ParkedBefore:
        """Make a run (or a redrive, which touches nothing else) ready for what was parked, and return it."""
        with self._transaction() as db:
            return parked.begin(db, redriven=redriven)

    def release_heads(self) -> None:
        """Make those parked requests due that wait for no other one."""
        with self._transaction() as db:
            parked.release_heads(db)

    def load_parked(self, lanes: Iterable[str], now: float, limit: int) -> Loaded:
        """Take parked requests back into memory: those due, and the next ones of some lanes.

        Raises:
            FatalError: the checkpoint cannot be read.
        """
        with self._errors():
            return parked.load(self._db, lanes, now, limit)

    def suppress_parked(self, reason_against: suppressing.Question, shrink: suppressing.Shrink) -> int:
        """Take what must not be sent out of the parked requests, before `begin_parking`; its records are skipped.

        A record is counted once, however many requests it became, and with others in its request these go on. A run
        that dies here leaves the book closed, and the next one goes on.

        Args:
            reason_against: the text of a record → why it must not be sent.
            shrink: takes records out of a request.

        Returns:
            How many records were taken out.
        """
        count = 0
        place: suppressing.Place | None = suppressing.BEFORE_ALL
        while place is not None:
            with self._transaction() as db:
                taken, place = suppressing.take_out(db, place, reason_against, shrink)
                count += taken
        return count

    # -- dead letters that go back --------------------------------------------------------------------------

    def redrivable(self, which: Which) -> dict[str, int]:
        """Return how many dead letters could be sent again, by reason."""
        with self._errors():
            return redrive.count(self._db, which)

    def letters_to_redrive(self, which: Which) -> Iterator[Block]:
        """Give the dead letters to send again, in the archive's order; a block may be taken back as it comes."""
        with self._errors():
            yield from redrive.blocks(self._db, which)

    def take_back(self, letters: Sequence[Letter], requests: Sequence[Request]) -> None:
        """Make parked requests of dead letters: their records are pending again."""
        with self._transaction() as db:
            number = int(self._value("SELECT coalesce(max(id), 0) + 1 FROM parked"))
            redrive.take_back(db, letters, requests, number)
            db.execute("DELETE FROM meta WHERE key IN ('dead_letters_written', 'dead_letters_length')")

    # -- a killed run ---------------------------------------------------------------------------------------

    def settle_intents(self) -> int:
        """Turn the intents that a killed run left behind into in-doubt attempts; return how many."""
        with self._transaction() as db:
            return self._settle_intents(db)

    def _settle_intents(self, db: sqlite3.Connection) -> int:
        count = int(self._value("SELECT count(*) FROM intent"))
        if count:
            db.execute(
                "INSERT INTO in_doubt (object, ordinal, part, attempt, at, cause) "
                "SELECT object, ordinal, part, attempt, at, 'interrupted' FROM intent"
            )
            attempts = self._value("SELECT count(*) FROM (SELECT DISTINCT object, part, attempt, at FROM intent)")
            intervals.add_interrupted(db, attempts, self._value("SELECT max(at) FROM intent"))
            db.execute("DELETE FROM intent")
            add_counts(db, Counter({"interrupted": attempts}))
        return count

    # -- a lost machine -------------------------------------------------------------------------------------

    def note_lost(self, announced: Iterable[tuple[str, str, int, int]], parked: Sequence[int], at: float) -> None:
        """Note that the run died with its machine: what was announced and is not settled here may have been sent.

        To be called on a snapshot of its checkpoint before anything else: it settles the intents, too. Parked requests
        are in doubt from now on, the requests of batches from when they are read again; then they are treated as what
        was in doubt when an earlier run ended. Called twice, it changes nothing the second time.

        Args:
            announced: batches, as (uri, etag, first, next).
            parked: numbers of parked requests.
            at: POSIX seconds: when they may have been sent.
        """
        with self._transaction() as db:
            doubt = self._value("SELECT coalesce(max(id), 0) FROM in_doubt")
            self._settle_intents(db)
            losses.note(db, announced, parked, at, doubt)

    def lost_batches(self) -> losses.Losses:
        """Return what a run has to look at when it opens batches."""
        with self._errors():
            return losses.read(self._db)

    # -- whose it is ----------------------------------------------------------------------------------------

    def custodian(self) -> str | None:
        """Return who wrote this copy of a checkpoint that is kept elsewhere, by its id there; None: nobody."""
        return self.meta("custodian")

    def set_custodian(self, owner: str) -> None:
        """Note who writes this copy from now on."""
        self.set_meta(custodian=owner)


def _apply_losses(db: sqlite3.Connection, group: Group) -> None:
    for batch in group.looked_at:
        losses.look_at(db, *batch)
    for *_, object_id in group.finished:
        losses.finish(db, object_id)


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    mode = "ro" if read_only else "rw"
    # Nobody writes it and nothing is left to recover: SQLite need not make files of its own beside it.
    immutable = "&immutable=1" if read_only and not path.with_name(path.name + "-wal").exists() else ""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}{immutable}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=30,
    )


def _user() -> str:
    """Return who runs this, as the operating system knows them; "" where it does not."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's made-up user
        return ""


def _make_durable(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")


def _remove_remains(path: Path) -> None:
    """Remove what a run that died left beside a checkpoint that is no more: SQLite would take it for the new one's."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
