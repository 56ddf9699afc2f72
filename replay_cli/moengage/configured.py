"""Configured subscriptions as a mapping: each that takes a message makes one request of it.

In the runtime's order: trigger, mapping kit, removal of empty values at the top, validation with coercion, body. What a
body holds is decided by `fields`, as for the default mapping in `actions`, which does the same for the published
settings in plain code.
"""

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Settings
from typing import Any

from replay_cli.model import Message
from replay_cli.moengage.actions import segment_path
from replay_cli.moengage.configuration import Configuration
from replay_cli.moengage.fields import (
    ABSENT,
    coerce_boolean,
    coerce_nullable_string,
    coerce_required,
    coerce_string,
    coerce_timestamp,
    is_object,
    lanes,
    refuse,
)
from replay_cli.moengage.mapping import Draft, Mapping, UnmappableError
from replay_cli.moengage.rewriting import compile_wishes
from replay_cli.moengage.subscriptions import Subscription
from replay_cli.segment.javascript import is_usual_date
from replay_cli.segment.kit import MappingError, compile_mapping
from replay_cli.segment.pointed import PointedError
from replay_cli.segment.triggers import compile_trigger

_Body = dict[str, Any]
_Payload = dict[str, Any]

_ELEMENT = {"element": {"@path": "$."}}
"""What it makes of a list tells an element that is undefined, `{}`, from one that is null.

In JSON both are null. The runtime refuses a field that is a list of one undefined, and coerces one of one null.
"""


def configured_mapping(configuration: Configuration, workspace_id: str) -> Mapping:
    """Make the mapping of an operator's subscriptions for one workspace.

    A message that one of several subscriptions refuses is refused whole: nothing of it is sent.

    Args:
        configuration: as `read_configuration` gives it.
        workspace_id: goes into the path as `appId`.
    """
    path = segment_path(workspace_id)
    subscriptions = [
        (compile_trigger(one.trigger), _compile_payload(one), _BODIES[one.action])
        for one in configuration.subscriptions
    ]

    def map_message(message: Message) -> Sequence[Draft]:
        drafts: list[Draft] = []
        try:
            for takes, make_payload, make_body in subscriptions:
                if takes(message):
                    body = make_body(make_payload(message))
                    user, anonymous = body.get("user_id"), body.get("anonymous_id")
                    users = ("u" + user, "a" + anonymous) if user and anonymous else lanes(user, anonymous)
                    drafts.append((path, body, users))
        except MappingError as error:
            refuse([f"{error.where[0]} cannot be mapped: {error.problem}"])
        except PointedError as error:  # a group of a trigger that names no field: the runtime fails at it, too
            raise UnmappableError("invalid_trigger", error.problem) from None
        return drafts

    return map_message


def _compile_payload(subscription: Subscription) -> Callable[[Message], _Payload]:
    evaluate = compile_mapping(subscription.settings)
    if lists := _lists(subscription.settings):
        evaluate = _refusing_lists_of_nothing(evaluate, lists)
    if not subscription.wishes:
        return evaluate
    rewrite = compile_wishes(subscription.wishes, _OBJECTS[subscription.action])
    return lambda message: evaluate(rewrite(message))


def _lists(settings: Settings[str, Any]) -> list[tuple[str, Callable[[Message], Any]]]:
    """Compile what a field is made of as a list of `_ELEMENT`s, for the fields that might become lists."""
    return [
        (field, compile_mapping({"@arrayPath": [{"@literal": mapping}, _ELEMENT]}, (field,)))
        for field, mapping in settings.items()
        if isinstance(mapping, dict | list) and "@path" not in mapping and field not in _OBJECTS.values()
    ]


def _refusing_lists_of_nothing(
    evaluate: Callable[[Message], _Payload], lists: list[tuple[str, Callable[[Message], Any]]]
) -> Callable[[Message], _Payload]:
    def make_payload(message: Message) -> _Payload:
        payload = evaluate(message)
        for field, elements in lists:
            if payload.get(field) == [None] and elements(message) == [{}]:
                refuse([f"{field} cannot be mapped: it would be a list of nothing"])
        return payload

    return make_payload


