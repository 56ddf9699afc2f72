"""Judging from outside whether a lease that others hold has run out."""

from collections.abc import Callable
from typing import NamedTuple

from replay_cli.remote.clocks import StoreClock, boot_time

UNCHANGED = 0.4
"""The part of a lease for which it has to be seen unchanged, where its holder renews it each third …"""
UNCHANGED_SHARE = 0.2
"""… and each tenth."""


class Sighting(NamedTuple):
    """What was seen of a lease first, and when, by this machine's clock."""

    mark: object
    since: float


class Watch:
    """Says how long others have their leases yet.

    A lease is over once the store's clock is past it and it was seen unchanged for longer than holders take to renew
    theirs: so a clock that jumps takes it from nobody who has it. It is over, too, once it was seen unchanged for as
    long as it lasts: so nobody waits longer than that, whatever became of the store's clock.

    Args:
        clock: the store's.
        own: this machine's.
        unchanged: the part of a lease for which it has to be seen unchanged.
    """

    def __init__(
        self, clock: StoreClock, own: Callable[[], float] = boot_time, *, unchanged: float = UNCHANGED
    ) -> None:
        self._clock = clock
        self._unchanged = unchanged
        self._own = own
        self._seen: dict[str, Sighting] = {}

    def left(self, holder: str, mark: object, renewed: float, ttl: float) -> float:
        """Return seconds until a lease is over; 0 or less when it is.

        Args:
            holder: the id of who has it.
            mark: what changes whenever it is renewed.
            renewed: when it was, by the store's clock, as its holder says.
            ttl: how many seconds it lasts.
        """
        now = self._own()
        seen = self._seen.get(holder)
        if seen is None or seen.mark != mark:
            seen = self._seen[holder] = Sighting(mark, now)
        by_store = max(renewed + ttl - self._clock.earliest(), seen.since + self._unchanged * ttl - now)
        return min(by_store, seen.since + ttl - now)

    def keep_only(self, holders: set[str]) -> None:
        """Forget all others."""
        self._seen = {holder: seen for holder, seen in self._seen.items() if holder in holders}
