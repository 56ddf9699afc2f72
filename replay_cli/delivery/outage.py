"""Telling a message that fails from a destination that is down (pure).

A message whose attempts fail while others pass is at fault itself; when requests of many users fail and none passes,
nobody is, and no attempt should be spent on it.
"""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")

MANY = 10
"""So many requests, or all that could go if they are fewer, fail without one passing: then it is an outage."""
_SURE_AFTER = 3
"""Attempts without a connection, which are no message's fault, that tell as much."""
_RAREST = 30.0
"""Seconds between two requests at most, when each may arrive once more."""
_UNANSWERED = 5.0
"""Seconds after which another request is probed with, though the one before it has no answer."""


class OutageWatch(Generic[T]):
    """Watches attempts fail and pass.

    `since` is when the first one failed of those of which none has passed since (infinity: there is none).
    """

    def __init__(self) -> None:
        self.since = float("inf")
        self._failed: Counter[T] = Counter()
        self._suspicious: set[T] = set()
        self._unconnected = 0

    def note_pass(self) -> None:
        """Note that an attempt passed: was delivered or refused, so that the destination is there."""
        self.since = float("inf")
        self._failed.clear()
        self._suspicious.clear()
        self._unconnected = 0

    def note_failure(self, item: T, now: float, *, at_fault: bool, connected: bool) -> None:
        """Note that an attempt failed.

        Args:
            item: whose it was.
            now: the time, in seconds of the caller's clock.
            at_fault: others have passed since it began to fail.
            connected: whether there was a connection; when there was none, it is no message's fault.
        """
        self.since = min(self.since, now)
        self._failed[item] += 1
        self._unconnected += not connected
        if not at_fault or not connected:
            self._suspicious.add(item)

    def is_outage(self, moving: int) -> bool:
        """Tell whether everything fails.

        Args:
            moving: how many requests could pass now, if they were let.
        """
        if self._unconnected >= _SURE_AFTER and len(self._suspicious) >= min(_SURE_AFTER, moving):
            return True
        return len(self._suspicious) >= min(MANY, max(2, moving)) and sum(self._failed.values()) >= MANY

    def failures(self) -> Mapping[T, int]:
        """Return the failures since the last pass: they are given back when it was an outage."""
        return dict(self._failed)


class Probe(StrEnum):
    """What to ask a destination with that may be down."""

    CHECK = "check"
    """Its check of our credentials: it costs no message anything."""
    REQUEST = "request"


class Prober:
    """Chooses what to probe with: the next request.

    After an attempt that ended in doubt (perhaps it arrived), only once the destination has answered the credentials
    check, and the more seldom the longer the outage lasts.
    """

    def __init__(self) -> None:
        self._doubtful = False
        self._checked = False
        self._open = 0
        self._sent_at = float("-inf")
        self._since = 0.0

    def choose(self, now: float) -> Probe | None:
        """Return what to probe with now; None: wait for the answer to the last request."""
        if self._doubtful and not self._checked:
            return Probe.CHECK
        if self._open and now - self._sent_at < _UNANSWERED:
            return None
        if self._doubtful and now - self._sent_at < min(_RAREST, (now - self._since) / 10):
            return None
        return Probe.REQUEST

    def begin(self, since: float) -> None:
        """Note that an outage began."""
        self._since = since

    def note_failure(self, *, doubtful: bool) -> None:
        """Note that an attempt failed."""
        self._doubtful = doubtful
        self._checked = False

    def note_check(self, passed: bool) -> None:
        """Note how the credentials check went."""
        self._checked = passed

    def note_sent(self, now: float) -> None:
        """Note that a request is probed with."""
        self._open += 1
        self._sent_at = now

    def note_end(self) -> None:
        """Note that a request that was probed with has its answer, or none for good."""
        self._open -= 1


class BudgetClock:
    """Seconds that count towards a message's budget: it stands still while everybody has to wait."""

    def __init__(self) -> None:
        self._stood_still = 0.0
        self._went_on_at = float("-inf")
        self._frozen_at: float | None = None

    def now(self, now: float) -> float:
        """Return the time on this clock."""
        return (now if self._frozen_at is None else self._frozen_at) - self._stood_still

    def freeze(self, at: float) -> None:
        """Let it stand still from `at` on, which may lie in the past; again is the same."""
        if self._frozen_at is None:
            self._frozen_at = max(at, self._went_on_at)

    def go_on(self, now: float) -> None:
        """Let it run again."""
        if self._frozen_at is not None:
            self._stood_still += now - self._frozen_at
            self._frozen_at = None
            self._went_on_at = now
