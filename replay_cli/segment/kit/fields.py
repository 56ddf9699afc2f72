"""The fields of an object that goes out: the hot path, because nearly every mapping is one of paths and literals."""

from typing import Any

from replay_cli.segment.kit.paths import compile_steps, steps_of_directive
from replay_cli.segment.kit.shapes import is_directive
from replay_cli.segment.kit.values import UNDEFINED, Compile, Evaluate, Where


def compile_fields(mapping: dict[str, Any], where: Where, compile_final: Compile) -> Evaluate:
    """Compile an object of mappings; a field that gives `UNDEFINED` is absent.

    Every result begins as a copy of one object that has all keys in their order, and the constants already.
    """
    constants: dict[str, Any] = {}
    own: list[tuple[str, str]] = []
    others: list[tuple[str, Evaluate]] = []
    for key, value in mapping.items():
        constants[key] = _constant(value)
        steps = _steps(value)
        if len(steps) == 1:
            own.append((key, steps[0]))
        elif steps:
            others.append((key, compile_steps(steps)))
        elif constants[key] is UNDEFINED:
            others.append((key, compile_final(value, (*where, key))))
    return _fill(constants, own, others)


def _fill(blank: dict[str, Any], own: list[tuple[str, str]], others: list[tuple[str, Evaluate]]) -> Evaluate:
    def evaluate_fields(message: Any) -> dict[str, Any]:
        fields = blank.copy()
        get = message.get
        for key, step in own:
            value = get(step, UNDEFINED)
            if value is UNDEFINED:
                del fields[key]
            else:
                fields[key] = value
        for key, evaluate in others:
            value = evaluate(message)
            if value is UNDEFINED:
                del fields[key]
            else:
                fields[key] = value
        return fields

    return evaluate_fields


def _constant(value: Any) -> Any:
    """Return the scalar that a mapping is, plain or as `@literal`; `UNDEFINED` for every other mapping."""
    if isinstance(value, dict) and value.keys() - {"_metadata"} == {"@literal"}:
        value = value["@literal"]
    return UNDEFINED if isinstance(value, dict | list) else value


def _steps(value: Any) -> tuple[str, ...]:
    """Return the steps of a `@path` that is written out; none for every other mapping, and for the whole message."""
    if not is_directive(value) or value.keys() - {"_metadata"} != {"@path"} or not isinstance(value["@path"], str):
        return ()
    return steps_of_directive(value["@path"])
