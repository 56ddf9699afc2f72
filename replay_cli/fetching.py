"""Fetching: parked requests come back from the checkpoint when they are due, or when their users have room again."""

import asyncio
import time
from collections.abc import Collection
from contextlib import suppress

from replay_cli.custody import Custody
from replay_cli.intake import Admission, Intake
from replay_cli.ledger.group import PartOutcome
from replay_cli.ledger.ledger import Ledger
from replay_cli.ledger.parked import Returning
from replay_cli.moengage.packing import without
from replay_cli.parking import Parking
from replay_cli.policy import InDoubt
from replay_cli.settlement import Pending, Settlement
from replay_cli.standstill import Standstill
from replay_cli.traffic import DOUBTED, Traffic

_SHORTEST_WAIT = 0.05
"""Seconds between two fetches of what is due."""


class Fetching:
    """Brings parked requests back into their lanes.

    Args:
        ledger: holds them.
        settlement: takes them back.
        parking: knows which are wanted.
        traffic: where they go.
        intake: tells whether anything is left to read.
        admission: those of earlier runs count towards `--limit`.
        standstill: has the clock of their budgets.
        in_doubt: what to do with those that were in doubt when an earlier run ended.
        first_number: the number of the first one that this run may park.
        most: so many are fetched at once; None: as many as reading may have in memory.
        custody: announces them.
    """

    def __init__(
        self,
        ledger: Ledger,
        settlement: Settlement,
        parking: Parking,
        traffic: Traffic,
        intake: Intake,
        admission: Admission,
        standstill: Standstill,
        in_doubt: InDoubt,
        *,
        first_number: int,
        most: int | None,
        custody: Custody,
    ) -> None:
        self._ledger = ledger
        self._settlement = settlement
        self._parking = parking
        self._traffic = traffic
        self._intake = intake
        self._admission = admission
        self._standstill = standstill
        self._in_doubt = in_doubt
        self._first_number = first_number
        self._most = most
        self._custody = custody

    @property
    def is_stuck(self) -> bool:
        """Whether nothing goes on until a parked request comes back."""
        reading = self._intake.is_reading and not self._parking.is_full
        return not reading and not self._traffic.waiting and self._parking.count > 0

    @property
    def is_hopeless(self) -> bool:
        """Whether nothing is left but requests whose budget is used up, and those behind them."""
        return self.is_stuck and self._parking.next_due == float("inf") and not self._parking.has_wanted

    async def begin(self) -> None:
        """Return when parked requests may come back."""
        await self._parking.may_return.wait()
        await self._ledger.release_heads()
        self._parking.next_due = 0.0

    async def fetch(self) -> None:
        """Wait until there is something to fetch, and room for it; then bring it back."""
        await self._until_wanted()
        lanes = self._parking.begin_fetch()
        most = self._traffic.window if self._most is None else self._most
        loaded = await self._ledger.load_parked(lanes, most)
        if len(loaded.requests) >= most and not self._admission.is_over:
            self._parking.want_again(lanes)
        self._parking.next_due = min(self._parking.next_due, loaded.next_due)
        if loaded.requests:
            await self._custody.announce(parked=[returning.parked.id for returning in loaded.requests])
        for returning in loaded.requests:
            self._return(returning)

    async def _until_wanted(self) -> None:
        while True:
            self._parking.bell.clear()
            wait = self._parking.next_due - time.time()
            nothing_comes = wait == float("inf") and self.is_stuck
            has_room = self._traffic.waiting < 2 * self._traffic.window
            if has_room and (self._parking.has_wanted or wait <= 0 or nothing_comes):
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(None if wait == float("inf") else max(wait, _SHORTEST_WAIT)):
                    await self._parking.bell.wait()

    def _return(self, returning: Returning) -> None:
        """Take a parked request back; one that an earlier run parked counts towards `--limit`."""
        pending = self._settlement.bring_back(returning)
        users, is_earlier = pending.request.users, returning.parked.id < self._first_number
        if self._parking.is_overtaken(users) or (is_earlier and not self._admission.take()):
            self._settlement.park(pending, None)
            self._parking.note_gone_back(users)
            return
        if pending.spent:  # it was parked because it was at fault
            pending.failing_since = self._standstill.now()
            pending.passes_before = -1 if self._standstill.passes else 0
        self._parking.remove(users)
        self._traffic.update_room()
        if returning.doubted and not returning.parked.doubted and self._in_doubt is InDoubt.DEAD_LETTER:
            self._give_up_part(pending, returning.doubted)
        self._traffic.enter(pending)

    def _give_up_part(self, pending: Pending, doubted: Collection[int]) -> None:
        """Give up those records in doubt that a request was being taken apart into when a run died; no others were."""
        request = pending.request
        indexes = {index for index, ordinal in enumerate(request.ordinals) if ordinal in doubted}
        if (rest := without(request, indexes)) is not None:
            given_up = without(request, set(range(len(request.ordinals))) - indexes)
            self._settlement.take_apart(pending, given_up, [rest], PartOutcome("in_doubt", DOUBTED))
            pending.doubted = False
            self._traffic.fetch_behind(request.users)
