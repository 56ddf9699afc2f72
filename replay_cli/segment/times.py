"""Selection by the times of a message: its receipt and its event time (pure).

The cut by receipt is exact: of two jobs that meet in an instant, one until it and one from it, each record is in
exactly one. Folders are left out by what their paths tell (`layout`), so a record counts as received when its folder
says it was: a `receivedAt` outside of its folder's day (or hour) is moved to the nearer end of it, and where there is
no readable one, it is the beginning. Without either a record cannot be cut: both jobs skip it, as `no_received_at`.
"""

from datetime import UTC, datetime

from replay_cli.model import Message
from replay_cli.segment.javascript import instant
from replay_cli.segment.layout import Span
from replay_cli.segment.period import Period
from replay_cli.segment.selector import Selector

OUTSIDE_RECEIVED = "outside_received_range"
NO_RECEIVED_AT = "no_received_at"
OUTSIDE_EVENT_TIME = "outside_event_time"
NO_TIMESTAMP = "no_timestamp"

_ISO_LENGTH = len("2025-03-01T10:00:00.000Z")


def received_in(period: Period, known: Span | None) -> Selector | None:
    """Make the selector by receipt; None where nothing is to be cut.

    Args:
        period: when the messages that are meant were received.
        known: when the folder's objects were received, which `period` meets; None when its path does not tell.
    """
    cut = period if known is None else period.cut(known)
    if cut.is_always:
        return None
    # In a dated folder a missing time is its first instant, which a start that cuts the folder leaves out.
    without = NO_RECEIVED_AT if known is None else None if cut.start is None else OUTSIDE_RECEIVED
    return _in_period("receivedAt", cut, OUTSIDE_RECEIVED, without)


def happened_in(period: Period) -> Selector | None:
    """Make the selector by event time, the message's `timestamp`; None where nothing is to be cut."""
    if period.is_always:
        return None
    return _in_period("timestamp", period, OUTSIDE_EVENT_TIME, NO_TIMESTAMP)


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
