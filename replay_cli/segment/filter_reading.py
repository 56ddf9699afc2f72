"""From the JSON of Segment's API to destination filters, with the place of what is wrong in it.

Disabled filters do nothing, so they are not looked at further. Keys that the documentation does not name are Segment's
own (ids, times, …) and let be.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from replay_cli.segment.fql import Condition, compile_condition, read_path
from replay_cli.segment.json_places import place_of, place_of_key, place_within
from replay_cli.segment.pointed import PointedError

DROP, SAMPLE = "DROP", "SAMPLE"
DROP_PROPERTIES, ALLOW_PROPERTIES = "DROP_PROPERTIES", "ALLOW_PROPERTIES"
SECTIONS = ("properties", "traits", "context")
"""The parts of a message with fields of their own; the top level is ""."""

_TYPES = (SAMPLE, DROP, DROP_PROPERTIES, ALLOW_PROPERTIES)
_EVERYTHING = "all"
_MAX_STEPS = 50
_FORMS = 'filters are {"data": {"filters": […]}}, a list of filters, or one filter'

T = TypeVar("T")
_Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Action:
    """What a filter does.

    `percent` (0 to 1), `path` as written and its `steps` (None: no path) are for samples; `fields`, section → names,
    are for properties.
    """

    type: str
    percent: float = 1.0
    path: str | None = None
    steps: tuple[str, ...] | None = None
    fields: dict[str, list[str]] | None = None

    @property
    def document(self) -> dict[str, Any]:
        """It in Segment's form, as JSON-able data."""
        if self.type == SAMPLE:
            return {"type": SAMPLE, "percent": self.percent} | ({} if self.path is None else {"path": self.path})
        return {"type": self.type} if self.fields is None else {"type": self.type, "fields": self.fields}


@dataclass(frozen=True, slots=True)
class Filter:
    """One enabled filter; `document` is all of it in Segment's form, as JSON-able data."""

    title: str
    condition: Condition
    actions: list[Action]
    document: dict[str, Any]


def read_document(text: str) -> list[Filter]:
    """Return the enabled filters of a JSON text.

    Raises:
        PointedError: it is no JSON, or no filters.
    """
    return _Reading(text).filters()


