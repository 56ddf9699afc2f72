"""The mapping of Segment's MoEngage (Actions) destination, as its published runtime applies it.

`POST /v1/integrations/segment?appId={workspace_id}`, one message a request (npm `@segment/action-destinations`
3.497.0, executed). The order: subscriptions, paths, removal of empty values at the top, validation with coercion.
Plain code rather than a mapping interpreter, because every replayed message passes here.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from replay_cli.model import Message
from replay_cli.moengage.fields import (
    ABSENT,
    coerce_nullable_string,
    coerce_required,
    coerce_string,
    coerce_timestamp,
    is_object,
    lanes,
    refuse,
)
from replay_cli.moengage.mapping import Draft, Mapping
from replay_cli.segment.javascript import is_usual_date


def actions_mapping(workspace_id: str, project_name: str = "", *, update_existing_only: bool = False) -> Mapping:
    """Make the mapping for one workspace.

    Args:
        workspace_id: goes into the path as `appId`.
        project_name: when given, `properties.moe_project_name` of every track.
        update_existing_only: MoEngage then creates no new users.
    """
    path = segment_path(workspace_id)

    def map_message(message: Message) -> Sequence[Draft]:
        kind = message.get("type")
        if kind == "track":
            body = _track(message, project_name, update_existing_only)
        elif kind == "identify":
            body = _identify(message, update_existing_only)
        else:
            return ()
        user, anonymous = body.get("user_id"), body.get("anonymous_id")
        return ((path, body, ("u" + user, "a" + anonymous) if user and anonymous else lanes(user, anonymous)),)

    return map_message


def segment_path(workspace_id: str, suffix: str = "") -> str:
    """Return the path of the Segment endpoint; `suffix="/auth"` gives its credentials check."""
    return f"/v1/integrations/segment{suffix}?appId={quote(workspace_id, safe='')}"


def _track(message: Message, project_name: str, update_existing_only: bool) -> dict[str, Any]:
    get = message.get
    user, anonymous, event = get("userId"), get("anonymousId"), get("event")
    properties, timestamp = get("properties"), get("timestamp")
    problems: list[str] = []
    if event.__class__ is not str or not event:
        event = coerce_required(event, "event", problems)
    body: dict[str, Any] = {"type": "track"}
    if user.__class__ is not str or not user:
        user = coerce_string(user, "userId", problems)
    if user is not None:
        body["user_id"] = user
    if anonymous.__class__ is not str or not anonymous:
        anonymous = coerce_string(anonymous, "anonymousId", problems)
    if anonymous is not None:
        body["anonymous_id"] = anonymous
    body["event"] = event
    body["context"] = _context(get("context"), problems)
    if properties.__class__ is dict or is_object(properties, "properties", problems):
        body["properties"] = properties
    if project_name:
        body["properties"] = {**body.get("properties", {}), "moe_project_name": project_name}
    if timestamp.__class__ is str and is_usual_date(timestamp):
        body["timestamp"] = timestamp
    elif timestamp is not None and timestamp != "":
        body["timestamp"] = coerce_timestamp(timestamp, problems)
    body["update_existing_only"] = update_existing_only
    if problems:
        refuse(problems)
    return body


def _identify(message: Message, update_existing_only: bool) -> dict[str, Any]:
    get = message.get
    user, anonymous = get("userId", ABSENT), get("anonymousId", ABSENT)
    traits, timestamp = get("traits"), get("timestamp")
    problems: list[str] = []
    body: dict[str, Any] = {"type": "identify"}
    if user.__class__ is not str or not user:
        user = coerce_nullable_string(user, "userId", problems)
    if user is not ABSENT:
        body["user_id"] = user
    if traits.__class__ is dict or is_object(traits, "traits", problems):
        body["traits"] = traits
    body["context"] = _context(get("context"), problems)
    if anonymous.__class__ is not str or not anonymous:
        anonymous = coerce_nullable_string(anonymous, "anonymousId", problems)
    if anonymous is not ABSENT:
        body["anonymous_id"] = anonymous
    if timestamp.__class__ is str and is_usual_date(timestamp):
        body["timestamp"] = timestamp
    elif timestamp is not None and timestamp != "":
        body["timestamp"] = coerce_timestamp(timestamp, problems)
    body["update_existing_only"] = update_existing_only
    if problems:
        refuse(problems)
    return body


def _context(context: Any, problems: list[str]) -> dict[str, Any]:
    if context.__class__ is dict:
        try:
            # Nearly every context: three texts. A comparison of classes is the cheapest test there is.
            app, os, library = context["app"]["version"], context["os"]["name"], context["library"]["version"]
            if app.__class__ is os.__class__ is library.__class__ is str and app and os and library:
                return {"app": {"version": app}, "os": {"name": os}, "library": {"version": library}}
        except (KeyError, TypeError):
            pass
    return {
        "app": _section(context, "app", "version", problems),
        "os": _section(context, "os", "name", problems),
        "library": _section(context, "library", "version", problems),
    }


def _section(context: Any, section: str, key: str, problems: list[str]) -> dict[str, str]:
    value = coerce_string(_step(_step(context, section), key), f"context.{section}.{key}", problems)
    return {} if value is None else {key: value}


def _step(parent: Any, key: str) -> Any:
    """Go one step of a path: JavaScript's falsy values end the walk and are found, so `{"app": 0}` gives "0"."""
    if parent.__class__ is dict:
        return parent.get(key)
    return None if parent or parent.__class__ is list else parent
