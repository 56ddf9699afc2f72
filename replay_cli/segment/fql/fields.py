r"""Fields of a message by their paths: `event`, `properties.total`, `properties.first\ name`, `traits.a\.b`.

A step goes into an object by name. What is not there is null, and so is all beneath a text, a number or a list:
elements of lists have no paths.
"""

from collections.abc import Callable
from typing import Any

from replay_cli.model import Message
from replay_cli.segment.fql.lexer import Kind, tokens
from replay_cli.segment.pointed import PointedError

Reader = Callable[[Message], Any]
"""Message → a value of it; never raises."""

MAX_STEPS = 100
"""Steps that a path may have: more than any message has levels worth a name."""


def read_path(text: str) -> tuple[str, ...]:
    """Return the steps of a path that stands alone, as FQL writes it.

    Raises:
        PointedError: the text is anything else.
    """
    first, *rest = tokens(text)
    if first.kind is not Kind.NAME:
        raise PointedError("the path of a field is expected, for instance properties.plan", text, first.position)
    if rest[0].kind is not Kind.END:
        raise PointedError(r"the path of the field ends before this; write \ before odd characters", text, first.end)
    return check_steps(first.steps, text, first.position)


def check_steps(steps: tuple[str, ...], text: str, position: int) -> tuple[str, ...]:
    """Return the steps of a path.

    Raises:
        PointedError: there are too many.
    """
    if len(steps) > MAX_STEPS:
        raise PointedError(f"a path may have {MAX_STEPS} steps, this one has {len(steps)}", text, position)
    return steps


def compile_path(steps: tuple[str, ...]) -> Reader:
    """Return what reads the field at the end of these steps; null where there is none.

    Up to three steps, as nearly all fields have them, are written out: that takes half the time.
    """
    match steps:
        case (name,):
            return lambda message: message.get(name)
        case (outer, inner):
            return _two_steps(outer, inner)
        case (outer, middle, inner):
            return _three_steps(outer, middle, inner)
    return _many_steps(steps)


def _two_steps(outer: str, inner: str) -> Reader:
    def read(message: Message) -> Any:
        parent: Any = message.get(outer)
        return parent.get(inner) if parent.__class__ is dict else None

    return read


def _three_steps(outer: str, middle: str, inner: str) -> Reader:
    def read(message: Message) -> Any:
        parent: Any = message.get(outer)
        if parent.__class__ is dict:
            parent = parent.get(middle)
            if parent.__class__ is dict:
                return parent.get(inner)
        return None

    return read


def _many_steps(steps: tuple[str, ...]) -> Reader:
    def read(message: Message) -> Any:
        value: Any = message
        for name in steps:
            if value.__class__ is not dict:
                return None
            value = value.get(name)
        return value

    return read
