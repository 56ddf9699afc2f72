"""The names of events and attributes, as they are sent: MoEngage takes so many different ones (pure)."""

from collections.abc import Collection
from typing import Any

from replay_cli.moengage.limits import MOST_NAME
from replay_cli.profiling.sketches import Distinct

_MOST_EVENTS = 1_000
"""Events whose attributes are counted: about twice as many as MoEngage takes."""
_PLACES = 1 << 12
"""For the attributes of one event: exact up to 372, and MoEngage takes 100."""
_MOST_REMEMBERED = 50_000
_NONE: dict[str, Any] = {}


class Names:
    """How many different names there are."""

    def __init__(self) -> None:
        self.events = Distinct()
        self.user_attributes = Distinct()
        self.event_attributes: dict[str, Distinct] = {}
        self._forget()

    def _forget(self) -> None:
        self._known: dict[str | None, set[str]] = {}
        self._remembered = 0

    def see(self, body: dict[str, Any]) -> None:
        """Take the body of a request of one record, of either of MoEngage's endpoints."""
        get = body.get
        event = get("event")
        attributes = get("traits" if event is None else "properties")
        if attributes is None:
            event, attributes = _of_element(body) if "elements" in body else (event, _NONE)
        # Nearly every message has only names that are known by now.
        known = self._known.get(event)
        if known is None or not known.issuperset(attributes):
            self._learn(event, attributes)

    def _learn(self, event: str | None, attributes: Collection[str]) -> None:
        new = {name[:MOST_NAME] for name in attributes}
        if event is None:
            self.user_attributes.update(new)
        else:
            name = event[:MOST_NAME]
            self.events.update((name,))
            found = self.event_attributes.get(name)
            if found is None and len(self.event_attributes) < _MOST_EVENTS:
                found = self.event_attributes[name] = Distinct(_PLACES, waiting=0)
            if found is not None:
                found.update(new)
        if self._remembered < _MOST_REMEMBERED and (event is None or len(event) <= MOST_NAME):
            self._known.setdefault(event, set()).update(new)
            self._remembered += len(new) + 1

    def merge(self, other: "Names") -> None:
        """Take the names that another one has taken."""
        self.events.merge(other.events)
        self.user_attributes.merge(other.user_attributes)
        for event, names in other.event_attributes.items():
            if event in self.event_attributes:
                self.event_attributes[event].merge(names)
            elif len(self.event_attributes) < _MOST_EVENTS:
                self.event_attributes[event] = names

    def most_attributes(self) -> tuple[str, int]:
        """Return the event with the most attributes, and how many it has; the first of several by name."""
        numbers = {event: names.count for event, names in sorted(self.event_attributes.items())}
        event = max(numbers, key=numbers.__getitem__, default="")
        return event, numbers.get(event, 0)

    def __getstate__(self) -> tuple[Distinct, Distinct, dict[str, Distinct]]:
        return self.events, self.user_attributes, self.event_attributes

    def __setstate__(self, state: tuple[Distinct, Distinct, dict[str, Distinct]]) -> None:
        self.events, self.user_attributes, self.event_attributes = state
        self._forget()


def _of_element(body: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Return the event and the attributes of a bulk element: of its action, else of a user."""
    element = body["elements"][0]
    actions = element.get("actions")
    if not actions:
        return None, element.get("attributes", _NONE)
    return actions[0]["action"], actions[0].get("attributes", _NONE)
