"""Telling a run that makes headway, or waits for good reason, from one that is stalled (pure)."""

from collections.abc import Hashable
from typing import NamedTuple

STALL_AFTER = 900.0
"""Seconds without headway that are a stall, unless another time is given."""
_FEW = 3.0
"""So many attempts at the rate in force may take longer than that."""


class Sight(NamedTuple):
    """What is seen of a run at one moment.

    Args:
        mark: changes whenever something is settled (or, while nothing waits to be sent, whenever something is read).
        waits_for: why the run rightly sends nothing now: a 429, a window; empty when it should.
        trouble: what holds it back otherwise, in a few words; empty when nothing is known.
        rate: attempts a second that may leave now.
    """

    mark: Hashable
    waits_for: str = ""
    trouble: str = ""
    rate: float = 0.0


class Headway:
    """Watches a run.

    Args:
        stall_after: so many seconds without headway are a stall.
        now: when the watch begins, on the caller's clock.
    """

    def __init__(self, stall_after: float, now: float) -> None:
        self.is_stalled = False
        self.why = ""
        self._stall_after = stall_after
        self._mark: Hashable = None
        self._moved_at = now

    def look(self, now: float, sight: Sight) -> bool:
        """Take what is seen now; return whether that changes anything: a stall began, or is over."""
        if sight.mark != self._mark or sight.waits_for:
            self._mark, self._moved_at = sight.mark, now
        patience = max(self._stall_after, _FEW / sight.rate if sight.rate > 0 else 0.0)
        was_stalled, self.is_stalled = self.is_stalled, now - self._moved_at >= patience
        self.why = f"nothing settled for {self.idle(now):.0f} s" if self.is_stalled else ""
        if self.is_stalled and sight.trouble:
            self.why += f": {sight.trouble}"
        return self.is_stalled != was_stalled

    def idle(self, now: float) -> float:
        """Return how many seconds ago the run made headway, or rightly waited."""
        return max(0.0, now - self._moved_at)
