"""What MoEngage's public Data API says about a body: `customer`, `event`, `device` and `transition` (bulk).

Whether a bulk request with a faulty element is refused as a whole is not documented. The sandbox refuses it as a
whole (inferred) and records nothing of it; the failure names every faulty element, up to twenty, by its first flaw:
`elements[3].customer_id: is required; elements[5]…`. Its `type` and `attribute` are those of the first.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from replay_cli.sandbox.attributes import (
    check_attributes,
    check_customer_id,
    check_platform,
    check_user_attributes,
)
from replay_cli.sandbox.fields import (
    Document,
    allow_flag,
    allow_number,
    allow_object,
    allow_text,
    allow_time,
    not_a_list,
    refuse_future,
    require_list,
    require_object,
    require_text,
)
from replay_cli.sandbox.verdicts import Flaw, Verdict, accept, failure, invalid

TRANSITION = "transition"
_MOST_NAMED = 20


def judge_body(kind: str, document: Document, now: float) -> Verdict:
    """Give the answer to a body.

    Args:
        kind: the endpoint: `customer`, `event`, `device` or `transition`.
        document: the body.
        now: unix seconds: later times are in the future.
    """
    flaws = list(islice(_find_flaws(kind, document, now), _MOST_NAMED + 1))
    if not flaws:
        return accept()
    named = [f"{flaw.attribute}: {flaw.message}" for flaw in flaws[:_MOST_NAMED]]
    if len(flaws) > _MOST_NAMED:
        named.append("and more")
    return failure(400, "; ".join(named), flaws[0].error_type, flaws[0].attribute)


def _find_flaws(kind: str, document: Document, now: float) -> Iterator[Flaw]:
    flaw = require_text(document, "type")
    if flaw is None and document["type"] != kind:
        flaw = invalid("type", f"must be {kind}")
    if flaw is not None:
        yield flaw
    elif kind == TRANSITION:
        yield from _find_in_elements(document, now)
    elif (flaw := _KINDS[kind](document, now)) is not None:
        yield flaw


def _find_in_elements(transition: Document, now: float) -> Iterator[Flaw]:
    flaw = require_list(transition, "elements")
    if flaw is not None:
        yield flaw
        return
    for index, element in enumerate(transition["elements"]):
        flaw = _find_in_element(element, now)
        if flaw is not None:
            yield flaw.within(f"elements[{index}]")


def _find_in_element(element: Any, now: float) -> Flaw | None:
    if not isinstance(element, dict):
        return invalid("", "must be an object")
    flaw = require_text(element, "type")
    if flaw is not None:
        return flaw
    judge = _KINDS.get(element["type"])
    return invalid("type", f"must be one of {', '.join(_KINDS)}") if judge is None else judge(element, now)


def _find_in_customer(customer: Document, _now: float) -> Flaw | None:
    return (
        check_customer_id(customer)
        or allow_object(customer, "attributes")
        or check_user_attributes(customer)
        or allow_flag(customer, "update_existing_only")
        or _find_in_each(customer, "platforms", _find_in_platform)
    )


def _find_in_platform(platform: Document) -> Flaw | None:
    return check_platform(platform) or allow_flag(platform, "active")


def _find_in_event(event: Document, now: float) -> Flaw | None:
    return (
        check_customer_id(event)
        or allow_text(event, "device_id")
        or allow_object(event, "user_identifiers")
        or require_list(event, "actions")
        or _find_in_each(event, "actions", lambda action: _find_in_action(action, now))
    )


def _find_in_action(action: Document, now: float) -> Flaw | None:
    return (
        require_text(action, "action")
        or allow_object(action, "attributes")
        or check_attributes(action)
        or (check_platform(action) if "platform" in action else None)
        or allow_text(action, "app_version")
        or refuse_future(action, "user_time", now)
        or allow_time(action, "current_time")
        or allow_number(action, "user_timezone_offset")
    )


def _find_in_device(device: Document, _now: float) -> Flaw | None:
    return (
        check_customer_id(device)
        or require_text(device, "device_id")
        or require_object(device, "attributes")
        or _find_in_device_attributes(device["attributes"])
        or check_attributes(device)
        or allow_text(device, "model")
        or allow_text(device, "app_version")
        or allow_text(device, "os_version")
    )


def _find_in_device_attributes(attributes: Document) -> Flaw | None:
    flaw = check_platform(attributes) or require_text(attributes, "push_id")
    return None if flaw is None else flaw.within("attributes")


def _find_in_each(document: Document, name: str, find: Callable[[Document], Flaw | None]) -> Flaw | None:
    """Judge the objects of a list that may be there; the first flaw, in its place."""
    parts = document.get(name, [])
    if not isinstance(parts, list):
        return not_a_list(name)
    for index, part in enumerate(parts):
        flaw = find(part) if isinstance(part, dict) else invalid("", "must be an object")
        if flaw is not None:
            return flaw.within(f"{name}[{index}]")
    return None


_KINDS: Mapping[str, Callable[[Document, float], Flaw | None]] = {
    "customer": _find_in_customer,
    "event": _find_in_event,
    "device": _find_in_device,
}
