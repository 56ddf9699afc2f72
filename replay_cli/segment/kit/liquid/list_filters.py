"""Filters over lists, sizes and alternatives. What is no list counts as one of itself, nothing as an empty one."""

import math
from collections.abc import Callable
from typing import Any

from replay_cli.segment.kit.json_text import encode
from replay_cli.segment.kit.liquid.coercion import LARGEST_TEXT, begun, bounded, number, output
from replay_cli.segment.kit.liquid.scope import property_of
from replay_cli.segment.kit.text import text_of, unit_at, units
from replay_cli.segment.kit.values import UNDEFINED, is_absent


def _list(value: Any) -> list[Any]:
    if is_absent(value):
        return []
    return value if isinstance(value, list) else [value]


def _join(value: Any, separator: Any = None) -> str:
    mark, texts = " " if is_absent(separator) else output(separator), [text_of(item) for item in _list(value)]
    bounded(sum(map(len, texts)) + len(mark) * len(texts))
    return mark.join(texts)


def _first(value: Any) -> Any:
    if isinstance(value, list):
        return value[0] if value else UNDEFINED
    return unit_at(value, 0) if isinstance(value, str) and value else ""


def _last(value: Any) -> Any:
    if isinstance(value, list):
        return value[-1] if value else UNDEFINED
    return unit_at(value, units(value) - 1) if isinstance(value, str) and value else ""


def _size(value: Any) -> Any:
    if isinstance(value, str):
        return units(value)
    if isinstance(value, dict):
        length = value.get("length")
        return 0 if is_absent(length) or length is False else length
    return len(value) if isinstance(value, list) else 0


def _slice(value: Any, begin: Any = UNDEFINED, length: Any = 1) -> Any:
    if is_absent(value):
        return []
    items = value if isinstance(value, list) else output(value)
    start, count = number(begin), 1.0 if length is UNDEFINED else number(length)
    start = len(items) + start if start < 0 else start
    if start < 0 or count < 0:
        return [] if isinstance(items, list) else ""
    if isinstance(items, str):
        return items[begun(start) : begun(start) + begun(count)]
    return items[_index(start) : _index(start + count)]


def _index(position: float) -> int:
    return 0 if math.isnan(position) else math.floor(min(position, LARGEST_TEXT))


def _sum(value: Any, key: Any = None) -> float:
    total, name = 0.0, output(key) if key else ""
    if len(name) > _LONGEST_NAME:  # of a message: no object has it, and to look for it in each element takes long
        return total
    for item in _list(value):
        found = number(property_of(item, name) if key else item)
        total += 0.0 if math.isnan(found) else found
    return total


def _default(value: Any, other: Any = UNDEFINED, *, allow_false: Any = False) -> Any:
    if isinstance(value, str | list):
        return value or other
    if value is False and allow_false:
        return False
    return other if value is False or is_absent(value) else value


def _json(value: Any) -> Any:
    return encode(value)


_LONGEST_NAME = 1000
FILTERS: dict[str, Callable[..., Any]] = {
    "compact": lambda value: [item for item in _list(value) if not is_absent(item)],
    "default": _default,
    "first": _first,
    "inspect": _json,
    "join": _join,
    "json": _json,
    "jsonify": _json,
    "last": _last,
    "pop": lambda value: _list(value)[:-1],
    "push": lambda value, item=UNDEFINED: [*_list(value), item],
    "raw": lambda value: value,
    "shift": lambda value: _list(value)[1:],
    "size": _size,
    "slice": _slice,
    "sum": _sum,
    "unshift": lambda value, item=UNDEFINED: [item, *_list(value)],
}
