"""What every API's mapping gives: drafts of requests, or the reason why there can be none."""

from collections.abc import Callable, Sequence
from typing import Any

from replay_cli.model import Message

Draft = tuple[str, dict[str, Any], tuple[str, ...]]
"""One request before it is serialized: (path, body, lanes). The lanes are a key for each id that the body names."""


class UnmappableError(ValueError):
    """A message that the API would refuse for good: `reason` for the book, the text for a person."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


Mapping = Callable[[Message], Sequence[Draft]]
"""Message → its requests, in order; none when no subscription takes it. Raises `UnmappableError`."""
