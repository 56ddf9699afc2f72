"""Segment's mapping kit: how a destination's settings make its payload of a message.

    mapping (JSON) → directives, compiled once → Message → payload

`directives` holds the language; `paths`, `templates`, `replacing`, `objects`, `json_text` and `liquid` what single
directives do, `fields` the object of fields that nearly every message passes.
"""

from collections.abc import Callable
from typing import Any

from replay_cli.model import Message
from replay_cli.segment.kit.directives import compile_final
from replay_cli.segment.kit.values import UNDEFINED, MappingError, Where, WrongKeyError

__all__ = ["UNDEFINED", "MappingError", "WrongKeyError", "compile_mapping"]


def compile_mapping(mapping: Any, where: Where = ()) -> Callable[[Message], Any]:
    """Compile a mapping: `{"event": {"@path": "$.event"}, …}`, a list of mappings, one directive, or a constant.

    Evaluating gives JSON with nothing undefined in it, or `UNDEFINED` when that is all there is. The result may share
    parts with the message and with other results. It raises `MappingError` for the message that the runtime would fail
    (a path computed from it is no text, Liquid cannot be rendered) or that would make too much of it.

    Args:
        mapping: as Segment's API returns it, parsed.
        where: the keys that lead to the mapping; `MappingError.where` begins with them.

    Raises:
        MappingError: a directive that is not written as it must be; `WrongKeyError` where it is the key that is wrong.
    """
    try:
        return compile_final(mapping, where)
    except RecursionError:
        raise MappingError("the mapping is nested too deeply", where) from None
