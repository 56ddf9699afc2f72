"""Taking a checkpoint on S3: at once when nobody has it, else when the lease of who has it has run out."""

import getpass
import math
import os
import platform
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from replay_cli import __version__
from replay_cli.errors import PausedError, UsageError
from replay_cli.remote.bucket import Bucket, ConflictError
from replay_cli.remote.clocks import boot_time
from replay_cli.remote.manifest import JobIdentity, Manifest, Owner, is_snapshot_of, printable
from replay_cli.remote.place import Place
from replay_cli.remote.probing import require_conditions
from replay_cli.remote.reading import in_use, read_manifest
from replay_cli.remote.watch import Watch

_LOOK_SECONDS = 2.0
_LOOKS_PER_LEASE = 6
_RETRY_SECONDS = 0.5
_READS = 5
_PROBE = "-probe"
_PROBE_SECONDS = 3600.0
_DATE_SECONDS = 2.0
"""The store's times are whole seconds, on both sides of a comparison."""


class Taken(NamedTuple):
    """A checkpoint that was just taken: the manifest that says so, the one before, and when its put was sent."""

    manifest: Manifest
    etag: str
    previous: Manifest | None
    sent: float


class Terms(NamedTuple):
    """On what terms a checkpoint is taken.

    `ttl` is in seconds. `of_any_job` is for whoever replaces what is there by something else.
    """

    job: JobIdentity
    ttl: float
    of_any_job: bool
    say: Callable[[str], None]


def take(bucket: Bucket, place: Place, terms: Terms) -> Taken:
    """Take a checkpoint, and wait for a lease that nobody renews any more.

    Raises:
        FatalError: another run has it.
        UsageError: it is another job's, or no checkpoint, or the store does not know conditional puts.
        PausedError: the store cannot be reached.
    """
    return _Taking(bucket, place, terms).run()


def remove_leftovers(bucket: Bucket, place: Place, manifest: Manifest) -> None:
    """Remove snapshots that no manifest names: of runs that died, or lost their lease, before they stored one.

    Args:
        bucket: where they are.
        place: the checkpoint's.
        manifest: of the run that has just taken it.
    """
    named = manifest.snapshot and manifest.snapshot.key
    for each in bucket.list(f"{place.key}."):
        age = manifest.owner.since - each.modified
        is_left = is_snapshot_of(each.key, place) and each.key != named and age > _DATE_SECONDS
        if is_left or (each.key.endswith(_PROBE) and age > _PROBE_SECONDS):
            bucket.delete(each.key)


class _Taking:
    """What is known while a checkpoint is being taken."""

    def __init__(self, bucket: Bucket, place: Place, terms: Terms) -> None:
        self._bucket = bucket
        self._place = place
        self._terms = terms
        self._watch = Watch(bucket.clock)
        self._id = secrets.token_hex(16)
        self._is_probed = False
        self._seen: str | None = None  # the etag of a manifest whose lease is waited for
        self._was_late = False

    def run(self) -> Taken:
        while True:
            found = read_manifest(self._bucket, self._place)
            if found is not None:
                self._require_job(found[0])
                if self._waits(*found):
                    continue
            if not self._is_probed:
                require_conditions(self._bucket, f"{self._place.key}.{self._id}{_PROBE}")
                self._is_probed = True
            if (taken := self._try(*(found or (None, None)))) is not None:
                return taken
            self._was_late = True

    def _require_job(self, found: Manifest) -> None:
        """Refuse another job's checkpoint, unless it is to be replaced."""
        ours, theirs = self._terms.job, found.job
        differing = [
            f"{name.replace('_', ' ')} {printable(theirs[at])}, not {printable(ours[at])}"
            for at, name in enumerate(JobIdentity._fields)
            if ours[at] != theirs[at]
        ]
        if differing and not self._terms.of_any_job:
            raise UsageError(
                f"{self._place.uri} is the checkpoint of another job ({'; '.join(differing)}): "
                "name another one, or replace it with --restart"
            )

    def _waits(self, found: Manifest, etag: str) -> bool:
        """Wait a while if a lease has not run out yet."""
        if found.released:
            return False
        if self._was_late or self._seen not in (None, etag):
            raise in_use(found.owner, self._place)
        left = self._watch.left(found.owner.id, etag, found.renewed, found.ttl)
        if left <= 0:
            return False
        if self._seen is None:
            self._terms.say(
                f"waiting {math.ceil(left)} s for the lease of {found.owner.shown}: "
                f"it has not said that it is done with {self._place.uri}"
            )
        self._seen = etag
        time.sleep(min(left + 0.01, found.ttl / _LOOKS_PER_LEASE, _LOOK_SECONDS))
        return True

    def _try(self, previous: Manifest | None, etag: str | None) -> Taken | None:
        """Put a manifest of ours; None when another run was faster."""
        sent = boot_time()
        now = self._bucket.clock.latest()
        owner = _this_run(self._id, now)
        if previous is None:
            manifest = Manifest(self._terms.job, owner, self._terms.ttl, now)
        else:
            manifest = previous.renewed_by(owner, self._terms.ttl, now)
        data = manifest.to_bytes()
        while True:
            try:
                return Taken(manifest, self._bucket.replace(self._place.key, data, etag), previous, sent)
            except ConflictError:
                return None
            except PausedError:
                if boot_time() - sent > self._terms.ttl / 2:
                    raise
                time.sleep(_RETRY_SECONDS)


def _this_run(owner_id: str, now: float) -> Owner:
    user = "unknown"
    with suppress(KeyError, OSError, ImportError):  # in a container, users need no name
        user = getpass.getuser()
    return Owner(owner_id, platform.node(), os.getpid(), user, __version__, now)
