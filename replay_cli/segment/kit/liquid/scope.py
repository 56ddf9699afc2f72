"""Where a template's variables come from, and what a path into them finds."""

from typing import Any

from liquid import RenderContext, Undefined
from liquid.builtin.expressions.primitive import Blank, Empty
from liquid.utils import ReadOnlyChainMap

from replay_cli.segment.kit.liquid.coercion import LimitError, key_of
from replay_cli.segment.kit.paths import step
from replay_cli.segment.kit.values import UNDEFINED, is_falsy

_LONGEST_RANGE = 10_000


class Scope(RenderContext):
    """The variables of one rendering: the template's own before the message's fields, and no clock."""

    __slots__ = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scope = ReadOnlyChainMap(self.locals, self.globals, self.counters)

    def get_item(self, obj: Any, key: Any) -> Any:
        """Take one step as liquidjs does; what is not there is a `KeyError`."""
        found = _read(plain(obj), plain(key))
        if found is UNDEFINED:
            raise KeyError(key)
        return found


def _read(value: Any, key: Any) -> Any:
    if value is None or value is UNDEFINED:
        return value
    name = key_of(key)
    if isinstance(value, list) and key.__class__ is int and key < 0:
        name = str(len(value) + key)
    found = UNDEFINED if is_falsy(value) and value != "" else step(value, name) if value != "" else UNDEFINED
    if found is not UNDEFINED:
        return found
    if name == "size" and isinstance(value, str):
        return step(value, "length") if value else 0
    if name == "size" and isinstance(value, list | dict):
        return len(value)
    if name in ("first", "last") and isinstance(value, list) and value:
        return value[0 if name == "first" else -1]
    return UNDEFINED


def property_of(value: Any, path: str) -> Any:
    """Take the steps of a path with dots."""
    for key in path.split("."):
        value = _read(value, key)
    return value


def plain(value: Any) -> Any:
    """Give JSON, or `UNDEFINED`, for a value of python-liquid's."""
    if isinstance(value, Undefined):
        return UNDEFINED
    if isinstance(value, Empty | Blank):
        return ""
    if isinstance(value, range):
        if len(value) > _LONGEST_RANGE:
            raise LimitError("it makes a range that is too long")
        return list(value)
    return value
