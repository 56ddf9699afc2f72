"""Counts by day or by hour, made ready for a sparkline of so many marks."""

import re
from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from typing import NamedTuple

_KEY = re.compile(r"(\d{4}-\d\d-\d\d)(?:T([01]\d|2[0-3]))?", re.ASCII).fullmatch
_OUTLIERS = 20
"""One record in so many may lie far before what is drawn, and one far after: wrong clocks must not squeeze it."""


class Series(NamedTuple):
    """The counts of a period, gaps as 0.

    `values` are counts of `step` days or hours each; the first begins with the day or hour `first`, the last has `last`
    in it. `most` is the fullest single day or hour, with `peak` records. `before` and `after` are records that lie
    far outside of the period, a few at most.
    """

    values: list[int]
    step: int
    first: str
    last: str
    most: str
    peak: int
    before: int
    after: int


class _Day(NamedTuple):
    """A day or an hour: its number, its name, its records."""

    place: int
    key: str
    records: int


def series(counts: Mapping[str, int], width: int) -> Series | None:
    """Return what is to be drawn; None when no key is a day or an hour.

    Args:
        counts: `YYYY-MM-DD` or `YYYY-MM-DDTHH` → records; what is none of both is left out.
        width: marks at most.
    """
    days = sorted(_Day(place, key, n) for key, n in counts.items() if (place := _place(key)) is not None and n > 0)
    if not days:
        return None
    before = after = 0
    if days[-1].place - days[0].place >= width:
        allowed = sum(day.records for day in days) // _OUTLIERS
        before, days = _without_far_ones(days, allowed, width)
        after, days = _without_far_ones(days[::-1], allowed, width)
        days.reverse()
    first = days[0].place
    step = -(-(days[-1].place - first + 1) // width)
    values = [0] * ((days[-1].place - first) // step + 1)
    for day in days:
        values[(day.place - first) // step] += day.records
    fullest = max(days, key=lambda day: day.records)
    return Series(values, step, days[0].key, days[-1].key, fullest.key, fullest.records, before, after)


def _place(key: str) -> int | None:
    """Return the number of a day, or of an hour."""
    found = _KEY(key)
    if found is None:
        return None
    try:
        day = date.fromisoformat(found[1]).toordinal()
    except ValueError:
        return None
    return day if found[2] is None else 24 * day + int(found[2])


def _without_far_ones(days: list[_Day], allowed: int, far: int) -> tuple[int, list[_Day]]:
    """Leave out the first days up to a gap of more than `far`, if they hold no more than so many records in all.

    Of several such gaps it is the last one.
    """
    left_out, kept, passed = 0, 0, 0
    for index, (day, following) in enumerate(pairwise(days), start=1):
        passed += day.records
        if passed > allowed:
            break
        if abs(following.place - day.place) > far:
            left_out, kept = passed, index
    return left_out, days[kept:]
