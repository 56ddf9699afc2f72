"""The cap: in any rolling second at most `rps` attempts leave, first tries and retries together."""

import time
from collections import deque
from collections.abc import Callable

from aiolimiter import AsyncLimiter

SECOND = 1.01
"""A rolling second is taken to be this long: the rest is for the jitter of timers and network."""
SPACED_BELOW = 10.0
"""Slower than this, attempts are spaced evenly."""
_BUCKET_SHARE = 0.01


def bucket_and_refill(rps: float) -> tuple[float, float]:
    """Size the leaky bucket so that no rolling second lets more than `rps` through.

    A bucket of `b` refilled at `r` a second passes at most `b + r * t` in `t` seconds (a full bucket, and what is
    refilled meanwhile). One more than `rps` must take 1.01 s at least, so `b + 1.01 * r = rps + 1`. The bucket
    holds one attempt and what is refilled in 10 ms, or a timer that fires late would cost a part of the rate;
    below 10 a second it holds one, which spaces them evenly.

    Returns:
        (bucket in attempts, refill in attempts a second).
    """
    bucket = 1.0 if rps < SPACED_BELOW else 1.0 + _BUCKET_SHARE * rps
    return bucket, (rps + 1 - bucket) / SECOND


class RateMeter:
    """Counts attempts, and the highest count in any rolling second.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._recent: deque[float] = deque()
        self.peak = 0
        self.total = 0

    def mark(self) -> None:
        """Count one attempt, now."""
        now = self._clock()
        recent = self._recent
        recent.append(now)
        self._forget(now)
        self.total += 1
        self.peak = max(self.peak, len(recent))

    def per_second(self) -> int:
        """Return how many attempts left within the last second."""
        self._forget(self._clock())
        return len(self._recent)

    def _forget(self, now: float) -> None:
        recent = self._recent
        while recent and recent[0] <= now - 1.0:
            recent.popleft()


class Cap:
    """Lets attempts leave one by one.

    Args:
        rps: attempts a second, more than 0.
    """

    def __init__(self, rps: float) -> None:
        bucket, refill = bucket_and_refill(rps)
        self._limiter = AsyncLimiter(bucket, bucket / refill)
        self.rps = rps
        self.meter = RateMeter()

    async def take(self) -> None:
        """Return when one attempt may leave, which must be at once: take it with a connection in hand."""
        await self._limiter.acquire()
        self.meter.mark()
