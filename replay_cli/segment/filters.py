"""Destination filters: what they leave out of a job, and out of its messages.

Over all filters, messages are first sampled, then dropped, then properties are dropped, then all but some properties.
A filter's condition is asked of the message as it came, so the order of filters among each other decides nothing but
whose title is given as the reason. What the documentation leaves open is decided so:

- `percent` is the part that stays: 0.1 keeps a tenth. One value of `path` has one fate, in every filter of the same
  path, in each run and on each machine. A message without the path, or without a text, number or boolean there, is
  judged by its `messageId`; without that by who did what, and when.
- `ALLOW_PROPERTIES` narrows the sections that it lists, and no other. For the top level (`""`) `properties`, `traits`
  and `context` are sections of their own: its list alone takes none of them away.
"""

import json
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

from replay_cli.model import Message
from replay_cli.segment.filter_fields import names_of, only, only_below, paths_of, without
from replay_cli.segment.filter_reading import (
    ALLOW_PROPERTIES,
    DROP,
    DROP_PROPERTIES,
    SAMPLE,
    SECTIONS,
    Action,
    Filter,
    read_document,
)
from replay_cli.segment.fql import Condition, Reader, compile_path
from replay_cli.segment.identity import as_text

FILTERED = "filtered"
FILTER_SAMPLED = "filter_sampled"

_TITLE_LENGTH = 60
_POINTS = 2**64
_WHO_DID_WHAT = ("type", "event", "userId", "anonymousId", "originalTimestamp", "timestamp")

Reshape = Callable[[Message], Message]
"""Message → the message as it goes on: a new one if anything is different."""


class Filters:
    """The enabled filters of a destination, called with each message.

    Args:
        filters: as they were read.
    """

    def __init__(self, filters: list[Filter]) -> None:
        self._filters = filters
        self._leaving = [(_sampled_out(one, action), _reason(FILTER_SAMPLED, one)) for one, action in self._of(SAMPLE)]
        self._leaving += [(one.condition, _reason(FILTERED, one)) for one, _ in self._of(DROP)]
        self._reshaping = [(one.condition, _dropping(action)) for one, action in self._of(DROP_PROPERTIES)]
        self._reshaping += [(one.condition, _allowing(action)) for one, action in self._of(ALLOW_PROPERTIES)]

    @classmethod
    def from_document(cls, document: Any) -> "Filters":
        """Return the filters of `document`.

        Raises:
            PointedError: it is not of this form.
        """
        return read_filters(json.dumps(document))

    @property
    def document(self) -> list[dict[str, Any]]:
        """The enabled filters in Segment's form, as JSON-able data: equal when the same is filtered."""
        return [one.document for one in self._filters]

    def __call__(self, message: Message) -> Message | str:
        """Return the message as it goes on, or the reason why it does not.

        The message itself is never changed; where nothing is different, it is returned. Never raises.

        The reasons are `filtered:TITLE` and `filter_sampled:TITLE`, without the colon where there is no title.
        """
        for is_left_out, reason in self._leaving:
            if is_left_out(message):
                return reason
        changed = message
        for condition, reshape in self._reshaping:
            if condition(message):
                changed = reshape(changed)
        return changed

    def _of(self, kind: str) -> list[tuple[Filter, Action]]:
        return [(one, action) for one in self._filters for action in one.actions if action.type == kind]


def read_filters(text: str) -> Filters:
    """Read filters as Segment's API returns them: `{"data": {"filters": […]}}`, a list of filters, or one filter.

    Raises:
        PointedError: something in the JSON text cannot be understood; positions are those in it, conditions included.
    """
    return Filters(read_document(text))


def _reason(word: str, one: Filter) -> str:
    title = "".join(letter for letter in one.title if letter.isprintable()).strip()[:_TITLE_LENGTH].strip()
    return f"{word}:{title}" if title else word


# -- sampling -------------------------------------------------------------------------------------------------


def _sampled_out(one: Filter, action: Action) -> Condition:
    condition, bound = one.condition, int(action.percent * _POINTS)
    read = compile_path(action.steps or ("messageId",))

    def is_sampled_out(message: Message) -> bool:
        return condition(message) and _point(read, message) >= bound

    return is_sampled_out


def _point(read: Reader, message: Message) -> int:
    """Return where a message falls, from 0 to below 2^64: the BLAKE2b of its text, not that of `--sample`."""
    text = as_text(read(message)) or as_text(message.get("messageId"))
    if text is None:
        text = "\n".join(as_text(message.get(name)) or "" for name in _WHO_DID_WHAT)
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, person=b"filter").digest()
    return int.from_bytes(digest, "big")


# -- fields ---------------------------------------------------------------------------------------------------


def _dropping(action: Action) -> Reshape:
    names = names_of(_paths(action))
    return lambda message: without(message, names)


def _allowing(action: Action) -> Reshape:
    fields = action.fields or {}
    # A section with a list of its own is not allowed as a whole by the top's.
    names = names_of(path for path in _paths(action) if len(path) > 1 or path[0] not in fields)
    if "" not in fields:
        return lambda message: only_below(message, names)
    for section in SECTIONS:
        names.setdefault(section, None)
    return lambda message: only(message, names)


def _paths(action: Action) -> Iterator[tuple[str, ...]]:
    """Give all that an action names, as paths from the top."""
    for section, names in (action.fields or {}).items():
        for name in names:
            for path in paths_of(name):
                yield (section, *path) if section else path
