"""The conductor of a run: it reads ahead, lets requests go in order and under the cap, and closes the book.

The only module with tasks and queues. One thread reads and prepares batches, one commits the checkpoint; the event
loop does everything else. What waits in memory is bounded: a batch is read only while fewer than `window` requests
are on their way.
"""

import asyncio
import random
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import NamedTuple

from replay_cli.archive import ReadingStoppedError, Source, StoppableSource, read
from replay_cli.delivery.backoff import backoff
from replay_cli.delivery.cap import Cap
from replay_cli.delivery.lanes import Lanes
from replay_cli.delivery.transport import Transport
from replay_cli.errors import DamagedObjectError, FatalError, ReplayError
from replay_cli.ledger.group import AttemptKey
from replay_cli.ledger.ledger import Ledger
from replay_cli.moengage.replies import Outcome, Reply, Verdict, classify
from replay_cli.preparation import Prepared
from replay_cli.settlement import Pending, Settlement, Work

GRACE = 10.0
"""Seconds that requests in flight may take to finish when a run is asked to stop."""
_LAUNCH_PAD_SECONDS = 0.1
"""Attempts may be declared to the checkpoint this long before the cap lets them go: enough to hide a commit."""
_BOARDING_SECONDS = 0.25
"""Connections may be made this long before they are needed: enough to hide a handshake, not a crowd of idle ones."""
_ADMITTED_AT_ONCE = 50


class InDoubt(StrEnum):
    """What to do with a record when nobody knows whether MoEngage has it."""

    RESEND = "resend"
    DEAD_LETTER = "dead-letter"


class Policy(NamedTuple):
    """How hard a run tries. Times are in seconds."""

    concurrency: int = 512
    retry_for: float = 4 * 3600.0
    max_attempts: int = 0
    in_doubt: InDoubt = InDoubt.RESEND


class Ending(NamedTuple):
    """How a run ended: its state (complete, paused, interrupted, failed), why, and the error if there was one."""

    state: str
    reason: str = ""
    error: ReplayError | None = None


class Snapshot(NamedTuple):
    """What a run is doing now.

    `consumed` counts stored bytes read of the objects to read, `waiting` the requests that are not settled,
    `in_flight` those of them that wait for a reply; `trouble` is why the last attempt failed, if it did.
    """

    consumed: int
    waiting: int
    in_flight: int
    paused: bool
    per_second: int
    trouble: str


class _Begin(NamedTuple):
    work: Work


class _End(NamedTuple):
    work: Work
    damage: str | None


class _WithdrawnError(Exception):
    """The run stops: an attempt at the gate must not leave."""


