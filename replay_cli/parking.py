"""Which lanes have requests parked in the checkpoint, and which of them are wanted back; no tasks, no waiting."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

MOST_PARKED = 100_000
"""Reading waits while more requests are parked: the checkpoint and the lanes' names in memory stay small."""
_MOST_LANES = 4 * MOST_PARKED
"""… or so many lanes: a bulk request keeps to hundreds."""
_SHORT_LANE = 16
"""The next ones are fetched when so few are left."""


class Parking:
    """The parked requests by lane; those loaded into memory are not counted.

    Args:
        lanes: lane → requests that earlier runs parked in it.
        count: how many requests these are.
    """

    def __init__(self, lanes: Mapping[str, int], count: int) -> None:
        self.count = count
        self.next_due = float("inf")
        """POSIX seconds when one that failed is tried again."""
        self.may_return = asyncio.Event()
        """Set once everything is in its lanes that the archive has before the parked requests."""
        self.bell = asyncio.Event()
        """Set when there may be something to fetch."""
        self._lanes = dict(lanes)
        self._wanted: dict[str, None] = {}
        self._gone_back = set[str]()

    @property
    def is_full(self) -> bool:
        return self.count >= MOST_PARKED or len(self._lanes) >= _MOST_LANES

    @property
    def holds_reading_up(self) -> bool:
        """Whether reading waits until some have come back."""
        return self.is_full and self.may_return.is_set()

    def holds_back(self, users: Iterable[str]) -> bool:
        """Tell whether a request has to queue behind a parked one."""
        return bool(self._lanes) and any(user in self._lanes for user in users)

    def add(self, users: Sequence[str], due: float | None = None) -> None:
        """Note that a request is parked."""
        self.count += 1
        for lane in dict.fromkeys(users):
            self._lanes[lane] = self._lanes.get(lane, 0) + 1
        if due is not None:
            self.next_due = min(self.next_due, due)

    def remove(self, users: Sequence[str]) -> None:
        """Note that a parked request is in memory again."""
        self.count -= 1
        for lane in dict.fromkeys(users):
            self._lanes[lane] -= 1
            if not self._lanes[lane]:
                del self._lanes[lane]

    # -- what is wanted back ----------------------------------------------------------------------------------

    def want(self, lane: str, in_memory: int) -> None:
        """Ask for the next requests of a lane if it runs dry and there are some."""
        if lane in self._lanes and in_memory <= _SHORT_LANE:
            self._wanted[lane] = None
            self.bell.set()

    def want_again(self, lanes: Iterable[str]) -> None:
        """Ask for lanes that were asked for and not served in full."""
        self._wanted.update(dict.fromkeys(lanes))

    @property
    def has_wanted(self) -> bool:
        return bool(self._wanted)

    def begin_fetch(self) -> list[str]:
        """Return the lanes asked for, once; those parked from now on tell when they are due."""
        wanted, self._wanted = list(self._wanted), {}
        self.next_due = float("inf")
        self._gone_back.clear()
        return wanted

    def note_gone_back(self, users: Iterable[str]) -> None:
        """Note that a request of users went from memory back to the checkpoint."""
        self._gone_back.update(users)

    def is_overtaken(self, users: Iterable[str]) -> bool:
        """Tell whether a request was fetched while one before it went back: it may not come in before that one."""
        return not self._gone_back.isdisjoint(users)
