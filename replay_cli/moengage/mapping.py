"""What an API is: how messages become its requests, which limits these have, how they are put together."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from replay_cli.model import Message, Request

Draft = tuple[str, dict[str, Any], tuple[str, ...]]
"""One request before it is serialized: (path, body, lanes). The lanes are a key for each id that the body names."""


class UnmappableError(ValueError):
    """A message that the API would refuse for good: `reason` for the book, the text for a person."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class NotTakenError(Exception):
    """A message that the API has no place for, though nothing is wrong with it: it is skipped for this `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Concern(NamedTuple):
    """Something that MoEngage would take, but not as it is meant: the `rule`, and what it is about for a person."""

    rule: str
    detail: str


Mapping = Callable[[Message], Sequence[Draft]]
"""Message → its requests, in order; none when no subscription takes it.

Raises `UnmappableError` or `NotTakenError`."""

Check = Callable[[dict[str, Any], bytes], Sequence[Concern]]
"""(a draft's body, its JSON) → concerns. Raises `UnmappableError` for what MoEngage would reject."""

Screen = Callable[[dict[str, Any], bytes], bool]
"""(a draft's body, its JSON) → whether it is certain, at a glance, that the check has nothing to say.

Of the JSON it only matters how long it and its texts are. So in place of a body that is made of nothing but its
message's own values, it can be shown the message's JSON, within the bounds that `preflight` tells.
"""

Pack = Callable[[Sequence[Request]], list[Request]]
"""Requests of one record each → fewer ones of many; their order stays."""


class Api(NamedTuple):
    """One way to hand messages to MoEngage.

    `screen` spares nearly all bodies the `check`; where `is_verbatim`, they are made of nothing but their messages' own
    values. `max_body_bytes` holds for each request; without `pack`, every draft is a request of its own. `time_of`
    tells when a draft's body says that it happened, for mappings that may take another time than the message's.
    `event_of` tells the name of the event in a draft's body, "" for what updates a user; without it that is the body's
    `event`.
    """

    name: str
    map: Mapping
    check: Check
    max_body_bytes: int
    pack: Pack | None = None
    time_of: Callable[[dict[str, Any]], object] | None = None
    event_of: Callable[[dict[str, Any]], str] | None = None
    screen: Screen | None = None
    is_verbatim: bool = False