def _track(payload: _Payload) -> _Body:
    get = payload.get
    kind, event, user, anonymous = get("type"), get("event"), get("userId"), get("anonymousId")
    app, os, library, properties = get("app_version"), get("os_name"), get("library_version"), get("properties")
    project, timestamp, update = get("project_name", ""), get("timestamp"), get("update_existing_only", False)
    problems: list[str] = []
    if kind.__class__ is not str or not kind:
        kind = coerce_required(kind, "type", problems)
    if event.__class__ is not str or not event:
        event = coerce_required(event, "event", problems)
    if user.__class__ is not str or not user:
        user = coerce_string(user, "userId", problems)
    if anonymous.__class__ is not str or not anonymous:
        anonymous = coerce_string(anonymous, "anonymousId", problems)
    context = _context(app, os, library, problems)
    if properties.__class__ is not dict and not is_object(properties, "properties", problems):
        properties = None
    if project != "" and (project := coerce_string(project, "project_name", problems)):
        properties = {**(properties or {}), "moe_project_name": project}
    timestamp, update = _ending(timestamp, update, problems)
    body = {
        "type": kind,
        "user_id": user,
        "anonymous_id": anonymous,
        "event": event,
        "context": context,
        "properties": properties,
        "timestamp": timestamp,
        "update_existing_only": update,
    }
    if user is None or anonymous is None or properties is None or timestamp is None:
        return {key: value for key, value in body.items() if value is not None}
    return body


def _identify(payload: _Payload) -> _Body:
    get = payload.get
    kind, user, anonymous = get("type"), get("userId", ABSENT), get("anonymousId", ABSENT)
    app, os, library, traits = get("app_version"), get("os_name"), get("library_version"), get("traits")
    timestamp, update = get("timestamp"), get("update_existing_only", False)
    problems: list[str] = []
    if kind.__class__ is not str or not kind:
        kind = coerce_required(kind, "type", problems)
    if user.__class__ is not str or not user:
        user = coerce_nullable_string(user, "userId", problems)
    if traits.__class__ is not dict and not is_object(traits, "traits", problems):
        traits = ABSENT
    context = _context(app, os, library, problems)
    if anonymous.__class__ is not str or not anonymous:
        anonymous = coerce_nullable_string(anonymous, "anonymousId", problems)
    timestamp, update = _ending(timestamp, update, problems)
    body = {
        "type": kind,
        "user_id": user,
        "traits": traits,
        "context": context,
        "anonymous_id": anonymous,
        "timestamp": ABSENT if timestamp is None else timestamp,
        "update_existing_only": update,
    }
    return {key: value for key, value in body.items() if value is not ABSENT} if ABSENT in body.values() else body


def _ending(timestamp: Any, update: Any, problems: list[str]) -> tuple[Any, Any]:
    """Coerce what both bodies end with; refuse a message in which anything was wrong."""
    if timestamp.__class__ is not str or not is_usual_date(timestamp):
        timestamp = coerce_timestamp(timestamp, problems)
    if update.__class__ is not bool:
        update = coerce_boolean(update, "update_existing_only", problems)
    if problems:
        refuse(problems)
    return timestamp, update


def _context(app: Any, os: Any, library: Any, problems: list[str]) -> dict[str, Any]:
    # Nearly always three texts. A comparison of classes is the cheapest test there is.
    if app.__class__ is os.__class__ is library.__class__ is str and app and os and library:
        return {"app": {"version": app}, "os": {"name": os}, "library": {"version": library}}
    return {
        "app": _section("version", coerce_string(app, "app_version", problems)),
        "os": _section("name", coerce_string(os, "os_name", problems)),
        "library": _section("version", coerce_string(library, "library_version", problems)),
    }


def _section(key: str, text: str | None) -> dict[str, str]:
    return {} if text is None else {key: text}


_BODIES = {"trackEvent": _track, "identifyUser": _identify}
_OBJECTS = {"trackEvent": "properties", "identifyUser": "traits"}
"""Action → its field that is an object: what wishes are about."""
