"""The functions of FQL: what they take, what they give, and what they make of a value.

A function whose argument is null, or nothing that it knows, gives null; save `contains` and `match`, which give false,
`length` of null, which is 0, and `typeof`, which names every kind. What the documentation leaves open is decided so:

- `typeof` gives null, boolean, number, string, list or object; compared with a string it knows `bool` and `array` too.
- `snakecase`, `kebabcase` and `titlecase` take words apart as the product's snake_case does: `orderId` is `order_id`,
  `order-id` and `Order Id`.
- `bool` knows "true" and "false", and of numbers that only 0 is false; `number` knows texts that are decimal numbers;
  `string` writes numbers as JavaScript does. Everything else gives null: no guess turns it into a match.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from replay_cli.segment.event_names import remembered
from replay_cli.segment.fql.values import is_number, kind
from replay_cli.segment.javascript import number_to_string
from replay_cli.segment.snake_case import snake_case

_NUMERIC = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_NUMERIC_CHARACTERS = 400
"""A longer text is no number: a double has 309 digits at most, and reading a million of them takes its time."""
_INTEGER_CHARACTERS = 20

_ANY = frozenset({"null", "boolean", "number", "string", "list"})
_TEXT = frozenset({"null", "string"})
_TEXT_OR_LIST = frozenset({"null", "string", "list"})
_PATTERN = frozenset({"string"})


class Signature(NamedTuple):
    """How a function is called, for a person; the kinds that each argument may have; the kind of what it gives."""

    usage: str
    parameters: tuple[frozenset[str], ...]
    result: str


SIGNATURES = {
    "contains": Signature("contains(text, part)", (_TEXT, _TEXT), "boolean"),
    "match": Signature("match(text, 'pattern')", (_TEXT, _PATTERN), "boolean"),
    "length": Signature("length(text or list)", (_TEXT_OR_LIST,), "number"),
    "lowercase": Signature("lowercase(text)", (_TEXT,), "string"),
    "uppercase": Signature("uppercase(text)", (_TEXT,), "string"),
    "snakecase": Signature("snakecase(text)", (_TEXT,), "string"),
    "kebabcase": Signature("kebabcase(text)", (_TEXT,), "string"),
    "titlecase": Signature("titlecase(text)", (_TEXT,), "string"),
    "typeof": Signature("typeof(value)", (_ANY,), "string"),
    "bool": Signature("bool(value)", (_ANY,), "boolean"),
    "string": Signature("string(value)", (_ANY,), "string"),
    "number": Signature("number(value)", (_ANY,), "number"),
}
"""All functions by their names."""

KIND_NAMES = {
    **{name: name for name in ("null", "boolean", "number", "string", "list", "object")},
    "bool": "boolean",
    "array": "list",
}
"""Names that `typeof` may be compared with → the ones that it gives."""


def _kebab_case(text: str) -> str:
    return "-".join(_words(text))


def _title_case(text: str) -> str:
    return " ".join(map(str.capitalize, _words(text)))


def _words(text: str) -> list[str]:
    return [word for word in snake_case(text).split("_") if word]


def _length(value: Any) -> int | None:
    """Count the elements of a list, the bytes of a text in UTF-8; null has none."""
    if value.__class__ is str:
        # Lone surrogates have no UTF-8, and three bytes wherever they are written nevertheless.
        return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
    if value.__class__ is list:
        return len(value)
    return 0 if value is None else None


def _boolean(value: Any) -> bool | None:
    if value.__class__ is bool:
        return bool(value)
    if is_number(value):
        return value != 0
    return {"true": True, "false": False}.get(value) if value.__class__ is str else None


def _string(value: Any) -> str | None:
    if value.__class__ is str:
        return str(value)
    if value.__class__ is bool:
        return "true" if value else "false"
    return number_to_string(value) if is_number(value) else None


def _number(value: Any) -> int | float | None:
    if is_number(value):
        return value
    if value.__class__ is not str or len(value) > _NUMERIC_CHARACTERS or not _NUMERIC.fullmatch(value):
        return None
    if len(value) <= _INTEGER_CHARACTERS and value.lstrip("+-").isdecimal():
        return int(value)
    return float(value)


_OF_TEXT: dict[str, Callable[[str], str]] = {
    "lowercase": str.lower,
    "uppercase": str.upper,
    "snakecase": snake_case,
    "kebabcase": _kebab_case,
    "titlecase": _title_case,
}
_OF_ANY: dict[str, Callable[[Any], Any]] = {
    "length": _length,
    "typeof": kind,
    "bool": _boolean,
    "string": _string,
    "number": _number,
}


def compile_function(name: str) -> Callable[[Any], Any]:
    """Return a function of one argument (any but `contains` and `match`) as a function of its value; it never raises.

    Cases of words are remembered: they take several microseconds each, and names are few.
    """
    change = _OF_TEXT.get(name)
    if change is None:
        return _OF_ANY[name]
    if change not in (str.lower, str.upper):
        change = remembered(change)
    return lambda value: change(value) if value.__class__ is str else None
