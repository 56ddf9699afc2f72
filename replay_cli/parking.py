"""Which lanes have requests parked in the checkpoint, and which of them are wanted back; no tasks, no waiting."""

from collections.abc import Iterable, Mapping, Sequence

MOST_PARKED = 100_000
"""Reading waits while more requests are parked: the checkpoint and the lanes' names in memory stay small."""
_MOST_LANES = 4 * MOST_PARKED
"""… or so many lanes: a bulk request keeps to hundreds."""
LONGEST_LANE = 64
"""So many requests of a user wait in memory; the others of a hot user wait in the checkpoint."""
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
        self._lanes = dict(lanes)
        self._wanted: dict[str, None] = {}

    @property
    def is_full(self) -> bool:
        return self.count >= MOST_PARKED or len(self._lanes) >= _MOST_LANES

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

    def want(self, lane: str, in_memory: int) -> bool:
        """Ask for the next requests of a lane if it runs dry; True when there are some to fetch."""
        if lane not in self._lanes or in_memory > _SHORT_LANE:
            return False
        self._wanted[lane] = None
        return True

    def want_again(self, lanes: Iterable[str]) -> None:
        """Ask for lanes that were asked for and not served in full."""
        self._wanted.update(dict.fromkeys(lanes))

    def take_wanted(self) -> list[str]:
        """Return the lanes asked for, once."""
        wanted, self._wanted = list(self._wanted), {}
        return wanted

    @property
    def has_wanted(self) -> bool:
        return bool(self._wanted)
