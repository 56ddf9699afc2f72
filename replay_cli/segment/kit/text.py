"""How JavaScript turns values into text, and what it takes for one character."""

from typing import Any

from replay_cli.segment.javascript import number_to_string
from replay_cli.segment.kit.values import UNDEFINED

BLANK = "\t\n\v\f\r \xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000\ufeff"
"""What JavaScript's `trim` takes off; Python's `strip` takes off others."""


def text_of(value: Any) -> str:
    """Give what JavaScript's `String(value)` gives, and "" for null and undefined."""
    kind = value.__class__
    if kind is str:
        return str(value)
    if value is None or value is UNDEFINED:
        return ""
    if isinstance(value, list):
        return ",".join(text_of(leaf) for leaf in leaves(value))
    if isinstance(value, dict):
        return "[object Object]"
    return scalar_text(value)


def scalar_text(value: bool | int | float) -> str:
    """Give the text of a boolean or a number."""
    if value is True:
        return "true"
    return "false" if value is False else number_to_string(value)


def leaves(array: list[Any]) -> list[Any]:
    """List what is in an array and in the arrays inside it, however deep; an empty one counts as nothing, once."""
    leaves: list[Any] = []
    pending = [array]
    while pending:
        value = pending.pop()
        if isinstance(value, list) and value:
            pending.extend(reversed(value))
        else:
            leaves.append(None if isinstance(value, list) else value)
    return leaves


def units(text: str) -> int:
    """Count the UTF-16 units of a text: its `length` in JavaScript."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def unit_at(text: str, index: int) -> str | None:
    """Return the UTF-16 unit there, None beyond the end; half of a pair is U+FFFD (the wire cannot carry it)."""
    if text.isascii():
        return text[index] if index < len(text) else None
    unit = text.encode("utf-16-le", "surrogatepass")[2 * index : 2 * index + 2]
    return unit.decode("utf-16-le", "replace") or None
