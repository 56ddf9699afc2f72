"""A profile as plain values, for the terminal, the page and machines (pure)."""

from collections import Counter
from typing import Any

from replay_cli.moengage.limits import MOST_EVENT_ATTRIBUTES, MOST_USER_ATTRIBUTES
from replay_cli.preparation import iso_instant
from replay_cli.profiling.content import GRANTED, REFUSED, Content
from replay_cli.profiling.identity import Identity
from replay_cli.profiling.names import Names
from replay_cli.profiling.profile import Profile
from replay_cli.profiling.repeats import DUPLICATE, Repeats
from replay_cli.profiling.sending import Sending
from replay_cli.profiling.tally import OTHERS, by_name, most_first
from replay_cli.profiling.times import DAY, HOUR, LATENESS, Times

MOST_EVENT_NAMES = 512
"""Distinct event names that MoEngage takes (documented)."""
FAIR_USAGE = {
    "more than 5,000 a minute": 5_000,
    "more than 10,000 in 5 minutes": 10_000,
    "more than 50,000 an hour": 50_000,
    "more than 100,000 a day": 100_000,
}
"""For one user; beyond it MoEngage blocks them, and says nothing (documented)."""
_MOST_HOT_USERS = 20
_FEW_DAYS = 4
"""Hours are told of so many days."""


def document(profile: Profile, now: float) -> dict[str, Any]:
    """Return a profile as JSON values, in the form that the README gives.

    Args:
        profile: of a whole archive.
        now: POSIX seconds, as it was profiled with.
    """
    content = profile.content
    return {
        **_book(profile),
        "by_type": most_first(content.types),
        "by_event": most_first(content.events),
        "by_source": most_first(content.sources),
        "by_received_day": by_name(content.days),
        "by_library": most_first(content.libraries),
        "names": _names(profile.names),
        "times": _times(profile.times, profile.sending),
        "identity": _identity(profile.identity),
        "duplicates": _duplicates(profile.repeats),
        "device_mode": {"messages": content.device_mode, "share": _share(content.device_mode, content.messages)},
        "consent": {"asked": content.asked, "categories": _consents(content)},
        "overwriting": {"identifies": profile.sending.updates, "users": profile.sending.updated_users.count},
        "hot_users": _hot_users(profile.sending),
    }


def _book(profile: Profile) -> dict[str, Any]:
    book = profile.book
    return {
        "records": {
            "read": book.read,
            "sendable": book.sendable,
            "skipped": book.skipped.total,
            "rejected": book.rejected.total,
        },
        "skipped": most_first(book.skipped),
        "rejected": most_first(book.rejected),
        "warnings": most_first(book.warnings),
        "examples": {
            "skipped": book.skipped_ones.document(),
            "rejected": book.rejected_ones.document(),
            "warnings": book.warned_ones.document(),
            "duplicates": profile.repeats.ones.document().get(DUPLICATE, []),
        },
    }


def _names(names: Names) -> dict[str, Any]:
    event, most = names.most_attributes()
    return {
        "events": {"distinct": names.events.count, "limit": MOST_EVENT_NAMES},
        "user_attributes": {"distinct": names.user_attributes.count, "limit": MOST_USER_ATTRIBUTES},
        "event_attributes": {"most": most, "event": event, "limit": MOST_EVENT_ATTRIBUTES},
    }


def _times(times: Times, sending: Sending) -> dict[str, Any]:
    first, last = times.first, times.last
    is_short = first is not None and last is not None and last // DAY - first // DAY < _FEW_DAYS
    days = _labelled(times.days.counts, DAY, len("2025-03-01"))
    if times.days.others:
        days[OTHERS] = times.days.others
    return {
        "first": None if first is None else iso_instant(first / 1000),
        "last": None if last is None else iso_instant(last / 1000),
        "by_day": days,
        "by_hour": _labelled(times.hours, HOUR, len("2025-03-01T10")) if is_short and times.hours is not None else {},
        "future": times.future,
        "missing": times.missing,
        "unreadable": times.unreadable,
        "out_of_order": times.out_of_order,
        "lateness": dict(zip(LATENESS, times.lateness, strict=True)),
        "older_than_60_days": sending.older_than_60_days,
        "older_than_365_days": sending.older_than_365_days,
    }


def _labelled(numbers: Counter[int], unit: int, length: int) -> dict[str, int]:
    """Name days or hours, in their order; those that no calendar has are put to the nearest one."""
    found: dict[str, int] = {}
    for place in sorted(numbers):
        label = iso_instant(place * unit / 1000)[:length]
        found[label] = found.get(label, 0) + numbers[place]
    return found


def _identity(identity: Identity) -> dict[str, Any]:
    return {
        "known": identity.known,
        "anonymous": identity.anonymous,
        "nobody": identity.nobody,
        "reserved": identity.reserved,
        "distinct_user_ids": identity.user_ids.count,
        "distinct_anonymous_ids": identity.anonymous_ids.count,
        "distinct_error": round(max(identity.user_ids.error, identity.anonymous_ids.error), 4),
    }


def _duplicates(repeats: Repeats) -> dict[str, Any]:
    return {
        "messages": repeats.messages,
        "exact": repeats.is_exact,
        "error": round(repeats.error, 1),
        "without_id": repeats.without_id,
    }


def _consents(content: Content) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (category, answer), number in sorted(content.consents.counts.items()):
        found.setdefault(category, {GRANTED: 0, REFUSED: 0})[answer] = number
    return found


def _hot_users(sending: Sending) -> list[dict[str, Any]]:
    """Return who has more requests than a fair-usage limit allows, if all were sent at full speed."""
    fewest = min(FAIR_USAGE.values())
    hot = [(number, lane) for lane, number in sending.people.counts.items() if number > fewest]
    hot.sort(key=lambda one: (-one[0], one[1]))
    return [
        {"user": lane[1:], "requests": number, "breaks": [text for text, most in FAIR_USAGE.items() if number > most]}
        for number, lane in hot[:_MOST_HOT_USERS]
    ]


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
