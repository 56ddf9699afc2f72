"""MoEngage's documented limits, checked before anything is sent.

What MoEngage would reject is rejected here with the reason; what it would take, but not as meant, is a warning.
Nearly every message is ordinary, and costs a few searches of its JSON at the speed of C; the others are looked at
exactly, by the rules in `limits`.
"""

from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar

from replay_cli.moengage.limits import (
    LONGEST_RESERVED_ID,
    MOST_EVENT_ATTRIBUTES,
    MOST_NAME,
    MOST_OBJECT_BYTES,
    MOST_TEXT,
    RESERVED_ATTRIBUTES,
    RESERVED_ID,
    RESERVED_IDS,
    RULES,
    Findings,
    Verdict,
    inspect_event_name,
    inspect_properties,
    inspect_traits,
    inspect_user,
    is_plain_key,
    is_plain_name,
    is_reserved,
)
from replay_cli.moengage.mapping import Check, Concern, Screen, UnmappableError
from replay_cli.moengage.ordinary import KnownNames, are_scalars, has_ordinary_values, has_short_texts

__all__ = [
    "LEAST_SKIMMED",
    "MAX_BODY_BYTES",
    "MAX_BULK_BYTES",
    "MISSING_TIME",
    "MOST_SKIMMED",
    "RESERVED_ID",
    "RESERVED_IDS",
    "is_reserved",
    "make_check",
    "make_screen",
    "refuse_future",
    "refuse_size",
]

MAX_BODY_BYTES = 128_000
"""128 KB a request, else 413 (documented; 1 KB taken as 1,000 bytes, the safe reading)."""
MAX_BULK_BYTES = 100_000
"""100 KB a bulk request (documented; likewise)."""

MISSING_TIME = "missing_time"

_TOO_SHORT = MOST_TEXT + 80
"""A body of so many bytes has no text that is too long: what every body has around it takes more than the rest."""
LEAST_SKIMMED, MOST_SKIMMED = _TOO_SHORT + 1, MOST_OBJECT_BYTES // 5
"""How long a message's JSON may be to be shown to the screen in place of its body's.

So long that its texts are looked at; and so short that what numbers grow by, as `1e15` does, takes no body beyond any
limit: that is 4.5 times their length at most.
"""
_NOTHING: dict[str, Any] = {}
_Made = TypeVar("_Made")


def make_check(api: str) -> Check:
    """Make the check of an API's bodies: it looks at everything.

    Args:
        api: `actions` or `classic` (bodies for the Segment endpoint), or `bulk`.

    Raises:
        ValueError: there is no such API.
    """
    return _of_api(api, _check_segment, _check_bulk)


def make_screen(api: str) -> Screen:
    """Make the screen before the check of an API's bodies, which remembers names; arguments and errors as there."""
    return _of_api(api, _segment_screen, _bulk_screen)()


def refuse_future(timestamp: object) -> NoReturn:
    """Refuse a message dated after now: MoEngage does not accept future-dated events (documented).

    Raises:
        UnmappableError: `future_date`.
    """
    raise UnmappableError("future_date", f"dated {timestamp}, which is in the future")


def refuse_size(body: bytes, most: int = MAX_BODY_BYTES) -> NoReturn:
    """Refuse a body that MoEngage would answer with 413.

    Raises:
        UnmappableError: `too_large`.
    """
    raise UnmappableError("too_large", f"a body of {len(body):,} bytes; MoEngage takes {most:,}")


def _of_api(api: str, for_segment: _Made, for_bulk: _Made) -> _Made:
    if api in ("actions", "classic"):
        return for_segment
    if api == "bulk":
        return for_bulk
    raise ValueError(f"{api!r} is no API")


