"""When a run may send, and how fast, by the time of day of some place (pure: the time is given, as POSIX seconds).

A time of day means the first moment of its day at which the clocks there show it, or have just been put on beyond it:
one that comes twice, when clocks are put back, counts the first time; one that is left out counts when they are put on.
So a window opens and closes once a day, and never closes later than it says.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTES = 24 * 60
_FARTHEST = 15
"""Days to look ahead: a week, and another one for a window that a change of the clocks leaves nothing of."""
_TIME = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)", re.ASCII)
_WINDOW = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))? )?(\S+?)-(\S+)", re.ASCII)
_CHANGE = re.compile(r"([^=]+)=(\d+(?:\.\d+)?)", re.ASCII)


class ScheduleError(ValueError):
    """A schedule cannot be understood; its text says why, without saying whose it is."""


class Span(NamedTuple):
    """Some time, from one moment up to another, in POSIX seconds."""

    begin: float
    end: float


class Window(NamedTuple):
    """Times of day in minutes, from `opens` up to `closes`: on the day after, when that is not later.

    `days` are those on which it opens, 0 for Monday.
    """

    opens: int
    closes: int
    days: frozenset[int] = frozenset(range(7))

    def span(self, day: date, zone: tzinfo) -> Span:
        """Return when it is open that begins on a day; nothing is left of it where clocks are put on over all of it."""
        end = self.closes if self.closes > self.opens else self.closes + _MINUTES
        return Span(first_moment(day, self.opens, zone), first_moment(day, end, zone))


class Windows(NamedTuple):
    """When it may be sent: while one of some windows is open."""

    windows: tuple[Window, ...]
    zone: tzinfo

    def closes(self, at: float) -> float | None:
        """Return when it closes, of a moment at which it is open; None where it is closed.

        Windows that follow one another without a break are one; what stays open for weeks closes a day later.
        """
        end = at
        for span in self._spans(at, _FARTHEST):
            if span.begin <= end < span.end:
                end = span.end
        return end if end > at else None

    def opens(self, at: float) -> float | None:
        """Return when it opens next, of a moment at which it is closed; None: not within two weeks."""
        return min((span.begin for span in self._spans(at, _FARTHEST) if span.begin > at), default=None)

    def _spans(self, at: float, days: int) -> list[Span]:
        today = _local(at, self.zone).date()
        spans = (
            window.span(day, self.zone)
            for day in _days(today, -2, days)
            for window in self.windows
            if day.weekday() in window.days
        )
        return sorted(span for span in spans if span.end > span.begin)


class Rates(NamedTuple):
    """How fast it may go: (time of day in minutes, attempts a second), by time; each holds up to the next one."""

    changes: tuple[tuple[int, float], ...]
    zone: tzinfo

    def at(self, at: float) -> float:
        """Return how fast it may go at a moment."""
        return [rate for begin, rate in self._course(at) if begin <= at][-1]

    def changes_at(self, at: float) -> float:
        """Return the first moment after another at which the rate may be another one."""
        return min(begin for begin, _ in self._course(at) if begin > at)

    def _course(self, at: float) -> list[tuple[float, float]]:
        days = _days(_local(at, self.zone).date(), -2, 2)
        return [(first_moment(day, minute, self.zone), rate) for day in days for minute, rate in self.changes]


def first_moment(day: date, minute: int, zone: tzinfo) -> float:
    """Return when the clocks of a zone first show a time of day, or a later one.

    Args:
        day: the date there.
        minute: of that day; from 1440 on, of the next one.
        zone: the place.
    """
    shown = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # the zone follows
    moment = shown.replace(tzinfo=zone).timestamp()
    if _local(moment, zone) == shown:
        return moment
    # Left out: the clocks are put on over it, somewhere between what the offsets before and after make of it.
    before, after = int(shown.replace(tzinfo=zone, fold=1).timestamp()) - 1, int(moment)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (before, middle) if _local(middle, zone) >= shown else (middle, after)
    return float(after)


def _local(at: float, zone: tzinfo) -> datetime:
    """Return what the clocks of a zone show."""
    return datetime.fromtimestamp(at, zone).replace(tzinfo=None)


def _days(today: date, first: int, last: int) -> Iterator[date]:
    return (today + timedelta(days=n) for n in range(first, last + 1))


# -- as texts -------------------------------------------------------------------------------------------------


def read_windows(text: str) -> tuple[Window, ...]:
    """Read windows: `01:00-06:00`, `22:00-04:00`, `mon-fri 22:00-06:00,sat 00:00-24:00`.

    Raises:
        ScheduleError: it cannot be understood.
    """
    return tuple(_read_window(" ".join(part.lower().split())) for part in text.split(","))


def _read_window(text: str) -> Window:
    form = _WINDOW.fullmatch(text)
    if form is None:
        raise ScheduleError(f"{text!r} is no window: use for example 01:00-06:00, or mon-fri 22:00-06:00")
    first, last, opens, closes = form.groups()
    window = Window(_read_time(opens), _read_time(closes), _read_days(first, last or first))
    if window.opens == _MINUTES:
        raise ScheduleError(f"{text!r} opens at 24:00: say 00:00, of the day after")
    if window.opens == window.closes:
        raise ScheduleError(f"{text!r} opens and closes at the same time: for all day, use 00:00-24:00")
    return window


def _read_days(first: str | None, last: str | None) -> frozenset[int]:
    if first is None or last is None:
        return frozenset(range(7))
    for name in (first, last):
        if name not in DAYS:
            raise ScheduleError(f"{name!r} is no day: use {', '.join(DAYS)}")
    begin, length = DAYS.index(first), (DAYS.index(last) - DAYS.index(first)) % 7 + 1
    return frozenset((begin + n) % 7 for n in range(length))


def read_rates(text: str) -> tuple[tuple[int, float], ...]:
    """Read rates by time of day: `01:00=400,06:00=100`.

    Raises:
        ScheduleError: it cannot be understood, or says two rates for one time.
    """
    rates: dict[int, float] = {}
    for part in text.split(","):
        form = _CHANGE.fullmatch(part.strip())
        if form is None:
            raise ScheduleError(f"{part.strip()!r} is no rate by time: use for example 01:00=400,06:00=100")
        minute = _read_time(form[1].strip()) % _MINUTES
        if minute in rates:
            raise ScheduleError(f"there are two rates for {clock(minute)}: give one")
        rates[minute] = float(form[2])
    if not any(rates.values()):
        raise ScheduleError("nothing may ever be sent at 0 all day: give a rate for some time of it")
    return tuple(sorted(rates.items()))


def _read_time(text: str) -> int:
    """Return a time of day in minutes."""
    form = _TIME.fullmatch(text)
    minute = int(form[1]) * 60 + int(form[2]) if form is not None else _MINUTES + 1
    if minute > _MINUTES:
        raise ScheduleError(f"{text!r} is no time of day: use 00:00 to 24:00")
    return minute


def clock(minute: int) -> str:
    """Return a time of day as clocks show it."""
    return f"{minute // 60:02}:{minute % 60:02}"


def window_text(windows: Iterable[Window]) -> str:
    """Return windows as `read_windows` reads them."""
    return ",".join(f"{_days_text(window.days)}{clock(window.opens)}-{clock(window.closes)}" for window in windows)


def _days_text(days: frozenset[int]) -> str:
    if len(days) == len(DAYS):
        return ""
    first = next(day for day in days if (day - 1) % 7 not in days)
    last = next(day for day in days if (day + 1) % 7 not in days)
    return f"{DAYS[first]} " if first == last else f"{DAYS[first]}-{DAYS[last]} "


def rates_text(changes: Sequence[tuple[int, float]]) -> str:
    """Return rates as `read_rates` reads them."""
    return ",".join(f"{clock(minute)}={rate:.12g}" for minute, rate in changes)


def both_clocks(at: float, zone: tzinfo) -> str:
    """Return a moment for people: as a zone's clocks show it, and as UTC: `2025-03-30 06:00 CEST (04:00 UTC)`."""
    there, utc = datetime.fromtimestamp(at, zone), datetime.fromtimestamp(at, UTC)
    if there.utcoffset() == timedelta(0):
        return f"{utc:%Y-%m-%d %H:%M} UTC"
    same_day = there.date() == utc.date()
    return f"{there:%Y-%m-%d %H:%M %Z} ({utc:{'%H:%M' if same_day else '%Y-%m-%d %H:%M'}} UTC)"
