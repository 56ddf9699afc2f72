"""The mapping of Segment's classic MoEngage destination, as far as it is documented.

Documented: the names of attributes and properties go from camelCase to snake_case, only known users are taken, and
`traits.id`, where it is set, is the user's unique id. Not documented: everything else; endpoint, body and validation
are those of the Actions destination.
"""

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Settings
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from replay_cli.model import Message
from replay_cli.moengage.actions import actions_mapping
from replay_cli.moengage.known import known_lanes, known_user
from replay_cli.moengage.limits import MOST_NAME
from replay_cli.moengage.mapping import Draft, Mapping
from replay_cli.segment.snake_case import snake_case

_REMEMBERED = 4096
_FIELDS = {"track": "properties", "identify": "traits"}


def classic_mapping(
    workspace_id: str,
    project_name: str = "",
    *,
    update_existing_only: bool = False,
    stamp: Settings[str, Any] = MappingProxyType({}),
) -> Mapping:
    """Make the mapping for one workspace; it skips as `anonymous` what has no user id.

    Args:
        workspace_id: goes into the path as `appId`.
        project_name: when given, `properties.moe_project_name` of every track.
        update_existing_only: MoEngage then creates no new users.
        stamp: properties of every track, under these very names; they go before the message's own.
    """
    map_known = actions_mapping(workspace_id, project_name, update_existing_only=update_existing_only)
    rename = _renaming()

    def map_message(message: Message) -> Sequence[Draft]:
        kind = message.get("type")
        field = _FIELDS.get(kind) if kind.__class__ is str else None
        if field is None:
            return ()
        known = {**message}
        attributes = message.get(field)
        if attributes.__class__ is dict:
            if kind == "identify":
                attributes = _take_id(attributes, known)
            known[field] = rename(attributes)
        known["userId"] = user = known_user(known)
        known.pop("anonymousId", None)
        ((path, body, _),) = map_known(known)
        if stamp and kind == "track":
            body["properties"] = {**body.get("properties", {}), **stamp}
        return ((path, body, known_lanes(user, message)),)

    return map_message


def snake_names(attributes: dict[str, Any], name_of: Callable[[str], str] = snake_case) -> dict[str, Any]:
    """Return attributes under their names in snake_case; what is in their values stays as it is.

    Of several with one name, that which has it already stays, else the first one.
    """
    named: dict[str, Any] = {}
    for name, value in attributes.items():
        new = name_of(name)
        if new == name:
            named[name] = value
        elif new not in attributes:
            named.setdefault(new, value)
    return named


def _renaming() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Make a `snake_names` that remembers names: an archive has few, over and over."""
    remembered = lru_cache(_REMEMBERED)(snake_case)

    def name_of(name: str) -> str:
        return remembered(name) if len(name) <= MOST_NAME else snake_case(name)

    return lambda attributes: snake_names(attributes, name_of)


def _take_id(traits: dict[str, Any], known: Message) -> dict[str, Any]:
    """Make `traits.id` the user id, where it is set; return the traits without it: no attribute may be named so."""
    user = traits.get("id")
    if user is None or user == "":
        return traits
    known["userId"] = user
    return {name: value for name, value in traits.items() if name != "id"}
