"""How fast things arrive: the exact count of every rolling second, or minute."""

from collections import deque

SECOND = 1_000_000_000
"""One second in nanoseconds: instants are integers, so that a window's edge is exact."""
MINUTE = 60 * SECOND


class RollingPeak:
    """Counts what arrives in rolling windows, online.

    A window of length L is half-open, `(t - L, t]`: two arrivals exactly L apart are not in one. The fullest
    window always ends at an arrival, so looking back at each arrival finds the exact peak.

    Args:
        length: of a window, in nanoseconds.
    """

    def __init__(self, length: int = SECOND) -> None:
        self._length = length
        self._window: deque[tuple[int, int]] = deque()
        self._count = 0
        self.peak = 0

    def arrive(self, now: int, count: int = 1) -> int:
        """Count an arrival; give the count of the window that ends with it, itself included.

        Args:
            now: a monotonic instant in nanoseconds, never earlier than the one before.
            count: how many arrive at once.
        """
        window = self._window
        window.append((now, count))
        self._count += count
        while now - window[0][0] >= self._length:
            self._count -= window.popleft()[1]
        self.peak = max(self.peak, self._count)
        return self._count

    def opens_in(self, now: int, count: int, most: int) -> float:
        """Give the seconds until so much has left the window that `count` more make `most` at most.

        What arrives in between is not known. More than `most` at once never fits: that is a whole window.
        """
        surplus = self._count + count - most
        for at, leaving in self._window:
            if surplus <= 0:
                break
            surplus -= leaving
            if surplus <= 0:
                return max(0, at + self._length - now) / SECOND
        return 0.0 if surplus <= 0 else self._length / SECOND
