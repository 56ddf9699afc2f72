"""The mapping to MoEngage's public Data API, through its bulk endpoint.

`POST /v1/transition/{workspace_id}` takes elements of three types (documented). An identify becomes a `customer`
element, and behind it a `device` one where the context tells the push token; a track becomes an `event` one with one
action. Known users only (inferred). `real_time_action` is never set: with it, events of the past would start
campaigns. Keys stand in an order that `packing` relies on.
"""

from collections.abc import Mapping as Settings
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from replay_cli.model import Message
from replay_cli.moengage.attributes import user_attributes
from replay_cli.moengage.device import device_element, platform_of, text
from replay_cli.moengage.fields import coerce_required, is_object, refuse
from replay_cli.moengage.known import known_lanes, known_user
from replay_cli.moengage.mapping import Draft, Mapping, UnmappableError
from replay_cli.segment.javascript import instant, is_usual_date

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO_LENGTH = len("2025-03-01T10:00:00.000Z")
_DAY = slice(8, 10)
_IN_EVERY_MONTH = "28"


def bulk_mapping(
    workspace_id: str, *, update_existing_only: bool = False, stamp: Settings[str, Any] = MappingProxyType({})
) -> Mapping:
    """Make the mapping for one workspace; it skips as `anonymous` what has no user id.

    Args:
        workspace_id: goes into the path.
        update_existing_only: MoEngage then creates no new users.
        stamp: attributes of every event; they go before the message's own.
    """
    path = bulk_path(workspace_id)

    def map_message(message: Message) -> Sequence[Draft]:
        kind = message.get("type")
        elements: list[dict[str, Any]]
        if kind == "track":
            user = known_user(message)
            elements = [_event(message, user, stamp)]
        elif kind == "identify":
            user = known_user(message)
            elements = _customer(message, user, update_existing_only)
        else:
            return ()
        return ((path, {"type": "transition", "elements": elements}, known_lanes(user, message)),)

    return map_message


def bulk_event(body: dict[str, Any]) -> str:
    """Return the name of the event in a record's body; "" for what updates a user."""
    actions: list[dict[str, str]] = body["elements"][0].get("actions", ())
    return actions[0]["action"] if actions else ""


def bulk_path(workspace_id: str) -> str:
    """Return the path of the bulk endpoint."""
    return f"/v1/transition/{quote(workspace_id, safe='')}"


def utc_time(timestamp: Any) -> str:
    """Return a timestamp as ISO 8601 in UTC, with milliseconds and `Z`.

    Raises:
        UnmappableError: `invalid_timestamp`: it cannot be read, or is not within the years 1 to 9999.
    """
    if timestamp.__class__ is str and is_usual_date(timestamp):
        usual = str(timestamp)
        # The form of nearly every message; later days are not in every month, and roll over.
        if len(usual) == _ISO_LENGTH and usual[-1] == "Z" and usual[_DAY] <= _IN_EVERY_MONTH and usual[:4] != "0000":
            return usual
    seconds = instant(timestamp)
    try:
        if seconds is not None:
            # In whole milliseconds: far from 1970 a float has not the digits to cut more precise ones off.
            moment = _EPOCH + timedelta(milliseconds=round(seconds * 1000))
            return moment.isoformat(timespec="milliseconds")[:-6] + "Z"
    except OverflowError:
        pass
    told = f": {timestamp[:40]!r}" if isinstance(timestamp, str) else ""
    raise UnmappableError("invalid_timestamp", f"timestamp is no date that can be read{told}")


def _event(message: Message, user: str, stamp: Settings[str, Any]) -> dict[str, Any]:
    get = message.get
    event, timestamp, context = get("event"), get("timestamp"), get("context")
    properties: Any = get("properties")
    problems: list[str] = []
    if event.__class__ is not str or not event:
        event = coerce_required(event, "event", problems)
    element: dict[str, Any] = {"type": "event", "customer_id": user}
    action: dict[str, Any] = {"action": event}
    if properties.__class__ is dict or is_object(properties, "properties", problems):
        action["attributes"] = {**properties, **stamp} if stamp else properties
    elif stamp:
        action["attributes"] = {**stamp}
    if problems:
        refuse(problems)
    if context.__class__ is dict:
        _tell_device(context, element, action)
    if timestamp is not None and timestamp != "":
        action["user_time"] = utc_time(timestamp)
    element["actions"] = [action]
    return element


def _tell_device(context: dict[str, Any], element: dict[str, Any], action: dict[str, Any]) -> None:
    if device_id := text(context, "device", "id"):
        element["device_id"] = device_id
    if platform := platform_of(context):
        action["platform"] = platform
    if app_version := text(context, "app", "version"):
        action["app_version"] = app_version


def _customer(message: Message, user: str, update_existing_only: bool) -> list[dict[str, Any]]:
    traits: Any = message.get("traits")
    context = message.get("context")
    problems: list[str] = []
    customer: dict[str, Any] = {"type": "customer", "customer_id": user}
    if traits.__class__ is dict or is_object(traits, "traits", problems):
        customer["attributes"] = user_attributes(traits, user)
    if problems:
        refuse(problems)
    if update_existing_only:
        customer["update_existing_only"] = True
    device = device_element(user, context) if context.__class__ is dict else None
    return [customer, device] if device else [customer]
