"""Budgets of users and events a minute, beside the cap on requests: one bulk request spends many of them."""

import asyncio
from typing import NamedTuple

from aiolimiter import AsyncLimiter

MINUTE = 60.6
"""A rolling minute is taken to be this many seconds: the rest is for the jitter of timers and network."""
_BUCKET_SHARE = 0.1


class Allowance(NamedTuple):
    """What may be spent in any rolling minute; 0: as much as there is.

    MoEngage documents 10,000 users and 30,000 events a minute, newer pages more.
    """

    users: int = 10_000
    events: int = 30_000

    @property
    def most_users(self) -> int:
        """How many users one request may carry; 0: any number."""
        return int(bucket(self.users))

    @property
    def most_events(self) -> int:
        """How many events one request may carry; 0: any number."""
        return int(bucket(self.events))


def bucket(per_minute: int) -> float:
    """Size a leaky bucket: what may be spent at once, a tenth of the minute's; 0 where there is no bound.

    A bucket of `b` that leaks `r` a second passes at most `b + r * t` in `t` seconds.
    """
    return float(max(1, int(per_minute * _BUCKET_SHARE))) if per_minute else 0.0


def refill(per_minute: int) -> float:
    """Return what the bucket gets back a second: with a full one, no rolling minute has more than its share."""
    return max(per_minute - bucket(per_minute), 1.0) / MINUTE


class Budget:
    """Lets requests go as far as users and events last, in the order in which they ask.

    It begins with nothing saved up: what an earlier run has spent in the same minute is not known.

    Args:
        allowance: what may be spent; at least 2 users or events a minute, or a request could wait for ever.
    """

    def __init__(self, allowance: Allowance) -> None:
        self._users = _limiter(allowance.users)
        self._events = _limiter(allowance.events)
        self._turn = asyncio.Lock()
        self._is_fresh = True

    async def take(self, users: int, events: int) -> None:
        """Return when a request with so many users and events may go; more than a bucket takes longer."""
        async with self._turn:
            if self._is_fresh:
                self._is_fresh = False
                for limiter in (self._users, self._events):
                    if limiter is not None:
                        await limiter.acquire(limiter.max_rate)
            for limiter, wanted in ((self._users, users), (self._events, events)):
                left = float(wanted)
                while limiter is not None and left > 0:
                    await limiter.acquire(min(left, limiter.max_rate))
                    left -= limiter.max_rate


def _limiter(per_minute: int) -> AsyncLimiter | None:
    if not per_minute:
        return None
    size = bucket(per_minute)
    return AsyncLimiter(size, size / refill(per_minute))
