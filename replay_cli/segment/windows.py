"""Known failures as windows: what was received in a period, perhaps from one source, perhaps of one event (pure).

A message is meant when it lies in any of them. Receipt is cut as in `times`: exactly, within what folders tell.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import inf
from typing import Any, NamedTuple

from replay_cli.model import Message
from replay_cli.segment.event_names import event_of, remembered
from replay_cli.segment.event_patterns import Matcher, compile_names, exact_name
from replay_cli.segment.intervals import Interval, Intervals
from replay_cli.segment.javascript import instant
from replay_cli.segment.layout import Span
from replay_cli.segment.period import Period, write_instant
from replay_cli.segment.selector import Selector, always
from replay_cli.segment.times import NO_RECEIVED_AT

OUTSIDE_WINDOWS = "outside_windows"

ANY = ""
"""In the place of a window's source or event: whatever it is."""


class Window(NamedTuple):
    """One known failure.

    Args:
        start: what failed was received from then on, in UTC …
        until: … and before then.
        source_id: its source, or `ANY`.
        event: its event's name, or a pattern of names (`event_patterns`), or `ANY`: then those without an event too.
    """

    start: datetime
    until: datetime
    source_id: str = ANY
    event: str = ANY

    @property
    def interval(self) -> Interval:
        """Its period, in POSIX seconds."""
        return self.start.timestamp(), self.until.timestamp()


@dataclass(frozen=True)
class Windows:
    """Some windows, at least one; make them with `of`."""

    rows: tuple[Window, ...]

    @classmethod
    def of(cls, rows: Iterable[Window]) -> "Windows":
        """Put windows in order, each once: however they were listed, the same ones are equal."""
        return cls(tuple(sorted(set(rows))))

    @classmethod
    def from_settings(cls, settings: Iterable[Sequence[str]]) -> "Windows":
        """Make them of what `settings` returned."""
        return cls.of(
            Window(datetime.fromisoformat(start), datetime.fromisoformat(until), source_id, event)
            for start, until, source_id, event in settings
        )

    def settings(self) -> list[list[str]]:
        """Return what a checkpoint keeps of them."""
        return [[write_instant(row.start), write_instant(row.until), row.source_id, row.event] for row in self.rows]

    def explain(self) -> str:
        """Say what was understood, in a line for people."""
        start, until = min(row.start for row in self.rows), max(row.until for row in self.rows)
        sources, events = self.sources, {row.event for row in self.rows}
        named = frozenset(row.source_id for row in self.rows) - {ANY}
        of_sources = _some(len(sources), "source") if sources else _any("source", len(named))
        of_events = _some(len(events), "event or pattern", "events or patterns")
        if ANY in events:
            of_events = _any("event", len(events) - 1)
        windows = _some(len(self.rows), "window")
        return f"{windows} of known failures, received {Period(start, until)}, of {of_sources}, {of_events}"

    @cached_property
    def sources(self) -> frozenset[str]:
        """The only sources that they name; none where some window is of any."""
        named = frozenset(row.source_id for row in self.rows)
        return frozenset() if ANY in named else named

    def overlaps(self, period: Period) -> bool:
        """Tell whether any instant of a period lies in any of them."""
        return any(period.overlaps(Period(row.start, row.until)) for row in self.rows)

    def meets(self, source: str | None, known: Span | None) -> bool:
        """Tell whether anything in a folder can lie in them.

        Args:
            source: the folder's source; None when its path does not tell.
            known: when its objects were received; None likewise.
        """
        received = self._received_from(source)
        return bool(received) if known is None else received.meets(*_interval(known))

    def covers(self, source: str | None, known: Span) -> bool:
        """Tell whether no time in a folder (as in `meets`) lies outside of all of them."""
        return self._received_from(source).covers(*_interval(known))

    def is_within(self, other: "Windows") -> bool:
        """Tell whether other windows surely have all that these have."""
        if self == other:
            return True
        theirs = {source: _ByEvent(other.of_source(source)) for source in {row.source_id for row in self.rows}}
        return all(theirs[row.source_id].surely(row.event).covers(*row.interval) for row in self.rows)

    def selector(self, source: str | None, known: Span | None) -> Selector | None:
        """Return what decides for the messages in a folder (as in `meets`); None when all of them are meant."""
        by_event = _ByEvent(self.of_source(source), known)
        if not by_event.knows_events:
            received = by_event.of(None)
            if received.is_ever or not received:
                return None if received else always(OUTSIDE_WINDOWS)
        return _selector(by_event.of, is_dated=known is not None)

    def of_source(self, source: str | None) -> list[Window]:
        """Return those which what comes from a source can lie in."""
        return [row for row in self.rows if row.source_id in (ANY, source)]

    def _received_from(self, source: str | None) -> Intervals:
        return self._received if source is None else self._received_by_source.get(source, self._received_by_any)

    @cached_property
    def _received(self) -> Intervals:
        return Intervals.of(row.interval for row in self.rows)

    @cached_property
    def _received_by_any(self) -> Intervals:
        return Intervals.of(row.interval for row in self.of_source(None))

    @cached_property
    def _received_by_source(self) -> Mapping[str, Intervals]:
        named = defaultdict[str, list[Interval]](list)
        for row in self.rows:
            named[row.source_id].append(row.interval)
        of_any = named.pop(ANY, [])
        return {source: Intervals.of(of_any + intervals) for source, intervals in named.items()}


