"""How one attempt leaves: connection, durable intent, cap, in this order; and how it is taken back until then.

No tasks of its own: the conductor's senders come through here, and it may hold them all back.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import NamedTuple

from replay_cli.custody import Custody
from replay_cli.delivery.budget import Budget
from replay_cli.delivery.cap import BOARDING_SECONDS, Cap, RestingError
from replay_cli.delivery.fair_use import FairUse
from replay_cli.delivery.transport import Transport
from replay_cli.ledger.group import AttemptKey
from replay_cli.ledger.ledger import Ledger
from replay_cli.model import Request
from replay_cli.moengage.packing import weigh
from replay_cli.moengage.replies import Failure, Reply
from replay_cli.settlement import Pending

_LAUNCH_PAD_SECONDS = 0.1
"""Attempts may be declared to the checkpoint this long before the cap lets them go: enough to hide a commit."""


class _WithdrawnError(Exception):
    """The attempt must not leave now."""


class Attempt(NamedTuple):
    """What came of an attempt, and its keys in the checkpoint: none when it never had a connection."""

    reply: Reply
    keys: list[AttemptKey]


class Sending:
    """Lets attempts leave, all of them through one gate.

    Args:
        ledger: is told of each attempt before it leaves.
        transport: makes attempts.
        cap: lets them leave.
        fair_use: is told of each attempt that left.
        custody: is asked at each departure.
        note_loss: is called when that has said no, in the loop's next turn: nothing leaves any more.
        budget: what bulk requests spend besides; None: nothing.
    """

    def __init__(
        self,
        ledger: Ledger,
        transport: Transport,
        cap: Cap,
        fair_use: FairUse,
        custody: Custody,
        note_loss: Callable[[], None],
        budget: Budget | None = None,
    ) -> None:
        self.in_flight = 0
        self._ledger = ledger
        self._transport = transport
        self._cap = cap
        self._fair_use = fair_use
        self._custody = custody
        self._note_loss = note_loss
        self._budget = budget
        self._boarding = asyncio.Semaphore(2 + int(cap.rps * BOARDING_SECONDS))
        self._launch_pad = asyncio.Semaphore(2 + int(cap.rps * _LAUNCH_PAD_SECONDS))
        self.is_open = True
        self._stopped = False
        self._at_gate: set[asyncio.Task[None]] = set()

    def hold(self) -> None:
        """Let nothing leave; who is on the way out comes back unsent."""
        self.is_open = False
        self._ledger.begin_pause()

    def release(self) -> None:
        """Let attempts leave again."""
        self.is_open = True
        self._ledger.end_pause()

    def stop(self) -> None:
        """Let nothing leave any more, and wake those who wait."""
        self._stopped = True
        for task in self._at_gate:
            task.cancel()

    async def board(self) -> None:
        """Return when one more request may get its connection; then choose which."""
        await self._boarding.acquire()

    def disembark(self) -> None:
        """Give the place back: the request has left, or there is none."""
        self._boarding.release()

    async def attempt(self, pending: Pending, *, probe: bool = False) -> Attempt | None:
        """Make one attempt at a request on board; None when it was withdrawn before anything was sent.

        Args:
            pending: the request.
            probe: it goes although all others are held back, and is not on board.
        """
        pending.attempts += 1
        keys = pending.keys()
        intended = left = False
        left_at = 0.0

        async def gate() -> None:
            nonlocal intended, left, left_at
            if self._budget is not None:  # before anything is intended: it may take a minute
                self._require(probe)
                await self._budget.take(*weigh(pending.request.body))
            async with nullcontext() if probe else self._launch_pad:
                self._require(probe)
                intended = True
                await self._ledger.intend(keys)
                self._require(probe)
                await self._take()
                self._require(probe)
                self._require_custody()
            self._at_gate.discard(task)
            left, left_at = True, self._note_departure(pending.request)
            if not probe:
                self.disembark()

        task = asyncio.current_task()
        assert task is not None  # noqa: S101 # a coroutine of ours runs in a task
        self._at_gate.add(task)
        try:
            reply = await self._transport.attempt(pending.request, gate)
        except _WithdrawnError:
            self._withdraw(pending, intended)
            return None
        except asyncio.CancelledError:
            if left:
                self._ledger.conclude(keys, "interrupted", "interrupted")
            else:
                self._withdraw(pending, intended)
            raise
        finally:
            self._at_gate.discard(task)
            self.in_flight -= left
            if not (left or probe):
                self.disembark()
        self._note_reply(pending, reply, left_at)
        return Attempt(reply, keys if intended else [])

    async def ask(self, request: Request) -> Reply:
        """Ask something that is no message, such as whether the credentials are good; under the cap like all."""

        async def gate() -> None:
            await self._take()
            self._require(probe=True)
            self._require_custody()
            self._ledger.note_peak(self._cap.meter.mark())

        try:
            return await self._transport.attempt(request, gate)
        except _WithdrawnError:
            return Reply(failure=Failure.NOT_SENT, cause="the run stops")

    async def _take(self) -> None:
        """Wait for a turn under the cap; while it lets nothing leave for a longer time, go back unsent."""
        try:
            await self._cap.take()
        except RestingError:
            raise _WithdrawnError from None

    def _require(self, probe: bool) -> None:
        if self._stopped or not (probe or self.is_open):
            raise _WithdrawnError

    def _require_custody(self) -> None:
        if not self._custody.may_send():
            self._stopped = True  # whatever it says next
            asyncio.get_running_loop().call_soon(self._note_loss)
            raise _WithdrawnError

    def _withdraw(self, pending: Pending, intended: bool) -> None:
        if intended:
            self._ledger.withdraw(pending.keys())
            pending.withdrawn += 1  # its number is used
        else:
            pending.attempts -= 1

    def _note_departure(self, request: Request) -> float:
        """Count an attempt that leaves now; return when that is, in the loop's seconds."""
        now = asyncio.get_running_loop().time()
        self._ledger.note_departure(self._cap.meter.mark())
        users: Sequence[str] = request.users
        if len(request.ordinals) > 1:  # the Data API knows people by their user ids alone
            users = [lane for lane in users if lane[0] == "u"]
        self._fair_use.mark(users, now)
        self.in_flight += 1
        return now

    def _note_reply(self, pending: Pending, reply: Reply, left_at: float) -> None:
        """Count an attempt that has ended; `left_at` is 0 for one that never left."""
        timeline = self._ledger.timeline
        if not left_at:
            timeline.note_unsent()
        elif reply.failure is None:
            timeline.note_latency(asyncio.get_running_loop().time() - left_at)
        if pending.attempts - pending.withdrawn > 1:
            timeline.note_retry()
