"""How fast attempts arrive: the exact count of every rolling second."""

from collections import deque

SECOND = 1_000_000_000
"""One second in nanoseconds: instants are integers, so that a window's edge is exact."""


class RollingPeak:
    """Counts arrivals in rolling seconds, online.

    A rolling second is half-open, `(t - 1 s, t]`: two arrivals exactly one second apart are not in one. The
    fullest window always ends at an arrival, so looking back at each arrival finds the exact peak.
    """

    def __init__(self) -> None:
        self._window: deque[int] = deque()
        self.peak = 0

    def arrive(self, now: int) -> int:
        """Count an arrival; the number of arrivals in the second that ends with it, itself included.

        Args:
            now: a monotonic instant in nanoseconds, never earlier than the one before.
        """
        window = self._window
        window.append(now)
        while now - window[0] >= SECOND:
            window.popleft()
        self.peak = max(self.peak, len(window))
        return len(window)

    def opens_in(self, now: int) -> float:
        """Seconds until the oldest arrival of the current window has left it (0.0 when there is none)."""
        return max(0, self._window[0] + SECOND - now) / SECOND if self._window else 0.0
