"""Counts by day, drawn as bars of days, weeks, months or years, whichever are few enough (pure)."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import NamedTuple

from replay_cli.report.page.axes import Tick
from replay_cli.report.page.charts import Point

MOST = 120
"""Bars of one chart."""
_FAR = 0.005
"""Days at either end that hold no more than this share of all would only make the rest unreadable."""
_BROAD = 0.88
"""Of its place a bar takes so much, the rest parts it from the next."""
_BROADEST = 0.08
"""Of the whole chart a bar takes no more, however few there are."""


class Histogram(NamedTuple):
    """Places along an axis, each a bar: the names of the bars, and the counts for each series.

    `unit` is hour, day, week, month or year; `early` and `late` are counts that lie too far out to be drawn.
    """

    unit: str
    labels: Sequence[str]
    counts: Mapping[str, Sequence[int]]
    early: int = 0
    late: int = 0

    def totals(self) -> list[int]:
        """Return how high each bar is."""
        return [sum(column) for column in zip(*self.counts.values(), strict=True)]

    def ticks(self, most: int) -> list[Tick]:
        """Return at most so many labels, in the middle of their bars."""
        step = ceil(len(self.labels) / most)
        return [Tick(at + 0.5, self._short(self.labels[at])) for at in range(0, len(self.labels), step)]

    def _short(self, label: str) -> str:
        """Leave the year out of a day where all have the same."""
        years = {self.labels[0][-5:], self.labels[-1][-5:]}
        return label[:-5] if self.unit in ("day", "week") and len(years) == 1 else label


def bars(heights: Sequence[float]) -> list[Point]:
    """Return the outline of bars of these heights, one at each whole number."""
    broad = min(_BROAD, _BROADEST * len(heights))
    corners: list[Point] = []
    for at, up in enumerate(heights):
        left, right = at + 0.5 - broad / 2, at + 0.5 + broad / 2
        corners += [(left, 0.0), (left, up), (right, up), (right, 0.0)]
    return corners


def by_hour(counts: Mapping[str, int]) -> Histogram | None:
    """Draw counts by hour (`2025-03-01T10`), with the hours between; None where there are none."""
    hours = {when: n for name, n in counts.items() if (when := _hour(name)) is not None}
    if not hours:
        return None
    first, last = min(hours), max(hours)
    number = round((last - first) / timedelta(hours=1)) + 1
    if number > MOST:
        return None
    places = [first + timedelta(hours=at) for at in range(number)]
    labels = [f"{place.day} {place:%b %H:%M}" for place in places]
    return Histogram("hour", labels, {"": [hours.get(place, 0) for place in places]})


def by_day(series: Mapping[str, Mapping[str, int]]) -> Histogram | None:
    """Draw counts by day (`2025-03-01`) for each series; None where there are none.

    What is no day is left out (the table beneath names it).
    """
    counts = {name: _by_date(days) for name, days in series.items()}
    totals: Counter[date] = Counter()
    for days in counts.values():
        totals.update(days)
    if not totals:
        return None
    first, last = _core(totals)
    unit, begin_of = next(((unit, begin) for unit, begin in _UNITS if _number(unit, first, last) <= MOST), _UNITS[-1])
    places = _places(unit, begin_of(first), begin_of(last))
    drawn = {name: _put(days, places, begin_of, first, last) for name, days in counts.items()}
    early = sum(n for day, n in totals.items() if day < first)
    late = sum(n for day, n in totals.items() if day > last)
    return Histogram(unit, [_label(unit, place) for place in places], drawn, early, late)


def _by_date(days: Mapping[str, int]) -> dict[date, int]:
    return {day: n for text, n in days.items() if (day := _day(text)) is not None}


def _core(totals: Mapping[date, int]) -> tuple[date, date]:
    """Return the first and the last day to be drawn: all, unless a few far ones stretch it beyond single days."""
    days = sorted(totals)
    if (days[-1] - days[0]).days < MOST:
        return days[0], days[-1]
    spare = _FAR * sum(totals.values())
    first, last = _first_beyond(days, totals, spare), _first_beyond(days[::-1], totals, spare)
    first = min(first, next(day for day in days if (last - day).days < MOST))
    return first, max(last, next(day for day in days[::-1] if (day - first).days < MOST))


def _first_beyond(days: Sequence[date], totals: Mapping[date, int], spare: float) -> date:
    passed = 0
    for day in days:
        passed += totals[day]
        if passed > spare:
            return day
    return days[-1]


def _put(
    days: Mapping[date, int], places: Sequence[date], begin_of: Callable[[date], date], first: date, last: date
) -> list[int]:
    where = {place: at for at, place in enumerate(places)}
    heights = [0] * len(places)
    for day, n in days.items():
        if first <= day <= last:
            heights[where[begin_of(day)]] += n
    return heights


_UNITS: Sequence[tuple[str, Callable[[date], date]]] = (
    ("day", lambda day: day),
    ("week", lambda day: day - timedelta(days=day.weekday())),
    ("month", lambda day: day.replace(day=1)),
    ("year", lambda day: day.replace(month=1, day=1)),
    ("century", lambda day: date(max(day.year // 100 * 100, 1), 1, 1)),
)


def _number(unit: str, first: date, last: date) -> int:
    """Return how many places there are, at most."""
    days = (last - first).days
    return {"day": days, "week": days // 7 + 1, "month": days // 28 + 1, "year": days // 365 + 1}.get(unit, 0) + 1


def _places(unit: str, first: date, last: date) -> list[date]:
    places = [first]
    while places[-1] < last:
        places.append(_next(unit, places[-1]))
    return places


def _next(unit: str, place: date) -> date:
    match unit:
        case "day":
            return place + timedelta(days=1)
        case "week":
            return place + timedelta(days=7)
        case "month":
            return (place.replace(day=1) + timedelta(days=32)).replace(day=1)
        case "year":
            return place.replace(year=place.year + 1)
    return place.replace(year=place.year // 100 * 100 + 100)


def _label(unit: str, place: date) -> str:
    match unit:
        case "day" | "week":
            return f"{place.day} {place:%b %Y}"
        case "month":
            return f"{place:%b} {place.year}"
    return f"{place.year}" if unit == "year" else f"{place.year // 100 * 100}–"


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


def _hour(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H").replace(tzinfo=UTC)
    except ValueError:
        return None
