"""A profile counted plainly, message by message, of what a few records hold: what the tests compare with."""

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from replay_cli.model import ArchiveObject, Message, RecordBatch, Unit
from replay_cli.moengage.preflight import is_reserved
from replay_cli.preparation import Preparation, Prepared, iso_instant
from replay_cli.segment.criteria import DEVICE_MODE_LIBRARIES
from replay_cli.segment.javascript import instant
from replay_cli.segment.layout import describe

BOUNDS = {"under_1_minute": 60, "under_1_hour": 3600, "under_1_day": 86400, "under_7_days": 7 * 86400}


def batches_of(objects: Sequence[tuple[str, Sequence[bytes]]], size: int) -> list[RecordBatch]:
    """Cut objects (uri and lines) into batches."""
    return [
        RecordBatch(ArchiveObject(uri, 1, "e"), first, lines[first : first + size], Unit.LINE, 1)
        for uri, lines in objects
        for first in range(0, len(lines), size)
    ]


def naive(batches: Iterable[RecordBatch], prepare: Preparation, now: float) -> dict[str, Any]:
    """Return what the document should say, without the examples and the hot users."""
    batches = list(batches)
    messages = [(batch.object.uri, message) for batch in batches for message in _messages(batch)]
    prepared = [prepare(batch) for batch in batches]
    return {
        **_book(prepared),
        **_content(messages),
        "times": _times(messages) | _ages(prepared, now) | {"future": _future(messages, now)},
        "identity": _identity([message for _, message in messages]),
        "duplicates": _duplicates([message for _, message in messages]),
        "overwriting": _overwriting(prepared),
        "names": _names(prepared),
    }


def deliveries(prepared: Iterable[Prepared]) -> Counter[tuple[str, str]]:
    return Counter((e, t[:10]) for one in prepared for e, t in zip(one.events, one.times, strict=True))


def _messages(batch: RecordBatch) -> list[Message]:
    found = []
    for record in batch.records:
        assert isinstance(record, bytes)
        try:
            value = json.loads(record)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def _book(prepared: Sequence[Prepared]) -> dict[str, Any]:
    sendable = sum(len({request.ordinals for request in one.requests}) for one in prepared)
    skipped = Counter(record.reason for one in prepared for record in one.skipped)
    rejected = Counter(record.reason for one in prepared for record in one.rejected)
    warnings: Counter[str] = sum((one.warnings for one in prepared), Counter())
    read = sum(one.records for one in prepared)
    records = {"read": read, "sendable": sendable, "skipped": skipped.total(), "rejected": rejected.total()}
    return {"records": records, "skipped": skipped, "rejected": rejected, "warnings": warnings}


def _text(value: object) -> str | None:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int) else None


def _content(messages: Sequence[tuple[str, Message]]) -> dict[str, Any]:
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    asked = device = 0
    consents: dict[str, dict[str, int]] = {}
    for uri, message in messages:
        context = _object(message.get("context"))
        library = _object(context.get("library"))
        found["by_type"][_text(message.get("type")) or "(none)"] += 1
        if event := _text(message.get("event")):
            found["by_event"][event] += 1
        found["by_source"][describe(uri).source_id or "(unknown)"] += 1
        found["by_received_day"][_received_day(uri, message)] += 1
        name, version = _text(library.get("name")), _text(library.get("version"))
        found["by_library"][" ".join(filter(None, [name, version])) or "(none)"] += 1
        device += (name or "").lower() in DEVICE_MODE_LIBRARIES
        preferences = _object(context.get("consent")).get("categoryPreferences")
        asked += preferences is not None
        for category, granted in _object(preferences).items():
            answer = "granted" if granted is True else "refused"
            consents.setdefault(category, {"granted": 0, "refused": 0})[answer] += 1
    share = round(device / len(messages), 4) if messages else 0.0
    parts = ("by_type", "by_event", "by_source", "by_received_day", "by_library")
    return {part: found[part] for part in parts} | {
        "device_mode": {"messages": device, "share": share},
        "consent": {"asked": asked, "categories": consents},
    }


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _received_day(uri: str, message: Message) -> str:
    day, seconds = describe(uri).day, instant(message.get("receivedAt"))
    if day is not None:
        return day.isoformat()
    return "(unknown)" if seconds is None else iso_instant(seconds)[:10]


