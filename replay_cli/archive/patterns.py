"""Globs over the keys of a bucket, which has no folders to walk (pure).

A glob means what it means on a disk: each part matches one name, `*`, `?` and `[…]` match no leading dot unless the
part begins with one, `**` matches any number of folders (none too) that do not begin with a dot. What a glob matches
is read; where that is a folder, so is what lies in it. At the end, `**` stands for what lies in folders only.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import translate
from itertools import takewhile

_SIGNS = "*?["
_LITERAL = re.compile(r"[^*?[]*")
_ANY_FOLDERS = "**"


class Match(Enum):
    """What a pattern says of a key."""

    NAMED = "named"
    """It matches the key itself, which is then read whatever its name is."""
    BELOW = "below"
    """It matches a folder that the key lies in or below: the rules for what is read in a folder apply."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Pattern:
    """The parts of a glob from its first sign on; without parts it means everything below."""

    parts: tuple[str, ...] = ()
    _matchers: tuple["_Part | None", ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = tuple(None if part == _ANY_FOLDERS else _Part(part) for part in self.parts)
        object.__setattr__(self, "_matchers", parts)

    def matches(self, key: str) -> Match:
        """Say what it means for a key, which is given from the literal base on."""
        *folders, name = key.split("/")
        reached = self._after(folders)
        if any(self._passed(place, name) == len(self.parts) for place in reached):
            return Match.NAMED
        return Match.BELOW if len(self.parts) in reached else Match.NOTHING

    def leads(self, folder: str) -> bool:
        """Tell whether something in or below a folder (from the base on, ending in "/") could match."""
        return bool(self._after(folder.split("/")[:-1]))

    def literal_head(self, folder: str) -> str:
        """Return what the next name in a folder has to begin with, to narrow a listing; "" when it can be any."""
        places = self._after(folder.split("/")[:-1])
        if any(place == len(self.parts) or self._matchers[place] is None for place in places):
            return ""
        heads = [_head(self.parts[place]) for place in places]
        letters = takewhile(lambda column: len(set(column)) == 1, zip(*heads, strict=False))
        return "".join(column[0] for column in letters)

    def _after(self, folders: Iterable[str]) -> set[int]:
        """Return the places in the pattern where it can stand behind some folders: how many parts are matched.

        Sets of places, not ways to get there: the cost stays small however many `**` there are.
        """
        places = self._closed({0})
        for folder in folders:
            if not places:
                break
            passed = (self._passed(place, folder) for place in places)
            stayed = {place for place in places if self._stays(place, folder)}
            places = self._closed(stayed | {place for place in passed if place is not None})
        return places

    def _closed(self, places: set[int]) -> set[int]:
        """Add the places behind `**`, which can match nothing."""
        closed = set(places)
        for place in places:
            while place < len(self.parts) and self._matchers[place] is None and place + 1 not in closed:
                place += 1
                closed.add(place)
        return closed

    def _stays(self, place: int, folder: str) -> bool:
        """Tell whether a folder leaves a place as it is: below a match it does, and under `**`."""
        return place == len(self.parts) or (self._matchers[place] is None and _is_visible(folder))

    def _passed(self, place: int, name: str) -> int | None:
        """Return the place behind the part that matches a name; None when the part does not."""
        matcher = self._matchers[place] if place < len(self.parts) else None
        return place + 1 if matcher is not None and matcher.matches(name) else None


class _Part:
    """One part of a glob, for one name."""

    def __init__(self, part: str) -> None:
        self._dotted = part.startswith(".")
        self._literal = None if is_glob(part) else part
        self._match = re.compile(translate(part)).match

    def matches(self, name: str) -> bool:
        if self._literal is not None:
            return name == self._literal
        return (self._dotted or _is_visible(name)) and self._match(name) is not None


def is_glob(text: str) -> bool:
    """Tell whether a text has a sign of a glob in it."""
    return any(sign in text for sign in _SIGNS)


def split(key_glob: str) -> tuple[str, Pattern]:
    """Split a glob into its literal base folder ("segment-logs/", or "") and the pattern of the rest.

    A text without `*`, `?` and `[` comes back whole, and whether it is an object or a folder only the bucket knows.
    A "/" at the end of a glob says nothing.
    """
    if not is_glob(key_glob):
        return key_glob, Pattern()
    head = _head(key_glob)
    base = head[: head.rfind("/") + 1]
    return base, Pattern(tuple(key_glob[len(base) :].rstrip("/").split("/")))


def _head(part: str) -> str:
    """Return the literal beginning of a part or a glob."""
    match = _LITERAL.match(part)
    return match[0] if match else ""


def _is_visible(name: str) -> bool:
    return name[:1] not in ("", ".")
