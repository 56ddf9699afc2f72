"""Which of an archive's messages are meant: by receipt, event time, source and known failures, and by content (pure).

A record is left out for the first reason, in the order of `LEFT_OUT`, that applies: first what its path tells, then
its times, then what is in it, from what is told at a glance to what has to be worked out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any

from replay_cli.segment.content import ANY, Content
from replay_cli.segment.criteria import (
    DEVICE_MODE,
    IDENTIFY_LEFT_OUT,
    INTEGRATION_OFF,
    NO_CONSENT,
    NOT_WHERE,
    OTHER_EVENT,
    OTHER_TYPE,
    OTHER_USER,
)
from replay_cli.segment.layout import Span, folder_of, source_of, span, types_of
from replay_cli.segment.period import ALWAYS, moved, read_length, write_instant, write_length
from replay_cli.segment.period import Period as Period
from replay_cli.segment.sampling import NOT_SAMPLED
from replay_cli.segment.selector import Selector as Selector
from replay_cli.segment.selector import all_of, always
from replay_cli.segment.times import (
    NO_RECEIVED_AT,
    NO_TIMESTAMP,
    OUTSIDE_EVENT_TIME,
    OUTSIDE_RECEIVED,
    happened_in,
    received_in,
)
from replay_cli.segment.windows import OUTSIDE_WINDOWS, Windows

OTHER_SOURCE = "other_source"
UNKNOWN_SOURCE = "unknown_source"

LEFT_OUT = (
    *(OTHER_SOURCE, UNKNOWN_SOURCE),
    *(OUTSIDE_RECEIVED, NO_RECEIVED_AT, OUTSIDE_WINDOWS, OUTSIDE_EVENT_TIME, NO_TIMESTAMP),
    *(OTHER_TYPE, IDENTIFY_LEFT_OUT, OTHER_EVENT, OTHER_USER),
    *(DEVICE_MODE, INTEGRATION_OFF, NO_CONSENT, NOT_WHERE, NOT_SAMPLED),
)
"""All reasons why a message is not meant: a record has the first of them that applies."""

DEFAULT_LATE = timedelta(days=7)
EARLY = timedelta(days=1)
"""How long before its `timestamp` an event may have been received: what sets the timestamp may run fast."""
_FOLDERS = 64
"""So many folders' selectors are kept: objects, and the batches of one, are asked about one after the other."""


