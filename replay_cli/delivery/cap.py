"""The cap: in any rolling second at most `rps` attempts leave, first tries and retries together."""

import time
from collections import deque
from collections.abc import Callable

from aiolimiter import AsyncLimiter

HEADROOM = 0.99
"""The share of `rps` that bucket and refill may add up to: the rest is for the jitter of timers and network."""
SPACED_BELOW = 10.0
"""Slower than this, attempts are spaced evenly: one percent of a small number is no bucket."""
_BUCKET_SHARE = 0.01


def bucket_and_refill(rps: float) -> tuple[float, float]:
    """Size the leaky bucket so that no rolling second lets more than `rps` through.

    A bucket of `b` refilled at `r` a second passes at most `b + r` in a second (a full bucket, and what is
    refilled meanwhile), so `b + r = 0.99 * rps`. Below 10 a second: a bucket of one, refilled every 1.01/rps.

    Returns:
        (bucket in attempts, refill in attempts a second).
    """
    if rps < SPACED_BELOW:
        return 1.0, rps / (2 - HEADROOM)
    bucket = max(1.0, _BUCKET_SHARE * rps)
    return bucket, HEADROOM * rps - bucket


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
