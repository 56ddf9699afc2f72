"""The conductor of a run: it reads ahead, lets requests go in order and under the cap, and closes the book.

The only module with tasks and queues. One thread reads and prepares batches, one commits the checkpoint; the event
loop does everything else. What waits in memory is bounded: a batch is read only while fewer than `window` requests
are on their way; the requests of users who cannot go on wait in the checkpoint.

Its hands: `Horizon` holds back what is read until it is announced, `Intake` takes it in, `Traffic` keeps the order,
`Sending` makes attempts, `Judgement` does what the replies mean, `Standstill` holds everybody back, `Fetching` brings
back what was parked.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from replay_cli.archive import ReadingStoppedError, Source
from replay_cli.custody import AT_HOME, Custody
from replay_cli.delivery.budget import Budget
from replay_cli.delivery.cap import Cap
from replay_cli.delivery.fair_use import FairUse
from replay_cli.delivery.transport import Transport
from replay_cli.errors import FatalError, PausedError, ReplayError
from replay_cli.fetching import Fetching
from replay_cli.horizon import Entering, Horizon
from replay_cli.intake import Admission, Intake
from replay_cli.judgement import Judgement
from replay_cli.ledger.ledger import Ledger
from replay_cli.ledger.parked import ParkedBefore
from replay_cli.model import ArchiveObject, Request
from replay_cli.moengage.mapping import Pack
from replay_cli.parking import Parking
from replay_cli.policy import Policy
from replay_cli.preparation import Prepared
from replay_cli.reading import Answer, Begin, Changed, End, Next, Reading, Step, Want
from replay_cli.segment.duplicates import Window
from replay_cli.sending import Sending
from replay_cli.settlement import Pending, Settlement, Work
from replay_cli.standstill import Standstill
from replay_cli.traffic import Traffic
from replay_cli.workshop import Preparing, one_by_one

GRACE = 10.0
"""Seconds that requests in flight may take to finish when a run is asked to stop."""
_BUNDLED_WINDOWS = 8
"""So many times more records may be on their way where a request carries many."""
_BUNDLES_AT_ONCE = 64
"""Parked requests of many records that are fetched at once: they take some 20 MB."""
_ADMITTED_AT_ONCE = 50
_LOST = "nobody knows whether the checkpoint is still this run's, so nothing more is sent: run the same command again"


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
        custody: tells whether the checkpoint is still this run's, and is told what may be sent.
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
        custody: Custody = AT_HOME,
    ) -> None:
        self._source = source
        self._work = standing.work
        self._reader = Reading(source, standing.pages or iter(()), prepare_all or one_by_one(prepare))
        self._ledger = ledger
        self._cap = cap
        self._policy = policy
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.PriorityQueue[_Turn] = asyncio.PriorityQueue()
        self._turns = 0
        self._over: asyncio.Future[Ending] = self._loop.create_future()
        self._stopping = False
        self._senders: set[asyncio.Task[None]] = set()
        self._helpers: set[asyncio.Task[None]] = set()
        self._admission = Admission(policy.limit)
        self._parking = Parking(standing.parked.lanes, standing.parked.requests)
        self._settlement = Settlement(ledger, standing.parked.next_number, window)
        self._intake = self._make_intake(standing, pack)
        fair_use = FairUse()
        self._sending = Sending(ledger, transport, cap, fair_use, custody, self._note_loss, budget)
        self._traffic = self._make_traffic(fair_use, in_bulk=pack is not None)
        self._standstill = self._make_standstill(check, delivered_before=standing.delivered)
        self._judgement = self._make_judgement(delivered_before=standing.delivered)
        self._fetching = self._make_fetching(standing, None if pack is None else _BUNDLES_AT_ONCE, custody)
        self._horizon = Horizon(custody, lambda coming: self._traffic.waiting + coming < self._traffic.window)

    # -- its hands --------------------------------------------------------------------------------------------

    def _make_intake(self, standing: Standing, pack: Pack | None) -> Intake:
        return Intake(
            *(self._ledger, self._settlement, self._parking, pack, self._policy.in_doubt, standing.work),
            size=standing.size,
            is_reading=standing.pages is not None,
        )

    def _make_traffic(self, fair_use: FairUse, *, in_bulk: bool) -> Traffic:
        window = max(2 * self._policy.concurrency, 1000) * (_BUNDLED_WINDOWS if in_bulk else 1)
        return Traffic(
            *(self._settlement, self._parking, fair_use, self._policy.in_doubt, window),
            go=self._later,
            note_change=self._note_change,
        )

    def _make_standstill(self, check: Request, *, delivered_before: bool) -> Standstill:
        return Standstill(
            *(self._sending, self._cap, self._policy.retry_for, check),
            start=self._help,
            probe=lambda pending: self._start_task(self._senders, self._probe(pending)),
            go=self._put,
            is_last=lambda: not self._intake.is_reading and bool(self._standstill.passes or delivered_before),
            pause_run=self.pause,
        )

    def _make_judgement(self, *, delivered_before: bool) -> Judgement:
        return Judgement(
            *(self._ledger, self._settlement, self._traffic, self._standstill, self._policy),
            delivered_before=delivered_before,
            go=self._later,
            start=self._help,
            is_stopping=lambda: self._stopping,
            pause_run=self.pause,
            fail=self.fail,
        )

    def _make_fetching(self, standing: Standing, most: int | None, custody: Custody) -> Fetching:
        return Fetching(
            *(self._ledger, self._settlement, self._parking, self._traffic, self._intake, self._admission),
            *(self._standstill, self._policy.in_doubt),
            first_number=standing.parked.next_number,
            most=most,
            custody=custody,
        )

    # -- the run as a whole -----------------------------------------------------------------------------------

    async def run(self) -> Ending:
        """Go on until everything is settled or something stops the run; then everything known is durable."""
        for _ in range(self._policy.concurrency):
            self._start_task(self._senders, self._send_ready())
        if self._intake.is_reading:
            self._help(self._list())
            self._help(self._read())
            self._help(self._enter_announced())
        self._help(self._bring_back())
        if (most := self._policy.max_duration) is not None:
            self._loop.call_later(most, self.pause, "--max-duration is over")
        self._intake.note_read_again()
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
        self._take_no_more()
        self._sending.stop()

    def abort(self) -> None:
        """Stop now: what is in flight is in doubt."""
        self._take_no_more()
        for task in self._senders | self._helpers:
            task.cancel()

    def fail(self, error: ReplayError) -> None:
        """Stop the run because of an error."""
        state = "paused" if isinstance(error, PausedError) else "failed"
        self.stop(Ending(state, str(error), error))

    def pause(self, reason: str) -> None:
        """Stop the run, which goes on another time."""
        self.stop(Ending("paused", reason))

    def _note_loss(self) -> None:
        """Take no new work since nothing may leave any more; why, the custody says by `fail`, or nobody does."""
        self._take_no_more()
        self._sending.stop()
        self._loop.call_later(GRACE, self.fail, FatalError(_LOST))

    def snapshot(self) -> Snapshot:
        waiting = self._traffic.waiting
        return Snapshot(
            consumed=self._intake.consumed,
            total=self._intake.total,
            listing=self._intake.is_listing,
            waiting=waiting + self._parking.count,
            parked=self._parking.count,
            in_flight=self._sending.in_flight,
            held_by=self._standstill.reason or ("" if waiting else self._source.trouble),
            per_second=self._cap.meter.per_second(),
            trouble=self._judgement.trouble,
        )

    def _take_no_more(self) -> None:
        self._stopping = True
        self._source.stop()

    def _help(self, coroutine: Coroutine[None, None, None]) -> None:
        self._start_task(self._helpers, coroutine)

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
            self._take_no_more()

    async def _wind_down(self) -> None:
        """End all tasks: idle ones at once, those with a request in flight when it is answered, or after `GRACE`."""
        self._take_no_more()
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

    def _note_change(self) -> None:
        self._judgement.judge_suspects()
        self._settle_run()

    def _settle_run(self) -> None:
        """End the run when nothing is left to do in it."""
        if self._traffic.waiting or self._over.done():
            return
        if self._admission.is_over and not self._intake.is_reading:
            self.pause(f"--limit {self._policy.limit} is reached")
        elif self._fetching.is_stuck:
            self._parking.bell.set()
        elif not self._intake.is_reading:
            self.stop(Ending("complete"))

    # -- reading ----------------------------------------------------------------------------------------------

    async def _list(self) -> None:
        """List all that there is, ahead of the reading: the checkpoint holds what waits to be read."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="lister")
        try:
            while (page := await self._loop.run_in_executor(thread, self._reader.page)) is not None:
                await self._intake.register(page)
        except ReadingStoppedError:
            return
        finally:
            thread.shutdown(wait=False)
        await self._intake.end_listing(self._reader.ignored)

    async def _read(self) -> None:
        steps = self._reader.steps(self._work)
        thread = ThreadPoolExecutor(1, thread_name_prefix="reader")
        answer: Answer = None
        try:
            while (step := await self._loop.run_in_executor(thread, _advance, steps, answer)) is not None:
                answer = await self._take(step)
                if self._admission.is_over:
                    break
            await self._horizon.passed()
        except ReadingStoppedError:
            return
        finally:
            thread.submit(steps.close)
            thread.shutdown(wait=False)
        self._intake.end_reading()
        self._settle_run()

    async def _take(self, step: Step) -> Answer:
        """Take a step, and give the answer where it asks for one."""
        match step:
            case Changed(work, found):
                await self._horizon.passed()
                return await self._intake.take_change(work, found)
            case Want():
                await self._horizon.passed()
                return await self._intake.next_work()
            case Next():
                await self._horizon.room()
                await self._traffic.has_room.wait()
                await self._ledger.has_room()
        self._horizon.put(step)
        if self._policy.limit is not None:  # which may be met by what is on its way
            await self._horizon.passed()
        return None

    async def _enter_announced(self) -> None:
        """Let in what may be sent, as long as the run lasts."""
        while True:
            for step in await self._horizon.announced():
                await self._enter(step)
                self._horizon.note_passed(step)

    async def _enter(self, step: Entering) -> None:
        match step:
            case Begin(work):
                await self._intake.begin(work)
            case Next():
                await self._admit(step)
            case End(work, damage):
                self._intake.end(work, damage)

    async def _admit(self, step: Next) -> None:
        """Take a batch into the book and its requests into their lanes, a few at a time to keep the loop on time."""
        for index, pending in enumerate(self._intake.take(step)):
            is_first = not pending.request.part  # the requests of one record stay together
            if is_first and index % _ADMITTED_AT_ONCE == 0:
                await asyncio.sleep(0)
            if is_first and not self._admission.take():
                break
            self._traffic.enter(pending)
        self._intake.note_read_again()
        self._traffic.update_room()
        self._settle_run()
        self._intake.end_batch(step.prepared)

    async def _bring_back(self) -> None:
        """Bring parked requests back, as long as the run lasts."""
        await self._fetching.begin()
        while True:
            await self._fetching.fetch()
            self._settle_run()
            if self._fetching.is_hopeless and not self._over.done():
                self.pause(f"{self._parking.count} requests keep failing; run again to try them again")

    # -- sending ----------------------------------------------------------------------------------------------

    def _later(self, pending: Pending, delay: float) -> None:
        """Let a request go in so many seconds."""
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
            self._judgement.act(pending, attempt)


def _advance(steps: Generator[Step, Answer, None], answer: Answer) -> Step | None:
    """Answer the last step and return the next one; None when there is none."""
    try:
        return steps.send(answer)
    except StopIteration:  # which a future cannot carry
        return None
