"""Half-open periods in UTC, and how instants and lengths of time are written and read (pure)."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from replay_cli.segment.layout import Span

_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}
_LENGTH = re.compile(r"([0-9]+(?:\.[0-9]+)?)([dhms])")
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_MILLISECONDS = re.compile(r"[0-9]{12,13}")


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
        start = "" if self.start is None else f"from {write_instant(self.start)}"
        until = "" if self.until is None else f"until {write_instant(self.until)}"
        return f"{start} {until}".strip() or "at any time"


ALWAYS = Period()


def read_instant(text: str) -> datetime | None:
    """Read an instant as an operator writes it, into UTC; None when the text is none.

    Args:
        text: `2025-03-01`, `2025-03-01T10:00`, with seconds, with an offset or `Z` (without one it is UTC); or a folder
            name of Segment's, a Unix time in milliseconds.
    """
    text = text.strip().upper()
    try:
        if _MILLISECONDS.fullmatch(text):
            seconds, milliseconds = divmod(int(text), 1000)
            return datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1000)
        if _ISO.fullmatch(text):
            moment = datetime.fromisoformat(text)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        pass
    return None


def write_instant(moment: datetime) -> str:
    """Write an instant in UTC: `2025-03-01T10:00:00Z`."""
    return moment.isoformat().replace("+00:00", "Z")


def moved(moment: datetime, by: timedelta) -> datetime | None:
    """Return an instant so much later (or earlier); None beyond all dates, where nothing lies."""
    try:
        return moment + by
    except OverflowError:
        return None


def read_length(text: str) -> timedelta:
    """Read what `write_length` wrote.

    Raises:
        ValueError: the text is no length of time.
    """
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a length of time")
    return float(match[1]) * _UNITS[match[2]]


def write_length(length: timedelta) -> str:
    """Write a length of time in the largest unit that divides it: `7d`, `36h`, `0.5s`."""
    for unit, one in _UNITS.items():
        if not length % one:
            return f"{length // one}{unit}"
    return f"{length / _UNITS['s']:f}s"
