"""`@flatten`, `@merge` and `@excludeWhenNull`: objects made of objects."""

from typing import Any

from replay_cli.segment.kit.shapes import directive_or_object, fields_of, is_set, one_of, text
from replay_cli.segment.kit.text import unit_at, units
from replay_cli.segment.kit.values import (
    LARGEST,
    UNDEFINED,
    Compile,
    Evaluate,
    MappingError,
    Open,
    Where,
    kind_of,
    ordered,
)

_MOST_KEYS = 1 << 12
"""So many of a text's characters, or of a list's elements, become keys at most."""


def compile_flatten(argument: Any, where: Where, compile_value: Compile) -> Evaluate:
    """`@flatten` {separator, omitArrays, value}: one level, whose keys are the paths; empty objects are not in it.

    With `omitArrays` an array stays as it is, otherwise its indexes are keys. A lone value gets the key "".
    """
    fields = fields_of(argument, where, required=("separator", "value"), optional=("omitArrays",))
    separator = text(fields, "separator", where)
    if not separator:
        raise MappingError("the separator is empty: use . or _", (*where, "separator"))
    containers = dict if is_set(fields, "omitArrays") else dict | list
    evaluate = compile_value(fields["value"], (*where, "value"))

    def evaluate_flatten(payload: Any) -> Open:
        flat = Open()
        size = 0

        def add(value: Any, path: str) -> None:
            nonlocal size
            if not isinstance(value, containers):
                flat[path] = value
                return
            size += len(path) * len(value)
            if size > LARGEST:
                raise MappingError("@flatten makes keys that are too long of this message", where)
            for key, item in ordered(value) if isinstance(value, dict) else enumerate(value):
                add(item, f"{path}{separator}{key}" if path else str(key))

        add(evaluate(payload), "")
        return flat

    return evaluate_flatten


def compile_merge(argument: Any, where: Where, compile_value: Compile) -> Evaluate:
    """`@merge` {direction, objects}: `right`: the last object that has a key wins; `left`: the first one does.

    A key whose value is undefined wins too, and is then absent.
    """
    fields = fields_of(argument, where, required=("direction", "objects"))
    direction = one_of(("right", "left"), fields, "direction", where)
    objects = fields["objects"]
    place = (*where, "objects")
    if not isinstance(objects, list):
        raise MappingError(f"objects is a list of objects or directives, not {kind_of(objects)}", place)
    parts = [
        compile_value(directive_or_object(part, (*place, index)), (*place, index)) for index, part in enumerate(objects)
    ]
    if direction == "left":
        parts.reverse()

    def evaluate_merge(payload: Any) -> Open:
        merged = Open()
        for evaluate in parts:
            _assign(merged, evaluate(payload), where)
        return merged

    return evaluate_merge


def _assign(merged: Open, value: Any, where: Where) -> None:
    """Put a value's own keys into an object, as JavaScript's `Object.assign` does."""
    if isinstance(value, dict):
        merged.update(value)
    elif isinstance(value, list | str):
        if len(value) > _MOST_KEYS:
            raise MappingError("@merge makes an object with too many keys of this message", where)
        items = [unit_at(value, index) for index in range(units(value))] if isinstance(value, str) else value
        merged.update((str(index), item) for index, item in enumerate(items))


def compile_exclude_when_null(argument: Any, where: Where, compile_value: Compile) -> Evaluate:
    """`@excludeWhenNull`: null is left out, in objects at every depth; arrays keep theirs."""
    evaluate = compile_value(argument, where)

    def evaluate_exclude_when_null(payload: Any) -> Any:
        return _without_nulls(evaluate(payload))

    return evaluate_exclude_when_null


def _without_nulls(value: Any) -> Any:
    if value is None:
        return UNDEFINED
    if isinstance(value, dict):
        return Open((key, _without_nulls(item)) for key, item in value.items())
    return value
