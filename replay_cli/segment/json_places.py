"""Where in a JSON text a value stands, for the caret under what is wrong with it.

The text is one that has been read: none of these looks for errors in it.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

_READ_VALUE = json.JSONDecoder(parse_int=float).raw_decode  # Python refuses thousands of digits as an integer
_SKIP_SPACE = re.compile(r"[ \t\n\r]*").match
_SKIP_PUNCTUATION = re.compile(r"[ \t\n\r,:]*").match
# One character of a string, as it is written: two escapes may make one.
_LETTER = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.|[^\\]", re.DOTALL)


def place_of(text: str, path: Sequence[str | int]) -> int:
    """Return the 0-based character position at which the value at `path` begins.

    Args:
        text: JSON.
        path: keys and indexes from the top; a step that leads nowhere ends it, so the place is that of the innermost
            value that is there.
    """
    place = _end(_SKIP_SPACE, text, 0)
    for step in path:
        found = _item(text, place, step)
        if found is None:
            break
        place = found[1]
    return place


def place_of_key(text: str, path: Sequence[str | int]) -> int:
    """Return the position of the key (with its quote) that is the last step of `path`; without it, of its object."""
    parent = place_of(text, path[:-1])
    found = _item(text, parent, path[-1])
    return parent if found is None else found[0]


def place_within(text: str, place: int, offset: int) -> int:
    r"""Return where character `offset` of the string that begins at `place` is written: `\"` is one of its characters.

    The string's length gives the closing quote. Where no string begins, the place itself.
    """
    if text[place : place + 1] != '"':
        return place
    place += 1
    for _ in range(offset):
        letter = _LETTER.match(text, place)
        if letter is None or letter[0] == '"':
            break
        place = letter.end()
    return place


def _item(text: str, place: int, step: str | int) -> tuple[int, int] | None:
    """Return where an item of the container at `place`, and its value, begin; a key's last value is the one read."""
    items = {"{": _members, "[": _elements}.get(text[place : place + 1])
    found = None
    for key, start, value in items(text, place) if items else ():
        if key == step and key.__class__ is step.__class__:
            found = start, value
    return found


def _members(text: str, place: int) -> Iterator[tuple[str, int, int]]:
    start = _end(_SKIP_PUNCTUATION, text, place + 1)
    while text[start] != "}":
        key, after = _READ_VALUE(text, start)
        value = _end(_SKIP_PUNCTUATION, text, after)
        yield key, start, value
        start = _end(_SKIP_PUNCTUATION, text, _READ_VALUE(text, value)[1])


def _elements(text: str, place: int) -> Iterator[tuple[int, int, int]]:
    index, start = 0, _end(_SKIP_PUNCTUATION, text, place + 1)
    while text[start] != "]":
        yield index, start, start
        index, start = index + 1, _end(_SKIP_PUNCTUATION, text, _READ_VALUE(text, start)[1])


def _end(skip: Any, text: str, place: int) -> int:
    return int(skip(text, place).end())
