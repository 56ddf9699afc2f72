"""The cap: in any rolling second at most `rps` attempts leave, first tries and retries together."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from math import inf

from aiolimiter import AsyncLimiter

SECOND = 1.01
"""A rolling second is taken to be this long: the rest is for the jitter of timers and network."""
SPACED_BELOW = 10.0
"""Slower than this, attempts are spaced evenly."""
DECREASE = 0.5
"""What a 429 leaves of the rate."""
INCREASE = 0.05
"""The share of `rps` by which the rate grows back …"""
GROW_EVERY = 1.0
"""… after so many seconds."""
SLOWEST = 1.0
"""Attempts a second below which the rate is not halved."""
_BUCKET_SHARE = 0.01
BOARDING_SECONDS = 0.25
"""Connections may be made this long before they are needed: enough to hide a handshake, not a crowd of idle ones."""


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

    def mark(self) -> int:
        """Count one attempt, now; return how many left within the last second."""
        now = self._clock()
        recent = self._recent
        recent.append(now)
        self._forget(now)
        self.total += 1
        self.peak = max(self.peak, len(recent))
        return len(recent)

    def per_second(self) -> int:
        """Return how many attempts left within the last second."""
        self._forget(self._clock())
        return len(self._recent)

    def _forget(self, now: float) -> None:
        recent = self._recent
        while recent and recent[0] <= now - 1.0:
            recent.popleft()


class RestingError(Exception):
    """Nothing may leave now, and nobody knows how long: a ceiling is 0."""


class Cap:
    """Lets attempts leave one by one, at `rps`, at the lowest of the ceilings below it, or slower for a while.

    The quota is shared with live traffic, so a 429 says that there is less of it for us: the rate is halved, and
    grows back by a twentieth of the ceiling a second (additive increase, multiplicative decrease).

    The bucket begins full, so that the first attempt waits its turn: a run before this one may have let its last one
    leave just before it was killed. So it does whenever the rate changes, and who waits begins to wait anew: what has
    left at the old rate and what leaves at the new one together stay below the higher of both in any second.

    Args:
        rps: attempts a second, more than 0.
    """

    def __init__(self, rps: float) -> None:
        self.rps = rps
        self.rate = rps
        self.ceiling = rps
        self.meter = RateMeter()
        self._limits: dict[str, float] = {}
        self._slowed = inf
        self._limiter = _limiter(rps)
        self._turn = asyncio.Lock()
        self._waiting: asyncio.Timeout | None = None
        self._is_fresh = True
        self._grows_at = 0.0
        self._slowed_until = 0.0
        self._on_limit: Callable[[], None] = lambda: None

    @property
    def resting_by(self) -> str:
        """Which ceiling is 0, so that nothing may leave; empty when something may."""
        return next((why for why, rps in self._limits.items() if not rps), "")

    def limit(self, why: str, rps: float) -> None:
        """Set one of the ceilings: the rate is never above the lowest of them, from now on.

        Args:
            why: which one, a word (`schedule`, `share`); it stays until it is set anew.
            rps: attempts a second; at 0 nothing leaves until it is raised, at `inf` it holds nobody back.
        """
        if self._limits.get(why) == rps:
            return
        self._limits[why] = rps
        self.ceiling = min(self.rps, *self._limits.values())
        self._adjust()
        self._on_limit()

    def follow(self, on_limit: Callable[[], None]) -> None:
        """Call something, now and whenever a ceiling was set: it may hold everybody back while there is a rest."""
        self._on_limit = on_limit
        on_limit()

    async def take(self) -> None:
        """Return when one attempt may leave, which must be at once: take it with a connection in hand.

        Who then does leave says so to the `meter`.

        Raises:
            RestingError: a ceiling is 0, or became so meanwhile.
        """
        async with self._turn:  # one at a time at the limiter, so that it can be exchanged for another
            limiter = None
            while limiter is not self._limiter or self._is_fresh:
                if self._slowed < self.ceiling:
                    self._grow()
                if not self.rate:
                    raise RestingError
                limiter = self._limiter
                await self._acquire(limiter)

    async def _acquire(self, limiter: AsyncLimiter) -> None:
        """Wait for a turn at a limiter, or until it is exchanged for another."""
        try:
            async with asyncio.timeout(None) as self._waiting:
                if self._is_fresh:
                    # It begins full: an empty bucket on top of what has just left would be a burst.
                    await limiter.acquire(limiter.max_rate)
                    self._is_fresh = False
                await limiter.acquire()
        except TimeoutError:
            return  # the rate has changed
        finally:
            self._waiting = None

    def slow_down(self, pause: float) -> None:
        """Halve the rate, because MoEngage refused attempts for their number.

        Args:
            pause: seconds for which nothing leaves anyway; the rate grows after them.
        """
        now = asyncio.get_running_loop().time()
        if now < self._slowed_until:
            return  # one burst of refusals is one reason
        self._slowed_until = now + pause + GROW_EVERY
        self._grows_at = self._slowed_until
        self._slowed = max((self.rate or self.rps) * DECREASE, min(self.rps, SLOWEST))
        self._adjust()

    def _grow(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._grows_at:
            steps = 1 + int((now - self._grows_at) / GROW_EVERY)
            self._grows_at += steps * GROW_EVERY
            grown = self._slowed + steps * INCREASE * self.ceiling
            self._slowed = grown if grown < self.ceiling else inf
            self._adjust()

    def _adjust(self) -> None:
        rate = min(self.ceiling, self._slowed)
        if rate == self.rate:
            return
        self.rate = rate
        if rate:
            self._limiter = _limiter(rate)
        self._is_fresh = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.reschedule(0.0)


def _limiter(rate: float) -> AsyncLimiter:
    bucket, refill = bucket_and_refill(rate)
    return AsyncLimiter(bucket, bucket / refill)
