r"""What an operator configured instead of the default mapping: `--mapping FILE`.

The file holds subscriptions as Segment's API returns them, in JSON:

    {"data": {"subscriptions": [{"name": …, "actionSlug": "trackEvent", "enabled": true,
                                 "trigger": "type = \"track\"", "settings": {"event": {"@path": "$.event"}, …}}, …]}}

A bare list, or one subscription, is as good; `settings` may be the text of JSON and `actionSlug` be called
`action_slug` (Terraform's form), and `trigger` may be called `subscribe` (the runtime's own key). Or it holds the
common wishes in TOML: see `wishes`.

A file is read more strictly than Segment's runtime reads it: see `slips`.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

from replay_cli.moengage.slips import find_slip
from replay_cli.moengage.subscriptions import DEFAULT_IDENTIFY, DEFAULT_TRACK, FIELDS, REQUIRED, Subscription, offered
from replay_cli.moengage.wishes import NotTomlError, read_wishes
from replay_cli.segment.json_places import place_of, place_of_key, place_within
from replay_cli.segment.kit import MappingError, WrongKeyError, compile_mapping
from replay_cli.segment.pointed import PointedError
from replay_cli.segment.triggers import compile_trigger

_BEGINS_JSON = re.compile(r"\s*(?:\{|\[\s*(?:[{\]]|\Z))").match
"""A list of subscriptions begins with an object; `[` before anything else is the header of a TOML table."""

_Path = tuple[str | int, ...]


class Configuration(NamedTuple):
    """The enabled subscriptions, in their order: each that takes a message makes a request of it."""

    subscriptions: tuple[Subscription, ...]

    @property
    def document(self) -> dict[str, Any]:
        """What the checkpoint keeps and compares: JSON, in Segment's words. Names and disabled ones are not in it."""
        return {"subscriptions": [subscription.document for subscription in self.subscriptions]}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Configuration":
        """Return the configuration that has this document."""
        return cls(tuple(map(Subscription.from_document, document["subscriptions"])))


DEFAULT = Configuration((DEFAULT_TRACK, DEFAULT_IDENTIFY))
"""The configuration that the destination is published with."""


def read_configuration(text: str, name: str) -> Configuration:
    """Read a `--mapping` file.

    Args:
        text: its content.
        name: its name; `.toml` and `.json` at its end say what it is, otherwise the content does.

    Raises:
        PointedError: something in it is wrong, or nothing of it would ever send anything.
    """
    text = text.removeprefix("\ufeff")
    try:
        return Configuration(_READERS.get(name.lower().rpartition(".")[2], _read_either)(text))
    except PointedError as error:
        raise error.named(name) from None
    except RecursionError:
        raise PointedError("this is nested too deeply to be read", text, 0, name) from None


def _read_either(text: str) -> tuple[Subscription, ...]:
    if _BEGINS_JSON(text) is not None:
        return _read_subscriptions(text)
    try:
        return read_wishes(text)
    except NotTomlError as error:
        problem = (
            "this is neither JSON, which begins with { or [ (subscriptions, as Segment's API returns them), nor TOML "
            f"(wishes: a [track] or an [identify] table): {error.problem}"
        )
        raise PointedError(problem, text, error.position) from None


class _Settings(NamedTuple):
    """A subscription's fields, and where the value or the key at a path of them stands in the file."""

    fields: dict[str, Any]
    place_of: Callable[[_Path], int]
    place_of_key: Callable[[_Path], int]


def _read_subscriptions(text: str) -> tuple[Subscription, ...]:
    document = _parse(text)
    path: _Path = ()
    for key in ("data", "subscriptions"):
        if isinstance(document, dict) and key in document:
            document, path = document[key], (*path, key)
    several = document if isinstance(document, list) else [document]
    places = [(*path, index) for index in range(len(several))] if isinstance(document, list) else [path]
    enabled = [
        _read_subscription(text, place, one)
        for place, one in zip(places, several, strict=True)
        if _is_enabled(text, place, one)
    ]
    if not enabled:
        raise PointedError("no subscription in here is enabled: nothing would be sent", text, place_of(text, path))
    return tuple(enabled)


def _parse(text: str) -> Any:
    """Read JSON as JavaScript does: whole numbers beyond 64 bits are doubles."""

    def refuse_constant(constant: str) -> NoReturn:
        raise PointedError(f"{constant} is not JSON", text, text.find(constant))

    try:
        return json.loads(text, parse_int=_integer, parse_constant=refuse_constant)
    except json.JSONDecodeError as error:
        raise PointedError(f"this is not JSON: {error.msg}", text, error.pos) from None


