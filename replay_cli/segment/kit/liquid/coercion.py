"""How JavaScript, and liquidjs on it, turns values into texts, numbers and keys."""

import math
from typing import Any

from replay_cli.segment.javascript import string_to_number
from replay_cli.segment.kit.text import leaves, scalar_text, text_of
from replay_cli.segment.kit.values import UNDEFINED

LARGEST_TEXT = 2 << 20
"""No filter, and no template, makes a longer text of a message, in characters."""


class LimitError(ValueError):
    """A template would make too much of a message."""


def bounded(size: int) -> None:
    """Refuse to make a text of more than `LARGEST_TEXT` characters."""
    if size > LARGEST_TEXT:
        raise LimitError("it makes a text that is too long")


def output(value: Any) -> str:
    """Give the text that Liquid puts out for a value: nothing for null, and no commas between elements."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        texts = [text_of(leaf) for leaf in leaves(value)]
        bounded(sum(map(len, texts)))
        return "".join(texts)
    return text_of(value)


def javascript_text(value: Any) -> str:
    """Give JavaScript's `String(value)`."""
    if value is None:
        return "null"
    return "undefined" if value is UNDEFINED else text_of(value)


def number(value: Any) -> float:
    """Give JavaScript's `Number(value)`; what is none is NaN."""
    kind = value.__class__
    if kind is float or kind is bool or kind is int:
        return double(value)
    if value is None:
        return 0.0
    if value is UNDEFINED or isinstance(value, dict):
        return math.nan
    found = string_to_number(text_of(value))
    return math.nan if found is None else found


def number_or_zero(value: Any) -> float:
    """Give a number, 0 for what is none: the argument of an arithmetic filter."""
    found = number(value)
    return 0.0 if math.isnan(found) else found


def begun(count: float) -> int:
    """Count the characters that a loop up to a number takes: a part of one counts, NaN is none."""
    return 0 if math.isnan(count) else math.ceil(min(max(count, 0), LARGEST_TEXT))


def double(value: float) -> float:
    """Give the double nearest to a number."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def primitive(value: Any) -> Any:
    """Give what JavaScript compares instead of an array or an object: its text."""
    return text_of(value) if isinstance(value, list | dict) else value


def key_of(value: Any) -> str:
    """Give the key that a value is between brackets."""
    return scalar_text(value) if value.__class__ in (int, float, bool) else javascript_text(value)
