"""Documented rules for the values that make up users, devices and events: ids, platforms, attributes.

Judged are the rules that are documented to refuse. What is documented to be cut (names over 200 characters, values
over 512) or turned into a string (objects below two levels) passes, and so do limits whose consequence is not
documented (sizes and keys of objects, numbers of attributes and names, the prefix `moe_`).
"""

from collections.abc import Mapping
from typing import Any

from replay_cli.sandbox.fields import Document, require_text
from replay_cli.sandbox.verdicts import Flaw, invalid, unfit_array

PLATFORMS = ("ANDROID", "iOS", "web")

_NOT_A_USER = frozenset(
    [
        *("unknown", "guest", "null", "true", "false", "na", "n/a", "none"),
        *("0", "1", "2", "-1", "-2"),
        *("user_attribute_unique_id", "dummy_seller_code", "user_id", "id", "customer_id", "uid", "userid"),
    ]
)
_NOT_AN_ATTRIBUTE = ("id", "_id", "")
_MOST_CHARACTERS = 512
_MOST_ELEMENTS = 50
_NAME_CHARACTERS = 200
_LEVELS = 2
_TYPES: Mapping[type, str] = {int: "number", float: "number"}


def check_customer_id(document: Document) -> Flaw | None:
    """Ask for a `customer_id` that MoEngage takes for a user: long enough, not reserved (in any case: inferred)."""
    flaw = require_text(document, "customer_id")
    if flaw is not None:
        return flaw
    customer_id = document["customer_id"]
    if len(customer_id) < 2:
        return invalid("customer_id", "must be longer than 1 character")
    if customer_id.lower() in _NOT_A_USER:
        return invalid("customer_id", f"{customer_id} is reserved")
    return None


def check_platform(document: Document) -> Flaw | None:
    """Ask for a `platform` that MoEngage has."""
    flaw = require_text(document, "platform")
    if flaw is None and document["platform"] not in PLATFORMS:
        return invalid("platform", f"must be one of {', '.join(PLATFORMS)}")
    return flaw


def check_user_attributes(document: Document) -> Flaw | None:
    """Judge the names and values of `attributes`, an object if it is there, as a user's."""
    attributes = document.get("attributes", {})
    for name in _NOT_AN_ATTRIBUTE:
        if name in attributes:
            return invalid(f"attributes.{name}", "is a reserved name")
    return check_attributes(document)


def check_attributes(document: Document) -> Flaw | None:
    """Judge the values of `attributes`, an object if it is there: an event's or a device's.

    Inferred: the rules for lists and URLs hold in objects too, down to the second level (deeper ones become a
    string); nothing is asked of what is inside the objects of a list.
    """
    attributes = document.get("attributes")
    return _find_flaw(attributes, "attributes", _LEVELS) if attributes else None


def _find_flaw(members: Mapping[str, Any], place: str, levels: int) -> Flaw | None:
    for name, value in members.items():
        if isinstance(value, str):
            if len(value) > _MOST_CHARACTERS and _is_url(value):
                return invalid(_join(place, name), f"is a URL of more than {_MOST_CHARACTERS} characters")
        elif isinstance(value, list):
            flaw = _find_list_flaw(value)
            if flaw is not None:
                return flaw.within(_join(place, name))
        elif isinstance(value, dict) and levels:
            flaw = _find_flaw(value, _join(place, name), levels - 1)
            if flaw is not None:
                return flaw
    return None


def _find_list_flaw(elements: list[Any]) -> Flaw | None:
    """Judge a list: numbers are of one type, whole or not; null is a type of its own (inferred)."""
    if len(elements) > _MOST_ELEMENTS:
        return unfit_array("", f"has {len(elements)} elements, more than {_MOST_ELEMENTS}")
    if len({_TYPES.get(kind, kind) for kind in map(type, elements)}) > 1:
        return unfit_array("", "has elements of more than one type")
    if any(isinstance(element, str) and len(element) > _MOST_CHARACTERS for element in elements):
        return unfit_array("", f"has an element of more than {_MOST_CHARACTERS} characters")
    return None


def _is_url(text: str) -> bool:
    """Tell a URL by its scheme (inferred: what MoEngage takes for one is not documented)."""
    return text[:8].lower().startswith(("http://", "https://"))


def _join(place: str, name: str) -> str:
    """Name a member as MoEngage would know it: names are cut (documented)."""
    return f"{place}.{name[:_NAME_CHARACTERS]}"
