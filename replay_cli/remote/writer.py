"""The one who overwrites a manifest: a thread that renews the lease and stores what is to be known.

It makes one put at a time; each has everything in it that was asked for until it began. It is the thread that fails,
for all: once the lease is lost, nothing is stored any more.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace

from replay_cli.errors import FatalError, ReplayError
from replay_cli.remote.bucket import Bucket, ConflictError
from replay_cli.remote.clocks import boot_time
from replay_cli.remote.lease import Lease
from replay_cli.remote.manifest import LARGEST_BYTES, Manifest
from replay_cli.remote.place import Place
from replay_cli.remote.reading import taken_over
from replay_cli.remote.taking import Taken

_RENEWALS = 3
_RETRY_SECONDS = 0.5
_END_SECONDS = 60.0


class Writer:
    """Stores the manifests of one owner.

    `manifest` is what the next put stores, but for what `complete` puts into it; who changes it holds the `lock`, and
    asks for that put with `soon`.

    Args:
        bucket: where it is.
        place: its name there.
        taken: what taking it gave.
        ttl: seconds that the lease lasts.
        margin: seconds before that in which nothing is sent any more.
        complete: called before each put, the lock held.
    """

    def __init__(
        self,
        bucket: Bucket,
        place: Place,
        taken: Taken,
        ttl: float,
        margin: float,
        complete: Callable[[Manifest], Manifest],
    ) -> None:
        self.lease = Lease(place.uri, ttl, margin, taken.sent)
        self.lock = threading.Condition()
        self.manifest = taken.manifest
        self._bucket = bucket
        self._place = place
        self._complete = complete
        self._etag = taken.etag
        self._sent = taken.sent
        self._every = ttl / _RENEWALS
        self._waiting: list[Future[None]] = []
        self._storing: list[Future[None]] = []
        self._trouble: ReplayError | None = None
        self._is_over = False
        self._thread = self.lease.keep(self._work, f"lease of {place.uri}")

    def soon(self) -> "Future[None]":
        """Return what is done once all that is known now is stored, or has the error; the lock is held."""
        future: Future[None] = Future()
        if self._is_over:
            future.set_exception(self._reason())
        else:
            self._waiting.append(future)
            self.lock.notify_all()
        return future

    def holds(self) -> bool:
        """Tell whether the lease is held; if not, the thread says why, soon."""
        if self.lease.holds():
            return True
        with self.lock:
            self.lock.notify_all()
        return False

    def end(self) -> None:
        """Store once more, that the manifest is released; afterwards nothing is. Nothing is raised."""
        with self.lock:
            self.manifest = replace(self.manifest, released=True)
            done = self.soon()
        with suppress(ReplayError, TimeoutError):
            done.result(_END_SECONDS)
        self.lease.release()
        with self.lock:
            self.lock.notify_all()
        self._thread.join(_END_SECONDS)

    def other(self) -> Manifest | None:
        """Return the manifest of another owner that is stored now, if one is; this gives up soon.

        Raises:
            As `Bucket`.
        """
        stored = self._bucket.glance(self._place.key, LARGEST_BYTES)
        found = None if stored is None else Manifest.from_bytes(stored.data, self._place)
        return None if found is None or found.owner.id == self.manifest.owner.id else found

    def _work(self) -> None:
        try:
            while self._is_due():
                if self._store().released:
                    break
        except FatalError as error:
            self.lease.fail(error)
        finally:
            self._close()

    def _is_due(self) -> bool:
        """Wait until there is something to store, or the lease must be renewed, or is over; False when it was ended."""
        with self.lock:
            while not self._waiting and self.lease.holds() and (left := self._sent + self._every - boot_time()) > 0:
                self.lock.wait(left)
            return not self.lease.is_released

    def _store(self) -> Manifest:
        sent = boot_time()
        with self.lock:
            self._storing, self._waiting = self._waiting, []
            now = self._bucket.clock.latest()
            self.manifest = self._complete(replace(self.manifest, serial=self.manifest.serial + 1, renewed=now))
            manifest = self.manifest
        data = manifest.to_bytes()
        if len(data) > LARGEST_BYTES:
            raise FatalError(
                f"{self._place.uri} has grown too large ({len(data)} bytes): push its snapshots more often"
            )
        self._etag = self._put(data)
        self._sent, self._trouble = sent, None
        if not manifest.released and not self.lease.renew(sent):
            raise self._lost()
        for future in self._storing:
            if future.set_running_or_notify_cancel():
                future.set_result(None)
        self._storing = []
        return manifest

    def _put(self, data: bytes) -> str:
        """Put, again and again while the lease is held."""
        while self.lease.holds():
            try:
                return self._bucket.replace(self._place.key, data, self._etag)
            except ConflictError as error:
                self._trouble = error
                break
            except ReplayError as error:
                self._trouble = error
                self.lease.wait(_RETRY_SECONDS)
        raise self._lost()

    def _lost(self) -> FatalError:
        """Say why the lease is lost: another run may have the checkpoint."""
        with suppress(ReplayError):
            if (found := self.other()) is not None:
                return taken_over(found.owner, self._place)
        return self.lease.not_renewed(self._trouble)

    def _reason(self) -> FatalError:
        return self.lease.failure or FatalError(f"{self._place.uri} was given back")

    def _close(self) -> None:
        with self.lock:
            self._is_over = True
            unanswered = self._storing + self._waiting
            self._storing, self._waiting = [], []
        if unanswered and self.lease.failure is None:
            self.lease.fail(self.lease.not_renewed(self._trouble))
        for future in unanswered:
            if future.set_running_or_notify_cancel():
                future.set_exception(self._reason())
