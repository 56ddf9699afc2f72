"""Whose message it is (pure)."""

from replay_cli.model import Message
from replay_cli.segment.javascript import number_to_string


def as_text(value: object) -> str | None:
    """Return an id or a name as text; None when it is none.

    A number or a boolean is its JavaScript text, as Segment's runtime sends it; an empty text, which that leaves out,
    is none.
    """
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_to_string(value)
    return None


def person_of(message: Message) -> str:
    """Return the id by which a message is told from those of other people.

    That is its `userId`, else its `anonymousId`, else its `messageId`, each as text; "" where it has none of them.
    """
    get = message.get
    return as_text(get("userId")) or as_text(get("anonymousId")) or as_text(get("messageId")) or ""
