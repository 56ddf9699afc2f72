"""The intake: what is read comes into the book, batch by batch, and what of it is left to send; no tasks."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from replay_cli.bundling import apart, bundle, bundle_behind
from replay_cli.errors import FatalError
from replay_cli.ledger.changes import SentBefore
from replay_cli.ledger.group import AttemptKey
from replay_cli.ledger.ledger import Ledger
from replay_cli.ledger.objects import Listed, ObjectState
from replay_cli.ledger.watermark import OpenBatch
from replay_cli.model import ArchiveObject, Request
from replay_cli.moengage.mapping import Pack
from replay_cli.moengage.preflight import MAX_BULK_BYTES
from replay_cli.parking import Parking
from replay_cli.policy import InDoubt
from replay_cli.preparation import Prepared
from replay_cli.reading import Next
from replay_cli.settlement import Pending, Settlement, Work, rank

_OBJECTS_AT_ONCE = 64
"""Objects fetched from the checkpoint at once, to be read."""


class Admission:
    """Counts the requests that a run takes on, up to `--limit`; None: all."""

    def __init__(self, limit: int | None) -> None:
        self.is_over = False
        self._limit = limit
        self._admitted = 0

    def take(self) -> bool:
        """Take one more request on; False when the limit is reached, which is over from then on."""
        if self._limit is not None and self._admitted >= self._limit:
            self.is_over = True
            return False
        self._admitted += 1
        return True


class Intake:
    """Takes objects and batches into the book as they are read.

    `is_listing` and `is_reading` tell whether more may come; `total` counts the stored bytes listed so far.

    Args:
        ledger: keeps the book.
        settlement: opens batches.
        parking: requests behind parked ones are not put together with others.
        pack: puts requests of one record each together; None: each goes by itself.
        in_doubt: what to do with requests that were in doubt when an earlier run ended.
        work: what is read first, of earlier runs.
        size: how many stored bytes wait to be read of what was listed before.
        is_reading: there is anything to read.
    """

    def __init__(
        self,
        ledger: Ledger,
        settlement: Settlement,
        parking: Parking,
        pack: Pack | None,
        in_doubt: InDoubt,
        work: Sequence[Work],
        *,
        size: int,
        is_reading: bool,
    ) -> None:
        self.is_reading = self.is_listing = is_reading
        self.total = size
        self._ledger = ledger
        self._settlement = settlement
        self._parking = parking
        self._pack = pack
        self._in_doubt = in_doubt
        self._earlier = work
        self._behind = {each.id for each in work if each.is_behind}
        self._listed = asyncio.Event()  # more of the listing is in the checkpoint, or all of it
        self._sent_before: SentBefore | None = None
        self._finished = 0
        self._current = 0

    @property
    def consumed(self) -> int:
        """How many stored bytes are read."""
        return self._finished + self._current

    # -- the listing ------------------------------------------------------------------------------------------

    async def register(self, page: Sequence[Listed]) -> None:
        """Note a page of the listing in the checkpoint, where it waits to be read."""
        self.total += await self._ledger.register(page)
        self._listed.set()

    async def end_listing(self, ignored: int) -> None:
        """Note that there are no more pages, and how many names were left alone."""
        await self._ledger.end_listing(ignored)
        self.is_listing = False
        self._listed.set()

    async def next_work(self) -> Sequence[Work]:
        """Return what to read next, once it is listed; nothing when there is nothing more."""
        while True:
            self._listed.clear()
            was_listing = self.is_listing
            objects = await self._ledger.waiting(_OBJECTS_AT_ONCE)
            if objects or not was_listing:
                return [Work.new(state) for state in objects]
            await self._listed.wait()

    # -- objects ----------------------------------------------------------------------------------------------

    async def begin(self, work: Work) -> None:
        """Begin an object."""
        self._work = work
        self._place = self._ledger.begin_object(work.id, work.watermark, work.place)
        self._sent_before = await self._ledger.sent_before(work.id) if work.earlier else None

    def end(self, work: Work, damage: str | None) -> None:
        """Note that an object was read to its end, or to its damage."""
        self._behind.discard(work.id)
        self._ledger.end_object(work.id, damage)
        self._finished += work.object.size
        self._current = 0

    async def take_change(self, work: Work, found: ArchiveObject | None) -> Sequence[Work]:
        """Take an object that changed before anything of it was read, or is gone (None); return its work now."""
        before = ObjectState(work.id, work.object, "waiting", 0, self._place, work.earlier)
        now = await self._ledger.take_change(before, found)
        self.total += now.object.size - work.object.size
        if found is None:
            self._behind.discard(work.id)
            self._finished += work.object.size
            return ()
        return (Work.new(now),)

    def end_reading(self) -> None:
        """Note that nothing more is read in this run."""
        self.is_reading = False
        self.note_read_again()

    def note_read_again(self) -> None:
        """Let parked requests come back once everything is in its lanes that the archive has before them."""
        if not self.is_reading or not (self._behind or any(work.batches for work in self._earlier)):
            self._parking.may_return.set()

    # -- batches ----------------------------------------------------------------------------------------------

    def take(self, step: Next) -> Iterator[Pending]:
        """Take a batch of the object into the book; return the requests that are left to send of it, as they go."""
        work, prepared = self._work, step.prepared
        is_new = prepared.batch.first not in work.batches
        batch = self._open(prepared, step.hashes)
        self._doubt_lost(batch, prepared)
        requests = self._to_send(batch, prepared, is_new=is_new)
        return self._on_their_way(requests, batch, prepared)

    def end_batch(self, prepared: Prepared) -> None:
        """Note that a batch's requests are on their way."""
        self._current = prepared.batch.consumed

    def _open(self, prepared: Prepared, hashes: Mapping[int, bytes]) -> OpenBatch:
        work = self._work
        batch = work.batches.pop(prepared.batch.first, None)
        if (batch and batch.next != prepared.batch.next) or any(first < prepared.batch.next for first in work.batches):
            raise FatalError(
                f"{work.object.uri} falls into other batches than when it was first read, so the checkpoint does not "
                "fit it: go on with the version of replay that began the job, or begin anew with --restart"
            )
        if batch is None:
            batch = self._settlement.open(work, prepared, hashes, self._sent_before)
        else:
            self._settlement.resume(batch, prepared)
        self._settlement.take(batch, prepared, work.parts)
        if work.earlier and batch.next >= work.earlier.extent:
            self._behind.discard(work.id)
        return batch

    def _doubt_lost(self, batch: OpenBatch, prepared: Prepared) -> None:
        """Take what a lost machine may have sent of a batch as any other doubt of an earlier run."""
        lost = self._ledger.lost_of(batch)
        if lost is None:
            return
        doubts, came = list[tuple[AttemptKey, float]](), self._work.doubts
        for request in self._settlement.open_requests(batch, prepared):
            key = (request.ordinals[0], request.part)
            is_carried = self._work.earlier is not None and key in came
            if not is_carried and (at := lost.at(*key)) is not None:
                came[key] = came.get(key, 0) + 1
                doubts.append(((batch.object_id, *key, came[key]), at))
        self._ledger.look_at(batch, doubts)

    def _to_send(self, batch: OpenBatch, prepared: Prepared, *, is_new: bool) -> Sequence[Request]:
        """Return what is left to send of a batch, put together where the API takes many records at once.

        Args:
            batch: the batch.
            prepared: its requests.
            is_new: no earlier run has begun it.
        """
        requests, doubts = self._settlement.open_requests(batch, prepared), self._work.doubts
        if self._pack is None:
            return requests
        alone, others = [], requests
        if doubts and self._in_doubt is InDoubt.DEAD_LETTER:  # given up at once, and nothing with them
            alone = [request for request in requests if (request.ordinals[0], request.part) in doubts]
            others = [request for request in requests if (request.ordinals[0], request.part) not in doubts]
        if not self._parking.count:
            return [*alone, *bundle(others, self._pack, MAX_BULK_BYTES)]
        free, held = apart(others, self._parking.holds_back)
        if is_new:  # else a parked one may stand between two of them
            held = bundle_behind(held, free, self._pack, MAX_BULK_BYTES)
        return [*alone, *bundle(free, self._pack, MAX_BULK_BYTES), *held]

    def _on_their_way(self, requests: Sequence[Request], batch: OpenBatch, prepared: Prepared) -> Iterator[Pending]:
        work, unit, places = self._work, str(prepared.batch.unit), _places(prepared.requests)
        for request in requests:
            parts = [(ordinal, request.part) for ordinal in request.ordinals]
            doubts = max(work.doubts.get(part, 0) for part in parts) if work.doubts else 0
            first = min(map(places.__getitem__, parts))
            order = rank(self._place, batch.first, first)
            yield Pending(request, work.id, batch, order, unit, attempts=doubts, doubted=doubts > 0)


def _places(requests: Sequence[Request]) -> dict[tuple[int, int], int]:
    """Return where each request stands among its batch's, by the ordinal of its record and its part."""
    return {(request.ordinals[0], request.part): index for index, request in enumerate(requests)}