class _Reading:
    """Reads one text; its methods take a value and the path to it, which gives the place of an error."""

    def __init__(self, text: str) -> None:
        self._text = text

    def filters(self) -> list[Filter]:
        return [self._filter(value, path) for value, path in self._listed(self._json()) if self._is_on(value, path)]

    def _json(self) -> Any:
        try:
            return json.loads(self._text, parse_int=float)  # Python refuses thousands of digits as an integer
        except json.JSONDecodeError as error:
            raise PointedError(f"this is no JSON ({error.msg}); {_FORMS}", self._text, error.pos) from None
        except RecursionError:
            raise PointedError(f"this is nested too deep; {_FORMS}", self._text, 0) from None

    def _listed(self, value: Any) -> list[tuple[Any, _Path]]:
        if isinstance(value, dict) and ("if" in value or "actions" in value):
            return [(value, ())]
        path: _Path = ()
        if isinstance(value, dict):
            path = ("data", "filters")
            data = value.get("data")
            value = data.get("filters") if isinstance(data, dict) else None
        if not isinstance(value, list):
            raise self._wrong(_FORMS, path)
        return [(item, (*path, index)) for index, item in enumerate(value)]

    def _is_on(self, value: Any, path: _Path) -> bool:
        if not isinstance(value, dict):
            raise self._wrong('a filter is an object: {"title", "if", "enabled", "actions"}', path)
        enabled = value.get("enabled", True)
        if not isinstance(enabled, bool):
            raise self._wrong("enabled is true or false", (*path, "enabled"))
        return enabled

    def _filter(self, value: dict[str, Any], path: _Path) -> Filter:
        title = value.get("title")
        if not isinstance(title, str | None):
            raise self._wrong("a title is a string", (*path, "title"))
        if "if" not in value:
            raise self._wrong('this filter has no "if": "all" is for every message', path)
        if not isinstance(value.get("actions"), list):
            raise self._wrong('this filter has no list of "actions"', (*path, "actions"))
        condition = self._condition(value["if"], (*path, "if"))
        actions = [self._action(item, (*path, "actions", n)) for n, item in enumerate(value["actions"])]
        document = {"title": title or "", "if": value["if"], "actions": [action.document for action in actions]}
        return Filter(title or "", condition, actions, document)

    def _condition(self, value: Any, path: _Path) -> Condition:
        if not isinstance(value, str):
            raise self._wrong("if is an expression, or all", path)
        if value.strip() == _EVERYTHING:
            return lambda _message: True
        return self._inside(compile_condition, value, path)

    # -- actions ----------------------------------------------------------------------------------------------

    def _action(self, value: Any, path: _Path) -> Action:
        if not isinstance(value, dict):
            raise self._wrong(f'an action is an object with a "type": {", ".join(_TYPES)}', path)
        kind = value.get("type")
        if kind == SAMPLE:
            return self._sample(value, path)
        if kind in (DROP_PROPERTIES, ALLOW_PROPERTIES):
            return self._properties(kind, value, path)
        if kind is None:
            raise self._wrong(f"this action has no type: there are {', '.join(_TYPES)}", path)
        if kind != DROP:
            close = get_close_matches(str(kind).upper(), _TYPES, n=1)
            meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(_TYPES)}"
            raise self._wrong(f"{kind} is no type of an action: {meant}", (*path, "type"))
        return Action(DROP)

    def _sample(self, value: dict[str, Any], path: _Path) -> Action:
        percent, name = value.get("percent"), value.get("path") or None
        if not isinstance(percent, float) or not 0 <= percent <= 1:
            raise self._wrong("percent is the part that stays, from 0 (nothing) to 1 (all)", (*path, "percent"))
        if not isinstance(name, str | None):
            raise self._wrong("path is the path of a field, for instance userId", (*path, "path"))
        steps = None if name is None else self._inside(read_path, name, (*path, "path"))
        return Action(SAMPLE, percent, name, steps)

    def _properties(self, kind: str, value: dict[str, Any], path: _Path) -> Action:
        fields, path = value.get("fields"), (*path, "fields")
        if not isinstance(fields, dict):
            raise self._wrong('fields are an object, for instance {"properties": ["email"]}', path)
        for section in fields:
            self._check_section(section, path)
        # A section that is null says as little as one that is absent.
        named = {name: self._names(names, (*path, name)) for name, names in fields.items() if names is not None}
        if kind == ALLOW_PROPERTIES:
            self._check_allowed(named, path)
        elif "type" in named.get("", ()):
            raise self._wrong("without its type no message is anything: use DROP", (*path, ""))
        return Action(kind, fields=named)

    def _check_section(self, section: str, path: _Path) -> None:
        if section and section not in SECTIONS:
            close = get_close_matches(section.lower(), SECTIONS, n=1)
            known = f"did you mean {close[0]}?" if close else f'there are {", ".join(SECTIONS)}, and "" for the top'
            problem = f"{section} is no part of a message with fields of its own: {known}"
            raise PointedError(problem, self._text, place_of_key(self._text, (*path, section)))

    def _names(self, value: Any, path: _Path) -> list[str]:
        if not isinstance(value, list):
            raise self._wrong("a list of names is expected here", path)
        for index, name in enumerate(value):
            if not isinstance(name, str) or not name:
                raise self._wrong("the name of a field is expected here", (*path, index))
            if name.count(".") >= _MAX_STEPS:
                raise self._wrong(f"a name has {_MAX_STEPS} steps at most", (*path, index))
        return list(value)

    def _check_allowed(self, named: dict[str, list[str]], path: _Path) -> None:
        for section, names in named.items():
            if not names:
                problem = "no allowed name would take away everything: leave the section out, or name what stays"
                raise self._wrong(problem, (*path, section))
        if "" in named and "type" not in named[""]:
            raise self._wrong("without its type no message is anything: allow type too, or use DROP", (*path, ""))

    # -- places -----------------------------------------------------------------------------------------------

    def _wrong(self, problem: str, path: _Path) -> PointedError:
        return PointedError(problem, self._text, place_of(self._text, path))

    def _inside(self, read: Callable[[str], T], written: str, path: _Path) -> T:
        """Read a string of the JSON; where it is wrong, point at that character of it."""
        try:
            return read(written)
        except PointedError as error:
            place = place_within(self._text, place_of(self._text, path), error.position)
            raise PointedError(error.problem, self._text, place) from None
