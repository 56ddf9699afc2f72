"""Mappings compiled: objects, lists and directives, as Segment's runtime evaluates them.

The rules are those of npm `@segment/actions-core`'s mapping kit, executed and compared. What a directive takes is
compiled to give `UNDEFINED` where there is nothing, inside objects and lists too: `@merge` and `@flatten` tell it from
an absent key. `compile_final` compiles what goes out, where nothing is left of it.
"""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from replay_cli.segment.kit.fields import compile_fields
from replay_cli.segment.kit.json_text import compile_json
from replay_cli.segment.kit.liquid import compile_liquid
from replay_cli.segment.kit.objects import compile_exclude_when_null, compile_flatten, compile_merge
from replay_cli.segment.kit.paths import compile_steps, steps_of_directive, walk
from replay_cli.segment.kit.replacing import compile_case, compile_replace
from replay_cli.segment.kit.shapes import directive_or_object, directive_or_text, fields_of, is_directive, is_set
from replay_cli.segment.kit.templates import compile_template, render
from replay_cli.segment.kit.text import text_of
from replay_cli.segment.kit.values import (
    UNDEFINED,
    Compile,
    Evaluate,
    MappingError,
    Open,
    OpenList,
    Where,
    WrongKeyError,
    close,
    is_absent,
    kind_of,
    settle,
)


def compile_final(mapping: Any, where: Where) -> Evaluate:
    """Compile a mapping whose result goes out: `UNDEFINED` is the whole result, or nowhere in it."""
    if isinstance(mapping, dict) and not is_directive(mapping):
        return compile_fields(mapping, where, compile_final)
    if isinstance(mapping, list):
        return _final_list(mapping, where)
    evaluate = compile_value(mapping, where)

    def evaluate_final(message: Any) -> Any:
        try:
            return close(evaluate(message))
        except RecursionError:
            raise MappingError("this message is nested too deeply to be mapped", where) from None

    return evaluate_final


def _final_list(mapping: list[Any], where: Where) -> Evaluate:
    parts = [compile_final(part, (*where, index)) for index, part in enumerate(mapping)]

    def evaluate_list(payload: Any) -> list[Any]:
        values = [evaluate(payload) for evaluate in parts]
        return [None if value is UNDEFINED else value for value in values]

    return evaluate_list


def compile_value(mapping: Any, where: Where) -> Evaluate:
    """Compile a mapping whose result another directive takes: it may hold `UNDEFINED` in `Open` and `OpenList`."""
    if is_directive(mapping):
        return _compile_directive(mapping, where)
    if isinstance(mapping, dict):
        fields = [(key, compile_value(value, (*where, key))) for key, value in mapping.items()]
        return lambda payload: Open([(key, evaluate(payload)) for key, evaluate in fields])
    if isinstance(mapping, list):
        parts = [compile_value(part, (*where, index)) for index, part in enumerate(mapping)]
        return lambda payload: OpenList([evaluate(payload) for evaluate in parts])
    return lambda payload: mapping


def _compile_directive(mapping: dict[str, Any], where: Where) -> Evaluate:
    names = [key for key in mapping if key.startswith("@")]
    others = [key for key in mapping if not key.startswith("@") and key != "_metadata"]
    if len(names) > 1 or others:
        found = ", ".join(names + others)
        raise WrongKeyError(
            f"a directive stands alone in its object, and here are {found}", (*where, [*names, *others][1])
        )
    name = names[0]
    if name not in _DIRECTIVES:
        nearest = get_close_matches(name, _DIRECTIVES, 1)
        words = ", ".join(dict.fromkeys([*nearest, *_DIRECTIVES]))
        raise WrongKeyError(f"there is no directive {name}: there are {words}", (*where, name))
    return _DIRECTIVES[name](mapping[name], (*where, name), compile_value)


def _compile_path(argument: Any, where: Where, compile_value: Compile) -> Evaluate:
    if isinstance(argument, str):
        return compile_steps(steps_of_directive(argument))
    evaluate = _compile_text(argument, where, compile_value)
    return lambda payload: walk(payload, steps_of_directive(evaluate(payload)))


