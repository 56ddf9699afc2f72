"""What decides whether a message is meant, and how several of them decide together (pure)."""

from collections.abc import Callable, Iterable

from replay_cli.model import Message

Selector = Callable[[Message], str | None]
"""Gives the reason why a message is not meant; None when it is."""


def always(reason: str) -> Selector:
    """Return the selector that means no message, for one reason."""
    return lambda _message: reason


def all_of(selectors: Iterable[Selector | None]) -> Selector | None:
    """Return what gives the first reason that any of several has, in their order; None where none decides."""
    deciding = tuple(selector for selector in selectors if selector is not None)
    match deciding:
        case ():
            return None
        case (only,):
            return only
        case (first, second):
            return lambda message: first(message) or second(message)
        case (first, second, third):
            return lambda message: first(message) or second(message) or third(message)
    return _first_of(deciding)


def _first_of(selectors: tuple[Selector, ...]) -> Selector:
    def select(message: Message) -> str | None:
        for selector in selectors:
            reason = selector(message)
            if reason is not None:
                return reason
        return None

    return select
