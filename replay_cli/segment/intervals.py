"""Sets of instants, made of half-open intervals (pure)."""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise
from math import inf

Interval = tuple[float, float]
"""From an instant to before another one, in POSIX seconds; the first lies before the second."""


class Intervals(tuple[float, ...]):
    """The instants of some intervals: where, in order, they begin and end by turns; none of them meet.

    An instant lies in it when an odd number of these is not after it.
    """

    __slots__ = ()

    @classmethod
    def of(cls, intervals: Iterable[Interval]) -> "Intervals":
        """Unite intervals, in any order, which may overlap."""
        edges: list[float] = []
        for first, until in sorted(intervals):
            if edges and first <= edges[-1]:
                edges[-1] = max(edges[-1], until)
            else:
                edges += (first, until)
        return cls(edges)

    @property
    def is_ever(self) -> bool:
        """Whether every instant lies in it."""
        return self == EVER

    def contains(self, seconds: float) -> bool:
        """Tell whether an instant lies in it."""
        return bisect_right(self, seconds) % 2 == 1

    def meets(self, first: float, until: float) -> bool:
        """Tell whether any instant of an interval lies in it."""
        index = bisect_right(self, first)
        return index % 2 == 1 or (index < len(self) and self[index] < until)

    def covers(self, first: float, until: float) -> bool:
        """Tell whether all instants of an interval lie in it."""
        index = bisect_right(self, first)
        return index % 2 == 1 and until <= self[index]

    def within(self, first: float, until: float) -> "Intervals":
        """Return what decides inside of an interval: edges outside of it are moved to the ends of time."""
        met = [(a, b) for a, b in list(pairwise(self))[::2] if a < until and first < b]
        return Intervals(edge for a, b in met for edge in (-inf if a <= first else a, inf if until <= b else b))


EVER = Intervals((-inf, inf))
