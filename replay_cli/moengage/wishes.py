r"""The common wishes, in TOML: small changes to the default mapping.

    [track]                                      # [identify] has the same keys, for traits
    rename = { orderId = "order_id" }            # properties: the value stays, in the same object
    drop = ["email", "internal.debug"]           # properties that are not sent
    lowercase = ["userId", "coupon"]             # texts: userId, anonymousId, or a property
    add = { source = "replay" }                  # properties for every event; they win over the message's own
    project_name = "Shop"                        # the portfolio's project (track only)
    update_existing_only = true                  # MoEngage creates no new users

Names are those of the archived message, whatever the order of the keys. A dot leads into an object, and into each
object of an array (`products.price`); a dot of the name itself is written `\.`, best in single quotes. What no wish
names stays as it is, and so does the action whose table is missing.

Wishes become the default subscriptions with one more key, `wishes`, which is applied to the message before the mapping
kit sees it: the kit builds objects out of what it can name, and has no way to say "all but these".
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from replay_cli.moengage.rewriting import steps
from replay_cli.moengage.subscriptions import DEFAULT_IDENTIFY, DEFAULT_TRACK, Subscription, offered
from replay_cli.segment.pointed import PointedError

_DEFAULTS = {"track": DEFAULT_TRACK, "identify": DEFAULT_IDENTIFY}
_SETTINGS = ("project_name", "update_existing_only")
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class NotTomlError(PointedError):
    """A text that is no TOML at all."""


def read_wishes(text: str) -> tuple[Subscription, ...]:
    """Read the TOML form: the subscriptions for tracks and for identifies.

    Raises:
        NotTomlError: it is no TOML.
        PointedError: it has a key or a value that means nothing here.
    """
    document = _parse(text)
    if not document:
        raise PointedError("there is nothing in here: a [track] or an [identify] table is wanted", text, 0)
    for table in document:
        if table not in _DEFAULTS:
            problem = f"there is no table {table!r}; there are {offered(table, tuple(_DEFAULTS))}"
            raise PointedError(problem, text, _place(text, table))
    return tuple(_subscription(text, table, document.get(table, {})) for table in _DEFAULTS)


def _parse(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem = str(error)
        found = _AT.search(problem)
        position = len(text)
        if found and found[1]:
            before = text.split("\n")[: int(found[1]) - 1]
            position = sum(map(len, before)) + len(before) + int(found[2]) - 1
        raise NotTomlError(f"this is not TOML: {_AT.sub('', problem)}", text, position) from None


def _subscription(text: str, table: str, given: Any) -> Subscription:
    if not isinstance(given, dict):
        raise PointedError(f"{table} is a table", text, _place(text, table))
    default = _DEFAULTS[table]
    keys = tuple(key for key in _PROBLEMS if key in default.settings or key not in _SETTINGS)
    for key, value in given.items():
        if key not in keys:
            problem = f"there is no {key!r} in [{table}]: {offered(key, keys)}"
            raise PointedError(problem, text, _place(text, table, key))
        if wrong := _PROBLEMS[key](value):
            raise PointedError(f"{key}: {wrong}", text, _place(text, table, key))
    if twice := set(given.get("drop", ())) & set(given.get("rename", ())):
        problem = f"{min(twice)!r} is both renamed and dropped"
        raise PointedError(problem, text, _place(text, table, "drop"))
    settings = {key: given[key] for key in _SETTINGS if key in given}
    wishes = {key: value for key, value in given.items() if key not in settings and value}
    return default._replace(settings={**default.settings, **settings}, wishes=wishes)


def _place(text: str, table: str, key: str = "") -> int:
    """Return where a table, or a key of it, is written: as far as it is written plainly, else the beginning."""
    header = re.compile(rf"^[ \t]*\[?[ \t]*[\"']?{re.escape(table)}\b", re.MULTILINE).search(text)
    if header is None or not key:
        return header.start() if header else 0
    found = re.compile(rf"(?<![\w-])[\"']?{re.escape(key)}[\"']?[ \t]*[=.\]]").search(text, header.end())
    return found.start() if found else header.start()


def _not_names(value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return 'this is a list of names, as ["email", "internal.debug"]'
    return next(filter(None, map(_not_path, value)), None)


def _not_renames(value: Any) -> str | None:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value.values()):
        return 'this is a table of old and new names, as { orderId = "order_id" }'
    for name in value.values():
        if len(steps(name)) > 1:
            return f"{name!r} is no name: a property keeps its object (a dot of the name itself is written \\.)"
    return next(filter(None, map(_not_path, [*value, *value.values()])), None)


def _not_path(path: str) -> str | None:
    return None if all(steps(path)) else f"{path!r} has an empty name in it"


def _not_properties(value: Any) -> str | None:
    if not isinstance(value, dict):
        return 'this is a table of names and values, as { source = "replay" }'
    return None if _is_json(value) else "JSON cannot carry one of these values: write it as a text, in quotes"


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_json, value.values()))
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, str | bool) or (isinstance(value, int) and -(2**63) <= value < 2**64)


def _not_project(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "this is the name of a project, a text"


def _not_switch(value: Any) -> str | None:
    return None if isinstance(value, bool) else "this is true or false"


_PROBLEMS: Mapping[str, Callable[[Any], str | None]] = {
    "rename": _not_renames,
    "drop": _not_names,
    "lowercase": _not_names,
    "add": _not_properties,
    "project_name": _not_project,
    "update_existing_only": _not_switch,
}
"""Key → what is wrong with its value, None when nothing is."""
