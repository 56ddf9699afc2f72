"""Holding a checkpoint on S3: its lease, its horizon, its snapshots."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from replay_cli.errors import FatalError, ReplayError
from replay_cli.remote.bucket import Bucket, ConflictError
from replay_cli.remote.horizon import Announced, Horizon
from replay_cli.remote.manifest import JobIdentity, Manifest, Owner, Snapshot
from replay_cli.remote.place import Place
from replay_cli.remote.snapshots import fetch_snapshot, put_file, put_snapshot
from replay_cli.remote.taking import Taken, Terms, remove_leftovers, take
from replay_cli.remote.writer import Writer

TTL = 30.0
MARGIN = 5.0


class Keeper:
    """Holds one checkpoint on S3, from `take` to `release`. All methods may be called from any thread.

    `previous` is the manifest as it was before; None when there was none.

    Args:
        bucket: where it is.
        place: its name there.
        taken: what taking it gave.
        terms: on which it was taken.
        margin: seconds before the end of its lease in which nothing is sent any more.
    """

    def __init__(self, bucket: Bucket, place: Place, taken: Taken, terms: Terms, margin: float) -> None:
        self.previous = taken.previous
        self._bucket = bucket
        self._place = place
        self._job = terms.job
        self._say = terms.say
        self._pushes = 0
        self._horizon = Horizon(taken.manifest.announced, taken.manifest.parked)
        self._writer = Writer(bucket, place, taken, terms.ttl, margin, self._with_horizon)

    @classmethod
    def take(
        cls,
        bucket: Bucket,
        place: Place,
        job: JobIdentity,
        *,
        say: Callable[[str], None],
        ttl: float = TTL,
        margin: float = MARGIN,
        of_any_job: bool = False,
    ) -> "Keeper":
        """Take a checkpoint; it is renewed from here on, in a thread of its own.

        Args:
            bucket: where it is.
            place: its name there.
            job: whose it must be, if it is anybody's.
            say: tells people what is waited for.
            ttl: seconds for which nobody else takes it after a renewal.
            margin: seconds before that in which nothing is sent any more.
            of_any_job: what is there may be another job's: it is to be set aside.

        Raises:
            FatalError: another run has it.
            UsageError: it is another job's, or no checkpoint, or the store does not know conditional puts.
            PausedError: the store cannot be reached.
        """
        terms = Terms(job, ttl, of_any_job, say)
        keeper = cls(bucket, place, take(bucket, place, terms), terms, margin)
        try:
            remove_leftovers(bucket, place, keeper._writer.manifest)
        except ReplayError as error:
            say(f"snapshots of runs that died may be left beside {place.uri}: {error}")
        return keeper

    @property
    def owner(self) -> Owner:
        return self._writer.manifest.owner

    @property
    def owner_id(self) -> str:
        return self.owner.id

    @property
    def failure(self) -> FatalError | None:
        """Why the lease is lost, if it is."""
        return self._writer.lease.failure

    def fetch(self, into: Path) -> None:
        """Write the snapshot that was there to a file, which only its owner may read.

        Raises:
            FatalError: there is none, it is damaged, or the file cannot be written.
            As `Bucket`.
        """
        snapshot = self.previous.snapshot if self.previous else None
        if snapshot is None:
            raise FatalError(f"{self._place.uri} has no snapshot yet: the run that made it ended before it stored one")
        if not fetch_snapshot(self._bucket, snapshot, into):
            raise FatalError(
                f"{self._bucket.uri(snapshot.key)} is gone, which {self._place.uri} names as its snapshot: bring it "
                "back, or begin anew with --restart"
            )

    def begin(self, on_failure: Callable[[FatalError], None]) -> None:
        """Say who is told when the lease is lost, at once if it is; from any thread."""
        self._writer.lease.on_failure(on_failure)

    def may_send(self) -> bool:
        """Tell whether the lease is held at this moment. Once it is not, it never is again."""
        return self._writer.holds()

    def announce(self, batches: Sequence[Announced] = (), parked: Sequence[int] = ()) -> "Future[None]":
        """Say what is about to be sent: it may be when the future is done, which holds a `FatalError` otherwise."""
        with self._writer.lock:
            self._horizon.add(batches, parked)
            return self._writer.soon()

    def announced(self) -> tuple[Sequence[Announced], Sequence[int]]:
        """Return what may have been sent since the snapshot: records, and numbers of parked requests."""
        with self._writer.lock:
            ranges = self._horizon.parked()
            return self._horizon.batches(), [number for first, after in ranges for number in range(first, after)]

    def mark(self) -> int:
        """Begin a snapshot: of what is announced from here on, it need not know."""
        with self._writer.lock:
            return self._horizon.mark()

    def push(
        self,
        snapshot: Path,
        mark: int,
        still_open: tuple[Sequence[Announced], Sequence[int]],
        summary: Mapping[str, Any] | None = None,
    ) -> None:
        """Store a copy of the checkpoint, and then that it is the one that counts; the one before is removed.

        Args:
            snapshot: a copy that nobody writes.
            mark: what `mark` gave before it was made.
            still_open: what was announced before, and is not settled in it.
            summary: what it says, in short.

        Raises:
            FatalError: the lease is lost, the file cannot be read, or access is denied.
            PausedError: the store cannot be reached. What was pushed before still counts.
        """
        self._require_lease()
        with self._writer.lock:
            self._pushes += 1
            key = f"{self._place.key}.{self.owner_id}-{self._pushes}.gz"
        try:
            stored = put_snapshot(self._bucket, key, snapshot)
            before, done = self._name(stored, mark, still_open, summary)
            done.result()
        except FatalError:
            self._remove_unless_named(key)
            raise
        if before is not None:
            self._remove(before.key)

    def put_beside(self, name: str, file: Path) -> None:
        """Store a file in the folder of the checkpoint.

        Raises:
            FatalError: the lease is lost, or the file cannot be read.
            As `Bucket`.
        """
        self._require_lease()
        put_file(self._bucket, self._place.beside(name).key, file)

    def set_aside(self, stamp: str) -> Place | None:
        """Copy what was there to a name of its own, and begin with nothing; None when there was nothing.

        A snapshot that is gone is not copied.

        Args:
            stamp: what that name has at its end.

        Raises:
            FatalError: the lease is lost.
            As `Bucket`.
        """
        self._require_lease()
        previous = self.previous
        if previous is None:
            return None
        before = previous.snapshot
        aside = None if before is None else self._copy(previous, before, stamp)
        with self._writer.lock:
            self._writer.manifest = replace(self._writer.manifest, job=self._job, snapshot=None, summary=None)
            self._horizon = Horizon()
            done = self._writer.soon()
        done.result()
        if before is not None:
            self._remove(before.key)
        return aside

    def release(self, summary: Mapping[str, Any] | None = None) -> None:
        """Give the checkpoint back, so that whoever is next need not wait.

        This raises nothing, and does nothing once the lease is lost: see `failure`.
        """
        if summary is not None:
            with self._writer.lock:
                self._writer.manifest = replace(self._writer.manifest, summary=summary)
        self._writer.end()

    def _copy(self, previous: Manifest, snapshot: Snapshot, stamp: str) -> Place:
        aside = Place(self._place.bucket, f"{self._place.key}.{stamp}")
        copied: Snapshot | None = snapshot._replace(key=f"{aside.key}.{self.owner_id}-0.gz")
        try:
            self._bucket.copy(snapshot.key, f"{aside.key}.{self.owner_id}-0.gz")
        except ConflictError:  # it is gone
            copied = None
        self._bucket.replace(aside.key, replace(previous, released=True, snapshot=copied).to_bytes(), None)
        return aside

    def _with_horizon(self, manifest: Manifest) -> Manifest:
        return replace(manifest, announced=self._horizon.batches(), parked=self._horizon.parked())

    def _require_lease(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _name(
        self,
        snapshot: Snapshot,
        mark: int,
        still_open: tuple[Sequence[Announced], Sequence[int]],
        summary: Mapping[str, Any] | None,
    ) -> tuple[Snapshot | None, "Future[None]"]:
        """Let the next manifest name a snapshot, and announce what that does not know; give the one named before."""
        with self._writer.lock:
            manifest = self._writer.manifest
            self._writer.manifest = replace(manifest, snapshot=snapshot, summary=summary or manifest.summary)
            self._horizon.settle(mark, *still_open)
            return manifest.snapshot, self._writer.soon()

    def _remove(self, key: str) -> None:
        try:
            self._bucket.delete(key)
        except ReplayError as error:
            self._say(f"{self._bucket.uri(key)} is left, though no longer needed: {error}")

    def _remove_unless_named(self, key: str) -> None:
        """Remove a snapshot that did not come to count; as long as nobody else has the checkpoint, it still may."""
        with suppress(ReplayError):
            found = self._writer.other()
            if found is not None and (found.snapshot is None or found.snapshot.key != key):
                self._bucket.delete(key)
