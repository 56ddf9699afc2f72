"""MoEngage's documented limits of names and values, looked up exactly: a table of rules, and what breaks them.

What is inside an object is under the object's rules. Whether those for attributes hold there too is not documented,
so what breaks them there is told, and never a reason to refuse.
"""

import re
from enum import Enum
from typing import Any, NamedTuple

import orjson

MOST_NAME = 200
MOST_TEXT = 512
"""Characters."""
MOST_ELEMENTS = 50
MOST_EVENT_ATTRIBUTES = 100
MOST_USER_ATTRIBUTES = 256
MOST_KEYS = 100
MOST_OBJECT_BYTES = 25_000
"""25 KB, with 1 KB taken as 1,000 bytes."""
MOST_LEVELS = 2
"""Levels of objects; the list that an object is in is none."""
RESERVED_PREFIX = "moe_"
PROJECT_NAME = "moe_project_name"
"""The one such name that is meant: the destination itself adds it, where a project is configured."""
RESERVED_ATTRIBUTES = frozenset({"id", "_id", ""})

RESERVED_IDS = frozenset(
    [
        *("unknown", "guest", "null", "0", "1", "2", "-1", "-2", "true", "false", "na", "n/a", "none"),
        *("user_attribute_unique_id", "dummy_seller_code", "user_id", "id", "customer_id", "uid", "userid"),
    ]
)
"""Ids that MoEngage does not take for a user (documented; any case)."""
LONGEST_RESERVED_ID = max(map(len, RESERVED_IDS))

RESERVED_ID = "reserved_id"
URL_TOO_LONG = "url_too_long"
INVALID_LIST = "invalid_list"
RESERVED_ATTRIBUTE = "reserved_attribute"
NAME_CUT = "name_cut"
VALUE_CUT = "value_cut"
RESERVED_NAME = "reserved_name"
TOO_MANY_ATTRIBUTES = "too_many_attributes"
OBJECT_TOO_LARGE = "object_too_large"
OBJECT_TOO_MANY_KEYS = "object_too_many_keys"
OBJECT_TOO_DEEP = "object_too_deep"
OBJECT_KEY = "object_key"
NESTED_LIST = "nested_list"
NESTED_URL = "nested_url"


class Verdict(Enum):
    """What follows where a rule is broken: the record is rejected, or goes out with a warning."""

    REJECTED = "rejected"
    CONCERN = "concern"


class Rule(NamedTuple):
    """What follows at the Segment endpoint, and what at the Data API."""

    segment: Verdict
    data: Verdict


_TOLD = Rule(Verdict.CONCERN, Verdict.CONCERN)
_ONLY_DATA = Rule(Verdict.CONCERN, Verdict.REJECTED)

RULES: dict[str, Rule] = {
    # Segment endpoint: a warning by its own description. Data API: `customer_id` must not be one of them.
    RESERVED_ID: _ONLY_DATA,
    # "A URL over 512 is rejected": documented for values as such, so for both.
    URL_TOO_LONG: Rule(Verdict.REJECTED, Verdict.REJECTED),
    # Data API: a documented 400 (ArrayFieldError). Not known of the Segment endpoint.
    INVALID_LIST: _ONLY_DATA,
    # "User attributes may not be named id, _id or empty." Not known what the Segment endpoint does with them.
    RESERVED_ATTRIBUTE: _ONLY_DATA,
    # "Names over 200 characters and values over 512 are cut."
    NAME_CUT: _TOLD,
    VALUE_CUT: _TOLD,
    # "Never prefix moe_": what follows is not documented.
    RESERVED_NAME: _TOLD,
    # 100 attributes an event; 256 user attributes in all, so more in one message cannot fit.
    TOO_MANY_ATTRIBUTES: _TOLD,
    # Objects: 25 KB, 100 keys, 2 levels (deeper is turned into a string), keys without `$ . % #`.
    OBJECT_TOO_LARGE: _TOLD,
    OBJECT_TOO_MANY_KEYS: _TOLD,
    OBJECT_TOO_DEEP: _TOLD,
    OBJECT_KEY: _TOLD,
    # The rules for lists and for URLs, broken inside an object: inferred.
    NESTED_LIST: _TOLD,
    NESTED_URL: _TOLD,
}
"""Rule → what follows, with its source in PROTOCOL's section 3."""

