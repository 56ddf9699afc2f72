"""Pacing per user, below MoEngage's fair-usage limits.

A user with more than 5,000 events a minute, 10,000 in 5 minutes, 50,000 an hour or 100,000 a day is blocked, and nobody
is told (documented). A quarter of each is left to live traffic.

Each limit is a leaky bucket of so many events that leaks so many a second: in `t` seconds at most `bucket + leak * t`
pass. A user whose buckets are empty is forgotten, so memory follows the rate and not the number of users.
"""

from collections.abc import Sequence
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


class FairUse:
    """Knows when a user's next attempt may leave. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._empty_at: list[dict[str, float]] = [{} for _ in LIMITS]
        self._forgotten_at = 0.0

    def wait(self, users: Sequence[str], now: float) -> float:
        """Return how many seconds an attempt for these users has to wait; 0 for none."""
        longest = 0.0
        for limit, empty_at in zip(LIMITS, self._empty_at, strict=True):
            room_after = (limit.bucket - 1) / limit.leak
            for user in users:
                longest = max(longest, empty_at.get(user, 0.0) - room_after - now)
        return longest

    def mark(self, users: Sequence[str], now: float) -> None:
        """Count an attempt that leaves now."""
        for limit, empty_at in zip(LIMITS, self._empty_at, strict=True):
            for user in users:
                empty_at[user] = max(empty_at.get(user, now), now) + 1 / limit.leak
        if now - self._forgotten_at > _FORGET_EVERY:
            self._forget(now)

    def __len__(self) -> int:
        """Count the users remembered."""
        return max(map(len, self._empty_at))

    def _forget(self, now: float) -> None:
        self._forgotten_at = now
        self._empty_at = [{user: at for user, at in empty_at.items() if at > now} for empty_at in self._empty_at]
