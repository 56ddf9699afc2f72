"""Values of messages compared strictly: text is never a number, and `true` is never 1.

Nothing here raises for a value, recurses into it, or looks at a part of it twice.
"""

from typing import Any, TypeGuard

NUMBERS = frozenset({int, float})
"""The classes of numbers; not that of booleans, which Python takes for numbers too."""

_KINDS = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "list",
}


def kind(value: Any) -> str:
    """Name the kind of a value: null, boolean, number, string, list or object."""
    return _KINDS.get(value.__class__, "object")


def is_number(value: Any) -> TypeGuard[int | float]:
    """Tell whether a value is a number."""
    return value.__class__ in NUMBERS


def equal(left: Any, right: Any) -> bool:
    """Tell whether two values are of one kind and the same, down to the last element."""
    pairs: list[tuple[Any, Any]] = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        if one.__class__ is dict:
            if other.__class__ is not dict or one.keys() != other.keys():
                return False
            pairs.extend((one[name], other[name]) for name in one)
        elif one.__class__ is list:
            if other.__class__ is not list or len(one) != len(other):
                return False
            pairs.extend(zip(one, other, strict=True))
        elif one.__class__ is bool or other.__class__ is bool:
            if one is not other:
                return False
        elif one != other:
            return False
    return True


def have_an_order(left: Any, right: Any) -> bool:
    """Tell whether `<` means something between two values: two numbers, or two texts."""
    if left.__class__ is str:
        return right.__class__ is str
    return is_number(left) and is_number(right)
