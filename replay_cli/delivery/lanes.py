"""Per-user order: what may go now, and what waits for an earlier request of the same user.

A request keeps to a lane for each id that it names (user id, anonymous id). It may go when it is at the front of all
its lanes; different users go side by side. No I/O and no tasks: the conductor asks.
"""

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Place(Generic[T]):
    """One request's place in its lanes."""

    __slots__ = ("item", "lanes", "number")

    def __init__(self, item: T, number: int, lanes: Sequence[str]) -> None:
        self.item = item
        self.number = number
        self.lanes = tuple(dict.fromkeys(lanes))


class Lanes(Generic[T]):
    """The lanes with somebody in them; empty ones are forgotten."""

    def __init__(self) -> None:
        self._lanes: dict[str, list[Place[T]]] = {}
        self._entered = 0

    def __len__(self) -> int:
        """Count the lanes in use."""
        return len(self._lanes)

    def length(self, lane: str) -> int:
        """Return how many are in a lane."""
        return len(self._lanes.get(lane, ()))

    def longest(self, lanes: Iterable[str]) -> int:
        """Return how many are in the longest of some lanes."""
        known, longest = self._lanes, 0
        for lane in lanes:
            if lane in known:
                longest = max(longest, len(known[lane]))
        return longest

    def enter(self, item: T, lanes: Sequence[str]) -> tuple[Place[T], bool]:
        """Queue an item at the end of its lanes; True when it may go at once."""
        self._entered += 1
        place, known, is_first = Place(item, self._entered, lanes), self._lanes, True
        for lane in place.lanes:
            if lane in known:
                known[lane].append(place)
                is_first = False
            else:
                known[lane] = [place]
        return place, is_first

    def leave(self, *places: Place[T]) -> list[T]:
        """Take items out of their lanes; return the items that may go now.

        Args:
            places: that of a finished item, or that of one which cannot go on, with all its followers'.
        """
        known, moved = self._lanes, list[str]()
        for place in places:
            for lane in place.lanes:
                members = known[lane]
                if len(members) == 1:  # nearly always: nobody waits
                    del known[lane]
                    continue
                if members[0] is place:
                    moved.append(lane)
                members.remove(place)
        fronts = {known[lane][0] for lane in moved if lane in known}
        return [front.item for front in sorted(fronts, key=_number) if self._is_first(front)]

    def followers(self, place: Place[T]) -> list[T]:
        """Return all items that wait for one: those behind it in its lanes, those behind them, and so on."""
        found = {place: None}
        for reached in (queue := [place]):
            for lane in reached.lanes:
                members = self._lanes[lane]
                for behind in members[members.index(reached) + 1 :]:
                    if behind not in found:
                        found[behind] = None
                        queue.append(behind)
        del found[place]
        return [behind.item for behind in found]

    def _is_first(self, place: Place[T]) -> bool:
        return all(self._lanes[lane][0] is place for lane in place.lanes)


def _number(place: Place[T]) -> int:
    return place.number
