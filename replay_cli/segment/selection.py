"""Which of an archive's messages are meant: by receipt, by event time and by source (pure).

The cut by receipt is exact: of two jobs that meet in an instant, one until it and one from it, each record is in
exactly one. Folders are left out by what their paths tell (`layout`), so a record counts as received when its folder
says it was: a `receivedAt` outside of its folder's day (or hour) is moved to the nearer end of it, and where there is
no readable one, it is the beginning. Without either a record cannot be cut: both jobs skip it, as `no_received_at`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from replay_cli.model import Message
from replay_cli.segment.javascript import instant
from replay_cli.segment.layout import Span, folder_of, source_of, span

OUTSIDE_RECEIVED = "outside_received_range"
NO_RECEIVED_AT = "no_received_at"
OUTSIDE_EVENT_TIME = "outside_event_time"
NO_TIMESTAMP = "no_timestamp"
OTHER_SOURCE = "other_source"
UNKNOWN_SOURCE = "unknown_source"

LEFT_OUT = (OUTSIDE_RECEIVED, NO_RECEIVED_AT, OUTSIDE_EVENT_TIME, NO_TIMESTAMP, OTHER_SOURCE, UNKNOWN_SOURCE)
"""All reasons why a message is not meant."""

DEFAULT_LATE = timedelta(days=7)
EARLY = timedelta(days=1)
"""How long before its `timestamp` an event may have been received: what sets the timestamp may run fast."""

Selector = Callable[[Message], str | None]
"""Gives the reason why a message is not meant; None when it is."""

_ISO_LENGTH = len("2025-03-01T10:00:00.000Z")
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}
_LATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([dhms])")


class Period(NamedTuple):
    """A half-open period in UTC, from `start` to before `until`; `None` is no bound."""

    start: datetime | None = None
    until: datetime | None = None

    @property
    def is_always(self) -> bool:
        """Whether it has no bounds."""
        return self.start is None and self.until is None

    def contains(self, seconds: float) -> bool:
        """Tell whether an instant, in POSIX seconds, lies in it."""
        return (self.start is None or self.start.timestamp() <= seconds) and (
            self.until is None or seconds < self.until.timestamp()
        )

    def meets(self, other: Span | None) -> bool:
        """Tell whether anything of a span lies in it; what is not known (None) could."""
        return other is None or (
            (self.start is None or self.start < other.until) and (self.until is None or other.first < self.until)
        )

    def overlaps(self, other: "Period") -> bool:
        """Tell whether any instant lies in both."""
        starts = [start for start in (self.start, other.start) if start is not None]
        ends = [until for until in (self.until, other.until) if until is not None]
        return not starts or not ends or max(starts) < min(ends)

    def is_within(self, other: "Period") -> bool:
        """Tell whether another period has all of it."""
        return (other.start is None or (self.start is not None and other.start <= self.start)) and (
            other.until is None or (self.until is not None and self.until <= other.until)
        )

    def cut(self, other: Span) -> "Period":
        """Return the bounds that lie inside of a span which it meets: those outside decide nothing in there."""
        return Period(
            self.start if self.start is not None and other.first < self.start else None,
            self.until if self.until is not None and self.until < other.until else None,
        )

    def __str__(self) -> str:
        start = "" if self.start is None else f"from {_iso(self.start)}"
        until = "" if self.until is None else f"until {_iso(self.until)}"
        return f"{start} {until}".strip() or "at any time"


_ALWAYS = Period()


@dataclass(frozen=True, slots=True)
class Selection:
    """Which messages a job sends; by default all.

    Args:
        received: when Segment received the message.
        event_time: the message's `timestamp`. An event of [from, until) is looked for in the folders of
            [from − 1 day, until + `late`): devices send late, and Segment's timestamp can lie a bit after the
            receipt, when a device's clock or a caller sets it. Objects whose paths tell no time are all read.
        late: how long after its time an event may have been received.
        source_ids: the sources; none are all. A source is known by its folder only: a message's `projectId` is not
            taken for it, so what lies in no source's folder is skipped as `unknown_source`.
    """

    received: Period = _ALWAYS
    event_time: Period = _ALWAYS
    late: timedelta = DEFAULT_LATE
    source_ids: frozenset[str] = frozenset()

    @property
    def is_everything(self) -> bool:
        """Whether it leaves nothing out."""
        return self.received.is_always and self.event_time.is_always and not self.source_ids

    @property
    def looked_for(self) -> Period:
        """When what has events of the event time was received, with its margins."""
        start, until = self.event_time
        return Period(
            None if start is None else _moved(start, -EARLY), None if until is None else _moved(until, self.late)
        )

    def is_within(self, other: "Selection") -> bool:
        """Tell whether another selection means all that this one means."""
        return (
            self.received.is_within(other.received)
            and self.event_time.is_within(other.event_time)
            and (not other.source_ids or (bool(self.source_ids) and self.source_ids <= other.source_ids))
        )

    def wants_folder(self, folder: str) -> bool:
        """Tell whether anything in or below a folder (its path ends in "/") can be meant, by its path."""
        return self._reason_against(folder) is None

    def wants_object(self, uri: str) -> bool:
        """Tell whether anything in an object can be meant, by its path."""
        return self.wants_folder(folder_of(uri))

    def for_object(self, uri: str) -> Selector | None:
        """Return what decides for each message of an object; None when all of them are meant."""
        if self.is_everything:
            return None
        folder = folder_of(uri)
        against = self._reason_against(folder)
        if against is None and self.source_ids and source_of(folder) is None:
            against = UNKNOWN_SOURCE
        if against is not None:
            return lambda _message: against
        known = span(folder)
        received = self.received if known is None else self.received.cut(known)
        selectors = []
        if not received.is_always:
            # In a dated folder a missing time is its first instant, which a start that cuts the folder leaves out.
            without = NO_RECEIVED_AT if known is None else None if received.start is None else OUTSIDE_RECEIVED
            selectors.append(_in_period("receivedAt", received, OUTSIDE_RECEIVED, without))
        if not self.event_time.is_always:
            selectors.append(_in_period("timestamp", self.event_time, OUTSIDE_EVENT_TIME, NO_TIMESTAMP))
        return _all_of(selectors)

    def settings(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of it: by option, what is set."""
        bounds = {
            "received_from": self.received.start,
            "received_until": self.received.until,
            "from": self.event_time.start,
            "until": self.event_time.until,
        }
        settings: dict[str, Any] = {name: _iso(bound) for name, bound in bounds.items() if bound is not None}
        if self.event_time.until is not None:  # otherwise it decides nothing
            settings["late"] = _brief(self.late)
        if self.source_ids:
            settings["source_id"] = sorted(self.source_ids)
        return settings

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "Selection":
        """Make it of what `settings` returned; other settings may be among them."""

        def bound(name: str) -> datetime | None:
            text = settings.get(name)
            return None if text is None else datetime.fromisoformat(text)

        return cls(
            Period(bound("received_from"), bound("received_until")),
            Period(bound("from"), bound("until")),
            _length(settings["late"]) if settings.get("late") else DEFAULT_LATE,
            frozenset(settings.get("source_id") or ()),
        )

    def explain(self) -> list[str]:
        """Say what was understood, in lines for people."""
        lines = []
        if not self.received.is_always:
            lines.append(f"received {self.received}")
        if not self.event_time.is_always:
            late = "" if self.event_time.until is None else f" (--late {_brief(self.late)})"
            lines.append(f"event time {self.event_time}: reads what was received {self.looked_for}{late}")
        if self.source_ids:
            lines.append(f"sources: {', '.join(sorted(self.source_ids))}")
        return lines

    def _reason_against(self, folder: str) -> str | None:
        """Return why nothing below a folder can be meant; None when something can."""
        if not (self.received.is_always and self.event_time.is_always):
            known = span(folder)
            if not (self.received.meets(known) and self.looked_for.meets(known)):
                return OUTSIDE_RECEIVED
        if self.source_ids and (source := source_of(folder)) is not None and source not in self.source_ids:
            return OTHER_SOURCE
        return None


