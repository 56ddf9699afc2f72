"""The mapping of Segment's MoEngage (Actions) destination, as its published runtime applies it.

`POST /v1/integrations/segment?appId={workspace_id}`, one message a request (npm `@segment/action-destinations`
3.497.0, executed). The order: subscriptions, paths, removal of empty values at the top, validation with coercion.
Plain code rather than a mapping interpreter, because every replayed message passes here.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from replay_cli.model import Message
from replay_cli.moengage.mapping import Draft, Mapping, UnmappableError
from replay_cli.segment.javascript import is_date_like, is_usual_date, number_to_string, string_to_number

_ABSENT: Any = object()
_KINDS = {list: "an array", dict: "an object", str: "a string", bool: "a boolean", type(None): "null"}
_REASONS = {"userId": "user_id", "anonymousId": "anonymous_id"} | {
    f"context.{field}": field.replace(".", "_") for field in ("app.version", "os.name", "library.version")
}


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
        return ((path, body, ("u" + user, "a" + anonymous) if user and anonymous else _users(user, anonymous)),)

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
        event = _string(event, "event", problems)
        if event is None:
            problems.append("event is missing")
    body: dict[str, Any] = {"type": "track"}
    if user.__class__ is not str or not user:
        user = _string(user, "userId", problems)
    if user is not None:
        body["user_id"] = user
    if anonymous.__class__ is not str or not anonymous:
        anonymous = _string(anonymous, "anonymousId", problems)
    if anonymous is not None:
        body["anonymous_id"] = anonymous
    body["event"] = event
    body["context"] = _context(get("context"), problems)
    if properties.__class__ is dict or _is_object(properties, "properties", problems):
        body["properties"] = properties
    if project_name:
        body["properties"] = {**body.get("properties", {}), "moe_project_name": project_name}
    if timestamp.__class__ is str and is_usual_date(timestamp):
        body["timestamp"] = timestamp
    elif timestamp is not None and timestamp != "":
        body["timestamp"] = _timestamp(timestamp, problems)
    body["update_existing_only"] = update_existing_only
    if problems:
        _refuse(problems)
    return body


def _identify(message: Message, update_existing_only: bool) -> dict[str, Any]:
    get = message.get
    user, anonymous = get("userId", _ABSENT), get("anonymousId", _ABSENT)
    traits, timestamp = get("traits"), get("timestamp")
    problems: list[str] = []
    body: dict[str, Any] = {"type": "identify"}
    if user.__class__ is not str or not user:
        user = _nullable_string(user, "userId", problems)
    if user is not _ABSENT:
        body["user_id"] = user
    if traits.__class__ is dict or _is_object(traits, "traits", problems):
        body["traits"] = traits
    body["context"] = _context(get("context"), problems)
    if anonymous.__class__ is not str or not anonymous:
        anonymous = _nullable_string(anonymous, "anonymousId", problems)
    if anonymous is not _ABSENT:
        body["anonymous_id"] = anonymous
    if timestamp.__class__ is str and is_usual_date(timestamp):
        body["timestamp"] = timestamp
    elif timestamp is not None and timestamp != "":
        body["timestamp"] = _timestamp(timestamp, problems)
    body["update_existing_only"] = update_existing_only
    if problems:
        _refuse(problems)
    return body


def _users(user: str | None, anonymous: str | None) -> tuple[str, ...]:
    if user:
        return ("u" + user,)
    if anonymous:
        return ("a" + anonymous,)
    raise UnmappableError("no_identity", "neither userId nor anonymousId: nobody could receive it")


def _context(context: Any, problems: list[str]) -> dict[str, Any]:
    if context.__class__ is not dict:
        return {"app": {}, "os": {}, "library": {}}
    try:
        # Nearly every context: three texts. A comparison of classes is the cheapest test there is.
        app, os, library = context["app"]["version"], context["os"]["name"], context["library"]["version"]
        if app.__class__ is os.__class__ is library.__class__ is str and app and os and library:
            return {"app": {"version": app}, "os": {"name": os}, "library": {"version": library}}
    except (KeyError, TypeError):
        pass
    return {
        "app": _section(context.get("app"), "version", "app.version", problems),
        "os": _section(context.get("os"), "name", "os.name", problems),
        "library": _section(context.get("library"), "version", "library.version", problems),
    }


def _section(section: Any, key: str, field: str, problems: list[str]) -> dict[str, str]:
    if section.__class__ is not dict:
        return {}
    value = section.get(key)
    if value.__class__ is not str or not value:
        value = _string(value, "context." + field, problems)
        if value is None:
            return {}
    return {key: value}


def _string(value: Any, field: str, problems: list[str]) -> str | None:
    """Coerce to a string field's value; None when it is absent (missing, null or empty)."""
    if value is None or value == "":
        return None
    if value.__class__ is list and len(value) == 1:
        value = value[0]
        if value is None or value.__class__ is str:
            return value or ""
    if value.__class__ is str:
        return str(value)
    text = _scalar_text(value)
    if text is None:
        problems.append(f"{field} must be a string, not {_kind(value)}")
    return text


def _nullable_string(value: Any, field: str, problems: list[str]) -> Any:
    """Coerce an identify's id: as `_string`, but null reaches the wire and one-element arrays fare worse.

    Ajv's union types make `["a"]` a failure, `[""]` null and `[null]` empty: executed, not designed.
    """
    if value is _ABSENT or value is None:
        return value
    if value == "":
        return _ABSENT
    if value.__class__ is list and len(value) == 1:
        value = value[0]
        if value is None:
            return ""
        if value == "":
            return None
    text = _scalar_text(value)
    if text is None:
        problems.append(f"{field} must be a string or null, not {_kind(value)}")
    return text


def _scalar_text(value: Any) -> str | None:
    if value.__class__ is bool:
        return "true" if value else "false"
    if value.__class__ is int or value.__class__ is float:
        return number_to_string(value)
    return None


def _is_object(value: Any, field: str, problems: list[str]) -> bool:
    """Tell whether a value is an object; anything else but an absent value is a problem."""
    if value.__class__ is dict:
        return True
    if value is not None and value != "":
        problems.append(f"{field} must be an object, not {_kind(value)}")
    return False


def _timestamp(value: Any, problems: list[str]) -> Any:
    """Return the timestamp as it goes out: strings and numbers pass, a string must look like a date."""
    if value.__class__ is int or value.__class__ is float:
        return value
    if value.__class__ is list and len(value) == 1:
        value = _lone_timestamp(value[0])
        if value.__class__ is float:
            return value
    if value.__class__ is not str:
        problems.append(f"timestamp must be a string or number, not {_kind(value)}")
    elif not is_date_like(value):
        problems.append(f"timestamp does not look like a date: {value[:40]!r}")
    return value


def _lone_timestamp(value: Any) -> Any:
    """Coerce the one element of an array: numbers become text, numeric text a number, other text a failure."""
    if value is None:
        return ""
    if value.__class__ is str:
        number = string_to_number(value) if value else None
        return [value] if number is None else number
    text = _scalar_text(value)
    return value if text is None else text


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "a number")


def _refuse(problems: list[str]) -> None:
    field, verb = problems[0].split(" ", 2)[:2]
    raise UnmappableError(
        f"{'missing' if verb == 'is' else 'invalid'}_{_REASONS.get(field, field)}", "; ".join(problems)
    )
