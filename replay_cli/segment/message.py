"""From one archived record to one Segment message, or the reason why it is none."""

import json
import re
from typing import Any, NoReturn

import orjson

from replay_cli.model import Message

MAX_DEPTH = 250
"""Deeper messages are rejected; where they can be read fast, only when the JSON writer refuses (at 255)."""

_OPENING, _CLOSING = frozenset(b"{["), frozenset(b"}]")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_WRITE_KEY = re.compile(rb'("write_?key"\s*:\s*")(?:[^"\\]|\\.)*', re.IGNORECASE | re.DOTALL)
_MASK = "***"


class MalformedError(ValueError):
    """A record that is no message: `reason` for the book, the text for a person."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def parse(line: bytes) -> tuple[Message, bool]:
    """Read one line of JSON.

    Args:
        line: the record's text, without its line end.

    Returns:
        The message, and whether lone surrogates in it were replaced by U+FFFD (the wire cannot carry them).

    Raises:
        MalformedError: `malformed_json`, `invalid_utf8`, `not_an_object` or `too_deep`.
    """
    replaced = False
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        value, replaced = _parse_leniently(line, error)
    if value.__class__ is not dict:
        raise MalformedError("not_an_object", f"a JSON {_kind(value)}, not an object")
    return value, replaced


def to_json(value: Any) -> bytes:
    """Write JSON.

    Raises:
        MalformedError: `too_deep`: more levels than the writer takes (254).
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        _refuse_depth()


def _parse_leniently(line: bytes, error: orjson.JSONDecodeError) -> tuple[Any, bool]:
    """Read what orjson refuses but JSON allows: lone surrogates, and integers of any length.

    Integers beyond 64 bits become floats, as in JavaScript and as orjson has them.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError as bad:
        detail = f"byte {bad.start + 1} is not UTF-8 ({line[bad.start : bad.start + 1].hex()})"
        raise MalformedError("invalid_utf8", detail) from None
    if _depth(line) > MAX_DEPTH:
        _refuse_depth()
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_int=_integer)
    except MalformedError:
        raise
    except (ValueError, RecursionError):
        raise MalformedError("malformed_json", f"{error.msg} (column {error.colno})") from None
    return _replace_surrogates(value)


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedError("malformed_json", f"{name} is not JSON")


def _refuse_depth() -> NoReturn:
    raise MalformedError("too_deep", f"nested more than {MAX_DEPTH} levels deep")


def _integer(digits: str) -> int | float:
    # A conversion to float first: Python refuses to convert thousands of digits to an integer.
    number = float(digits)
    return int(digits) if -(2.0**63) <= number < 2.0**64 and len(digits) < 21 else number


def _replace_surrogates(value: Any) -> tuple[Any, bool]:
    found = False

    def clean(node: Any) -> Any:
        nonlocal found
        if isinstance(node, str):
            text, count = _SURROGATE.subn("\ufffd", node)
            found = found or count > 0
            return text
        if isinstance(node, dict):
            return {clean(key): clean(item) for key, item in node.items()}
        return [clean(item) for item in node] if isinstance(node, list) else node

    return clean(value), found


def _depth(line: bytes) -> int:
    """How deep brackets nest outside of strings."""
    depth = deepest = 0
    for byte in _STRING.sub(b"", line):
        if byte in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif byte in _CLOSING:
            depth -= 1
    return deepest


def _kind(value: Any) -> str:
    names = {list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def masked(record: bytes) -> bytes:
    """Return a record's text with every `writeKey` masked: it is a secret, and must not be kept.

    Works on malformed text too. A key written with escapes (`write\\u004bey`) is found where the text parses.
    """
    text = _WRITE_KEY.sub(rb"\1" + _MASK.encode(), record)
    if b"\\u" not in text:
        return text
    try:
        value, _ = parse(text)
    except MalformedError:
        return text
    return orjson.dumps(_mask_keys(value)) if _has_write_key(value) else text


def _is_write_key(name: str) -> bool:
    return name.lower().replace("_", "") == "writekey"


def _has_write_key(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_is_write_key(name) or _has_write_key(item) for name, item in value.items())
    return isinstance(value, list) and any(map(_has_write_key, value))


def _mask_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _MASK if _is_write_key(name) else _mask_keys(item) for name, item in value.items()}
    return [_mask_keys(item) for item in value] if isinstance(value, list) else value
