"""One job's share of its workspace's quota, among jobs that run on other machines.

The shares lie beside the checkpoints, in an object that is only overwritten by conditional puts. A rate is lowered
first and then stored, so that what left at the old one is more than a second ago; it is raised only once that is
stored. So at each moment, what all send together is no more than what is stored, and that is never above the quota.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from replay_cli.errors import FatalError, PausedError, ReplayError
from replay_cli.remote.bucket import Bucket, ConflictError, Stored
from replay_cli.remote.clocks import boot_time
from replay_cli.remote.lease import NEVER, Lease
from replay_cli.remote.manifest import Owner
from replay_cli.remote.place import Place
from replay_cli.remote.quota import LARGEST_BYTES, Entry, Quota, rate_for, share_of
from replay_cli.remote.watch import UNCHANGED_SHARE, Watch

TTL, MARGIN, EVERY = 30.0, 5.0, 3.0
SETTLING_SECONDS = 1.1
"""What left before a rate was lowered no longer counts after this: a second, and the jitter of the network."""
_RANDOM = Random()  # of its own: threads that jitter leave the one alone that others may have seeded
_RETRY_SECONDS = 0.5
_STARVED_SECONDS = 1.0
_JITTER_SECONDS = 0.2
_END_SECONDS = 60.0
_LEAVES = 5


@dataclass(frozen=True)
class Terms:
    """Who joins, and on what terms: seconds that an entry counts, and seconds between renewals."""

    owner: Owner
    job: str
    rps: float
    ttl: float
    every: float


def place_of_quota(place: Place, endpoint: str, workspace_id: str) -> Place:
    """Name what the jobs of a workspace share, in the folder of their checkpoints."""
    name = hashlib.sha256(f"{endpoint}\n{workspace_id}".encode()).hexdigest()[:16]
    return place.beside(f"workspace-{name}.json")


class Share:
    """A share, from `join` to `leave`. All methods may be called from any thread.

    Args:
        bucket: where the shares are.
        place: their name there.
        terms: who joins.
        margin: seconds before the end of its lease in which nothing is sent any more.
    """

    def __init__(self, bucket: Bucket, place: Place, terms: Terms, margin: float) -> None:
        self.rate = 0.0
        self._bucket = bucket
        self._place = place
        self._terms = terms
        self._watch = Watch(bucket.clock, unchanged=UNCHANGED_SHARE)
        self._telling = threading.Lock()
        self._on_rate: Callable[[float], None] | None = None
        self._last_sent = NEVER
        self._leaving = threading.Event()
        self._lowered = NEVER
        self._share = 0.0
        # What was sent until the lease ends must no longer count when others take it for theirs.
        margin = max(margin, SETTLING_SECONDS)
        self._lease = Lease(f"the share of the quota in {place.uri}", terms.ttl, margin, self._join())
        self._thread = self._lease.keep(self._work, f"share in {place.uri}")

    @classmethod
    def join(
        cls,
        bucket: Bucket,
        place: Place,
        endpoint: str,
        workspace_id: str,
        owner: Owner,
        job: str,
        rps: float,
        *,
        ttl: float = TTL,
        margin: float = MARGIN,
        every: float = EVERY,
    ) -> "Share":
        """Join those that share the quota of a workspace; the share is renewed from here on, in a thread of its own.

        Args:
            bucket: where the checkpoint is.
            place: that of the checkpoint, beside which the shares are.
            endpoint: of the workspace.
            workspace_id: the workspace.
            owner: who joins.
            job: its name, for people.
            rps: attempts a second that it would send alone.
            ttl: seconds for which its part is left to it after a renewal.
            margin: seconds before that in which nothing is sent any more.
            every: seconds between two renewals.

        Raises:
            UsageError: what is there is something else.
            As `Bucket`.
        """
        terms = Terms(owner, job, rps, ttl, every)
        return cls(bucket, place_of_quota(place, endpoint, workspace_id), terms, margin)

    def begin(self, on_rate: Callable[[float], None], on_failure: Callable[[FatalError], None]) -> None:
        """Say who follows the rate, attempts a second, and who is told when the share is lost; from any thread.

        The rate is told at once. It may be 0: then nothing may be sent until others have left something.
        """
        with self._telling:
            self._on_rate = on_rate
            on_rate(self.rate)
        self._lease.on_failure(on_failure)

    def may_send(self) -> bool:
        """Tell whether the share is held at this moment. Once it is not, it never is again."""
        if self._leaving.is_set() or not self._lease.holds():
            return False
        self._last_sent = boot_time()
        return True

    @property
    def failure(self) -> FatalError | None:
        """Why the share is lost, if it is."""
        return self._lease.failure

    def leave(self) -> None:
        """Leave the share to the others, once what was sent last no longer counts. This raises nothing."""
        self._leaving.set()
        self._thread.join(_END_SECONDS)
        self._lease.wait(self._last_sent + SETTLING_SECONDS - boot_time())
        if self._lease.holds():
            with suppress(ReplayError):
                self._remove()
        self._lease.release()

    def _join(self) -> float:
        """Store an entry; return when the put was sent."""
        began = boot_time()
        while boot_time() - began < self._terms.ttl:
            quota, etag = self._read(self._bucket.get)
            others = self._others(quota)
            rate = rate_for(self._terms.rps, others)
            with suppress(ConflictError):
                sent = self._put(quota, etag, others, rate)
                self.rate = rate
                return sent
            time.sleep(_RANDOM.uniform(0, _JITTER_SECONDS))
        raise PausedError(f"{self._place.uri}: others overwrite it all the time: run the same command again later")

    def _work(self) -> None:
        while not self._leaving.wait(self._pause()):
            self._renew()

    def _pause(self) -> float:
        """Return for how long to rest: less while others still have to leave something."""
        rest = self._terms.every if self.rate >= self._share else min(self._terms.every, _STARVED_SECONDS)
        return rest * _RANDOM.uniform(0.8, 1)

    def _renew(self) -> None:
        """Store what may be sent from here on, again and again while the share is held."""
        trouble: ReplayError | None = None
        while self._lease.holds():
            try:
                return self._follow()
            except ConflictError:
                self._lease.wait(_RANDOM.uniform(0, _JITTER_SECONDS))
            except _GoneError:
                raise
            except ReplayError as error:
                trouble = error
                self._lease.wait(_RETRY_SECONDS)
        raise self._lease.not_renewed(trouble)

    def _follow(self) -> None:
        """Look who is there, and take what is ours now: less at once, more once it is stored."""
        quota, etag = self._read(self._bucket.glance)
        if all(entry.owner != self._terms.owner.id for entry in quota.entries):
            raise _GoneError(
                f"{self._place.uri}: others have taken this run for dead, for it had not renewed its share of the "
                "quota in time; run the same command again"
            )
        others = self._others(quota)
        rate = rate_for(self._terms.rps, others)
        if rate < self.rate:
            self._lowered = boot_time()
            self._set_rate(rate)
        self._lease.wait(self._lowered + SETTLING_SECONDS - boot_time())
        if not self._lease.renew(self._put(quota, etag, others, rate)):
            raise self._lease.not_renewed(None)
        if rate > self.rate:
            self._set_rate(rate)

    def _remove(self) -> None:
        for _ in range(_LEAVES):
            quota, etag = self._read(self._bucket.glance)
            rest = [entry for entry in quota.entries if entry.owner != self._terms.owner.id]
            with suppress(ConflictError):
                self._bucket.replace(self._place.key, quota.replaced(rest).to_bytes(), etag)
                return

    def _read(self, get: Callable[[str, int], Stored | None]) -> tuple[Quota, str | None]:
        stored = get(self._place.key, LARGEST_BYTES)
        return (Quota(), None) if stored is None else (Quota.from_bytes(stored.data, self._place.uri), stored.etag)

    def _others(self, quota: Quota) -> list[Entry]:
        """Return the entries of others that have not run out."""
        own = self._terms.owner.id
        others = [entry for entry in quota.entries if entry.owner != own and self._left(entry) > 0]
        self._watch.keep_only({entry.owner for entry in others})
        self._share = share_of(self._terms.rps, others)
        return others

    def _left(self, entry: Entry) -> float:
        return self._watch.left(entry.owner, entry.renewed, entry.renewed, entry.ttl)

    def _put(self, quota: Quota, etag: str | None, others: Sequence[Entry], rate: float) -> float:
        """Store all entries that count, and ours; return when the put was sent."""
        terms, owner = self._terms, self._terms.owner
        sent = boot_time()
        now = self._bucket.clock.latest()
        ours = Entry(owner.id, terms.job, owner.host, owner.pid, terms.rps, rate, now, terms.ttl)
        self._bucket.replace(self._place.key, quota.replaced([*others, ours]).to_bytes(), etag)
        return sent

    def _set_rate(self, rate: float) -> None:
        with self._telling:
            self.rate = rate
            if self._on_rate is not None:
                self._on_rate(rate)


class _GoneError(FatalError):
    """Our entry is not there any more."""