class Replay:
    """One run of a job.

    Args:
        source: where the objects are.
        work: what is left to read, in order.
        prepare: batch → requests.
        ledger: remembers everything, durably.
        transport: makes attempts.
        cap: lets them leave.
        policy: how hard to try.
    """

    def __init__(
        self,
        source: Source,
        work: Sequence[Work],
        prepare: Callable[..., Prepared],
        ledger: Ledger,
        transport: Transport,
        cap: Cap,
        policy: Policy,
    ) -> None:
        self._source = source
        self._work = work
        self._prepare = prepare
        self._ledger = ledger
        self._transport = transport
        self._cap = cap
        self._policy = policy
        self._window = max(2 * policy.concurrency, 1000)
        self._lanes: Lanes[Pending] = Lanes()
        self._ready: asyncio.Queue[Pending | None] = asyncio.Queue()
        self._settlement = Settlement(ledger)
        self._at_gate: set[asyncio.Task[None]] = set()
        self._trouble = ""
        self._boarding = asyncio.Semaphore(max(32, int(cap.rps * _BOARDING_SECONDS)))
        self._launch_pad = asyncio.Semaphore(max(8, int(cap.rps * _LAUNCH_PAD_SECONDS)))
        self._unpaused = asyncio.Event()
        self._unpaused.set()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._over: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._paused_until = 0.0
        self._passed_at = asyncio.get_running_loop().time()
        self._reading = True
        self._waiting = 0
        self._in_flight = 0
        self._finished_bytes = 0
        self._current_bytes = 0
        self._random = random.Random()

    # -- the run as a whole -----------------------------------------------------------------------------------

    async def run(self) -> Ending:
        """Go on until everything is settled or something stops the run; then everything known is durable."""
        senders = [asyncio.create_task(self._send_ready(), name="sender") for _ in range(self._policy.concurrency)]
        self._tasks = [asyncio.create_task(self._read(), name="reader"), *senders]
        for task in self._tasks:
            task.add_done_callback(self._notice_crash)
        try:
            ending = await self._over
        finally:
            await self._wind_down()
        self._ledger.note_peak(self._cap.meter.peak)
        try:
            await self._ledger.flush()
        except FatalError as error:
            return Ending("failed", str(error), error)
        return ending

    def stop(self, ending: Ending) -> None:
        """Take no new work and let what is in flight finish; the first call decides how the run ended."""
        if not self._over.done():
            self._over.set_result(ending)
        self._stopping = True
        self._unpaused.set()
        for task in self._at_gate:
            task.cancel()

    def abort(self) -> None:
        """Stop now: what is in flight is in doubt."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()

    def fail(self, error: ReplayError) -> None:
        """Stop the run because of an error."""
        self.stop(Ending("failed", str(error), error))

    def _stopped(self) -> bool:
        return self._stopping

    def snapshot(self) -> Snapshot:
        return Snapshot(
            consumed=self._finished_bytes + self._current_bytes,
            waiting=self._waiting,
            in_flight=self._in_flight,
            paused=not self._unpaused.is_set(),
            per_second=self._cap.meter.per_second(),
            trouble=self._trouble,
        )

    def _notice_crash(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, ReplayError):
            self.fail(error)
        elif not self._over.done():
            self._over.set_exception(error)
            self._stopping = True

    async def _wind_down(self) -> None:
        """End all tasks: idle ones at once, those with a request in flight when it is answered, or after `GRACE`."""
        self._stopping = True
        self._unpaused.set()
        while not self._ready.empty():
            self._ready.get_nowait()
        for _ in self._tasks:
            self._ready.put_nowait(None)
        self._tasks[0].cancel()
        _, late = await asyncio.wait(self._tasks, timeout=GRACE)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _settle_run(self) -> None:
        if not self._reading and self._waiting == 0 and not self._over.done():
            self.stop(Ending("complete"))

    # -- reading ----------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        steps = self._steps()
        thread = ThreadPoolExecutor(1, thread_name_prefix="reader")
        try:
            while (step := await loop.run_in_executor(thread, next, steps, None)) is not None:
                await self._take(step)
        except ReadingStoppedError:
            return
        finally:
            thread.submit(steps.close)
            thread.shutdown(wait=False)
        self._reading = False
        self._settle_run()

    def _steps(self) -> Generator[_Begin | Prepared | _End]:
        """Read all objects, in the reader's thread."""
        for work in self._work:
            yield _Begin(work)
            damage = None
            try:
                for batch in read(StoppableSource(self._source, self._stopped), work.object, work.watermark):
                    yield self._prepare(batch)
            except DamagedObjectError as error:
                damage = error.cause
            yield _End(work, damage)

    async def _take(self, step: _Begin | Prepared | _End) -> None:
        if isinstance(step, _Begin):
            self._current = step.work
            self._ledger.begin_object(step.work.id, step.work.watermark)
        elif isinstance(step, _End):
            self._ledger.end_object(step.work.id, step.damage)
            self._finished_bytes += step.work.object.size
            self._current_bytes = 0
        else:
            await self._has_room.wait()
            await self._ledger.has_room()
            await self._admit(self._current, step)
            self._current_bytes = step.batch.consumed

    async def _admit(self, work: Work, prepared: Prepared) -> None:
        """Take a batch into the book and its requests into their lanes, a few at a time to keep the loop on time."""
        batch = work.batches.pop(prepared.batch.first, None)
        if (batch and batch.next != prepared.batch.next) or any(first < prepared.batch.next for first in work.batches):
            raise FatalError(
                f"{work.object.uri} falls into other batches than when it was first read, so the checkpoint does not "
                "fit it: go on with the version of replay that began the job, or begin anew with --restart"
            )
        if batch is None:
            batch = self._settlement.open(work, prepared)
        else:
            self._settlement.resume(batch, prepared)
        self._settlement.take(batch, prepared)
        unit = str(prepared.batch.unit)
        for index, request in enumerate(prepared.requests, 1):
            if index % _ADMITTED_AT_ONCE == 0:
                await asyncio.sleep(0)
            place = (request.ordinals[0], request.part)
            if all(batch.is_settled(ordinal) for ordinal in request.ordinals):
                continue
            pending = Pending(request, batch, unit, attempts=work.doubts.get(place, 0))
            self._waiting += 1
            if place in work.parts:
                self._settlement.deliver(pending)
                self._waiting -= 1
            elif pending.attempts and self._policy.in_doubt is InDoubt.DEAD_LETTER:
                self._settlement.give_up(pending, "in_doubt", "an earlier attempt ended in doubt")
                self._waiting -= 1
            else:
                self._enter(pending)
        self._update_room()
        self._settle_run()

    def _enter(self, pending: Pending) -> None:
        pending.place, may_go = self._lanes.enter(pending, pending.request.users)
        if may_go:
            self._ready.put_nowait(pending)

    def _update_room(self) -> None:
        if self._waiting < self._window:
            self._has_room.set()
        else:
            self._has_room.clear()

    # -- sending ----------------------------------------------------------------------------------------------

    async def _send_ready(self) -> None:
        while (pending := await self._ready.get()) is not None:
            if self._stopping:
                return
            await self._send(pending)

    async def _send(self, pending: Pending) -> None:
        """Make one attempt and act on its outcome; a stop withdraws it while nothing was sent."""
        pending.attempts += 1
        keys = pending.keys()
        intended = left = boarding = False

        async def gate() -> None:
            nonlocal intended, left, boarding
            async with self._launch_pad:
                await self._unpaused.wait()
                self._require_going()
                intended = True
                await self._ledger.intend(keys)
                await self._take_off()
            self._at_gate.discard(task)
            left = True
            self._cap.meter.mark()
            self._ledger.note_peak(self._cap.meter.peak)
            self._in_flight += 1
            boarding = False
            self._boarding.release()

        task = asyncio.current_task()
        assert task is not None  # noqa: S101 # a coroutine of ours runs in a task
        self._at_gate.add(task)
        try:
            await self._boarding.acquire()
            boarding = True
            reply = await self._transport.attempt(pending.request, gate)
        except _WithdrawnError:
            if intended:
                self._ledger.withdraw(keys)
            return
        except asyncio.CancelledError:
            if left:
                self._ledger.conclude(keys, "interrupted", "interrupted")
            elif intended:
                self._ledger.withdraw(keys)
            raise
        finally:
            self._at_gate.discard(task)
            self._in_flight -= left
            if boarding:
                self._boarding.release()
        self._act(pending, keys if intended else [], reply)

    async def _take_off(self) -> None:
        """Return when an attempt may leave: the cap allows it, and nobody must wait."""
        while True:
            self._require_going()
            await self._cap.take()
            self._require_going()
            if self._unpaused.is_set():
                return
            await self._unpaused.wait()

    def _require_going(self) -> None:
        if self._stopping:
            raise _WithdrawnError

    def _act(self, pending: Pending, keys: list[AttemptKey], reply: Reply) -> None:
        outcome = classify(reply, time.time())
        doubt = outcome.reason if outcome.verdict is Verdict.IN_DOUBT else None
        self._ledger.conclude(keys, reply.label, doubt)
        if not outcome.pause:
            self._passed_at = asyncio.get_running_loop().time()
        self._trouble = "" if outcome.verdict is Verdict.DELIVERED else outcome.detail
        match outcome.verdict:
            case Verdict.DELIVERED:
                self._settlement.deliver(pending)
                self._finish(pending)
            case Verdict.REFUSED:
                self._settlement.give_up(pending, outcome.reason, outcome.detail)
                self._finish(pending)
            case Verdict.STOP:
                self.fail(FatalError(f"no other request would pass either: {outcome.detail}"))
            case Verdict.IN_DOUBT if self._policy.in_doubt is InDoubt.DEAD_LETTER:
                self._settlement.give_up(pending, "in_doubt", f"{outcome.reason}: {outcome.detail}")
                self._finish(pending)
            case _:
                self._retry(pending, outcome)

    def _retry(self, pending: Pending, outcome: Outcome) -> None:
        now = time.monotonic()
        if outcome.pause:
            self._pause(outcome)
            self._later(pending, outcome.pause)
            return
        if pending.failures == 0:
            pending.failing_since = now
        pending.failures += 1
        spent = now - pending.failing_since
        limit = self._policy.max_attempts
        if spent >= self._policy.retry_for or (limit and pending.failures >= limit):
            detail = f"{pending.failures} attempts failed over {spent:.0f} s, the last: {outcome.detail}"
            self._settlement.give_up(pending, f"exhausted:{outcome.reason}", detail)
            self._finish(pending)
        else:
            self._later(pending, min(backoff(pending.failures, self._random), self._policy.retry_for - spent))

    def _later(self, pending: Pending, delay: float) -> None:
        asyncio.get_running_loop().call_later(delay, self._ready.put_nowait, pending)

    def _pause(self, outcome: Outcome) -> None:
        """Hold everybody back: the quota is the workspace's, not the message's."""
        loop = asyncio.get_running_loop()
        if self._stopping or loop.time() + outcome.pause <= self._paused_until:
            return
        if loop.time() - self._passed_at > self._policy.retry_for:
            self.stop(Ending("paused", "nothing but 429 for --retry-for: live traffic leaves nothing of the quota"))
            return
        if outcome.pause > self._policy.retry_for:
            self.stop(Ending("paused", f"MoEngage asks to wait {outcome.pause:.0f} s, longer than --retry-for"))
            return
        self._cap.slow_down(outcome.pause)
        self._paused_until = loop.time() + outcome.pause
        self._unpaused.clear()
        loop.call_at(self._paused_until, self._end_pause)

    def _end_pause(self) -> None:
        if asyncio.get_running_loop().time() >= self._paused_until:
            self._unpaused.set()

    # -- settling ---------------------------------------------------------------------------------------------

    def _finish(self, pending: Pending) -> None:
        """Let those go who waited for this request."""
        place, pending.place = pending.place, None  # not to be kept alive by each other
        if place is not None:
            for follower in self._lanes.leave(place):
                self._ready.put_nowait(follower)
        self._waiting -= 1
        self._update_room()
        self._settle_run()
