"""Whether anything in many rows can be meant, by what is known of all of them together (pure).

A table's footer may bound the values of its columns row group by row group. Rows are left out by that only where each
of them would be if it was read. The reason is the first one, in the order of `LEFT_OUT`, that the bounds prove: where
they prove a later one only, reading might have found an earlier one for some of the rows, which holds as well. And of
texts between two times, those that are no time (Segment writes none) count as outside, not as missing.

Times in text bound no more than days. Only the archives' form compares as text, and other forms may lie between two
texts of that form: with an offset of nearly a day, with a day that its month does not have, or with a month alone.
"""

import re
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from math import inf
from typing import NamedTuple

from replay_cli.segment.criteria import IDENTIFY_LEFT_OUT, OTHER_EVENT, OTHER_TYPE
from replay_cli.segment.event_patterns import exact_name
from replay_cli.segment.intervals import Intervals
from replay_cli.segment.layout import Span
from replay_cli.segment.period import Period, moved
from replay_cli.segment.times import NO_RECEIVED_AT, NO_TIMESTAMP, OUTSIDE_EVENT_TIME, OUTSIDE_RECEIVED
from replay_cli.segment.windows import ANY, OUTSIDE_WINDOWS, Window

_ARCHIVED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_YEAR, _MONTH, _DAY = len("2025-"), len("2025-03-"), len("2025-03-01")
"""Where these end in a text; what begins with a year and a hyphen is no number."""
_EARLIER = timedelta(days=1)
"""How far before its day's beginning a time can lie, by its offset …"""
_LATER = timedelta(days=4)
"""… and after it: a day by its clock, another by its offset, and 31 February is 3 March."""


class Texts(NamedTuple):
    """What is known of a text in some rows.

    Its values lie between `least` and `most`, as Python compares texts; None: no row has one. `is_everywhere` says
    that every row has one.
    """

    least: str | None
    most: str | None
    is_everywhere: bool

    def may_have(self, value: str) -> bool:
        """Tell whether any row may have a value; one with U+FFFD may stand for what is no UTF-8, anywhere."""
        return "\ufffd" in value or self._holds(value)

    def _holds(self, value: str) -> bool:
        return self.least is not None and self.most is not None and self.least <= value <= self.most


class Times(NamedTuple):
    """What is known of a time in some rows.

    Its values lie between `first` and `last`, both in UTC; None: no row has one. `is_everywhere` says that every row
    has one, `are_readable` that all values are times.
    """

    first: datetime | None
    last: datetime | None
    is_everywhere: bool
    are_readable: bool = True


class Rows(NamedTuple):
    """What is known of some rows, by field; None: nothing."""

    received_at: Times | None = None
    timestamp: Times | None = None
    type: Texts | None = None
    event: Texts | None = None


RowsSelector = Callable[[Rows], str | None]
"""Gives a reason why none of some rows is meant; None where any of them may be, or the reason depends on the row."""


def times_in(texts: Texts) -> Times | None:
    """Bound the times that texts mean; None where that cannot be done."""
    least, most = texts.least, texts.most
    if least is None or most is None:
        return Times(None, None, texts.is_everywhere)
    if not (_ARCHIVED.fullmatch(least) and _ARCHIVED.fullmatch(most) and least[:_YEAR] == most[:_YEAR]):
        return None
    try:
        first, last = datetime.fromisoformat(least[:_DAY]), datetime.fromisoformat(most[:_DAY])
    except ValueError:  # a form, but no day
        return None
    if least[:_MONTH] != most[:_MONTH]:
        first = first.replace(day=1)  # "2025-03T10:00" lies behind all of March
    earliest, latest = moved(first.replace(tzinfo=UTC), -_EARLIER), moved(last.replace(tzinfo=UTC), _LATER)
    if earliest is None or latest is None:
        return None
    return Times(earliest, latest, texts.is_everywhere, are_readable=False)