class _ByEvent:
    """When what has some event was received, by windows.

    Args:
        rows: the windows, whose sources are not looked at.
        known: if given, what lies outside of it decides nothing.
    """

    def __init__(self, rows: Iterable[Window], known: Span | None = None) -> None:
        self._by_pattern = defaultdict[str, list[Interval]](list)
        self._by_name = defaultdict[str, list[Interval]](list)
        first, until = _interval(known) if known is not None else (-inf, inf)
        for row in rows:
            cut = Intervals(row.interval).within(first, until)
            if cut:
                self._add(row.event, (cut[0], cut[1]))
        self._any = self._by_pattern.pop(ANY, [])
        self._globs: list[tuple[Matcher, list[Interval]]] = [
            (compile_names([pattern]), intervals) for pattern, intervals in self._by_pattern.items()
        ]

    @property
    def knows_events(self) -> bool:
        """Whether the event's name decides anything."""
        return bool(self._by_name or self._by_pattern)

    def of(self, name: str | None) -> Intervals:
        """Return when what has an event of this name (None: no event) was received."""
        found = list(self._any)
        if name is not None:
            found += self._by_name.get(name, ())
            for matches, intervals in self._globs:
                if matches(name):
                    found += intervals
        return Intervals.of(found)

    def surely(self, pattern: str) -> Intervals:
        """Return when all that a window's event means was received."""
        if pattern == ANY:
            return self.of(None)
        name = exact_name(pattern)
        return self.of(name) if name is not None else Intervals.of([*self._any, *self._by_pattern.get(pattern, ())])

    def _add(self, pattern: str, interval: Interval) -> None:
        name = exact_name(pattern) if pattern != ANY else None
        (self._by_pattern[pattern] if name is None else self._by_name[name]).append(interval)


def _selector(received_of: Callable[[str | None], Intervals], *, is_dated: bool) -> Selector:
    """Make the selector by event and receipt.

    Args:
        received_of: when what has an event of a name was received.
        is_dated: whether what has no readable receipt was received at the beginning of its folder.
    """
    of_events, without_event = remembered(received_of), received_of(None)
    without_time = -inf if is_dated else None

    def select(message: Message) -> str | None:
        name = event_of(message)
        received = without_event if name is None else of_events(name)
        if not received or received.is_ever:
            return None if received else OUTSIDE_WINDOWS
        seconds: Any = instant(message.get("receivedAt"))
        if seconds is None:
            seconds = without_time
            if seconds is None:
                return NO_RECEIVED_AT
        return None if received.contains(seconds) else OUTSIDE_WINDOWS

    return select


def _interval(span: Span) -> Interval:
    return span.first.timestamp(), span.until.timestamp()


def _any(what: str, named: int) -> str:
    """Say that some windows are of any, though others name some."""
    return f"any {what} (some windows name theirs)" if named else f"any {what}"


def _some(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"
