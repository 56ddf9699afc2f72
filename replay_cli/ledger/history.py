"""What other jobs of a workspace have sent: their checkpoints are read, which may be running, and never written.

A connection of its own, with a data base in memory that holds the objects in question; each checkpoint is attached to
it in turn, and the rest is a join.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from replay_cli.ledger.reading import Reading
from replay_cli.ledger.writing import Writing
from replay_cli.model import ArchiveObject

_AGAIN = "again"
_LONGEST_WAIT = 5.0
"""Seconds to wait for a checkpoint that is locked."""
_SCHEMA = """
CREATE TABLE candidate (id INTEGER PRIMARY KEY, uri TEXT, etag TEXT, UNIQUE (uri, etag));
CREATE TABLE found (id INTEGER PRIMARY KEY);
CREATE TABLE found_here (id INTEGER PRIMARY KEY);
"""
"""`found_here` is what one job has sent of the candidates, `found` what any has."""
_SENT = """
INSERT OR IGNORE INTO found_here
SELECT c.id FROM candidate c CROSS JOIN other.object o ON o.uri = c.uri AND o.etag = c.etag WHERE
EXISTS (SELECT 1 FROM other.tally t WHERE t.object = o.id AND t.outcome = 'delivered')
OR EXISTS (SELECT 1 FROM other.in_doubt d WHERE d.object = o.id)
OR EXISTS (SELECT 1 FROM other.intent i WHERE i.object = o.id)
OR EXISTS (SELECT 1 FROM other.settled_part s WHERE s.object = o.id AND s.reason IS NULL)
OR EXISTS (SELECT 1 FROM other.parked_record p WHERE p.object = o.id)
"""
"""The objects of which a job has delivered something, or may have, or keeps something to be sent.

