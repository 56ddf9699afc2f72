"""Looks on while batches are prepared, and takes down what a profile is made of (pure)."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from replay_cli.model import Message
from replay_cli.moengage.mapping import Draft
from replay_cli.profiling.names import Names
from replay_cli.segment.lists import text_of_id


class Kind(NamedTuple):
    """What many messages have in common; None for what they do not have."""

    type: str | None
    event: str | None
    library: str | None
    version: str | None


class Seen(NamedTuple):
    """What is told by a batch's messages: how many there are of each kind, and columns that run in parallel.

    The columns are of any values, as the archive has them; `consents` are what `context.consent` holds.
    """

    kinds: Mapping[Kind, int]
    ordinals: Sequence[int]
    users: Sequence[Any]
    anonymous: Sequence[Any]
    message_ids: Sequence[Any]
    times: Sequence[Any]
    received: Sequence[Any]
    consents: Sequence[Any]


Warned = list[tuple[int, Mapping[str, str]]]
"""Of records that are warned about: the ordinal, and rule → detail."""
_COLUMNS = len(Seen._fields) - 1


class Onlooker:
    """An observer of a `Preparation`.

    Args:
        names: is shown what is sent.
    """

    def __init__(self, names: Names) -> None:
        self._see = names.see
        self._kinds: dict[tuple[str | None, ...], int] = {}
        self._values: list[Any] = []
        self._keep = self._values.extend
        self._warned: Warned = []

    def message(self, ordinal: int, message: Message) -> None:
        """Take a message down."""
        # Every record passes here. What is kept until the batch ends is little, for what is kept has to be found in
        # the memory again: no messages, but values, one after the other, out of which columns are cut fast.
        get = message.get
        try:
            context = message["context"]
            library = context["library"]
            kind = (message["type"], get("event"), library["name"], library["version"])
            user, anonymous, message_id = get("userId"), get("anonymousId"), message["messageId"]
            time, received, consent = message["timestamp"], message["receivedAt"], context.get("consent")
            self._kinds[kind] += 1
            self._keep((ordinal, user, anonymous, message_id, time, received, consent))
        except (KeyError, TypeError, AttributeError):  # the first of its kind, or one that does not have all of it
            self._take_any(ordinal, message)

    def _take_any(self, ordinal: int, message: Message) -> None:
        get = message.get
        context = _object(get("context"))
        library = _object(context.get("library"))
        # Only texts and None are kept: none of them equals what is found above and has no text.
        kind = tuple(map(_text, (get("type"), get("event"), library.get("name"), library.get("version"))))
        self._kinds[kind] = self._kinds.get(kind, 0) + 1
        ids = (get("userId"), get("anonymousId"), get("messageId"))
        self._keep((ordinal, *ids, get("timestamp"), get("receivedAt"), context.get("consent")))

    def drafts(self, drafts: Sequence[Draft]) -> None:
        """Take down the names of what is sent."""
        for _, body, _ in drafts:
            self._see(body)

    def concerns(self, ordinal: int, details: Mapping[str, str]) -> None:
        """Take down what is warned about."""
        self._warned.append((ordinal, details))

    def taken_down(self) -> tuple[Seen, Warned]:
        """Return what was seen since the last time."""
        columns = (self._values[column::_COLUMNS] for column in range(_COLUMNS))
        seen = Seen({Kind(*kind): number for kind, number in self._kinds.items()}, *columns)
        warned = self._warned
        self._values.clear()
        self._kinds.clear()
        self._warned = []
        return seen, warned


def _text(value: Any) -> str | None:
    return value if value.__class__ is str else text_of_id(value)


def _object(value: Any) -> dict[str, Any]:
    return value if value.__class__ is dict else {}
