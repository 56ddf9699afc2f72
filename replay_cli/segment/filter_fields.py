r"""Fields of a message that destination filters take away, or leave alone in their section.

A name is a path below its section, its steps joined by dots (`\.` is a dot in a name). The documentation says that
inside arrays of objects a name applies to each object, so `products.price` is the price of every product; and since a
key may have a dot itself, a name means the key of that very text too.

A message is never changed: what differs is new along the changed paths, all else is shared. Recursion goes no deeper
than the names: a list directly in a list is not looked into.
"""

import re
from collections.abc import Iterable
from typing import Any

from replay_cli.model import Message

Names = dict[str, "Names | None"]
"""Names → what is named below them; None: they are meant themselves, with all that is in them."""

_STEP = re.compile(r"(?:[^.\\]|\\.?)*", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def paths_of(name: str) -> set[tuple[str, ...]]:
    """Return what a name means below its section: its steps, and the key that is written like it."""
    steps, position = [], 0
    while position <= len(name):
        step = _STEP.match(name, position)
        if step is None:
            raise AssertionError("a step may be empty")
        steps.append(_ESCAPED.sub(r"\1", step[0]))
        position = step.end() + 1
    return {tuple(steps), (".".join(steps),)}


def names_of(paths: Iterable[tuple[str, ...]]) -> Names:
    """Return paths as a tree; where one is the beginning of another, it says all."""
    tree: Names = {}
    for *way, last in paths:
        names = tree
        for step in way:
            below = names.setdefault(step, {})
            if below is None:
                break
            names = below
        else:
            names[last] = None
    return tree


def without(value: Any, names: Names) -> Any:
    """Return an object, or a list of objects, without what is named; the very same where nothing is."""
    if value.__class__ is list:
        return _same_or([without(item, names) if item.__class__ is dict else item for item in value], value)
    if value.__class__ is not dict:
        return value
    changed = value
    for name, below in names.items():
        if name not in value:
            continue
        rest = None if below is None else without(value[name], below)
        if below is not None and rest is value[name]:
            continue
        if changed is value:
            changed = dict(value)
        if below is None:
            del changed[name]
        else:
            changed[name] = rest
    return changed


def only(value: Any, names: Names) -> Any:
    """Return an object, or a list of objects, with nothing but what is named; the very same where that is all.

    Where something in an object is named, the object stays, if empty; a text or a number in its place goes.
    """
    if value.__class__ is list:
        return _same_or([only(item, names) for item in value if item.__class__ is dict], value)
    kept = {}
    for name, item in value.items():
        if name in names:
            below = names[name]
            if below is None:
                kept[name] = item
            elif item.__class__ is dict or item.__class__ is list:
                kept[name] = only(item, below)
    same = len(kept) == len(value) and all(kept[name] is item for name, item in value.items())
    return value if same else kept


def only_below(message: Message, sections: Names) -> Message:
    """Return a message with nothing but what is named in these sections, and all that is outside of them."""
    found = {name: message[name] for name in sections if name in message}
    kept = only(found, sections)
    if kept is found:
        return message
    return {name: kept.get(name, item) for name, item in message.items() if name not in found or name in kept}


def _same_or(after: list[Any], before: list[Any]) -> list[Any]:
    same = len(before) == len(after) and all(one is other for one, other in zip(before, after, strict=True))
    return before if same else after
