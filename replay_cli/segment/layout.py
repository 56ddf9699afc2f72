"""What the path of an object tells about it (pure).

Two layouts are Segment's own (documented):

- raw logs: `[prefix/]segment-logs/{source-id}/{received-day}/{file}.gz`, the day as the milliseconds of its
  UTC midnight. The two last folders are enough to know it by, so a copy without `segment-logs` is known too.
- Data Lakes: `…/data/{source-id}/segment_type={type or event}/day=YYYY-MM-DD/hr=HH/{file}`, or with `year=`,
  `month=` and `day=` as numbers, with or without the hour.
"""

import re
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import unquote

_DAY_MS = 86_400_000
_RAW_LOGS = re.compile(r"(?:^|/)(?P<source>[^/]+)/(?P<day>\d{12,13})/[^/]+$")


class Place(NamedTuple):
    """What a path says; `None` where it says nothing. `day` and `hour` are UTC and those of receipt."""

    source_id: str | None = None
    day: date | None = None
    hour: int | None = None
    segment_type: str | None = None


def describe(uri: str) -> Place:
    """Read a path, or the key of an S3 object."""
    return _raw_logs(uri) or _partitions(uri)


def sort_key(uri: str) -> tuple[bool, date, int, str, str]:
    """Order objects: days (and hours) before sources, then names; those without a day come last, by path.

    A user's history is spread over sources (a site, an app, a server), so a source must not be read to its
    end before the next one begins.
    """
    place = describe(uri)
    if place.day is None:
        return (True, date.max, 0, "", uri)
    return (False, place.day, place.hour or 0, place.source_id or "", uri)


def _raw_logs(uri: str) -> Place | None:
    match = _RAW_LOGS.search(uri)
    if match is None or int(match["day"]) % _DAY_MS:
        return None
    day = datetime.fromtimestamp(int(match["day"]) // 1000, UTC).date()
    return Place(source_id=match["source"], day=day)


def _partitions(uri: str) -> Place:
    folders = uri.split("/")[:-1]
    found = dict(folder.split("=", 1) for folder in folders if "=" in folder)
    return Place(
        source_id=_before_segment_type(folders),
        day=_day(found),
        hour=_number(found.get("hr", found.get("hour", ""))),
        segment_type=unquote(found["segment_type"]) if "segment_type" in found else None,
    )


def _before_segment_type(folders: list[str]) -> str | None:
    for parent, folder in pairwise(folders):
        if folder.startswith("segment_type=") and parent:
            return parent
    return None


def _day(found: dict[str, str]) -> date | None:
    parts = [found[key] for key in ("year", "month", "day") if key in found]
    try:
        return date.fromisoformat(parts[0]) if len(parts) == 1 else date(*map(int, parts))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
