"""Subscriptions to the Actions destination: which messages they take, and what they make of them.

The actions, their fields and the defaults are published with the destination (npm `@segment/action-destinations`
3.497.0).
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, NamedTuple

_COMMON = ("type", "userId", "anonymousId", "os_name", "app_version", "library_version", "timestamp")

FIELDS = {
    "trackEvent": (*_COMMON, "event", "properties", "project_name", "update_existing_only"),
    "identifyUser": (*_COMMON, "traits", "update_existing_only"),
}
"""Action → its fields."""

REQUIRED = {"trackEvent": ("type", "event"), "identifyUser": ("type",)}
"""Action → the fields without which every message would be rejected."""


NO_WISHES: Mapping[str, Any] = MappingProxyType({})


class Subscription(NamedTuple):
    """One request for every message that the trigger takes.

    `action` is one of `FIELDS`, `trigger` is subscription FQL, `settings` are field → mapping, and the whole of it: a
    field that is not named is absent. `wishes` are what the TOML form asks for besides; none in Segment's JSON.
    """

    action: str
    trigger: str
    settings: Mapping[str, Any]
    wishes: Mapping[str, Any] = NO_WISHES

    @property
    def document(self) -> dict[str, Any]:
        """The subscription as JSON has it, in Segment's words."""
        document = {"actionSlug": self.action, "trigger": self.trigger, "settings": self.settings}
        return document | ({"wishes": self.wishes} if self.wishes else {})

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Subscription":
        """Return the subscription that has this document."""
        return cls(document["actionSlug"], document["trigger"], document["settings"], document.get("wishes", NO_WISHES))


_IDS = {"userId": {"@path": "$.userId"}, "anonymousId": {"@path": "$.anonymousId"}}
_CONTEXT = {
    "os_name": {"@path": "$.context.os.name"},
    "app_version": {"@path": "$.context.app.version"},
    "library_version": {"@path": "$.context.library.version"},
    "timestamp": {"@path": "$.timestamp"},
}

DEFAULT_TRACK = Subscription(
    "trackEvent",
    'type = "track"',
    {"type": {"@path": "$.type"}, "event": {"@path": "$.event"}}
    | _IDS
    | _CONTEXT
    | {"properties": {"@path": "$.properties"}, "project_name": "", "update_existing_only": False},
)
DEFAULT_IDENTIFY = Subscription(
    "identifyUser",
    'type = "identify"',
    {"type": {"@path": "$.type"}} | _IDS | _CONTEXT | {"traits": {"@path": "$.traits"}, "update_existing_only": False},
)
"""The subscription that the destination is published with for each action."""


def offered(word: str, valid: Sequence[str]) -> str:
    """List what would be valid instead of `word`, the most similar first."""
    return ", ".join(dict.fromkeys([*get_close_matches(word, valid), *valid]))
