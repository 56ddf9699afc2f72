"""Per-user order: what may go now, and what waits for an earlier request of the same user.

A request keeps to a lane for each id that it names (user id, anonymous id). It may go when every earlier request
in its lanes is done; different users go side by side. No I/O and no tasks: the conductor asks.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Place(Generic[T]):
    """One request's place in its lanes: how many it waits for, and who waits for it."""

    __slots__ = ("ahead", "behind", "item", "lanes")

    def __init__(self, item: T, lanes: Sequence[str]) -> None:
        self.item = item
        self.lanes = lanes
        self.ahead = 0
        self.behind: list[Place[T]] = []


class Lanes(Generic[T]):
    """The lanes with somebody in them; empty ones are forgotten."""

    def __init__(self) -> None:
        self._last: dict[str, Place[T]] = {}

    def __len__(self) -> int:
        """Count the lanes in use."""
        return len(self._last)

    def enter(self, item: T, lanes: Sequence[str]) -> tuple[Place[T], bool]:
        """Queue an item at the end of its lanes; True when it may go at once."""
        place = Place(item, lanes)
        for lane in lanes:
            last = self._last.get(lane)
            if last is place:
                continue
            if last is not None and (not last.behind or last.behind[-1] is not place):
                last.behind.append(place)
                place.ahead += 1
            self._last[lane] = place
        return place, place.ahead == 0

    def leave(self, place: Place[T]) -> list[T]:
        """Take a finished item out of its lanes; return the items that may go now."""
        for lane in place.lanes:
            if self._last.get(lane) is place:
                del self._last[lane]
        ready = []
        for follower in place.behind:
            follower.ahead -= 1
            if follower.ahead == 0:
                ready.append(follower.item)
        return ready