EVERYTHING = Selection()


def _in_period(name: str, period: Period, outside: str, without: str | None) -> Selector:
    """Make the selector by a time of the message.

    Args:
        name: the time's name.
        period: what it has to lie in.
        outside: the reason when it does not.
        without: the reason, or none, when there is no time that can be read.
    """
    # Every replayed message may pass here, so the form that nearly all have is read by the fastest reader.
    start = period.start or datetime.min.replace(tzinfo=UTC)
    until, read = period.until, datetime.fromisoformat

    def by_any_form(time: object) -> str | None:
        seconds = instant(time)
        if seconds is None:
            return without
        return None if period.contains(seconds) else outside

    def select(message: Message) -> str | None:
        time = message.get(name)
        if time.__class__ is str and len(time) == _ISO_LENGTH and time[7] == "-" and time[-1] == "Z":
            try:
                moment = read(time)
            except ValueError:
                return by_any_form(time)
            return None if start <= moment and (until is None or moment < until) else outside
        return by_any_form(time)

    return select


def _all_of(selectors: list[Selector]) -> Selector | None:
    if len(selectors) < 2:
        return selectors[0] if selectors else None
    first, second = selectors
    return lambda message: first(message) or second(message)


def _moved(moment: datetime, by: timedelta) -> datetime | None:
    try:
        return moment + by
    except OverflowError:  # beyond all dates, where nothing lies
        return None


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _brief(length: timedelta) -> str:
    """Write a length of time in the largest unit that divides it: `7d`, `36h`, `0.5s`."""
    for unit, one in _UNITS.items():
        if not length % one:
            return f"{length // one}{unit}"
    return f"{length / _UNITS['s']:f}s"


def _length(text: str) -> timedelta:
    match = _LATE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a length of time")
    return float(match[1]) * _UNITS[match[2]]