@dataclass(frozen=True)
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
        windows: known failures; None is all. Where every one names a source, the same holds.
        content: what is in the message.
    """

    received: Period = ALWAYS
    event_time: Period = ALWAYS
    late: timedelta = DEFAULT_LATE
    source_ids: frozenset[str] = frozenset()
    windows: Windows | None = None
    content: Content = ANY

    @property
    def is_everything(self) -> bool:
        """Whether it leaves nothing out."""
        return not self._cuts_times and not self.source_ids and self.content.is_any

    @property
    def looked_for(self) -> Period:
        """When what has events of the event time was received, with its margins."""
        start, until = self.event_time
        return Period(
            None if start is None else moved(start, -EARLY), None if until is None else moved(until, self.late)
        )

    def is_within(self, other: "Selection") -> bool:
        """Tell whether another selection surely means all that this one means."""
        return (
            self.received.is_within(other.received)
            and self.event_time.is_within(other.event_time)
            and self.looked_for.is_within(other.looked_for)
            and (not other.source_ids or (bool(self.source_ids) and self.source_ids <= other.source_ids))
            and (other.windows is None or (self.windows is not None and self.windows.is_within(other.windows)))
            and self.content.is_within(other.content)
        )

    def wants_folder(self, folder: str) -> bool:
        """Tell whether anything in or below a folder (its path ends in "/") can be meant, by its path."""
        source = source_of(folder) if self._tells_sources else None
        known = span(folder) if self._cuts_times else None
        if source is not None and self.source_ids and source not in self.source_ids:
            return False
        if self.content.types and not self.content.meets_types(types_of(folder)):
            return False
        return self._may_be_received(known) and (self.windows is None or self.windows.meets(source, known))

    def wants_object(self, uri: str) -> bool:
        """Tell whether anything in an object can be meant, by its path."""
        return self.wants_folder(folder_of(uri))

    def cuts_folder(self, folder: str) -> bool:
        """Tell whether of what is below a folder perhaps only a part can be meant, by the times in the paths."""
        known = span(folder)
        if known is None:
            return True
        if not all(period.cut(known).is_always for period in (self.received, self.looked_for)):
            return True
        return self.windows is not None and not self.windows.covers(source_of(folder), known)

    def for_object(self, uri: str) -> Selector | None:
        """Return what decides for each message of an object; None when all of them are meant.

        Raises:
            PointedError: the condition cannot be understood.
        """
        return None if self.is_everything else self._for_folder(folder_of(uri))

    def reason_against(self, folder: str) -> str | None:
        """Return the reason why nothing that lies in a folder is meant; None where its messages decide."""
        source = source_of(folder)
        if source is None and (self.source_ids or (self.windows is not None and self.windows.sources)):
            return UNKNOWN_SOURCE
        if self.source_ids and source not in self.source_ids:
            return OTHER_SOURCE
        return None if self._may_be_received(span(folder)) else OUTSIDE_RECEIVED

    def settings(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of it: by option, what is set."""
        bounds = {
            "received_from": self.received.start,
            "received_until": self.received.until,
            "from": self.event_time.start,
            "until": self.event_time.until,
        }
        settings: dict[str, Any] = {name: write_instant(bound) for name, bound in bounds.items() if bound is not None}
        if self.event_time.until is not None:  # otherwise it decides nothing
            settings["late"] = write_length(self.late)
        if self.source_ids:
            settings["source_id"] = sorted(self.source_ids)
        if self.windows is not None:
            settings["windows"] = self.windows.settings()
        return settings | self.content.settings()

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "Selection":
        """Make it of what `settings` returned; other settings may be among them."""

        def bound(name: str) -> datetime | None:
            text = settings.get(name)
            return None if text is None else datetime.fromisoformat(text)

        return cls(
            Period(bound("received_from"), bound("received_until")),
            Period(bound("from"), bound("until")),
            read_length(settings["late"]) if settings.get("late") else DEFAULT_LATE,
            frozenset(settings.get("source_id") or ()),
            Windows.from_settings(settings["windows"]) if settings.get("windows") else None,
            Content.from_settings(settings),
        )

    def explain(self) -> list[str]:
        """Say what was understood, in lines for people."""
        lines = []
        if not self.received.is_always:
            lines.append(f"received {self.received}")
        if not self.event_time.is_always:
            late = "" if self.event_time.until is None else f" (--late {write_length(self.late)})"
            lines.append(f"event time {self.event_time}: reads what was received {self.looked_for}{late}")
        if self.source_ids:
            lines.append(f"sources: {', '.join(sorted(self.source_ids))}")
        if self.windows is not None:
            lines.append(self.windows.explain())
        return lines + self.content.explain()

    @property
    def _cuts_times(self) -> bool:
        return not (self.received.is_always and self.event_time.is_always and self.windows is None)

    @property
    def _tells_sources(self) -> bool:
        return bool(self.source_ids) or self.windows is not None

    @cached_property
    def _for_folder(self) -> Callable[[str], Selector | None]:
        return lru_cache(_FOLDERS)(self._select)

    def _select(self, folder: str) -> Selector | None:
        """Make what decides for the messages of the objects in a folder."""
        if (reason := self.reason_against(folder)) is not None:
            return always(reason)
        source, known = source_of(folder), span(folder)
        return all_of(
            [
                received_in(self.received, known),
                None if self.windows is None else self.windows.selector(source, known),
                happened_in(self.event_time),
                self.content.selector if self.content.meets_types(types_of(folder)) else always(OTHER_TYPE),
            ]
        )

    def _may_be_received(self, known: Span | None) -> bool:
        """Tell whether what was received in a span can be meant; what is not known (None) could."""
        return self.received.meets(known) and self.looked_for.meets(known)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what was compiled: it cannot be pickled, and is made again where it is needed."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


EVERYTHING = Selection()
