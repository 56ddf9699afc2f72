r"""Wishes applied to a message: properties or traits renamed, dropped, in lower case, added.

The given message stays as it is: what changes is copied, and only that.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from replay_cli.model import Message

_IDS = ("userId", "anonymousId")
_DOT = re.compile(r"(?<!\\)\.")

_Object = dict[str, Any]
_Change = Callable[[_Object], _Object]


def steps(path: str) -> tuple[str, ...]:
    r"""Split a path at its dots; `\.` is a dot of a name."""
    return tuple(step.replace("\\.", ".") for step in _DOT.split(path))


def compile_wishes(wishes: Mapping[str, Any], field: str) -> Callable[[Message], Message]:
    """Make the function that applies wishes to messages; it never raises.

    Args:
        wishes: `rename` (path → name), `drop` (paths), `lowercase` (paths, `userId`, `anonymousId`), `add` (name →
            value), each where it is wished.
        field: where the paths begin: `properties` or `traits`. One that is no object is left to the validation.
    """
    ids = tuple(name for name in wishes.get("lowercase", ()) if name in _IDS)
    add, root = wishes.get("add", {}), _Node()
    for path in wishes.get("drop", ()):
        node, name = root.parent_of(path)
        node.drop.append(name)
    for path, new in wishes.get("rename", {}).items():
        node, name = root.parent_of(path)
        node.rename[name] = steps(new)[0]
    for path in wishes.get("lowercase", ()):
        if path not in _IDS:
            node, name = root.parent_of(path)
            node.lowercase.append(name)
    change = root.compile()

    def apply(message: Message) -> Message:
        changed = message.copy()
        for name in ids:
            _lower(changed, name)
        given = message.get(field)
        if given.__class__ is dict:
            changed[field] = {**change(given), **add}
        elif add and (given is None or given == ""):
            changed[field] = dict(add)
        return changed

    return apply


class _Node:
    """What is wished of the objects at one path; `below` are the wishes inside of their values, by name."""

    def __init__(self) -> None:
        self.drop: list[str] = []
        self.lowercase: list[str] = []
        self.rename: dict[str, str] = {}
        self.below: dict[str, _Node] = {}

    def parent_of(self, path: str) -> "tuple[_Node, str]":
        """Return the node of the object that `path` leads to, and the last name of the path."""
        node, (*leading, name) = self, steps(path)
        for step in leading:
            node = node.below.setdefault(step, _Node())
        return node, name

    def compile(self) -> _Change:
        below = tuple((name, node.compile()) for name, node in self.below.items())
        lowercase, drop, rename = tuple(self.lowercase), tuple(self.drop), tuple(self.rename.items())

        def change(given: _Object) -> _Object:
            changed = given.copy()
            for name, inner in below:
                if name in changed:
                    changed[name] = _inside(changed[name], inner)
            for name in lowercase:
                _lower(changed, name)
            for name in drop:
                changed.pop(name, None)
            # All are taken out before one is put back: two names may be exchanged.
            for new, value in [(new, changed.pop(old)) for old, new in rename if old in changed]:
                changed[new] = value
            return changed

        return change


def _inside(value: Any, change: _Change) -> Any:
    """Change an object, or each object of an array; anything else has nothing inside."""
    if value.__class__ is dict:
        return change(value)
    if value.__class__ is list:
        return [change(item) if item.__class__ is dict else item for item in value]
    return value


def _lower(changed: _Object, name: str) -> None:
    value = changed.get(name)
    if value.__class__ is str:
        changed[name] = value.lower()
