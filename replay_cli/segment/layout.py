"""What the path of an object tells about it (pure).

Two layouts are Segment's own (documented):

- raw logs: `[prefix/]segment-logs/{source-id}/{received-day}/{file}.gz`, the day as the milliseconds of its
  UTC midnight. The folders of source and day are enough to know it by: a copy without `segment-logs` is known too.
- Data Lakes: `…/data/{source-id}/segment_type={type or event}/day=YYYY-MM-DD/hr=HH/{file}`, or with `year=`,
  `month=` and `day=` as numbers, with or without the hour.

A path is that of a file, or an S3 URI or key; a folder's ends in "/". What a folder tells holds for all that is
below it: a folder further down makes it more precise, or else says nothing.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import unquote

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_DAY_MS = 86_400_000
_S3 = "s3://"
_SEGMENT_TYPE = "segment_type="
_TIMES = frozenset({"year", "month", "day", "hr", "hour"})
_RAW_LOG_DAY = re.compile(r"[0-9]{12,13}")
_WITHOUT_DAY = "9999-12-31 24 "
"""Sorts behind the last hour that there is."""
_OF_SEGMENT = ("segment-logs", "data")
"""Segment's own folders around those of the sources."""
_TRACK = "track"
_NAMED_AFTER_TYPES = {
    name: kind
    for kind, plural in (
        *(("identify", "identifies"), (_TRACK, "tracks"), ("page", "pages")),
        *(("screen", "screens"), ("group", "groups"), ("alias", "aliases")),
    )
    for name in (kind, plural)
}
"""Tables that may be those of a type; an event may have such a name as well."""
_ID = re.compile(r"(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])[0-9A-Za-z]{20,24}")
"""A source id, as Segment makes them today; an older one is shorter and may be any word."""


class Place(NamedTuple):
    """What a path says; `None` where it says nothing. `day` and `hour` are UTC and those of receipt."""

    source_id: str | None = None
    day: date | None = None
    hour: int | None = None
    segment_type: str | None = None


class Span(NamedTuple):
    """When the objects of a folder were received: from `first` to before `until`, both in UTC."""

    first: datetime
    until: datetime

    @property
    def is_day(self) -> bool:
        """Whether it is a day, or less."""
        return self.until - self.first <= _DAY

    def within(self, other: "Span") -> bool:
        """Tell whether it lies wholly in another one."""
        return other.first <= self.first and self.until <= other.until


def describe(uri: str) -> Place:
    """Read a path, or the key of an S3 object: what its folders tell, as `span` and `source_of` do."""
    folder = folder_of(uri)
    known, source_id, segment_type = span(folder), source_of(folder), None
    for part in _folders(folder):
        if part.startswith(_SEGMENT_TYPE):
            segment_type = unquote(part[len(_SEGMENT_TYPE) :])
    if known is None or not known.is_day:
        return Place(source_id, segment_type=segment_type)
    hour = known.first.hour if known.until - known.first < _DAY else None
    return Place(source_id, known.first.date(), hour, segment_type)


def sort_key(uri: str) -> tuple[bool, date, int, str, str]:
    """Order objects: days (and hours) before sources, then names; those without a day come last, by path.

    A user's history is spread over sources (a site, an app, a server), so a source must not be read to its
    end before the next one begins.
    """
    place = describe(uri)
    if place.day is None:
        return (True, date.max, 0, "", uri)
    return (False, place.day, place.hour or 0, place.source_id or "", uri)


def sort_text(uri: str) -> str:
    """Return `sort_key` without the path as a text: what is ordered by it and then by path is in reading order.

    Texts are compared by code points, as Python does and a database does with UTF-8.
    """
    place = describe(uri)
    if place.day is None:
        return _WITHOUT_DAY
    return f"{place.day.isoformat()} {place.hour or 0:02} {place.source_id or ''}"


def folder_of(uri: str) -> str:
    """Return the folder of an object, with its "/"; "" at the top of a bucket given by keys."""
    return uri[: uri.rfind("/") + 1]


