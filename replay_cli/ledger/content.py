"""What a job is made of: its records that become requests, by the event that they are sent as and by their day.

Counted once for each record, with the book, when its batch is opened for the first time. Of an object that changed in
mid-job, what is read again is counted again.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

import orjson

from replay_cli.model import Request

OTHERS = "(others)"
"""The event of those beyond the bounds."""
MOST_PAIRS, MOST_NAMES = 20_000, 5_000
"""So many pairs of event and day, events and days are told apart."""
_MOST_CHARACTERS = 200
_DAY_LENGTH = len("2025-03-01")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Pairs = Counter[tuple[str, str]]
"""(event, day `YYYY-MM-DD`) → records. "" is the event of what updates a user, and the day of what has no time."""


def _fits(table: str, most: int) -> str:
    """Return the condition that all that is new has room in a table."""
    return f"(SELECT count(*) FROM {table}) + json_array_length(?1) <= {most}"  # noqa: S608 # constants of ours


# What is known goes on being counted; of what is new beyond the bounds, the rest goes to the others.
_ADD_DAYS = f"""
    INSERT INTO content_day
    SELECT iif({_fits("content_day", MOST_NAMES)} OR EXISTS (SELECT 1 FROM content_day k WHERE k.day = new.day),
        day, ''), n
    FROM (SELECT json_extract(value, '$[0]') AS day, json_extract(value, '$[1]') AS n FROM json_each(?1)) new
    WHERE true ON CONFLICT DO UPDATE SET n = n + excluded.n
"""  # noqa: S608 # constants
_ADD_EVENTS = f"""
    INSERT INTO content_event
    SELECT iif({_fits("content_event", MOST_NAMES)} OR EXISTS (SELECT 1 FROM content_event k WHERE k.event = new.event),
        event, '{OTHERS}'), n
    FROM (SELECT json_extract(value, '$[0]') AS event, json_extract(value, '$[1]') AS n FROM json_each(?1)) new
    WHERE true ON CONFLICT DO UPDATE SET n = n + excluded.n
"""  # noqa: S608 # as above
_ADD_PAIRS = f"""
    INSERT INTO content
    SELECT iif(fits, event, '{OTHERS}'),
        iif(fits OR EXISTS (SELECT 1 FROM content_day k WHERE k.day = judged.day), day, ''), n
    FROM (
        SELECT event, day, n, {_fits("content", MOST_PAIRS)}
            OR EXISTS (SELECT 1 FROM content k WHERE k.event = new.event AND k.day = new.day) AS fits
        FROM (
            SELECT json_extract(value, '$[0]') AS event, json_extract(value, '$[1]') AS day,
                json_extract(value, '$[2]') AS n
            FROM json_each(?1)
        ) new
    ) judged
    WHERE true ON CONFLICT DO UPDATE SET n = n + excluded.n
"""  # noqa: S608 # as above


class Content(NamedTuple):
    """Records by event, by day, and by both; each sums up to the same."""

    by_event: dict[str, int]
    by_day: dict[str, int]
    by_event_and_day: dict[tuple[str, str], int]


def composition(
    requests: Sequence[Request], events: Sequence[str], times: Sequence[str], ordinals: Container[int] | None = None
) -> Pairs:
    """Count the records of a batch's requests; one that became several counts with the first of them.

    Args:
        requests: of one record each.
        events: what each is sent as, in parallel.
        times: when it was, ISO, in parallel.
        ordinals: the records to count; None: all.
    """
    days = [time[:_DAY_LENGTH] for time in times]
    pairs = zip(events, days, strict=True)
    if ordinals is None and not any(request.part for request in requests):
        return Counter(pairs)
    return Counter(
        pair
        for pair, request in zip(pairs, requests, strict=True)
        if not request.part and (ordinals is None or request.ordinals[0] in ordinals)
    )


def apply_content(db: sqlite3.Connection, pairs: Pairs) -> None:
    """Add what was counted. One statement a table: names are many, and between two this thread would wait."""
    if not pairs:
        return
    tidy, events, days = Pairs(), Counter[str](), Counter[str]()
    for (event, day), n in pairs.items():
        tidy[_tidy_name(event), _tidy_day(day)] += n
    for (event, day), n in tidy.items():
        events[event] += n
        days[day] += n
    db.execute(_ADD_DAYS, (_json([*days.items()]),))
    db.execute(_ADD_EVENTS, (_json([*events.items()]),))
    db.execute(_ADD_PAIRS, (_json([(event, day, n) for (event, day), n in tidy.items()]),))


def _tidy_name(event: str) -> str:
    """Return what is kept of a name: its beginning, as text that can be stored."""
    return event[:_MOST_CHARACTERS].encode(errors="replace").decode().replace("\0", "\ufffd")


def _tidy_day(day: str) -> str:
    """Return a day; "" for what only looks like one from afar."""
    return day if _DAY.fullmatch(day) else ""


def _json(rows: Sequence[tuple[Any, ...]]) -> str:
    return orjson.dumps(rows).decode()


def read_content(db: sqlite3.Connection) -> Content:
    """Return what was counted so far."""
    pairs = {(event, day): n for event, day, n in db.execute("SELECT event, day, n FROM content")}
    events = dict(db.execute("SELECT event, n FROM content_event ORDER BY n DESC, event"))
    return Content(events, dict(db.execute("SELECT day, n FROM content_day ORDER BY day")), pairs)