def _segment_screen() -> Screen:
    properties, traits, keys = KnownNames(is_plain_name), KnownNames(_is_plain_trait), KnownNames(is_plain_key)
    include_properties, include_traits = properties.include, traits.include

    def is_ordinary(body: dict[str, Any], wire: bytes) -> bool:
        # Every replayed message passes here, so everything is in line.
        get = body.get
        user, event = get("user_id"), get("event")
        if event is None:
            attributes, include, learn = get("traits", _NOTHING), include_traits, traits.learn
        else:
            attributes, include, learn = get("properties", _NOTHING), include_properties, properties.learn
        return (
            (user is None or len(user) > LONGEST_RESERVED_ID or (len(user) > 1 and user.lower() not in RESERVED_IDS))
            and (event is None or len(event) <= MOST_NAME)
            and len(attributes) <= MOST_EVENT_ATTRIBUTES
            and (include(attributes) or learn(attributes))
            and (len(wire) <= _TOO_SHORT or (len(wire) <= MOST_OBJECT_BYTES and has_short_texts(wire)))
            and (are_scalars(map(type, attributes.values())) or has_ordinary_values(attributes, keys))
        )

    return is_ordinary


def _bulk_screen() -> Screen:
    properties, traits, keys = KnownNames(is_plain_name), KnownNames(_is_plain_trait), KnownNames(is_plain_key)

    def is_ordinary(body: dict[str, Any], wire: bytes) -> bool:
        elements = body["elements"]
        element = elements[0]
        user, actions = element["customer_id"], element.get("actions")
        if actions is None:
            holder, names = element, traits
        else:
            holder, names = actions[0], properties
        attributes = holder.get("attributes", _NOTHING)
        return (
            len(elements) == 1
            and (len(user) > LONGEST_RESERVED_ID or not is_reserved(user))
            and (actions is None or (len(actions) == 1 and len(holder["action"]) <= MOST_NAME))
            and len(attributes) <= MOST_EVENT_ATTRIBUTES
            and (names.include(attributes) or names.learn(attributes))
            and (len(wire) <= _TOO_SHORT or (len(wire) <= MOST_OBJECT_BYTES and has_short_texts(wire)))
            and (are_scalars(map(type, attributes.values())) or has_ordinary_values(attributes, keys))
        )

    return is_ordinary


def _check_segment(body: dict[str, Any], wire: bytes) -> Sequence[Concern]:
    return _settle(_segment_findings(body, len(wire)), _REJECTED_BY_SEGMENT)


def _check_bulk(body: dict[str, Any], wire: bytes) -> Sequence[Concern]:
    return _settle(_bulk_findings(body["elements"], len(wire)), _REJECTED_BY_DATA)


def _is_plain_trait(name: str) -> bool:
    return is_plain_name(name) and name not in RESERVED_ATTRIBUTES


def _segment_findings(body: dict[str, Any], size: int) -> Findings:
    found: Findings = {}
    user, event = body.get("user_id"), body.get("event")
    properties, traits = body.get("properties"), body.get("traits")
    if user is not None:
        inspect_user(user, found)
    if event is not None:
        inspect_event_name(event, found)
    if properties is not None:
        inspect_properties(properties, size, found)
    if traits is not None:
        inspect_traits(traits, size, found)
    return found


def _bulk_findings(elements: Sequence[dict[str, Any]], size: int) -> Findings:
    found: Findings = {}
    for element in elements:
        inspect_user(element["customer_id"], found)
        if element["type"] == "customer":
            inspect_traits(element.get("attributes", {}), size, found)
        for action in element.get("actions", ()):
            inspect_event_name(action["action"], found)
            inspect_properties(action.get("attributes", {}), size, found)
    return found


def _settle(found: Findings, rejected: frozenset[str]) -> Sequence[Concern]:
    """Return findings as concerns.

    Raises:
        UnmappableError: there is one that MoEngage rejects.
    """
    for rule, detail in found.items():
        if rule in rejected:
            raise UnmappableError(rule, detail)
    return [Concern(rule, detail) for rule, detail in found.items()]


_REJECTED_BY_SEGMENT = frozenset(name for name, rule in RULES.items() if rule.segment is Verdict.REJECTED)
_REJECTED_BY_DATA = frozenset(name for name, rule in RULES.items() if rule.data is Verdict.REJECTED)
