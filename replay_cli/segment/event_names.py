"""Names of events, as messages have them: few in an archive, and each many times (pure)."""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from replay_cli.model import Message
from replay_cli.segment.identity import as_text

T = TypeVar("T")

_NAMES = 1024
"""So many names are remembered …"""
_SHORT = 256
"""… if they have at most so many characters: an archive can be full of long ones."""


def event_of(message: Message) -> str | None:
    """Return the name of a message's event, as text; None when it has none, as identifies have."""
    name = message.get("event")
    return (name or None) if name.__class__ is str else as_text(name)


def remembered(answer: Callable[[str], T]) -> Callable[[str], T]:
    """Return the same function, which remembers its answers for names."""
    known = lru_cache(_NAMES)(answer)
    return lambda name: known(name) if len(name) <= _SHORT else answer(name)