Findings = dict[str, str]
"""Rule → what broke it first, for a person."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+://\S*+").fullmatch
_has_odd_sign = re.compile(r"[$.%#]").search
_KINDS = {str: "texts", bool: "booleans", type(None): "nulls", dict: "objects", list: "lists"}
_SHOWN = 40


def is_reserved(user: str) -> bool:
    """Tell whether MoEngage does not take a user id: a reserved one, or one shorter than two characters."""
    return len(user) < 2 or (len(user) <= LONGEST_RESERVED_ID and user.lower() in RESERVED_IDS)


def is_plain_name(name: str) -> bool:
    """Tell whether a name of an attribute is within the rules for every name."""
    return len(name) <= MOST_NAME and (name[:4] != RESERVED_PREFIX or name == PROJECT_NAME)


def is_plain_key(key: str) -> bool:
    """Tell whether the key of an object that is a value is within the rules for them."""
    return len(key) <= MOST_NAME and not _has_odd_sign(key)


def inspect_user(user: str, found: Findings) -> None:
    """Look at a user id."""
    if is_reserved(user):
        found.setdefault(RESERVED_ID, f"MoEngage does not take {shown(user)!r} for a user id")


def inspect_event_name(event: str, found: Findings) -> None:
    """Look at the name of an event."""
    if len(event) > MOST_NAME:
        found.setdefault(NAME_CUT, f"the event's name has {_over(len(event), MOST_NAME, 'characters')}")


def inspect_properties(properties: dict[str, Any], size: int, found: Findings) -> None:
    """Look at the attributes of an event; `size` is at least how many bytes of JSON they are."""
    if len(properties) > MOST_EVENT_ATTRIBUTES:
        counted = _over(len(properties), MOST_EVENT_ATTRIBUTES, "attributes")
        found.setdefault(TOO_MANY_ATTRIBUTES, f"an event with {counted}")
    _inspect_attributes(properties, size, found)


def inspect_traits(traits: dict[str, Any], size: int, found: Findings) -> None:
    """Look at the attributes of a user; `size` is at least how many bytes of JSON they are."""
    if len(traits) > MOST_USER_ATTRIBUTES:
        counted = _over(len(traits), MOST_USER_ATTRIBUTES, "attributes")
        found.setdefault(TOO_MANY_ATTRIBUTES, f"a user with {counted}")
    for name in sorted(RESERVED_ATTRIBUTES & traits.keys()):
        found.setdefault(RESERVED_ATTRIBUTE, f"MoEngage does not take {name!r} for the name of a user attribute")
    _inspect_attributes(traits, size, found)


def shown(text: str) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _inspect_attributes(attributes: dict[str, Any], size: int, found: Findings) -> None:
    if size > MOST_OBJECT_BYTES:
        _inspect_sizes(attributes, found)
    for name, value in attributes.items():
        if len(name) > MOST_NAME or name[:4] == RESERVED_PREFIX:
            _inspect_name(name, found)
        kind = value.__class__
        if kind is str:
            if len(value) > MOST_TEXT:
                _inspect_long_text(shown(name), value, URL_TOO_LONG, found)
        elif kind is dict:
            _inspect_object(name, value, 1, found)
        elif kind is list:
            _inspect_list(name, value, INVALID_LIST, 1, found)


def _inspect_name(name: str, found: Findings) -> None:
    if len(name) > MOST_NAME:
        found.setdefault(NAME_CUT, f"the name {shown(name)!r} has {_over(len(name), MOST_NAME, 'characters')}")
    if name[:4] == RESERVED_PREFIX and name != PROJECT_NAME:
        found.setdefault(RESERVED_NAME, f"{shown(name)!r}: the prefix {RESERVED_PREFIX} is MoEngage's own")


def _inspect_long_text(place: str, text: str, rule_for_url: str, found: Findings) -> None:
    characters = _over(len(text), MOST_TEXT, "characters")
    if _URL(text):
        found.setdefault(rule_for_url, f"the URL {place!r} has {characters}")
    else:
        found.setdefault(VALUE_CUT, f"the value of {place!r} has {characters}")


def _inspect_list(name: str, elements: list[Any], rule: str, level: int, found: Findings) -> None:
    """Look at a list and the objects in it, which are of the given level; lists in lists have no rule."""
    if len(elements) > MOST_ELEMENTS:
        found.setdefault(rule, f"the list {shown(name)!r} has {_over(len(elements), MOST_ELEMENTS, 'elements')}")
    kinds = set(map(type, elements))
    if len(kinds) > 1:
        names = sorted({_KINDS.get(kind, "numbers") for kind in kinds})
        if len(names) > 1:
            found.setdefault(rule, f"the list {shown(name)!r} is of {' and '.join(names)}; MoEngage takes one type")
    if str in kinds:
        longest = max(len(element) for element in elements if element.__class__ is str)
        if longest > MOST_TEXT:
            characters = _over(longest, MOST_TEXT, "characters")
            found.setdefault(rule, f"an element of the list {shown(name)!r} has {characters}")
    if dict in kinds:
        for element in elements:
            if element.__class__ is dict:
                _inspect_object(name, element, level, found)


def _inspect_object(name: str, value: dict[str, Any], level: int, found: Findings) -> None:
    """Look at an object of a level (from 1 on), and into it down to the last level that stays an object."""
    if level > MOST_LEVELS:
        detail = f"{shown(name)!r} has more than {MOST_LEVELS} levels of objects; MoEngage makes a text of the deeper"
        found.setdefault(OBJECT_TOO_DEEP, detail)
        return
    if len(value) > MOST_KEYS:
        counted = _over(len(value), MOST_KEYS, "keys")
        found.setdefault(OBJECT_TOO_MANY_KEYS, f"an object in {shown(name)!r} has {counted}")
    if _has_odd_sign("".join(value)):
        odd = next(filter(_has_odd_sign, value))
        found.setdefault(OBJECT_KEY, f"the key {shown(odd)!r} of an object in {shown(name)!r} has one of $ . % #")
    for key, inner in value.items():
        if len(key) > MOST_NAME:
            _inspect_name(key, found)
        kind = inner.__class__
        if kind is str:
            if len(inner) > MOST_TEXT:
                _inspect_long_text(f"{shown(name)}.{shown(key)}", inner, NESTED_URL, found)
        elif kind is dict:
            _inspect_object(name, inner, level + 1, found)
        elif kind is list:
            _inspect_list(key, inner, NESTED_LIST, level + 1, found)


def _inspect_sizes(attributes: dict[str, Any], found: Findings) -> None:
    """Look at how large the objects among attributes, and in lists among them, are as JSON."""
    for name, value in attributes.items():
        for inner in value if value.__class__ is list else (value,):
            if inner.__class__ is dict and (size := len(orjson.dumps(inner))) > MOST_OBJECT_BYTES:
                detail = f"an object in {shown(name)!r} has {_over(size, MOST_OBJECT_BYTES, 'bytes')}"
                found.setdefault(OBJECT_TOO_LARGE, detail)


def _over(count: int, most: int, what: str) -> str:
    return f"{count:,} {what}; MoEngage takes {most:,}"
