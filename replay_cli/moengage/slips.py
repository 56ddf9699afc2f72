"""Slips in a mapping that Segment's runtime takes without a word: a path without its `@path`, one user for everybody.

A mapping is field → mapping, in the words of Segment's mapping kit, and one that compiles. What is found here means
something to the runtime, and to nobody else: `"userId": "$.userId"` makes one user, called `$.userId`, of all.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Where = tuple[str | int, ...]
"""The keys that lead to a place in a mapping."""

_IDS = ("userId", "anonymousId")
_OPENED = re.compile(r"\{\{+(.*)", re.DOTALL).search
_VALUES = {
    "@if": ("exists", "blank", "then", "else"),
    "@case": ("value",),
    "@replace": ("value",),
    "@flatten": ("value",),
    "@json": ("value",),
    "@merge": ("objects",),
    "@transform": ("apply", "mapping"),
}
"""Directive → what of its argument is a mapping again. The rest are words of the directive itself."""
_RESULTS = {"@if": ("then", "else"), "@case": ("value",), "@replace": ("value",), "@json": ("value",)}
"""Directive → what of its argument it gives, changed perhaps."""


class Slip(NamedTuple):
    """What is probably not meant, with how to write what is (no full stop), and the keys that lead to it."""

    problem: str
    where: Where


def find_slip(fields: Mapping[str, Any]) -> Slip | None:
    """Return the first slip of a mapping; None when there is none.

    Args:
        fields: field → mapping, which compiles.
    """
    return next(_texts(dict(fields), ()), None) or next(_constant_ids(fields), None)


def _texts(mapping: Any, where: Where) -> Iterator[Slip]:
    """Give the texts that look as if the message were to be read, and are sent as they stand."""
    if isinstance(mapping, str):
        if (wanted := _wanted(mapping)) is not None:
            yield Slip(f"this text is sent as it stands, the same for every message: {wanted}", where)
    elif isinstance(mapping, list):
        for index, part in enumerate(mapping):
            yield from _texts(part, (*where, index))
    elif isinstance(mapping, dict):
        name = _directive(mapping)
        if name is None:
            for key, value in mapping.items():
                yield from _texts(value, (*where, key))
        else:
            yield from _texts_of_directive(name, mapping[name], (*where, name))


def _texts_of_directive(name: str, argument: Any, where: Where) -> Iterator[Slip]:
    if name in ("@literal", "@liquid"):
        return
    if isinstance(argument, str):
        if name == "@template" and _is_unclosed(argument):
            problem = "a {{ of this template has no }} behind it, so it is sent as it stands: write {{properties.key}}"
            yield Slip(f'{problem}, or {{"@literal": …}} if the whole text is meant as it is', where)
        elif name == "@excludeWhenNull":
            yield from _texts(argument, where)
    elif name == "@arrayPath":
        paths = 1 if isinstance(argument[0], str) else 0
        for index, part in enumerate(argument[paths:], paths):
            yield from _texts(part, (*where, index))
    elif name in _VALUES:
        for key in _VALUES[name]:
            yield from _texts(argument.get(key), (*where, key))
    else:
        yield from _texts(argument, where)


def _wanted(text: str) -> str | None:
    """Say how a text is written that looks like a path or a template; None when it does not."""
    if text.startswith("$."):
        directive = "@path"
    elif "{{" in text:
        directive = "@template"
    else:
        return None
    return f"write {_written(directive, text)}, or {_written('@literal', text)} if it is meant as it is"


def _written(directive: str, text: str) -> str:
    shown = text if len(text) <= 60 else f"{text[:60]}…"
    return json.dumps({directive: shown}, ensure_ascii=False)


def _is_unclosed(template: str) -> bool:
    """Tell whether a `{{` of a template is none of a whole `{{…}}`, which has a path and no brace inside."""
    *closed, rest = template.split("}}")
    return "{{" in rest or any(found and not _is_path(found[1]) for found in map(_OPENED, closed))


def _is_path(inside: str) -> bool:
    return bool(inside.strip()) and "{{" not in inside and "}" not in inside


def _constant_ids(fields: Mapping[str, Any]) -> Iterator[Slip]:
    for field in _IDS:
        if _is_constant(fields.get(field)):
            path = _written("@path", f"$.{field}")
            yield Slip(
                f"every message would go to one user, for this {field} is always the same: write {path}", (field,)
            )


def _is_constant(mapping: Any) -> bool:
    """Tell whether a mapping gives something, and never anything of the message."""
    if isinstance(mapping, list):
        return bool(mapping) and all(map(_is_constant, mapping))
    if not isinstance(mapping, dict):
        return mapping is not None and mapping != ""
    name = _directive(mapping)
    if name is None:
        return False
    argument = mapping[name]
    if name in ("@literal", "@excludeWhenNull"):
        return _is_constant(argument)
    if name == "@template":
        return isinstance(argument, str) and "{{" not in argument
    if name == "@liquid":
        return isinstance(argument, str) and "{{" not in argument and "{%" not in argument
    given = [argument[key] for key in _RESULTS.get(name, ()) if argument.get(key) not in (None, "")]
    return bool(given) and all(map(_is_constant, given))


def _directive(mapping: Mapping[str, Any]) -> str | None:
    return next((key for key in mapping if key.startswith("@")), None)
