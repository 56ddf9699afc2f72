"""`@json`: values to and from texts, as JavaScript's `JSON` writes and reads them."""

import json
import math
import re
from collections.abc import Iterator
from json.encoder import encode_basestring
from typing import Any, NoReturn

from replay_cli.segment.javascript import number_to_string
from replay_cli.segment.kit.shapes import fields_of, is_set, one_of
from replay_cli.segment.kit.values import UNDEFINED, Compile, Evaluate, MappingError, Where, ordered

_DEEPEST = 200
"""A text that nests deeper is undecodable: what it holds must still fit into a body."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_QUOTED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def compile_json(argument: Any, where: Where, compile_value: Compile) -> Evaluate:
    """`@json` {mode: encode | decode, value}: decoding leaves what is no text, or no JSON, as it is."""
    fields = fields_of(argument, where, required=("mode", "value"))
    mode = one_of(("encode", "decode"), fields, "mode", where)
    if not is_set(fields, "value"):
        raise MappingError("@json needs a value: a directive, most often @path", (*where, "value"))
    evaluate = compile_value(fields["value"], (*where, "value"))
    if mode == "encode":
        return lambda payload: encode(evaluate(payload))

    def evaluate_decode(payload: Any) -> Any:
        value = evaluate(payload)
        return decode(value) if value.__class__ is str else value

    return evaluate_decode


def encode(value: Any) -> Any:
    """Write JSON as `JSON.stringify` does: no spaces, JavaScript's numbers, keys that are indexes first."""
    if value is UNDEFINED:
        return UNDEFINED
    pieces: list[str] = []
    _write(value, pieces)
    return "".join(pieces)


def _write(value: Any, pieces: list[str]) -> None:
    kind = value.__class__
    if kind is str:
        pieces.append(encode_basestring(value))
    elif value is None or value is UNDEFINED:
        pieces.append("null")
    elif kind is bool:
        pieces.append("true" if value else "false")
    elif isinstance(value, dict):
        _write_object(value, pieces)
    elif isinstance(value, list):
        _write_array(value, pieces)
    else:
        pieces.append(number_to_string(value) if math.isfinite(value) else "null")


def _write_object(value: dict[str, Any], pieces: list[str]) -> None:
    mark = "{"
    for key, item in ordered(value):
        if item is not UNDEFINED:
            pieces.append(f"{mark}{encode_basestring(key)}:")
            _write(item, pieces)
            mark = ","
    pieces.append("}" if mark == "," else "{}")


def _write_array(value: list[Any], pieces: list[str]) -> None:
    mark = "["
    for item in value:
        pieces.append(mark)
        _write(item, pieces)
        mark = ","
    pieces.append("]" if value else "[]")


def decode(text: str) -> Any:
    """Read JSON; what is none, or nests too deep, is returned as it is. Lone surrogates become U+FFFD."""
    try:
        value = json.loads(text, parse_int=_integer, parse_float=_double, parse_constant=_refuse)
        if _depth(value) > _DEEPEST:
            return text
    except (ValueError, RecursionError):
        return text
    return _whole(value) if _QUOTED_SURROGATE.search(text) else value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _integer(digits: str) -> int | float | None:
    # By length first: Python refuses to convert thousands of digits to an integer.
    return int(digits) if len(digits) < 19 else _double(digits)


def _double(digits: str) -> int | float | None:
    """Read a number; one beyond the doubles is Infinity in JavaScript, which JSON has as null."""
    number = float(digits)
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [item for one in level for item in _items(one)]:
        depth += 1
        if depth > _DEEPEST:
            break
    return depth


def _items(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        return iter(value.values())
    return iter(value if isinstance(value, list) else ())


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return list(map(_whole, value)) if isinstance(value, list) else value
