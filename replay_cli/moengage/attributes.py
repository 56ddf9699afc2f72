"""Traits as the Data API's user attributes: the standard ones have names of their own there (documented)."""

from typing import Any

from replay_cli.moengage.fields import coerce_string

RENAMED = {"phone": "mobile", "firstName": "first_name", "lastName": "last_name", "createdAt": "created_time"}
"""Segment trait → Data API attribute; `email`, `name`, `gender` and `birthday` have the same name in both."""
FROM_ADDRESS = ("city", "state", "country")


def user_attributes(traits: dict[str, Any], customer_id: str) -> dict[str, Any]:
    """Return a user's attributes.

    Traits that are not standard keep their names. One that already has a standard attribute's name goes before the
    one that would be renamed to it. What else is in `address` stays there. An `id` that only says the customer id
    again is left out, because no attribute may be named so.
    """
    attributes = dict(traits)
    for trait, name in RENAMED.items():
        if trait in attributes:
            value = attributes.pop(trait)
            attributes.setdefault(name, value)
    if "address" in attributes and attributes["address"].__class__ is dict:
        _flatten_address(attributes)
    if "id" in attributes and coerce_string(attributes["id"], "id", []) == customer_id:
        del attributes["id"]
    return attributes


def _flatten_address(attributes: dict[str, Any]) -> None:
    address = attributes["address"]
    moved = [part for part in FROM_ADDRESS if part in address and part not in attributes]
    if not moved:
        return
    attributes.update({part: address[part] for part in moved})
    if len(moved) < len(address):
        attributes["address"] = {part: value for part, value in address.items() if part not in moved}
    else:
        del attributes["address"]