def _times(messages: Sequence[tuple[str, Message]]) -> dict[str, Any]:
    seconds = [(uri, instant(message.get("timestamp"))) for uri, message in messages]
    known = [(uri, second) for uri, second in seconds if second is not None]
    missing = sum(message.get("timestamp") in (None, "") for _, message in messages)
    texts = [iso_instant(second) for _, second in known]
    days, hours = (Counter(text[:length] for text in texts) for length in (10, 13))
    first, last = min(known, key=_second, default=None), max(known, key=_second, default=None)
    is_short = first is not None and last is not None and last[1] // 86400 - first[1] // 86400 < 4
    return {
        "first": first and iso_instant(first[1]),
        "last": last and iso_instant(last[1]),
        "by_day": days,
        "by_hour": hours if is_short else {},
        "missing": missing,
        "unreadable": len(messages) - len(known) - missing,
        "out_of_order": sum(a == b and u > v for (a, u), (b, v) in itertools.pairwise(known)),
        "lateness": _lateness(messages),
    }


def _second(known: tuple[str, float]) -> float:
    return known[1]


def _lateness(messages: Sequence[tuple[str, Message]]) -> dict[str, int]:
    found = dict.fromkeys(("early", *BOUNDS, "later"), 0)
    for _, message in messages:
        happened, received = instant(message.get("timestamp")), instant(message.get("receivedAt"))
        if happened is not None and received is not None:
            late = round(received * 1000) - round(happened * 1000)
            names = [name for name, bound in BOUNDS.items() if late < bound * 1000]
            found["early" if late < 0 else names[0] if names else "later"] += 1
    return found


def _future(messages: Sequence[tuple[str, Message]], now: float) -> int:
    seconds = [instant(message.get("timestamp")) for _, message in messages]
    return sum(second is not None and second > now for second in seconds)


def _ages(prepared: Iterable[Prepared], now: float) -> dict[str, int]:
    times = {
        (place, request.ordinals): time
        for place, one in enumerate(prepared)
        for request, time in zip(one.requests, one.times, strict=True)
        if time
    }
    limits = {days: iso_instant(now - days * 86400) for days in (60, 365)}
    return {f"older_than_{days}_days": sum(time < limit for time in times.values()) for days, limit in limits.items()}


def _identity(messages: Sequence[Message]) -> dict[str, Any]:
    users = [_text(message.get("userId")) or "" for message in messages]
    anonymous = [_text(message.get("anonymousId")) or "" for message in messages]
    pairs = list(zip(users, anonymous, strict=True))
    return {
        "known": sum(map(bool, users)),
        "anonymous": sum(bool(other and not user) for user, other in pairs),
        "nobody": sum(not user and not other for user, other in pairs),
        "reserved": sum(bool(user) and is_reserved(user) for user in users),
        "distinct_user_ids": len(set(users) - {""}),
        "distinct_anonymous_ids": len(set(anonymous) - {""}),
        "distinct_error": 0.0,
    }


def _duplicates(messages: Sequence[Message]) -> dict[str, Any]:
    ids = Counter(_text(message.get("messageId")) or "" for message in messages)
    without = ids.pop("", 0)
    return {"messages": ids.total() - len(ids), "exact": True, "error": 0.0, "without_id": without}


def _overwriting(prepared: Iterable[Prepared]) -> dict[str, int]:
    users = [
        request.users[0]
        for one in prepared
        for request, event in zip(one.requests, one.events, strict=True)
        if not event
    ]
    return {"identifies": len(users), "users": len(set(users))}


def _names(prepared: Iterable[Prepared]) -> dict[str, Any]:
    user_attributes, by_event = set[str](), defaultdict[str, set[str]](set)
    for one in prepared:
        for request, event in zip(one.requests, one.events, strict=True):
            body = json.loads(request.body)
            if event:
                by_event[event] |= body.get("properties", {}).keys()
            else:
                user_attributes |= body.get("traits", {}).keys()
    most = max(map(len, by_event.values()), default=0)
    first = min((event for event in by_event if len(by_event[event]) == most), default="")
    return {
        "events": {"distinct": len(by_event), "limit": 512},
        "user_attributes": {"distinct": len(user_attributes), "limit": 256},
        "event_attributes": {"most": most, "event": first, "limit": 100},
    }