def first_of(selectors: Iterable[RowsSelector | None]) -> RowsSelector | None:
    """Return what gives the first reason that any of several has, in their order; None where none decides."""
    deciding = [selector for selector in selectors if selector is not None]
    if not deciding:
        return None
    return lambda rows: next((reason for selector in deciding if (reason := selector(rows)) is not None), None)


def rows_always(reason: str) -> RowsSelector:
    """Return the selector that means no rows, for one reason."""
    return lambda _rows: reason


def rows_received_in(period: Period, known: Span | None) -> RowsSelector | None:
    """Do for rows what `times.received_in` does for a message."""
    cut = period if known is None else period.cut(known)
    if cut.is_always:
        return None
    without = NO_RECEIVED_AT if known is None else None if cut.start is None else OUTSIDE_RECEIVED
    return lambda rows: _against(rows.received_at, lambda times: _misses(cut, times), OUTSIDE_RECEIVED, without)


def rows_happened_in(period: Period) -> RowsSelector | None:
    """Do for rows what `times.happened_in` does for a message."""
    if period.is_always:
        return None
    return lambda rows: _against(rows.timestamp, lambda times: _misses(period, times), OUTSIDE_EVENT_TIME, NO_TIMESTAMP)


def rows_in_windows(windows: Collection[Window], known: Span | None) -> RowsSelector:
    """Do for rows what `Windows.selector` does for a message, whatever its event.

    Args:
        windows: those of the folder's source.
        known: when the folder's objects were received; None when its path does not tell.
    """
    received = Intervals.of(window.interval for window in windows)
    # Where events have windows, it depends on the event for which of two reasons a time is not there.
    without = NO_RECEIVED_AT if all(window.event == ANY for window in windows) else None
    if known is not None:
        received = received.within(known.first.timestamp(), known.until.timestamp())
        without = None if received.contains(-inf) else OUTSIDE_WINDOWS
    if not received:
        return rows_always(OUTSIDE_WINDOWS)
    return lambda rows: _against(rows.received_at, lambda times: _miss(received, times), OUTSIDE_WINDOWS, without)


def rows_of_types(types: Collection[str]) -> RowsSelector:
    """Do for rows what `criteria.of_types` does for a message."""

    def select(rows: Rows) -> str | None:
        return None if rows.type is None or any(map(rows.type.may_have, types)) else OTHER_TYPE

    return select


def rows_without_identifies(rows: Rows) -> str | None:
    """Do for rows what `criteria.without_identifies` does for a message."""
    return IDENTIFY_LEFT_OUT if rows.type == ("identify", "identify", True) else None


def rows_of_events(patterns: Collection[str]) -> RowsSelector | None:
    """Do for rows what `criteria.of_events` does for a message, where all patterns are names."""
    names = [name for name in map(exact_name, patterns) if name is not None]
    if len(names) < len(patterns):
        return None

    def select(rows: Rows) -> str | None:
        return None if rows.event is None or any(map(rows.event.may_have, names)) else OTHER_EVENT

    return select


def _against(
    times: Times | None, lie_outside: Callable[[Times], bool], outside: str, without: str | None
) -> str | None:
    """Give the reason that all rows have for a time; None where they may have several, or none.

    Args:
        times: what is known of it.
        lie_outside: whether all values that there are lie outside of what is meant.
        outside: the reason of these.
        without: that of rows without a time that can be read; None: they are meant.
    """
    if times is None:
        return None
    if times.first is None:
        return without
    if not lie_outside(times) or (without is None and not times.are_readable):
        return None
    return outside if times.is_everywhere or without == outside else None


def _misses(period: Period, times: Times) -> bool:
    start, until = period
    return (start is not None and times.last is not None and times.last < start) or (
        until is not None and times.first is not None and until <= times.first
    )


def _miss(received: Intervals, times: Times) -> bool:
    if times.first is None or times.last is None:
        return True
    first, last = times.first.timestamp(), times.last.timestamp()
    return not (received.meets(first, last) or received.contains(last))
