"""How far has been sent, or may have been: what a checkpoint that is pushed only now and then does not know (pure).

A horizon is what was announced since the last snapshot. Snapshots are taken while the run goes on, so announcements
are kept by when they were made: before a snapshot was begun, or since.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

Ranges = Sequence[tuple[int, int]]
"""Half-open, in order, and apart from each other."""


class Announced(NamedTuple):
    """Records `[first, next)` of an object, which may have been sent."""

    uri: str
    etag: str
    first: int
    next: int


class Horizon:
    """What was announced, by object and by when.

    Args:
        batches: what was announced before.
        parked: the numbers of parked requests that were, as ranges.
    """

    def __init__(self, batches: Iterable[Announced] = (), parked: Iterable[tuple[int, int]] = ()) -> None:
        self._now = 0
        self._times = {0: _Time()}
        self._times[0].add(batches, parked)

    def add(self, batches: Iterable[Announced], parked: Iterable[int]) -> None:
        """Announce records, and parked requests by their numbers."""
        self._times[self._now].add(batches, ((number, number + 1) for number in parked))

    def mark(self) -> int:
        """Begin another time; what is announced from here on is kept by `settle` with what this gives."""
        self._now += 1
        self._times[self._now] = _Time()
        return self._now

    def settle(self, mark: int, batches: Iterable[Announced], parked: Iterable[int]) -> None:
        """Forget what was announced before a mark, but for what is still open of it."""
        self._times = {time: kept for time, kept in self._times.items() if time >= mark}
        self._times[-1] = _Time()
        self._times[-1].add(batches, ((number, number + 1) for number in parked))

    def batches(self) -> list[Announced]:
        """Return all records that were announced and not settled."""
        objects: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for time in self._times.values():
            for name, ranges in time.objects.items():
                objects.setdefault(name, []).extend(ranges)
        return [Announced(*name, *part) for name, ranges in objects.items() for part in joined(ranges)]

    def parked(self) -> Ranges:
        """Return the numbers of all parked requests that were announced and not settled."""
        return joined(part for time in self._times.values() for part in time.parked)


class _Time:
    """What was announced between two marks."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self.parked: list[tuple[int, int]] = []

    def add(self, batches: Iterable[Announced], parked: Iterable[tuple[int, int]]) -> None:
        for uri, etag, first, after in batches:
            _append(self.objects.setdefault((uri, etag), []), (first, after))
        for part in parked:
            _append(self.parked, part)


def joined(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Put ranges in order, and those together that touch; empty ones are left out."""
    together: list[tuple[int, int]] = []
    for first, after in sorted(ranges):
        if first < after:
            _append(together, (first, after))
    return together


def _append(ranges: list[tuple[int, int]], part: tuple[int, int]) -> None:
    """Add a range, to the last one if it begins within that or at its end: most follow on each other."""
    if ranges and ranges[-1][0] <= part[0] <= ranges[-1][1]:
        ranges[-1] = ranges[-1][0], max(ranges[-1][1], part[1])
    else:
        ranges.append(part)
