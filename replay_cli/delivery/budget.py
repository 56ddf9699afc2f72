"""Budgets of users and events a minute, beside the cap on requests: one bulk request spends many of them."""

import asyncio

from aiolimiter import AsyncLimiter

from replay_cli.delivery.allowance import Allowance, bucket, refill


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
