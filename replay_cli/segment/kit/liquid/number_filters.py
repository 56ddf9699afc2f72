"""Filters that calculate: JavaScript's doubles, and 0 for what is no number."""

import math
from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from replay_cli.segment.kit.liquid.coercion import number, number_or_zero

_LARGEST_WHOLE = 2**53 - 1


def _divided_by(value: float, divisor: float, integers: float) -> float:
    if divisor:
        quotient = value / divisor
    elif math.isnan(value) or not value or math.isnan(divisor):
        quotient = math.nan
    else:
        quotient = math.copysign(math.inf, value) * math.copysign(1, divisor)
    return _floor(quotient) if integers else quotient


def _modulo(value: float, divisor: float) -> float:
    return _remainder(_remainder(value, divisor) + divisor, divisor)


def _remainder(value: float, divisor: float) -> float:
    if not divisor or math.isinf(value) or math.isnan(value + divisor):
        return math.nan
    return math.fmod(value, divisor)


def _floor(value: float) -> float:
    return float(math.floor(value)) if math.isfinite(value) else value


def _ceil(value: float) -> float:
    return float(math.ceil(value)) if math.isfinite(value) else value


def _times(value: float, factor: float) -> float:
    return value * factor


def _round(value: Any, digits: Any = 0) -> float:
    """Round half up, away from zero; so many digits that nothing would change leave the number as it is."""
    found, places = number_or_zero(value), number_or_zero(digits)
    if not math.isfinite(found) or not places.is_integer() or abs(places) > 400:
        return found
    scaled = Decimal(repr(abs(found))).scaleb(int(places))
    if scaled > _LARGEST_WHOLE:
        return found
    rounded = float((Decimal(float(scaled)) + Decimal("0.5")).to_integral_value(ROUND_FLOOR))
    result = float(Decimal(repr(rounded)).scaleb(-int(places)))
    return -result if found < 0 else result


def _to_integer(value: Any) -> float:
    return number(value)


def _numbers(function: Callable[..., float], count: int) -> Callable[..., float]:
    """Make a filter of a function of so many numbers; an argument that is not given is NaN."""
    if count == 1:
        return lambda value: function(number_or_zero(value))
    return lambda value, other=math.nan: function(number_or_zero(value), _given(other))


def _given(value: Any) -> float:
    return math.nan if value.__class__ is float and math.isnan(value) else number_or_zero(value)


def _minimum(value: float, other: float) -> float:
    return value if math.isnan(other) else min(value, other)


def _maximum(value: float, other: float) -> float:
    return value if math.isnan(other) else max(value, other)


def _divide(value: Any, divisor: Any = math.nan, integers: Any = 0) -> float:
    return _divided_by(number_or_zero(value), _given(divisor), number_or_zero(integers))


FILTERS: dict[str, Callable[..., Any]] = {
    "abs": _numbers(abs, 1),
    "at_least": _numbers(_maximum, 2),
    "at_most": _numbers(_minimum, 2),
    "ceil": _numbers(_ceil, 1),
    "divided_by": _divide,
    "floor": _numbers(_floor, 1),
    "minus": _numbers(lambda value, other: value - other, 2),
    "modulo": _numbers(_modulo, 2),
    "plus": _numbers(lambda value, other: value + other, 2),
    "round": _round,
    "times": _numbers(_times, 2),
    "to_integer": _to_integer,
}
