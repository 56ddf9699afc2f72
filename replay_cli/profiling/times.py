"""When the messages of an archive happened, and how long after that they were received (pure)."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from replay_cli.profiling.instants import UNREADABLE, instants
from replay_cli.profiling.tally import Tally

if TYPE_CHECKING:
    from replay_cli.profiling.instants import Instants

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
LATENESS = {
    "early": 0,
    "under_1_minute": MINUTE,
    "under_1_hour": HOUR,
    "under_1_day": DAY,
    "under_7_days": 7 * DAY,
    "later": 1 << 63,
}
"""How long a message was under way, `receivedAt` less `timestamp`: name → milliseconds, which it does not reach."""
_MOST_HOURS = 1_000
"""More different hours are not kept: they matter where an archive is of a few days."""
_MOST_DAYS = 10_000


class End(NamedTuple):
    """The first or the last readable time of a part of an object."""

    uri: str
    time: int


class Times:
    """Counts messages by their `timestamp`, whether they are sent or not; times are in milliseconds since 1970."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.last: int | None = None
        self.days: Tally[int] = Tally(_MOST_DAYS)
        self.hours: Counter[int] | None = Counter()
        """By the hours since 1970; None where there are too many of them."""
        self.future = self.missing = self.unreadable = self.out_of_order = 0
        self.lateness = [0] * len(LATENESS)
        self._begin: End | None = None
        self._end: End | None = None

    def take(self, uri: str, times: Sequence[Any], received: "Instants", now: int) -> None:
        """Take a batch's messages.

        Args:
            uri: of their object.
            times: their `timestamp`s.
            received: the instants of their `receivedAt`.
            now: what is after it is in the future.
        """
        read = instants(times)
        readable = read[read != UNREADABLE]
        if len(readable) < len(read):
            missing = sum(time is None or time == "" for time in times)
            self.missing += missing
            self.unreadable += len(read) - len(readable) - missing
        if len(readable):
            self._take_readable(uri, readable, now)
            self._take_lateness(read, received)

    def _take_readable(self, uri: str, times: "Instants", now: int) -> None:
        import numpy as np

        first, last = int(times.min()), int(times.max())
        self._extend(first, last)
        self.future += int(np.count_nonzero(times > now)) if last > now else 0
        self.out_of_order += int(np.count_nonzero(times[1:] < times[:-1]))
        self._follow(End(uri, int(times[0])), End(uri, int(times[-1])))
        hours, numbers = np.unique(times // HOUR, return_counts=True)
        self._count_hours(Counter(dict(zip(hours.tolist(), numbers.tolist(), strict=True))))

    def _take_lateness(self, times: "Instants", received: "Instants") -> None:
        import numpy as np

        late = (received - times)[(times != UNREADABLE) & (received != UNREADABLE)]
        bounds = list(LATENESS.values())[:-1]
        numbers = np.bincount(np.searchsorted(bounds, late, side="right"), minlength=len(LATENESS))
        self.lateness = [one + other for one, other in zip(self.lateness, numbers.tolist(), strict=True)]

    def _extend(self, first: int, last: int) -> None:
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)

    def _follow(self, begin: End, end: End) -> None:
        """Count what begins behind these, in the same object, as out of order if it begins earlier."""
        if self._end is not None and self._end.uri == begin.uri:
            self.out_of_order += begin.time < self._end.time
        self._begin = self._begin or begin
        self._end = end

    def _count_hours(self, numbers: Counter[int]) -> None:
        days: Counter[int] = Counter()
        for hour, number in numbers.items():
            days[hour // 24] += number
        self.days.add(days)
        if self.hours is not None:
            self.hours.update(numbers)
            if len(self.hours) > _MOST_HOURS:
                self.hours = None

    def merge(self, other: "Times") -> None:
        """Count what another one has counted, of messages behind these."""
        self.future += other.future
        self.missing += other.missing
        self.unreadable += other.unreadable
        self.out_of_order += other.out_of_order
        self.lateness = [one + more for one, more in zip(self.lateness, other.lateness, strict=True)]
        self.days.merge(other.days)
        if self.hours is None or other.hours is None:
            self.hours = None
        else:
            self.hours.update(other.hours)
            if len(self.hours) > _MOST_HOURS:
                self.hours = None
        if other.first is not None and other.last is not None and other._begin is not None and other._end is not None:
            self._extend(other.first, other.last)
            self._follow(other._begin, other._end)
