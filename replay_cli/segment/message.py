"""From one archived record to one Segment message, or the reason why it is none."""

import json
import re
from typing import Any, NoReturn

import orjson

from replay_cli.model import Message

MAX_DEPTH = 250
"""Deeper messages are rejected; where they can be read fast, only when the JSON writer refuses (at 255)."""

_OPENING = frozenset(b"{[")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"{}[]")
# Possessive, and a text that does not end reaches to the end: hostile lines are read once, not from each quote.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


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
        refuse_kind(value)
    return value, replaced


def refuse_kind(value: Any) -> NoReturn:
    """Refuse JSON that is no object.

    Raises:
        MalformedError: `not_an_object`.
    """
    raise MalformedError("not_an_object", f"a JSON {_kind(value)}, not an object")


def to_json(value: Any) -> bytes:
    """Write JSON.

    Raises:
        MalformedError: `too_deep`: more levels than the writer takes (254).
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        _refuse_depth()


def dead_letter_record(document: Message) -> Message | None:
    """Return the message in a line of a dead-letter file; None when the document is none.

    Raises:
        MalformedError: the line holds the text of something that was no message.
    """
    if document.get("kind") not in ("rejected", "dead_lettered") or not {"uri", "ordinal"} <= document.keys():
        return None
    record = document.get("record")
    if not isinstance(record, dict):  # its text is kept for people, perhaps not byte by byte
        raise MalformedError(str(document.get("reason")), str(document.get("detail")))
    return record


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
    # By length first: Python refuses to convert thousands of digits to an integer.
    if len(digits) > 20:
        return float(digits)
    number = int(digits)
    return number if -(2**63) <= number < 2**64 else float(number)


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
    for byte in _STRING.sub(b"", line).translate(None, delete=_NO_BRACKETS):
        depth += 1 if byte in _OPENING else -1
        deepest = max(deepest, depth)
    return deepest


def _kind(value: Any) -> str:
    names = {list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def _letter(letter: str) -> str:
    """Match a letter in either case, plain or as a JSON escape."""
    codes = "|".join(f"{ord(case):02x}" for case in {letter.lower(), letter.upper()})
    return rf"(?:{letter}|(?<!\\)\\++u00(?:{codes}))"


_KEY = "".join([*map(_letter, "write"), _letter("_"), "?", *map(_letter, "key")]).encode()
_WRITE_KEY = re.compile(
    rb'("%b"\s*:\s*)(?:"[^"\\]*(?:\\.[^"\\]*)*\\?"?|[^\s",\[\]{}]+)' % _KEY, re.IGNORECASE | re.DOTALL
)
# The same in a document that is the text of another one: there every quote is escaped alike.
_EMBEDDED = re.compile(rb'((?<!\\)(\\++")%b\2\s*:\s*\2).*?(?=\2|\Z)' % _KEY, re.IGNORECASE | re.DOTALL)


# In what is no JSON: with any quotes or none, and as `key=value`.
_LOOSE = re.compile(
    rb"""(["']?%b["']?\s*+[:=]?\s*+\[?)("[^"]*+"?|'[^']*+'?|[^\s"',\[\]{}]++)""" % _KEY, re.IGNORECASE | re.DOTALL
)


def masked(record: bytes) -> bytes:
    r"""Return a record's text with every `writeKey` masked: it is a secret, and must not be kept.

    Works on the text, so on malformed and cut off texts too; all else stays as it is. The key may be written with
    escapes (`write\u004bey`), in any case, or as `write_key`; its value is a text, a number or a word.
    """
    lowered = record.lower()
    if b"key" not in lowered and b"u00" not in lowered:  # neither plain nor as escapes: nearly every record
        return record
    text = _EMBEDDED.sub(rb"\1***", _WRITE_KEY.sub(rb'\1"***"', record))
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return _LOOSE.sub(rb'\1"***"', text)
    return text
