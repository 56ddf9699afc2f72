"""How many users, devices and events a request to the Data API holds."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from replay_cli.sandbox.data_api import TRANSITION


class Elements(NamedTuple):
    """Numbers of `customer`s, of `device`s, and of the actions in `event`s: each action is an event."""

    users: int = 0
    devices: int = 0
    events: int = 0


NOTHING = Elements()


def count_elements(kind: str, document: Any) -> Elements:
    """Count what a body holds, valid or not; what cannot be read holds nothing.

    Args:
        kind: the endpoint that it was sent to: `customer`, `event`, `device` or `transition`.
        document: the JSON of the body.
    """
    if not isinstance(document, dict):
        return NOTHING
    if kind == TRANSITION:
        return _count_list(document.get("elements"))
    return _COUNTS[kind](document)


def _count_list(elements: Any) -> Elements:
    if not isinstance(elements, list):
        return NOTHING
    counts = [_count_element(element) for element in elements]
    return Elements(*map(sum, zip(*counts, strict=True))) if counts else NOTHING


def _count_element(element: Any) -> Elements:
    kind = element.get("type") if isinstance(element, dict) else None
    return _COUNTS[kind](element) if isinstance(kind, str) and kind in _COUNTS else NOTHING


def _count_actions(event: Mapping[str, Any]) -> Elements:
    actions = event.get("actions")
    return Elements(events=len(actions)) if isinstance(actions, list) else NOTHING


_COUNTS: Mapping[str, Callable[[Mapping[str, Any]], Elements]] = {
    "customer": lambda _customer: Elements(users=1),
    "device": lambda _device: Elements(devices=1),
    "event": _count_actions,
}
