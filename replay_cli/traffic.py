"""The requests on their way: in their lanes in memory, or parked in the checkpoint; no tasks, no sending."""

import asyncio
import time
from collections.abc import Callable, Iterable

from replay_cli.delivery.fair_use import FairUse
from replay_cli.delivery.lanes import Lanes
from replay_cli.model import Request
from replay_cli.parking import Parking
from replay_cli.policy import InDoubt
from replay_cli.settlement import Pending, Settlement

LONGEST_LANE = 64
"""So many requests of a user wait in memory; the others of a hot user wait in the checkpoint."""
_LONG_WAIT = 5.0
"""Seconds from which on a user waits for the fair-usage limits in the checkpoint rather than in memory."""
DOUBTED = "an earlier attempt ended in doubt"


class Traffic:
    """Keeps requests in order, from when they come in until nothing is left to do for them.

    `waiting` counts the records in memory that are not settled, `moving` the requests at the front of their lanes
    whose attempts could pass. `has_room` is set while reading may go on.

    Args:
        settlement: parks requests and gives them up.
        parking: knows what is parked.
        fair_use: tells how long a user has to wait.
        in_doubt: what to do with a request that was in doubt when an earlier run ended.
        window: so many records may be in memory before reading waits.
        go: lets a request go, in so many seconds.
        note_change: is told when requests have left memory.
    """

    def __init__(
        self,
        settlement: Settlement,
        parking: Parking,
        fair_use: FairUse,
        in_doubt: InDoubt,
        window: int,
        *,
        go: Callable[[Pending, float], None],
        note_change: Callable[[], None],
    ) -> None:
        self.window = window
        self.waiting = 0
        self.moving = 0
        self.has_room = asyncio.Event()
        self.has_room.set()
        self._settlement = settlement
        self._parking = parking
        self._fair_use = fair_use
        self._in_doubt = in_doubt
        self._go = go
        self._note_change = note_change
        self._lanes: Lanes[Pending] = Lanes()
        self._loop = asyncio.get_running_loop()

    # -- in, and on -------------------------------------------------------------------------------------------

    def enter(self, pending: Pending) -> None:
        """Queue a request: in its lanes, or behind the parked ones of its user, or of a user with too many."""
        users = pending.request.users
        if pending.doubted and self._in_doubt is InDoubt.DEAD_LETTER:
            self._settlement.give_up(pending, "in_doubt", DOUBTED)
            self.fetch_behind(users)
        elif pending.parked is None and (self._parking.holds_back(users) or self._has_too_many(pending.request)):
            self._settlement.park(pending, None)
            self._parking.add(users)
        else:
            pending.load = len(pending.request.ordinals)
            self.waiting += pending.load
            pending.place, may_go = self._lanes.enter(pending, users)
            if may_go:
                self._start(pending)

    def _has_too_many(self, request: Request) -> bool:
        """Tell whether a user has so many requests in memory that this one, and all of its record, waits elsewhere."""
        return not request.part and self._lanes.longest(request.users) >= LONGEST_LANE

    def _start(self, pending: Pending) -> None:
        """Let a request go that waits for no other one, as soon as its user may be sent more."""
        self.moving += 1
        wait = self.fair_wait(pending)
        if wait > _LONG_WAIT:
            self.park(pending, wait)
        else:
            self._go(pending, wait)

    def fair_wait(self, pending: Pending) -> float:
        """Return how many seconds a request has to wait for its users' fair-usage limits."""
        return self._fair_use.wait(pending.request.users, self._loop.time())

    def update_room(self) -> None:
        """Let reading go on while there is room for what it brings."""
        if self.waiting >= self.window or self._parking.holds_reading_up:
            self.has_room.clear()
        else:
            self.has_room.set()

    # -- out --------------------------------------------------------------------------------------------------

    def finish(self, pending: Pending) -> None:
        """Let those go who waited for this request, and fetch those who wait for it in the checkpoint."""
        if self._settlement.go_on(pending):
            self._go(pending, 0)
            return
        assert pending.place is not None  # noqa: S101 # it is in its lanes
        freed, lanes = self._lanes.leave(pending.place), pending.place.lanes  # of all that it was taken apart into
        self.waiting -= pending.load
        self.moving -= 1
        pending.place = None
        self.fetch_behind(lanes)
        self._go_on(freed)

    def park(self, pending: Pending, delay: float, *, held: bool = False) -> None:
        """Let a request that cannot go on wait in the checkpoint, and all that wait for it.

        Args:
            pending: the request.
            delay: seconds until it is tried again.
            held: its budget is used up; it is kept for a later run.
        """
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
            self._parking.note_gone_back(member.request.users)
        self.waiting -= sum(member.load for member in family)
        self.moving -= 1
        self._parking.bell.set()
        self.fetch_behind(left)
        self._go_on(freed)

    def fetch_behind(self, users: Iterable[str]) -> None:
        """Fetch the next parked requests of users of whom few are left in memory."""
        if not self._parking.count:
            return
        for user in users:
            self._parking.want(user, self._lanes.length(user))

    def _go_on(self, freed: Iterable[Pending]) -> None:
        for follower in freed:
            self._start(follower)
        self.update_room()
        self._note_change()
