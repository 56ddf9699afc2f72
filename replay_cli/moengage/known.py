"""Known users: the classic destination and the Data API take messages with a user id only (inferred for the latter)."""

from replay_cli.model import Message
from replay_cli.moengage.fields import ABSENT, coerce_nullable_string, coerce_string, lanes, refuse
from replay_cli.moengage.mapping import NotTakenError

ANONYMOUS = "anonymous"


def known_user(message: Message) -> str:
    """Return a message's user id, coerced as the Actions destination does.

    Raises:
        NotTakenError: `anonymous`.
        UnmappableError: `invalid_user_id`; `no_identity`: there is no anonymous id either.
    """
    user = message.get("userId", ABSENT)
    if user.__class__ is str and user:
        return str(user)
    problems: list[str] = []
    if message.get("type") == "identify":
        user = coerce_nullable_string(user, "userId", problems)
    else:
        user = coerce_string(None if user is ABSENT else user, "userId", problems)
    if problems:
        refuse(problems)
    if user is not ABSENT and user:
        return str(user)
    lanes(None, anonymous_id(message))
    raise NotTakenError(ANONYMOUS)


def known_lanes(user: str, message: Message) -> tuple[str, ...]:
    """Return the lanes of a known user's message, its anonymous id's too: that is not sent, but order goes by it."""
    anonymous = message.get("anonymousId")
    if anonymous.__class__ is str and anonymous:
        return ("u" + user, "a" + anonymous)
    return lanes(user, anonymous_id(message))


def anonymous_id(message: Message) -> str | None:
    """Return a message's anonymous id; None also for what can be none: as it is not sent, that is no problem."""
    return coerce_string(message.get("anonymousId"), "anonymousId", [])
