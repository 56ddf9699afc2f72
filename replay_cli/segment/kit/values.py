"""What mappings work on: JSON values, and JavaScript's `undefined`, which JSON does not have."""

import re
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Final

Where = tuple[str | int, ...]
"""The keys that lead to a place in a mapping."""
Evaluate = Callable[[Any], Any]
"""A compiled mapping: from a payload (a message, an element, what `@transform` applied) to a value."""
Compile = Callable[[Any, Where], Evaluate]
"""How a directive compiles the mappings inside it."""

LARGEST: Final = 8 << 20
"""No directive makes more than this of one message, in characters: a message of 1 MiB could become gigabytes."""

is_index = re.compile("0|[1-9][0-9]{0,9}").fullmatch
"""Tells whether a key is an array's index, as JavaScript writes them."""


class Undefined(Enum):
    """The class of `UNDEFINED`."""

    UNDEFINED = "undefined"

    def __bool__(self) -> bool:
        """Be falsy, as in JavaScript."""
        return False


UNDEFINED: Final = Undefined.UNDEFINED
"""What a mapping gives where there is nothing; it never reaches the wire."""


class MappingError(ValueError):
    """A mapping that means nothing, or that cannot be applied to a message.

    Args:
        problem: what is wrong, and what would be valid; no full stop.
        where: the keys that lead to the place in the mapping.
    """

    def __init__(self, problem: str, where: Where) -> None:
        super().__init__(problem)
        self.problem = problem
        self.where = where


class WrongKeyError(MappingError):
    """A key that means nothing where it stands: the last one of `where`."""


class Open(dict[str, Any]):
    """An object that a mapping made and that may still hold `UNDEFINED`: `@merge` lets it win, `close` drops it."""


class OpenList(list[Any]):
    """A list that a mapping made and that may still hold `UNDEFINED`: in JSON it becomes null."""


def close(value: Any) -> Any:
    """Remove `UNDEFINED` at every depth; only what a mapping made is looked into, never the message's own parts."""
    if value.__class__ is Open:
        return {key: close(item) for key, item in value.items() if item is not UNDEFINED}
    if value.__class__ is OpenList:
        return [None if item is UNDEFINED else close(item) for item in value]
    return value


def settle(value: Any) -> Any:
    """Remove `UNDEFINED` from objects at every depth and leave it in lists, as the runtime does with a new payload."""
    if value.__class__ is Open:
        return Open((key, settle(item)) for key, item in value.items() if item is not UNDEFINED)
    if value.__class__ is OpenList:
        return OpenList(map(settle, value))
    return value


def ordered(value: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """Give an object's items in JavaScript's order: indexes (below 2**32 - 1) by size, then the others as they came."""
    indexes = sorted(int(key) for key in value if key[:1].isdigit() and is_index(key) and int(key) < 2**32 - 1)
    if not indexes:
        return value.items()
    first = {str(index): value[str(index)] for index in indexes}
    return (first | value).items()


def is_falsy(value: Any) -> bool:
    """Tell whether JavaScript takes a value for false: empty arrays and objects it does not."""
    return not value and not isinstance(value, dict | list)


def is_absent(value: Any) -> bool:
    """Tell whether a value is null or undefined."""
    return value is None or value is UNDEFINED


def kind_of(value: Any) -> str:
    """Name what a value is, with its article."""
    if value is UNDEFINED or value is None:
        return "null" if value is None else "undefined"
    names = {str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(value.__class__, "an array" if isinstance(value, list) else "an object")