def span(folder: str) -> Span | None:
    """Return when a folder's objects were received, as its path tells it; None when it tells nothing.

    Known are a raw log's day, and `year=`, `year=/month=`, `year=/month=/day=` or `day=YYYY-MM-DD`, with `hr=` or
    `hour=` below a day. A part that contradicts those above it says nothing.
    """
    known: Span | None = None
    found: dict[str, str] = {}
    for part in _folders(folder):
        name, separator, value = part.partition("=")
        told = None
        if separator and name in _TIMES:
            found[name] = value
            told = _partition_span(found)
        elif not separator:
            told = _raw_log_span(part)
        if told is not None and (known is None or told.within(known)):
            known = told
    return known


def is_day(folder: str) -> bool:
    """Tell whether a folder's path tells a day, or less: then all objects below it are dated."""
    known = span(folder)
    return known is not None and known.is_day


def source_of(folder: str) -> str | None:
    """Return the source id that a folder's path tells; None when it tells none, or when that is not certain.

    The source is the folder before a raw log's day or before `segment_type=`. A folder in `segment-logs` or in
    `data` names it by itself if it looks like an id of Segment's: people keep other folders there as well
    (`segment-logs/march/{source}/…`), and what is wrongly taken for another source would never be read.
    """
    for parent, name in pairwise(["", *_folders(folder)]):
        if _is_source(parent) and (name.startswith(_SEGMENT_TYPE) or _raw_log_span(name) is not None):
            return parent
        if parent in _OF_SEGMENT and _ID.fullmatch(name):
            return name
    return None


def types_of(folder: str) -> frozenset[str] | None:
    """Return the types of which a folder can have messages, by its path; None when that is not certain.

    A lake has a table for each type and each event (documented): one that is not named after a type has tracks only.
    One that is may yet be that of an event, for names of events are changed on their way into those of tables. Others
    partition what is theirs by a `segment_type` of their own, so it counts only below `data` and an id of Segment's.
    """
    folders = _folders(folder)
    for data, source, name in zip(folders, folders[1:], folders[2:], strict=False):
        if data == "data" and _ID.fullmatch(source) and name.startswith(_SEGMENT_TYPE):
            table = unquote(name[len(_SEGMENT_TYPE) :]).lower()
            if not table or table.startswith("__"):  # Hive's name for what has none
                return None
            return frozenset({_TRACK, _NAMED_AFTER_TYPES.get(table, _TRACK)})
    return None


def _key(uri: str) -> str:
    """Take the bucket off an S3 URI: it is no folder."""
    return uri[len(_S3) :].partition("/")[2] if uri.startswith(_S3) else uri


def _folders(folder: str) -> list[str]:
    return _key(folder).split("/")[:-1]


def _is_source(name: str) -> bool:
    """Tell whether a folder can be that of a source: it is not Segment's own, nor a partition."""
    return bool(name) and name not in _OF_SEGMENT and "=" not in name


def _raw_log_span(name: str) -> Span | None:
    if not _RAW_LOG_DAY.fullmatch(name) or int(name) % _DAY_MS:
        return None
    first = datetime.fromtimestamp(int(name) // 1000, UTC)
    return Span(first, first + _DAY)


def _partition_span(found: Mapping[str, str]) -> Span | None:
    try:
        if (day := _day(found)) is not None:
            first, hour = datetime(day.year, day.month, day.day, tzinfo=UTC), _hour(found)
            return Span(first, first + _DAY) if hour is None else Span(first + hour * _HOUR, first + (hour + 1) * _HOUR)
        if "day" in found or "year" not in found:
            return None
        year = int(found["year"])
        if "month" not in found:
            return Span(datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC))
        month = int(found["month"])
        return Span(datetime(year, month, 1, tzinfo=UTC), datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC))
    except (ValueError, OverflowError):  # no date, or one whose end no date can tell
        return None


def _day(found: Mapping[str, str]) -> date | None:
    parts = [found[key] for key in ("year", "month", "day") if key in found]
    try:
        return date.fromisoformat(parts[0]) if len(parts) == 1 else date(*map(int, parts))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _hour(found: Mapping[str, str]) -> int | None:
    text = found.get("hr", found.get("hour", ""))
    return int(text) if re.fullmatch("0?[0-9]|1[0-9]|2[0-3]", text) else None
