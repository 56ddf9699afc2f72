"""Makes the profile of a part of an archive, batch by batch (pure)."""

from collections.abc import Callable
from typing import Protocol

from replay_cli.model import RecordBatch
from replay_cli.moengage.mapping import Api
from replay_cli.preparation import Observer, Prepared, iso_instant
from replay_cli.profiling.comparing import Comparison
from replay_cli.profiling.instants import instants
from replay_cli.profiling.onlooker import Onlooker
from replay_cli.profiling.profile import Profile
from replay_cli.profiling.sending import Cutoffs
from replay_cli.segment.layout import Place, describe

COMPARED_EVERY = 32
"""One of so many batches is prepared for the bulk API, too …"""
_COMPARED_RECORDS = 2_000
"""… and all of the first ones, with so many records: of small objects, each batch is another source and day."""
_DAY = 86_400


class Prepares(Protocol):
    """A `Preparation`, or what leaves something out of what it gives."""

    api: Api

    def __call__(self, batch: RecordBatch) -> Prepared:
        """Prepare a batch."""


class Profiler:
    """Prepares batches, one after the other, and counts what is in them.

    Args:
        make: makes what prepares, with an observer.
        now: POSIX seconds; the same for all parts of an archive.
        in_bulk: prepares for the bulk API, to compare with it; None: there is nothing to compare.
    """

    def __init__(self, make: Callable[[Observer], Prepares], now: float, in_bulk: Prepares | None = None) -> None:
        self.profile = Profile()
        self._onlooker = Onlooker(self.profile.names)
        self._prepare = make(self._onlooker)
        self._in_bulk = in_bulk
        self._now = round(now * 1000)
        self._cutoffs = Cutoffs(*(iso_instant(now - days * _DAY) for days in (60, 365)))
        self._batches = self._compared = 0
        self._folder = ("", describe(""))

    def take(self, batch: RecordBatch) -> Prepared:
        """Prepare a batch and count what is in it; never raises for that."""
        prepared = self._prepare(batch)
        seen, warned = self._onlooker.taken_down()
        profile, uri = self.profile, batch.object.uri
        profile.book.take(prepared, warned)
        if seen.ordinals:
            received = instants(seen.received)
            profile.content.take(seen, received, self._place(uri))
            profile.times.take(uri, seen.times, received, self._now)
            profile.identity.take(seen)
            profile.repeats.take(seen.message_ids, seen.ordinals, batch)
        profile.sending.take(prepared, self._prepare.api, self._cutoffs)
        if self._in_bulk is not None:
            profile.comparison = profile.comparison or Comparison()
            profile.comparison.batches += 1
            if self._compared < _COMPARED_RECORDS or self._batches % COMPARED_EVERY == 0:
                self._compared += len(batch.records)
                profile.comparison.take(prepared, self._in_bulk(batch), self._in_bulk.api)
        self._batches += 1
        return prepared

    def _place(self, uri: str) -> Place:
        """Return what an object's path tells; batches of one object come one after the other."""
        if self._folder[0] != uri:
            self._folder = (uri, describe(uri))
        return self._folder[1]
