"""What nearly every message is: within all limits, as far as can be told in a fraction of the time of looking exactly.

A screen may take an ordinary message for a suspicious one, never the other way round.
"""

from collections.abc import Callable, Iterable
from typing import Any

from replay_cli.moengage.limits import MOST_ELEMENTS, MOST_KEYS, MOST_LEVELS, MOST_TEXT

_MOST_KNOWN = 4096
_QUOTE, _BACKSLASH = b'"\\'
are_scalars: Callable[[Iterable[type]], bool] = frozenset({str, int, float, bool, type(None)}).issuperset
"""Tells of some classes whether none has other values in it."""


class KnownNames:
    """Names that were seen and are within the rules: to find them all among these is the cheapest way to look at names.

    Remembers so many of them, and no more; beyond those, messages with new names are looked at exactly.
    """

    def __init__(self, is_ordinary: Callable[[str], bool]) -> None:
        self._is_ordinary = is_ordinary
        self._names = set[str]()
        self.include = self._names.issuperset

    def learn(self, names: Iterable[str]) -> bool:
        """Remember names; True when they are all within the rules."""
        for name in names:
            if name in self._names:
                continue
            if len(self._names) >= _MOST_KNOWN or not self._is_ordinary(name):
                return False
            self._names.add(name)
        return True


def has_short_texts(wire: bytes) -> bool:
    """Tell whether no text in JSON can be too long: every stretch of that length has a quote, and none is escaped."""
    if _BACKSLASH in wire:
        return False
    at, last = 0, len(wire) - MOST_TEXT
    while at < last:
        at = wire.rfind(_QUOTE, at + 1, at + 1 + MOST_TEXT)
        if at < 0:
            return False
    return True


def has_ordinary_values(attributes: dict[str, Any], keys: KnownNames) -> bool:
    """Tell whether the lists and objects among attributes are ordinary; how long texts are is not looked at."""
    for value in attributes.values():
        kind = value.__class__
        if (kind is list or kind is dict) and not _is_ordinary(value, 1, keys):
            return False
    return True


def _is_ordinary_list(elements: list[Any], level: int, keys: KnownNames) -> bool:
    if len(elements) > MOST_ELEMENTS:
        return False
    kinds = {*map(type, elements)}
    if len(kinds) > 1 or list in kinds:
        return False
    if dict in kinds:
        include = keys.include
        for element in elements:
            # What most often holds, without a call for each object.
            flat = level <= MOST_LEVELS and len(element) <= MOST_KEYS and are_scalars(map(type, element.values()))
            if not (flat and include(element)) and not _is_ordinary_object(element, level, keys):
                return False
    return True


def _is_ordinary_object(value: dict[str, Any], level: int, keys: KnownNames) -> bool:
    """Look at an object of a level (from 1 on)."""
    if level > MOST_LEVELS or len(value) > MOST_KEYS or not (keys.include(value) or keys.learn(value)):
        return False
    if are_scalars(map(type, value.values())):
        return True
    return all(_is_ordinary(inner, level + 1, keys) for inner in value.values())


def _is_ordinary(value: Any, level: int, keys: KnownNames) -> bool:
    if value.__class__ is list:
        return _is_ordinary_list(value, level, keys)
    return value.__class__ is not dict or _is_ordinary_object(value, level, keys)
