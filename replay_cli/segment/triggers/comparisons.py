"""How a trigger compares the value of a field: strictly, each operator for its own types."""

from collections.abc import Callable
from typing import Any

from replay_cli.segment.javascript import number_to_string, string_to_number
from replay_cli.segment.kit.values import UNDEFINED

Expected = str | float | bool | None
"""What a field is compared with: a text, a number (None is NaN), a boolean."""
Check = Callable[[Any], bool]

_EXACT = 2**53


def compile_check(operator: str, expected: Expected) -> Check:
    """Make the function that compares a value; an operator that there is not never holds."""
    if operator in _ORDERS:
        return _ordered(operator, _number(expected))
    if operator in _TEXTS:
        holds, wanted = _TEXTS[operator]
        text = text_of(expected)
        return lambda value: value.__class__ is str and holds(value, text) is wanted
    if operator == "=":
        text = text_of(expected)
        return lambda value: bool(value == text)
    if operator == "!=":
        text = text_of(expected)
        return lambda value: bool(value != text)
    return _PRESENCE.get(operator, lambda value: False)


def text_of(expected: Expected) -> str:
    """Give JavaScript's text of it."""
    if isinstance(expected, bool):
        return "true" if expected else "false"
    if expected is None:
        return "NaN"
    return expected if isinstance(expected, str) else number_to_string(expected)


def _number(expected: Expected) -> float | None:
    return string_to_number(expected) if isinstance(expected, str) else expected


_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
    "number_equals": lambda value, bound: value == bound,
    "number_not_equals": lambda value, bound: value != bound,
}

_TEXTS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "contains": (str.__contains__, True),
    "not_contains": (str.__contains__, False),
    "starts_with": (str.startswith, True),
    "not_starts_with": (str.startswith, False),
    "ends_with": (str.endswith, True),
    "not_ends_with": (str.endswith, False),
}

_PRESENCE: dict[str, Check] = {
    "exists": lambda value: value is not None and value is not UNDEFINED,
    "not_exists": lambda value: value is None or value is UNDEFINED,
    "is_true": lambda value: value is True,
    "is_false": lambda value: value is False,
}


def _ordered(operator: str, bound: float | None) -> Check:
    compare = _ORDERS[operator]
    if bound is None:  # NaN: no number equals it, and none is less or more
        return _is_number if operator == "number_not_equals" else lambda value: False

    def check(value: Any) -> bool:
        kind = value.__class__
        if kind is int and not -_EXACT <= value <= _EXACT:
            return compare(_double(value), bound)
        return (kind is int or kind is float) and compare(value, bound)

    return check


def _is_number(value: Any) -> bool:
    return value.__class__ is int or value.__class__ is float


def _double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