def _integer(digits: str) -> int | float:
    # By length first: Python refuses to convert thousands of digits to an integer.
    return int(digits) if len(digits) < 19 else float(digits)


def _is_enabled(text: str, path: _Path, subscription: Any) -> bool:
    if not isinstance(subscription, dict):
        raise PointedError("a subscription belongs here, an object with an actionSlug", text, place_of(text, path))
    enabled = subscription.get("enabled", True)
    if not isinstance(enabled, bool):
        raise PointedError("enabled is true or false", text, place_of(text, (*path, "enabled")))
    return enabled


def _read_subscription(text: str, path: _Path, given: dict[str, Any]) -> Subscription:
    action = _read_action(text, path, given)
    trigger = _read_trigger(text, path, given)
    settings = _read_settings(text, (*path, "settings"), given)
    _require_fields(text, action, settings)
    try:
        compile_mapping(settings.fields)
    except MappingError as error:
        place = settings.place_of_key if isinstance(error, WrongKeyError) else settings.place_of
        raise PointedError(error.problem, text, place(error.where)) from None
    if (slip := find_slip(settings.fields)) is not None:
        raise PointedError(slip.problem, text, settings.place_of(slip.where))
    subscription = Subscription(action, trigger, settings.fields)
    try:
        json.dumps(subscription.document, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        problem = "this subscription has a lone surrogate or an endless number in it, which JSON cannot carry"
        raise PointedError(problem, text, place_of(text, path)) from None
    return subscription


def _read_action(text: str, path: _Path, given: dict[str, Any]) -> str:
    key = "action_slug" if "action_slug" in given and "actionSlug" not in given else "actionSlug"
    action = given.get(key)
    if action is None:
        raise PointedError(f"this has no actionSlug, which is {' or '.join(FIELDS)}", text, place_of(text, path))
    if not isinstance(action, str) or action not in FIELDS:
        problem = f"there is no such action; there are {offered(str(action), tuple(FIELDS))}"
        raise PointedError(problem, text, place_of(text, (*path, key)))
    return action


def _read_trigger(text: str, path: _Path, given: dict[str, Any]) -> str:
    key = "subscribe" if "subscribe" in given and "trigger" not in given else "trigger"
    place = place_of(text, (*path, key))
    if key not in given:
        raise PointedError('this has no trigger, as "type = \\"track\\""', text, place)
    trigger = given[key]
    if not isinstance(trigger, str):
        raise PointedError(f"the {key} is a text", text, place)
    try:
        compile_trigger(trigger)
    except PointedError as error:
        raise PointedError(error.problem, text, place_within(text, place, error.position)) from None
    return trigger


def _read_settings(text: str, path: _Path, given: dict[str, Any]) -> _Settings:
    settings = given.get("settings")
    if isinstance(settings, dict):
        return _Settings(
            settings, lambda inner: place_of(text, (*path, *inner)), lambda inner: place_of_key(text, (*path, *inner))
        )
    start = place_of(text, path)
    if not isinstance(settings, str):
        raise PointedError("settings belong here, an object of fields or its JSON as a text", text, start)
    try:
        fields = _parse(settings)
    except PointedError as error:
        raise PointedError(error.problem, text, place_within(text, start, error.position)) from None
    if not isinstance(fields, dict):
        raise PointedError("the text of the settings is the JSON of an object of fields", text, start)
    return _Settings(
        fields,
        lambda inner: place_within(text, start, place_of(settings, inner)),
        lambda inner: place_within(text, start, place_of_key(settings, inner)),
    )


def _require_fields(text: str, action: str, settings: _Settings) -> None:
    for field in settings.fields:
        if field not in FIELDS[action]:
            problem = f"{action} has no field {field!r}: {offered(field, FIELDS[action])}"
            raise PointedError(problem, text, settings.place_of_key((field,)))
    for field in REQUIRED[action]:
        if settings.fields.get(field) in (None, ""):
            problem = f"the settings have no {field}, which {action} needs: every message would be rejected"
            raise PointedError(problem, text, settings.place_of((field,)))
    if all(settings.fields.get(field) in (None, "") for field in ("userId", "anonymousId")):
        problem = "the settings have neither userId nor anonymousId: nobody could receive anything"
        raise PointedError(problem, text, settings.place_of(()))


_READERS = {"json": _read_subscriptions, "toml": read_wishes}
"""Suffix of a file's name → what reads it."""
