"""Looks on while batches are prepared, and takes down what a profile is made of (pure)."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from replay_cli.model import Message
from replay_cli.moengage.mapping import Draft
from replay_cli.profiling.names import Names


class Seen(NamedTuple):
    """What is told by a batch's messages, in columns that run in parallel: any values, as the archive has them.

    `libraries` and `versions` are name and version of `context.library`; `consents` are what `context.consent` holds.
    """

    ordinals: Sequence[int]
    types: Sequence[Any]
    events: Sequence[Any]
    users: Sequence[Any]
    anonymous: Sequence[Any]
    message_ids: Sequence[Any]
    times: Sequence[Any]
    received: Sequence[Any]
    libraries: Sequence[Any]
    versions: Sequence[Any]
    consents: Sequence[Any]


Warned = list[tuple[int, Mapping[str, str]]]
"""Of records that are warned about: the ordinal, and rule → detail."""
_COLUMNS = len(Seen._fields)


class Onlooker:
    """An observer of a `Preparation`.

    Args:
        names: is shown what is sent.
    """

    def __init__(self, names: Names) -> None:
        self._see = names.see
        self._values: list[Any] = []
        self._warned: Warned = []

    def message(self, ordinal: int, message: Message) -> None:
        """Take a message down."""
        # Every record passes here. Whole messages are not kept, for that costs more than to take them apart; and values
        # stand one after the other, for to cut columns out of them is the fastest.
        get = message.get
        try:
            context = message["context"]
            library = context["library"]
            ids = (get("userId"), get("anonymousId"), message["messageId"])
            origin = (message["timestamp"], message["receivedAt"], library["name"], library["version"])
            self._values += (ordinal, message["type"], get("event"), *ids, *origin, context.get("consent"))
        except (KeyError, TypeError, AttributeError, IndexError):  # some do not have all of it
            self._values += (ordinal, *_values(message))

    def drafts(self, drafts: Sequence[Draft]) -> None:
        """Take down the names of what is sent."""
        for _, body, _ in drafts:
            self._see(body)

    def concerns(self, ordinal: int, details: Mapping[str, str]) -> None:
        """Take down what is warned about."""
        self._warned.append((ordinal, details))

    def taken_down(self) -> tuple[Seen, Warned]:
        """Return what was seen since the last time."""
        seen = Seen(*(self._values[column::_COLUMNS] for column in range(_COLUMNS)))
        warned = self._warned
        self._values.clear()
        self._warned = []
        return seen, warned


def _values(message: Message) -> tuple[Any, ...]:
    """Return what is taken down of any message, after its ordinal; None for what it does not have."""
    get = message.get
    context = _object(get("context"))
    library = _object(context.get("library"))
    ids = (get("userId"), get("anonymousId"), get("messageId"))
    origin = (get("timestamp"), get("receivedAt"), library.get("name"), library.get("version"))
    return (get("type"), get("event"), *ids, *origin, context.get("consent"))


def _object(value: Any) -> dict[str, Any]:
    return value if value.__class__ is dict else {}
