"""Numbers by name, of which there may be any number in an archive (pure)."""

from collections import Counter
from collections.abc import Hashable, Mapping
from itertools import repeat
from operator import add
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)

MOST_NAMES = 1_000
OTHERS = "(others)"


class Tally(Generic[Name]):
    """Counts by name, exactly for the names that came first, and all the others together.

    Args:
        most: names that are kept.
    """

    def __init__(self, most: int = MOST_NAMES) -> None:
        self._most = most
        self.counts: Counter[Name] = Counter()
        self.others = 0

    def add(self, numbers: Mapping[Name, int]) -> None:
        """Add numbers by name; the names are short."""
        counts = self.counts
        for name, number in numbers.items():
            if name in counts or len(counts) < self._most:
                counts[name] += number
            else:
                self.others += number

    def merge(self, other: "Tally[Name]") -> None:
        """Add what another one has counted."""
        self.add(other.counts)
        self.others += other.others

    @property
    def total(self) -> int:
        """All of it."""
        return self.counts.total() + self.others


def add_up(numbers: Counter[Name], more: Counter[Name]) -> None:
    """Add numbers to others. As `Counter.update`, which is a loop in Python where it is given numbers."""
    before = map(numbers.get, more, repeat(0))  # each is asked for before the sum takes its place
    dict.update(numbers, zip(more, map(add, before, more.values()), strict=True))


def most_first(tally: Tally[str]) -> dict[str, int]:
    """Return the numbers by name, the greatest first, and then `OTHERS`."""
    return _with_others(dict(sorted(tally.counts.items(), key=lambda item: (-item[1], item[0]))), tally)


def by_name(tally: Tally[str]) -> dict[str, int]:
    """Return the numbers in the order of the names, and then `OTHERS`."""
    return _with_others(dict(sorted(tally.counts.items())), tally)


def _with_others(numbers: dict[str, int], tally: Tally[str]) -> dict[str, int]:
    if tally.others:
        numbers[OTHERS] = numbers.get(OTHERS, 0) + tally.others
    return numbers
