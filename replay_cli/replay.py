"""The conductor of a run: it reads ahead, lets requests go in order and under the cap, and closes the book.

The only module with tasks and queues. One thread reads and prepares batches, one commits the checkpoint; the event
loop does everything else. What waits in memory is bounded: a batch is read only while fewer than `window` requests
are on their way; the requests of users who cannot go on wait in the checkpoint.
"""

import asyncio
import random
import time
from collections.abc import Callable, Collection, Coroutine, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

from replay_cli.archive import ReadingStoppedError, Source
from replay_cli.bundling import after_refusal, apart, bundle, bundle_behind
from replay_cli.delivery.backoff import backoff
from replay_cli.delivery.budget import Budget
from replay_cli.delivery.cap import Cap
from replay_cli.delivery.fair_use import FairUse
from replay_cli.delivery.lanes import Lanes
from replay_cli.delivery.transport import Transport
from replay_cli.errors import FatalError, PausedError, ReplayError
from replay_cli.ledger.changes import SentBefore
from replay_cli.ledger.group import PartOutcome
from replay_cli.ledger.ledger import Ledger
from replay_cli.ledger.objects import ObjectState
from replay_cli.ledger.parked import ParkedBefore, Returning
from replay_cli.ledger.watermark import OpenBatch
from replay_cli.model import ArchiveObject, Request
from replay_cli.moengage.mapping import Pack
from replay_cli.moengage.packing import without
from replay_cli.moengage.preflight import MAX_BULK_BYTES
from replay_cli.moengage.replies import Failure, Outcome, Reply, Verdict, classify
from replay_cli.parking import LONGEST_LANE, Parking
from replay_cli.policy import InDoubt, OnExhausted, Policy
from replay_cli.preparation import Prepared
from replay_cli.reading import Answer, Begin, Changed, End, Next, Reading, Step, Want
from replay_cli.segment.duplicates import Window
from replay_cli.sending import Attempt, Sending
from replay_cli.settlement import Pending, Settlement, Work, rank
from replay_cli.standstill import Standstill
from replay_cli.workshop import Preparing, one_by_one

GRACE = 10.0
"""Seconds that requests in flight may take to finish when a run is asked to stop."""
_PARKED_AFTER = 4
"""A request that has failed so often while others pass waits in the checkpoint, and its user's others behind it."""
_LONG_WAIT = 5.0
"""Seconds from which on a user waits for the fair-usage limits in the checkpoint rather than in memory."""
_BUNDLED_WINDOWS = 8
"""So many times more records may be on their way where a request carries many."""
_BUNDLES_AT_ONCE = 64
"""Parked requests of many records that are fetched at once: they take some 20 MB."""
_SHORTEST_WAIT = 0.05
"""Seconds between two fetches of what is due."""
_DOUBTED = "an earlier attempt ended in doubt"
_ADMITTED_AT_ONCE = 50
_OBJECTS_AT_ONCE = 64
"""Objects fetched from the checkpoint at once, to be read."""


class Standing(NamedTuple):
    """Where a job stands when a run begins.

    `work` is what to read before anything else, `pages` what is left of the listing (more may wait in the checkpoint;
    None: nothing is read), `parked` what is parked there; `delivered` tells whether anything was delivered before, and
    `size` is how many stored bytes wait to be read of what was listed so far.
    """

    work: Sequence[Work]
    pages: Iterator[Sequence[ArchiveObject]] | None
    parked: ParkedBefore
    delivered: bool
    size: int = 0


class Ending(NamedTuple):
    """How a run ended: its state (complete, paused, interrupted, failed), why, and the error if there was one."""

    state: str
    reason: str = ""
    error: ReplayError | None = None