def _compile_template(argument: Any, where: Where, compile_value: Compile) -> Evaluate:
    if isinstance(argument, str):
        return compile_template(argument, where)
    evaluate = _compile_text(argument, where, compile_value)
    return lambda payload: render(evaluate(payload), payload, where)


def _compile_text(argument: Any, where: Where, compile_value: Compile) -> Callable[[Any], str]:
    """Compile a directive that must give a text."""
    evaluate = compile_value(directive_or_text(argument, where), where)

    def evaluate_text(payload: Any) -> str:
        value = evaluate(payload)
        if not isinstance(value, str):
            raise MappingError(f"{where[-1]} is given {kind_of(value)} by this message, not a text", where)
        return value

    return evaluate_text


def _compile_literal(argument: Any, where: Where, compile_value: Compile) -> Evaluate:
    return compile_value(argument, where)


def _compile_if(argument: Any, where: Where, compile_value: Compile) -> Evaluate:
    fields = fields_of(argument, where, required=(), optional=("exists", "blank", "then", "else"))
    if not is_set(fields, "exists") and not is_set(fields, "blank"):
        raise MappingError("@if lacks what it asks: it takes exists or blank, then and else", where)
    question, holds = ("exists", _exists) if "exists" in fields else ("blank", _is_filled)
    ask = compile_value(fields[question], (*where, question))
    then = compile_value(fields.get("then", UNDEFINED), (*where, "then"))
    otherwise = compile_value(fields["else"] if is_set(fields, "else") else UNDEFINED, (*where, "else"))

    def evaluate_if(payload: Any) -> Any:
        return then(payload) if holds(ask(payload)) else otherwise(payload)

    return evaluate_if


def _exists(value: Any) -> bool:
    return value is not None and value is not UNDEFINED


def _is_filled(value: Any) -> bool:
    """Tell whether a value is not null and, loosely compared as in JavaScript, not ""."""
    if is_absent(value) or value == "" or value is False or (value == 0 and value.__class__ is not bool):
        return False
    return not isinstance(value, list) or text_of(value) != ""


def _compile_array_path(argument: Any, where: Where, compile_value: Compile) -> Evaluate:
    if not isinstance(argument, list) or not 1 <= len(argument) <= 2:
        raise MappingError('@arrayPath takes a list of a path and a shape: ["$.properties.products", {…}]', where)
    path = directive_or_text(argument[0], (*where, 0))
    read = compile_steps(steps_of_directive(path)) if isinstance(path, str) else compile_value(path, (*where, 0))
    shape = argument[1] if len(argument) > 1 else None
    make = compile_value(shape, (*where, 1))
    if not isinstance(shape, dict) or not shape:
        return read

    def evaluate_array_path(payload: Any) -> Any:
        root = read(payload)
        if isinstance(root, dict):
            return OpenList([make(root)])
        return OpenList(map(make, root)) if isinstance(root, list) else root

    return evaluate_array_path


def _compile_transform(argument: Any, where: Where, compile_value: Compile) -> Evaluate:
    fields = fields_of(argument, where, required=("apply", "mapping"))
    apply = compile_value(directive_or_object(fields["apply"], (*where, "apply")), (*where, "apply"))
    evaluate = compile_value(directive_or_object(fields["mapping"], (*where, "mapping")), (*where, "mapping"))

    def evaluate_transform(payload: Any) -> Any:
        if payload is UNDEFINED:  # an argument that is not given, to JavaScript: the runtime takes {} instead
            payload = {}
        if not isinstance(payload, dict):
            raise MappingError(f"@transform is given {kind_of(payload)} by this message, not an object", where)
        return evaluate(settle(apply(payload)))

    return evaluate_transform


_DIRECTIVES: dict[str, Callable[[Any, Where, Compile], Evaluate]] = {
    "@path": _compile_path,
    "@template": _compile_template,
    "@literal": _compile_literal,
    "@if": _compile_if,
    "@case": compile_case,
    "@replace": compile_replace,
    "@arrayPath": _compile_array_path,
    "@flatten": compile_flatten,
    "@json": compile_json,
    "@merge": compile_merge,
    "@transform": _compile_transform,
    "@excludeWhenNull": compile_exclude_when_null,
    "@liquid": compile_liquid,
}