A cross join, so that SQLite looks each candidate up: it cannot know that they may be much fewer.
"""
_LOST = """
INSERT OR IGNORE INTO found_here
SELECT c.id FROM candidate c CROSS JOIN other.object o ON o.uri = c.uri AND o.etag = c.etag
WHERE EXISTS (SELECT 1 FROM other.lost l WHERE l.object = o.id)
"""
"""The objects of which a machine that was lost may have sent something."""
_KNOWS_LOSSES = "SELECT count(*) FROM other.sqlite_master WHERE name = 'lost'"
"""Whether a checkpoint is of format 6 at least."""
_BEGUN = """
DELETE FROM candidate WHERE EXISTS (
    SELECT 1 FROM other.object o WHERE o.uri = candidate.uri
    AND (o.etag = candidate.etag OR o.state != 'damaged' AND (o.state != 'waiting' OR o.place > 0))
)
"""
"""What a job knows already was looked at before, or is its own affair; not a new version of what was not begun."""
_WAITING = """
INSERT OR IGNORE INTO candidate (uri, etag) SELECT uri, etag FROM other.object WHERE state = 'waiting' AND place = 0
"""


class Sibling(NamedTuple):
    """Another job's checkpoint: the job's short name, and the file, or a copy of it.

    `announced` are (uri, etag) of objects that may have been sent though the copy does not know.
    """

    job: str
    path: Path
    announced: tuple[tuple[str, str], ...] = ()


class Sent(NamedTuple):
    """What another job has sent of some objects: how many of them, and when its last run was seen (POSIX seconds)."""

    job: str
    objects: int
    until: float


class Overlap(NamedTuple):
    """What other jobs have sent of some objects: each job, and how many objects in all."""

    objects: int = 0
    jobs: tuple[Sent, ...] = ()

    def and_(self, other: "Overlap") -> "Overlap":
        """Put it together with what was found of other objects."""
        jobs = {sent.job: sent for sent in self.jobs}
        for sent in other.jobs:
            before = jobs.get(sent.job, sent._replace(objects=0))
            jobs[sent.job] = sent._replace(objects=before.objects + sent.objects)
        return Overlap(self.objects + other.objects, tuple(jobs.values()))


NOTHING = Overlap()


def sent_again(checkpoint: Reading) -> dict[str, Any] | None:
    """Return what a job sends again knowingly: `objects`, how many, and `jobs`, who has sent them; None: nothing."""
    noted = json.loads(checkpoint.meta(_AGAIN) or "null")
    return None if noted is None else {"objects": noted["objects"], "jobs": noted["jobs"]}


def remember(checkpoint: Writing, found: Overlap, at: float) -> None:
    """Note in a job's checkpoint what it sends again knowingly, besides what it has so far.

    Args:
        checkpoint: the job's.
        found: what other jobs have sent.
        at: when that was said, in POSIX seconds.
    """
    if found.objects:
        before = sent_again(checkpoint) or {"objects": 0, "jobs": []}
        jobs = [*before["jobs"], *(sent.job for sent in found.jobs)]
        checkpoint.set_meta(again=json.dumps({"at": at, "objects": before["objects"] + found.objects, "jobs": jobs}))


class History:
    """The checkpoints of other jobs that may have sent the same.

    Args:
        siblings: those in the same place, of whatever workspace.
        may_meet: tells of a job, as a checkpoint stores it, whether it may have sent what is meant now; of one that was
            amended, the settings are left out, because it may have sent something with others.

    `unreadable` are the files that say nothing, with the causes.
    """

    def __init__(self, siblings: Iterable[Sibling], may_meet: Callable[[dict[str, Any]], bool]) -> None:
        self.unreadable: list[tuple[Path, str]] = []
        self._db = sqlite3.connect(
            "file::memory:", uri=True, isolation_level=None, check_same_thread=False, timeout=_LONGEST_WAIT
        )
        self._db.executescript(_SCHEMA)
        self._siblings = [sibling for sibling in siblings if self._may_meet(sibling, may_meet)]

    def __bool__(self) -> bool:
        return bool(self._siblings)

    def close(self) -> None:
        self._db.close()

    def overlap(self, objects: Iterable[ArchiveObject], own: Path | None = None, known: Sequence[str] = ()) -> Overlap:
        """Return what other jobs have sent of some objects.

        Args:
            objects: some of those listed now.
            own: the job's own checkpoint: what was begun in there is left aside; None: it has none.
            known: jobs to leave aside.
        """
        self._forget()
        rows = ((obj.uri, obj.etag) for obj in objects)
        self._db.executemany("INSERT OR IGNORE INTO candidate (uri, etag) VALUES (?, ?)", rows)
        if own is not None:
            with self._attached(own):
                self._db.execute(_BEGUN)
        return self._found(known)

    def overlap_of_waiting(self, own: Path, known: Sequence[str] = ()) -> Overlap:
        """Return what other jobs have sent of what a job has listed in earlier runs, and not begun."""
        self._forget()
        with self._attached(own):
            self._db.execute(_WAITING)
        return self._found(known)

    def _forget(self) -> None:
        self._db.execute("DELETE FROM candidate")
        self._db.execute("DELETE FROM found")

    def _found(self, known: Sequence[str]) -> Overlap:
        jobs = [self._sent_by(sibling) for sibling in self._siblings if sibling.job not in known]
        (objects,) = self._db.execute("SELECT count(*) FROM found").fetchone()
        return Overlap(objects, tuple(sent for sent in jobs if sent.objects))

    def _sent_by(self, sibling: Sibling) -> Sent:
        """Count what a job has sent of the candidates, and add it to what was found."""
        self._db.execute("DELETE FROM found_here")
        try:
            with self._attached(sibling.path):
                self._db.execute(_SENT)
                if self._db.execute(_KNOWS_LOSSES).fetchone() != (0,):
                    self._db.execute(_LOST)
                (until,) = self._db.execute("SELECT max(seen) FROM other.run").fetchone()
        except sqlite3.Error as error:
            self.unreadable.append((sibling.path, str(error)))
            return Sent(sibling.job, 0, 0.0)
        announced = "INSERT OR IGNORE INTO found_here SELECT id FROM candidate WHERE (uri, etag) = (?, ?)"
        self._db.executemany(announced, sibling.announced)
        self._db.execute("INSERT OR IGNORE INTO found SELECT id FROM found_here")
        (objects,) = self._db.execute("SELECT count(*) FROM found_here").fetchone()
        return Sent(sibling.job, objects, until or 0.0)

    def _may_meet(self, sibling: Sibling, may_meet: Callable[[dict[str, Any]], bool]) -> bool:
        try:
            with self._attached(sibling.path):
                ((stored,),) = self._db.execute("SELECT value FROM other.meta WHERE key = 'job'").fetchall()
                ((amended,),) = self._db.execute("SELECT count(*) FROM other.amendment").fetchall()
            job: dict[str, Any] = json.loads(stored)
            return may_meet(job | {"settings": {}} if amended else job)
        except (sqlite3.Error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self.unreadable.append((sibling.path, str(error)))
            return False

    @contextmanager
    def _attached(self, path: Path) -> Iterator[None]:
        """Let a checkpoint be `other`, to read only."""
        # Nobody writes it and nothing is left to recover: SQLite need not make files of its own beside it.
        immutable = "" if path.with_name(path.name + "-wal").exists() else "&immutable=1"
        self._db.execute("ATTACH ? AS other", (f"{path.absolute().as_uri()}?mode=ro{immutable}",))
        try:
            yield
        finally:
            self._db.execute("DETACH other")
