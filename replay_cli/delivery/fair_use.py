"""Pacing per user, below MoEngage's fair-usage limits.

A user with more than 5,000 events a minute, 10,000 in 5 minutes, 50,000 an hour or 100,000 a day is blocked, and nobody
is told (documented). A quarter of each is left to live traffic.

Each limit is a leaky bucket of so many events that leaks so many a second: in `t` seconds at most `bucket + leak * t`
pass. A user whose buckets are empty is forgotten, so memory follows the rate and not the number of users.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Limit(NamedTuple):
    """A leaky bucket: `bucket` events at once, `leak` events a second."""

    bucket: float
    leak: float

    def most_in(self, seconds: float) -> float:
        """Return the most events that pass in so many seconds."""
        return self.bucket + self.leak * seconds


LIMITS = (
    Limit(25, 24.9),  # 1,519 a minute, 7,495 in five
    Limit(7_500, 8.3),  # 37,380 an hour
    Limit(30_000, 0.52),  # 74,928 a day
)
_FORGET_EVERY = 1.0


_SHORT_EACH, _MIDDLE_EACH, _LONG_EACH = (1 / limit.leak for limit in LIMITS)
"""Seconds in which a bucket leaks one event."""
_SHORT_ROOM, _MIDDLE_ROOM, _LONG_ROOM = ((limit.bucket - 1) / limit.leak for limit in LIMITS)
"""Seconds from when a bucket has room for one more until it is empty."""

_Buckets = tuple[float, float, float, float]
"""When there is room for one more in all of a user's buckets, and when each of them is empty (seconds)."""


class FairUse:
    """Knows when a user's next attempt may leave. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._buckets: dict[str, _Buckets] = {}
        self._forgotten_at = 0.0

    def wait(self, users: Iterable[str], now: float) -> float:
        """Return how many seconds an attempt for these users has to wait; 0 for none."""
        latest, known = now, self._buckets
        for user in users:
            if user in known and (room_at := known[user][0]) > latest:
                latest = room_at
        return latest - now

    def mark(self, users: Iterable[str], now: float) -> None:
        """Count an attempt that leaves now; a user who is there several times is counted so often."""
        known = self._buckets
        for user in users:
            # As plain as can be, for a bulk request has hundreds of users.
            _, short, middle, long = known.get(user, _EMPTY)
            short = (short if short > now else now) + _SHORT_EACH
            middle = (middle if middle > now else now) + _MIDDLE_EACH
            long = (long if long > now else now) + _LONG_EACH
            room_at = max(short - _SHORT_ROOM, middle - _MIDDLE_ROOM, long - _LONG_ROOM)
            known[user] = (room_at, short, middle, long)
        if now - self._forgotten_at > _FORGET_EVERY:
            self._forget(now)

    def __len__(self) -> int:
        """Count the users remembered."""
        return len(self._buckets)

    def _forget(self, now: float) -> None:
        self._forgotten_at = now
        self._buckets = {user: buckets for user, buckets in self._buckets.items() if max(buckets) > now}


_EMPTY = (0.0, 0.0, 0.0, 0.0)
