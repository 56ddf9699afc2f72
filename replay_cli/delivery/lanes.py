"""Per-user order: what may go now, and what waits for an earlier request of the same user.

A request keeps to a lane for each id that it names (user id, anonymous id). It may go when it is at the front of all
its lanes; different users go side by side. No I/O and no tasks: the conductor asks.
"""

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Place(Generic[T]):
    """One request's place in its lanes; `behind` counts those in which somebody is before it."""

    __slots__ = ("behind", "item", "lanes", "number")

    def __init__(self, item: T, number: int, lanes: Sequence[str]) -> None:
        self.item = item
        self.number = number
        self.lanes = tuple(dict.fromkeys(lanes))
        self.behind = 0


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
        place, known = Place(item, self._entered, lanes), self._lanes
        for lane in place.lanes:
            if lane in known:
                known[lane].append(place)
                place.behind += 1
            else:
                known[lane] = [place]
        return place, not place.behind

    def leave(self, *places: Place[T]) -> list[T]:
        """Take items out of their lanes; return the items that may go now.

        Args:
            places: that of a finished item, or that of one which cannot go on, with all its followers'.
        """
        known, freed = self._lanes, dict[Place[T], None]()
        for place in places:
            for lane in place.lanes:
                members = known[lane]
                if len(members) == 1:  # nearly always: nobody waits
                    del known[lane]
                elif members[0] is place:
                    del members[0]
                    members[0].behind -= 1
                    if not members[0].behind:
                        freed[members[0]] = None
                else:
                    members.remove(place)
        for place in places:
            freed.pop(place, None)
        return [front.item for front in sorted(freed, key=_number)]

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


def _number(place: Place[T]) -> int:
    return place.number