class Snapshot(NamedTuple):
    """What a run is doing now.

    `consumed` counts stored bytes read of the `total` listed so far (`listing`: more may come), `waiting` what is not
    settled, `parked` of which waits in the checkpoint, `in_flight` the requests that wait for a reply; `held_by` is why
    nothing leaves now, if so, and `trouble` why the last attempt failed, if it did.
    """

    consumed: int
    total: int
    listing: bool
    waiting: int
    parked: int
    in_flight: int
    held_by: str
    per_second: int
    trouble: str


class _Suspect(NamedTuple):
    """A request whose budget is used up, until it is known whether others pass meanwhile; and its dead letter."""

    pending: Pending
    reason: str
    detail: str
    status: int


_Turn = tuple[int, int, Pending | None]
"""(rank, number, request), None to end: requests go by rank, and of one rank as they came."""


class Replay:
    """One run of a job.

    Args:
        source: where the objects are.
        standing: where the job stands.
        prepare: batch → requests.
        ledger: remembers everything, durably.
        transport: makes attempts.
        cap: lets them leave.
        policy: how hard to try.
        check: asks the destination whether it is there and takes our credentials.
        pack: puts requests of one record each together; None: each goes by itself.
        budget: what requests spend besides the cap.
        window: the last messages seen, in which duplicates are looked for; None: they are sent.
        prepare_all: prepares batches in another way than one after the other; None: there is none.
    """

    def __init__(
        self,
        source: Source,
        standing: Standing,
        prepare: Callable[..., Prepared],
        ledger: Ledger,
        transport: Transport,
        cap: Cap,
        policy: Policy,
        check: Request,
        *,
        pack: Pack | None = None,
        budget: Budget | None = None,
        window: Window | None = None,
        prepare_all: Preparing | None = None,
    ) -> None:
        self._source = source
        self._standing = standing
        self._reader = Reading(source, standing.pages or iter(()), prepare_all or one_by_one(prepare))
        self._ledger = ledger
        self._cap = cap
        self._policy = policy
        self._pack = pack
        self._loop = asyncio.get_running_loop()
        self._random = random.Random()
        self._window = max(2 * policy.concurrency, 1000) * (1 if pack is None else _BUNDLED_WINDOWS)
        self._lanes: Lanes[Pending] = Lanes()
        self._ready: asyncio.PriorityQueue[_Turn] = asyncio.PriorityQueue()
        self._turns = 0
        self._fair_use = FairUse()
        self._sending = Sending(ledger, transport, cap, self._fair_use, budget)
        self._settlement = Settlement(ledger, standing.parked.next_number, window)
        self._parking = Parking(standing.parked.lanes, standing.parked.requests)
        self._fetch = asyncio.Event()
        self._gone_back: set[str] = set()  # the users parked again since the last fetch began
        self._read_again = asyncio.Event()
        self._behind = {work.id for work in standing.work if work.is_behind}
        self._sent_before: SentBefore | None = None
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._over: asyncio.Future[Ending] = self._loop.create_future()
        self._stopping = False
        self._senders: set[asyncio.Task[None]] = set()
        self._helpers: set[asyncio.Task[None]] = set()
        self._standstill = Standstill(
            self._sending,
            cap,
            policy.retry_for,
            check,
            start=lambda helper: self._start_task(self._helpers, helper),
            probe=lambda pending: self._start_task(self._senders, self._probe(pending)),
            go=self._put,
            is_last=lambda: not self._reading and bool(self._standstill.passes or self._standing.delivered),
            pause_run=lambda reason: self.stop(Ending("paused", reason)),
        )
        self._suspects: list[_Suspect] = []
        self._asking = False
        self._trouble = ""
        self._reading = self._listing = standing.pages is not None
        self._listed = asyncio.Event()  # more of the listing is in the checkpoint, or all of it
        self._limited = False
        self._admitted = 0
        self._waiting = 0
        self._moving = 0
        self._total_bytes = standing.size
        self._finished_bytes = 0
        self._current_bytes = 0

    # -- the run as a whole -----------------------------------------------------------------------------------

    async def run(self) -> Ending:
        """Go on until everything is settled or something stops the run; then everything known is durable."""
        for _ in range(self._policy.concurrency):
            self._start_task(self._senders, self._send_ready())
        if self._reading:
            self._start_task(self._helpers, self._list())
            self._start_task(self._helpers, self._read())
        self._start_task(self._helpers, self._bring_back())
        if (most := self._policy.max_duration) is not None:
            self._loop.call_later(most, self.stop, Ending("paused", "--max-duration is over"))
        self._note_read_again()
        self._settle_run()
        try:
            ending = await self._over
        finally:
            await self._wind_down()
            self._ledger.note_peak(self._cap.meter.peak)
            failure = await self._flush()
        return Ending("failed", str(failure), failure) if failure else ending

    async def _flush(self) -> FatalError | None:
        """Make durable what is known, whatever ended the run; return why that cannot be."""
        try:
            await self._ledger.flush()
        except FatalError as error:
            return error
        return None

    def stop(self, ending: Ending) -> None:
        """Take no new work and let what is in flight finish; the first call decides how the run ended."""
        if not self._over.done():
            self._over.set_result(ending)
        self._stopping = True
        self._source.stop()
        self._sending.stop()

    def abort(self) -> None:
        """Stop now: what is in flight is in doubt."""
        self._stopping = True
        self._source.stop()
        for task in self._senders | self._helpers:
            task.cancel()

    def fail(self, error: ReplayError) -> None:
        """Stop the run because of an error."""
        state = "paused" if isinstance(error, PausedError) else "failed"
        self.stop(Ending(state, str(error), error))

    def snapshot(self) -> Snapshot:
        return Snapshot(
            consumed=self._finished_bytes + self._current_bytes,
            total=self._total_bytes,
            listing=self._listing,
            waiting=self._waiting + self._parking.count,
            parked=self._parking.count,
            in_flight=self._sending.in_flight,
            held_by=self._standstill.reason or ("" if self._waiting else self._source.trouble),
            per_second=self._cap.meter.per_second(),
            trouble=self._trouble,
        )

    def _start_task(self, kind: set[asyncio.Task[None]], coroutine: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(coroutine)
        kind.add(task)
        task.add_done_callback(kind.discard)
        task.add_done_callback(self._notice_crash)

    def _notice_crash(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, ReplayError):
            self.fail(error)
        elif not self._over.done():
            self._over.set_exception(error)
            self._stopping = True
            self._source.stop()

    async def _wind_down(self) -> None:
        """End all tasks: idle ones at once, those with a request in flight when it is answered, or after `GRACE`."""
        self._stopping = True
        self._source.stop()
        self._sending.stop()
        for task in self._helpers:
            task.cancel()
        while not self._ready.empty():
            self._ready.get_nowait()
        for _ in self._senders:
            self._put(None)
        tasks = self._senders | self._helpers
        _, late = await asyncio.wait(tasks, timeout=GRACE) if tasks else (None, ())
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _settle_run(self) -> None:
        """End the run when nothing is left to do in it."""
        if self._waiting or self._over.done():
            return
        if self._limited and not self._reading:
            self.stop(Ending("paused", f"--limit {self._policy.limit} is reached"))
        elif self._is_stuck():
            self._fetch.set()
        elif not self._reading:
            self.stop(Ending("complete"))

    # -- reading ----------------------------------------------------------------------------------------------

    async def _list(self) -> None:
        """List all that there is, ahead of the reading: the checkpoint holds what waits to be read."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="lister")
        try:
            while (page := await self._loop.run_in_executor(thread, self._reader.page)) is not None:
                self._total_bytes += await self._ledger.register(page)
                self._listed.set()
        except ReadingStoppedError:
            return
        finally:
            thread.shutdown(wait=False)
        await self._ledger.end_listing(self._reader.ignored)
        self._listing = False
        self._listed.set()

    async def _read(self) -> None:
        steps = self._reader.steps(self._standing.work)
        thread = ThreadPoolExecutor(1, thread_name_prefix="reader")
        answer: Answer = None
        try:
            while (step := await self._loop.run_in_executor(thread, _advance, steps, answer)) is not None:
                answer = await self._take(step)
                if self._limited:
                    break
        except ReadingStoppedError:
            return
        finally:
            thread.submit(steps.close)
            thread.shutdown(wait=False)
        self._reading = False
        self._note_read_again()
        self._settle_run()

    async def _take(self, step: Step) -> Answer:
        """Take a step, and give the answer where it asks for one."""
        match step:
            case Begin(work):
                self._current = work
                self._place = self._ledger.begin_object(work.id, work.watermark, work.place)
                self._sent_before = await self._ledger.sent_before(work.id) if work.earlier else None
            case Next(prepared):
                await self._has_room.wait()
                await self._ledger.has_room()
                await self._admit(self._current, step)
                self._current_bytes = prepared.batch.consumed
            case End(work, damage):
                self._end(work, damage)
            case Changed(work, found):
                return await self._take_change(work, found)
            case Want():
                return await self._next_work()
        return None

    def _end(self, work: Work, damage: str | None) -> None:
        self._behind.discard(work.id)
        self._ledger.end_object(work.id, damage)
        self._finished_bytes += work.object.size
        self._current_bytes = 0

    async def _take_change(self, work: Work, found: ArchiveObject | None) -> Sequence[Work]:
        before = ObjectState(work.id, work.object, "waiting", 0, self._place, work.earlier)
        now = await self._ledger.take_change(before, found)
        self._total_bytes += now.object.size - work.object.size
        if found is None:
            self._behind.discard(work.id)
            self._finished_bytes += work.object.size
            return ()
        return (Work.new(now),)

    async def _next_work(self) -> Sequence[Work]:
        """Return what to read next, once it is listed; nothing when there is nothing more."""
        while True:
            self._listed.clear()
            was_listing = self._listing
            objects = await self._ledger.waiting(_OBJECTS_AT_ONCE)
            if objects or not was_listing:
                return [Work.new(state) for state in objects]
            await self._listed.wait()

    async def _admit(self, work: Work, step: Next) -> None:
        """Take a batch into the book and its requests into their lanes, a few at a time to keep the loop on time."""
        prepared = step.prepared
        is_new = prepared.batch.first not in work.batches
        batch = self._open(work, prepared, step.hashes)
        unit, places = str(prepared.batch.unit), _places(prepared.requests)
        for index, request in enumerate(self._to_send(batch, prepared, work, is_new=is_new)):
            if index % _ADMITTED_AT_ONCE == 0 and not request.part:  # the requests of one record stay together
                await asyncio.sleep(0)
            if not request.part and not self._may_admit():
                break
            parts = [(ordinal, request.part) for ordinal in request.ordinals]
            doubts = max(work.doubts.get(part, 0) for part in parts) if work.doubts else 0
            first = min(map(places.__getitem__, parts))
            order = rank(self._place, batch.first, first)
            self._enter(Pending(request, work.id, batch, order, unit, attempts=doubts, doubted=doubts > 0))
        self._note_read_again()
        self._update_room()
        self._settle_run()

    def _to_send(self, batch: OpenBatch, prepared: Prepared, work: Work, *, is_new: bool) -> Sequence[Request]:
        """Return what is left to send of a batch, put together where the API takes many records at once.

        Args:
            batch: the batch.
            prepared: its requests.
            work: its object.
            is_new: no earlier run has begun it.
        """
        requests = self._settlement.open_requests(batch, prepared)
        if self._pack is None:
            return requests
        alone, others = [], requests
        if work.doubts and self._policy.in_doubt is InDoubt.DEAD_LETTER:  # given up at once, and nothing with them
            alone = [request for request in requests if (request.ordinals[0], request.part) in work.doubts]
            others = [request for request in requests if (request.ordinals[0], request.part) not in work.doubts]
        if not self._parking.count:
            return [*alone, *bundle(others, self._pack, MAX_BULK_BYTES)]
        free, held = apart(others, self._parking.holds_back)
        if is_new:  # else a parked one may stand between two of them
            held = bundle_behind(held, free, self._pack, MAX_BULK_BYTES)
        return [*alone, *bundle(free, self._pack, MAX_BULK_BYTES), *held]

    def _open(self, work: Work, prepared: Prepared, hashes: Mapping[int, bytes]) -> OpenBatch:
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

    def _may_admit(self) -> bool:
        """Tell whether `--limit` has room for one more request."""
        if self._policy.limit is not None and self._admitted >= self._policy.limit:
            self._limited = True
            return False
        self._admitted += 1
        return True

    def _enter(self, pending: Pending) -> None:
        """Queue a request: in its lanes, or behind the parked ones of its user, or of a user with too many."""
        users = pending.request.users
        if pending.doubted and self._policy.in_doubt is InDoubt.DEAD_LETTER:
            self._settlement.give_up(pending, "in_doubt", _DOUBTED)
            self._fetch_behind(users)
        elif pending.parked is None and (self._parking.holds_back(users) or self._has_too_many(pending.request)):
            self._settlement.park(pending, None)
            self._parking.add(users)
        else:
            pending.load = len(pending.request.ordinals)
            self._waiting += pending.load
            pending.place, may_go = self._lanes.enter(pending, users)
            if may_go:
                self._start(pending)

    def _has_too_many(self, request: Request) -> bool:
        """Tell whether a user has so many requests in memory that this one, and all of its record, waits elsewhere."""
        return not request.part and self._lanes.longest(request.users) >= LONGEST_LANE

    def _note_read_again(self) -> None:
        """Let parked requests come back once everything is in its lanes that the archive has before them."""
        if not self._reading or not (self._behind or any(work.batches for work in self._standing.work)):
            self._read_again.set()

    def _update_room(self) -> None:
        full = self._waiting >= self._window or (self._parking.is_full and self._read_again.is_set())
        if full:
            self._has_room.clear()
        else:
            self._has_room.set()

    # -- parked requests --------------------------------------------------------------------------------------

    async def _bring_back(self) -> None:
        """Fetch parked requests: those that are due, and the next ones of users who have room again."""
        await self._read_again.wait()
        await self._ledger.release_heads()
        self._parking.next_due = 0.0
        while True:
            await self._until_wanted()
            lanes = self._parking.take_wanted()
            self._parking.next_due = float("inf")  # those parked from now on tell theirs
            self._gone_back.clear()
            most = self._window if self._pack is None else _BUNDLES_AT_ONCE
            loaded = await self._ledger.load_parked(lanes, most)
            if len(loaded.requests) >= most and not self._limited:
                self._parking.want_again(lanes)
            self._parking.next_due = min(self._parking.next_due, loaded.next_due)
            for returning in loaded.requests:
                self._return(returning)
            self._settle_run()
            self._note_stuck()

    async def _until_wanted(self) -> None:
        """Return when there is something to fetch, and room for it."""
        while True:
            self._fetch.clear()
            wait = self._parking.next_due - time.time()
            nothing_comes = wait == float("inf") and self._is_stuck()
            if self._waiting < 2 * self._window and (self._parking.has_wanted or wait <= 0 or nothing_comes):
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(None if wait == float("inf") else max(wait, _SHORTEST_WAIT)):
                    await self._fetch.wait()

    def _return(self, returning: Returning) -> None:
        """Take a parked request back; one that an earlier run parked counts towards `--limit`."""
        pending = self._settlement.bring_back(returning)
        users, is_earlier = pending.request.users, returning.parked.id < self._standing.parked.next_number
        overtakes = not self._gone_back.isdisjoint(users)  # one that was parked again while this one was fetched
        if overtakes or (is_earlier and not self._may_admit()):
            self._settlement.park(pending, None)
            self._gone_back.update(users)
            return
        if pending.spent:  # it was parked because it was at fault
            pending.failing_since = self._standstill.now()
            pending.passes_before = -1 if self._standstill.passes else 0
        self._parking.remove(pending.request.users)
        self._update_room()
        if returning.doubted and not returning.parked.doubted and self._policy.in_doubt is InDoubt.DEAD_LETTER:
            self._give_up_part(pending, returning.doubted)
        self._enter(pending)

    def _give_up_part(self, pending: Pending, doubted: Collection[int]) -> None:
        """Give up those records in doubt that a request was being taken apart into when a run died; no others were."""
        request = pending.request
        indexes = {index for index, ordinal in enumerate(request.ordinals) if ordinal in doubted}
        if (rest := without(request, indexes)) is not None:
            given_up = without(request, set(range(len(request.ordinals))) - indexes)
            self._settlement.take_apart(pending, given_up, [rest], PartOutcome("in_doubt", _DOUBTED))
            pending.doubted = False
            self._fetch_behind(request.users)

    def _park(self, pending: Pending, delay: float, *, held: bool = False) -> None:
        """Let a request that cannot go on wait in the checkpoint, and all that wait for it."""
        assert pending.place is not None  # noqa: S101 # it is in its lanes
        family = [pending, *self._lanes.followers(pending.place)]
        freed = self._lanes.leave(*(member.place for member in family if member.place is not None))
        due = time.time() + delay
        self._settlement.park(pending, due, held=held)
        self._parking.add(pending.request.users, float("inf") if held else due)
        for follower in family[1:]:
            self._settlement.park(follower, None)
            self._parking.add(follower.request.users)
        left = set(pending.place.lanes).difference(pending.request.users)  # by the records that are settled already
        for member in family:
            member.place = None
            self._gone_back.update(member.request.users)
        self._waiting -= sum(member.load for member in family)
        self._moving -= 1
        self._fetch.set()
        self._fetch_behind(left)
        self._go_on(freed)

    def _is_stuck(self) -> bool:
        """Tell whether nothing goes on until a parked request comes back."""
        reading = self._reading and not self._parking.is_full
        return not reading and not self._waiting and self._parking.count > 0

    def _note_stuck(self) -> None:
        """Pause the run when nothing is left but requests whose budget is used up, and those behind them."""
        nothing_comes = self._parking.next_due == float("inf") and not self._parking.has_wanted
        if self._is_stuck() and nothing_comes and not self._over.done():
            self.stop(Ending("paused", f"{self._parking.count} requests keep failing; run again to try them again"))

    # -- sending ----------------------------------------------------------------------------------------------

    def _start(self, pending: Pending) -> None:
        """Let a request go that waits for no other one, as soon as its user may be sent more."""
        self._moving += 1
        wait = self._fair_use.wait(pending.request.users, self._loop.time())
        if wait > _LONG_WAIT:
            self._park(pending, wait)
        else:
            self._later(pending, wait)

    def _later(self, pending: Pending, delay: float) -> None:
        if delay > 0:
            self._loop.call_later(delay, self._put, pending)
        else:
            self._put(pending)

    def _put(self, pending: Pending | None) -> None:
        """Queue a request that may go: the earliest in the archive goes first, or long lanes would lag behind."""
        self._turns += 1
        self._ready.put_nowait((pending.rank if pending else 0, self._turns, pending))

    async def _send_ready(self) -> None:
        while True:
            await self._sending.board()  # first, so that the earliest request goes and not the one that came first
            pending = (await self._ready.get())[-1]
            if pending is None or self._stopping:
                self._sending.disembark()
                return
            if self._sending.is_open:
                await self._send(pending)
            else:
                self._standstill.hold(pending)
                self._sending.disembark()

    async def _probe(self, pending: Pending) -> None:
        try:
            await self._send(pending, probe=True)
        finally:
            self._standstill.note_probe_end()

    async def _send(self, pending: Pending, *, probe: bool = False) -> None:
        attempt = await self._sending.attempt(pending, probe=probe)
        if attempt is None:
            self._later(pending, 0)
        else:
            self._act(pending, attempt)

    def _act(self, pending: Pending, attempt: Attempt) -> None:
        """Do what the reply to an attempt means."""
        outcome = classify(attempt.reply, time.time())
        doubtful = outcome.verdict is Verdict.IN_DOUBT
        self._ledger.conclude(attempt.keys, attempt.reply.label, outcome.reason if doubtful else None)
        self._trouble = "" if outcome.verdict is Verdict.DELIVERED else outcome.detail
        pending.doubted |= doubtful
        match outcome.verdict:
            case Verdict.DELIVERED:
                self._settlement.deliver(pending)
                self._note_pass()
                self._finish(pending)
            case Verdict.REFUSED:
                self._note_pass()
                self._refuse(pending, outcome, attempt.reply)
            case Verdict.STOP:
                self._later(pending, 0)
                self.fail(FatalError(f"no other request would pass either: {outcome.detail}"))
            case _ if outcome.pause:
                self._standstill.note_limit(outcome.pause)
                self._later(pending, 0)
            case _:
                self._note_failure(pending, outcome, attempt.reply)

    def _refuse(self, pending: Pending, outcome: Outcome, reply: Reply) -> None:
        """Give up what a refusal is about, and go on with the rest of the request, if there is one."""
        given_up, to_send = after_refusal(pending.request, reply, self._policy.bulk_refused)
        if not to_send:
            self._give_up(pending, outcome.reason, outcome.detail, reply.status)
            return
        failed = PartOutcome(outcome.reason, outcome.detail, reply.status)
        self._settlement.take_apart(pending, given_up, to_send, failed)
        self._later(pending, 0)
        self._watch_dead_letters()

    def _give_up(self, pending: Pending, reason: str, detail: str, status: int) -> None:
        self._settlement.give_up(pending, reason, detail, status)
        self._finish(pending)
        self._watch_dead_letters()

    def _watch_dead_letters(self) -> None:
        """Stop the run when too many records become dead letters."""
        book, limit = self._ledger.book, self._policy.max_dead_letters
        dead = book.outcome("dead_lettered")
        if limit.is_exceeded(dead, book.outcome("delivered"), delivered_before=self._standing.delivered):
            self.fail(FatalError(f"{dead} records became dead letters in this run, more than {limit}: see the reasons"))

    def _finish(self, pending: Pending) -> None:
        """Let those go who waited for this request, and fetch those who wait for it in the checkpoint."""
        if self._settlement.go_on(pending):
            self._later(pending, 0)
            return
        assert pending.place is not None  # noqa: S101 # it is in its lanes
        freed, lanes = self._lanes.leave(pending.place), pending.place.lanes  # of all that it was taken apart into
        self._waiting -= pending.load
        self._moving -= 1
        pending.place = None
        self._fetch_behind(lanes)
        self._go_on(freed)

    def _fetch_behind(self, users: Iterable[str]) -> None:
        """Fetch the next parked requests of users of whom few are left in memory."""
        if not self._parking.count:
            return
        for user in users:
            if self._parking.want(user, self._lanes.length(user)):
                self._fetch.set()

    def _go_on(self, freed: list[Pending]) -> None:
        for follower in freed:
            self._start(follower)
        self._update_room()
        self._judge_suspects()
        self._settle_run()

    # -- what fails -------------------------------------------------------------------------------------------

    def _note_pass(self) -> None:
        """Note that the destination is there, so that who still fails is at fault."""
        self._standstill.note_pass()
        self._condemn_suspects()

    def _note_failure(self, pending: Pending, outcome: Outcome, reply: Reply) -> None:
        standstill = self._standstill
        doubtful, connected = outcome.verdict is Verdict.IN_DOUBT, reply.failure is not Failure.NOT_SENT
        if pending.failing_since is None:
            pending.failing_since, pending.passes_before = standstill.now(), standstill.passes
        at_fault = standstill.passes > pending.passes_before
        standstill.note_failure(
            pending, at_fault=at_fault, connected=connected, doubtful=doubtful, detail=outcome.detail
        )
        if doubtful and self._policy.in_doubt is InDoubt.DEAD_LETTER:
            pending.doubted = False  # what it was taken apart into besides is not in doubt
            self._give_up(pending, "in_doubt", f"{outcome.reason}: {outcome.detail}", reply.status)
        elif standstill.is_outage:
            self._later(pending, 0)
        else:
            pending.failures += connected
            spent = pending.spent + standstill.now() - pending.failing_since
            self._try_again(pending, outcome, reply.status, spent, at_fault=at_fault)
        if not self._stopping and standstill.must_begin(self._moving):
            self._begin_outage()

    def _begin_outage(self) -> None:
        self._standstill.begin()
        for suspect in self._suspects:
            self._moving += 1
            self._later(suspect.pending, 0)
        self._suspects.clear()

    def _try_again(self, pending: Pending, outcome: Outcome, status: int, spent: float, *, at_fault: bool) -> None:
        """Try a request again while its budget lasts: from memory, or parked if it is at fault itself."""
        if self._policy.is_exhausted(pending.failures, spent):
            detail = f"{pending.failures} attempts failed over {spent:.0f} s, the last: {outcome.detail}"
            self._suspects.append(_Suspect(pending, f"exhausted:{outcome.reason}", detail, status))
            self._moving -= 1
            self._judge_suspects()
            return
        delay = min(backoff(max(1, pending.failures), self._random), self._policy.retry_for - spent)
        if at_fault and pending.failures >= _PARKED_AFTER:
            pending.spent = spent + delay
            self._park(pending, delay)
        else:
            self._later(pending, max(delay, self._fair_use.wait(pending.request.users, self._loop.time())))

    def _judge_suspects(self) -> None:
        """When nothing else goes that could pass or fail, ask the destination whether it is there."""
        if self._suspects and not self._moving and not (self._asking or self._standstill.is_outage or self._stopping):
            self._asking = True
            self._start_task(self._helpers, self._ask_about_suspects())

    async def _ask_about_suspects(self) -> None:
        is_there = await self._standstill.ask()
        self._asking = False
        if not self._suspects or self._moving or self._standstill.is_outage:
            return
        if not is_there:
            self._begin_outage()
        elif self._standstill.passes or self._standing.delivered:
            self._condemn_suspects()
        else:
            reason = f"nothing has passed yet that would tell whose fault it is: {self._suspects[0].detail}"
            self.stop(Ending("paused", reason))

    def _condemn_suspects(self) -> None:
        """Give up those whose budget was used up while the destination was there."""
        suspects, self._suspects = self._suspects, []
        for pending, reason, detail, status in suspects:
            self._moving += 1
            if self._policy.on_exhausted is OnExhausted.PAUSE:
                self._park(pending, 0, held=True)
            else:
                self._give_up(pending, reason, detail, status)


def _places(requests: Sequence[Request]) -> dict[tuple[int, int], int]:
    """Return where each request stands among its batch's, by the ordinal of its record and its part."""
    return {(request.ordinals[0], request.part): index for index, request in enumerate(requests)}


def _advance(steps: Generator[Step, Answer, None], answer: Answer) -> Step | None:
    """Answer the last step and return the next one; None when there is none."""
    try:
        return steps.send(answer)
    except StopIteration:  # which a future cannot carry
        return None
