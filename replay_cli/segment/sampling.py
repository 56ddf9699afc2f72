"""Samples of an archive, by user (pure).

A user falls at a point from 0 to below 100 %: BLAKE2b with a digest of 8 bytes, of the id in UTF-8, read as a
big-endian number and divided by 2^64. The point is the same in each run, on each machine and in each version, and the
arithmetic is exact: `0-1%` and `1-100%` share no user and miss none.

The id is the `userId`, else the `anonymousId`, else the `messageId`. What a user did before being identified carries
the anonymous id only: it falls where that does, mostly elsewhere than what came after.
"""

import re
from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b
from math import ceil
from typing import NamedTuple

from replay_cli.model import Message
from replay_cli.segment.identity import person_of
from replay_cli.segment.selector import Selector

NOT_SAMPLED = "not_sampled"

_POINTS = 2**64
_SAMPLE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,18})?)\s*%?\s*-\s*([0-9]{1,3}(?:\.[0-9]{1,18})?)\s*%")


class Sample(NamedTuple):
    """The users from one point to before another one, in percent."""

    start: Decimal = Decimal(0)
    until: Decimal = Decimal(100)

    @classmethod
    def read(cls, text: str) -> "Sample":
        """Read `0-1%`, `1-100%`, `0-0.5%`.

        Raises:
            ValueError: it is no such text, or no user can fall into it; the error says what would be right.
        """
        match = _SAMPLE.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a sample: use for example 0-1%, and 1-100% for the rest")
        start, until = Decimal(match[1]), Decimal(match[2])
        if until > 100:
            raise ValueError(f"{text!r} goes beyond 100%: use for example 0-1%, and 1-100% for the rest")
        if until <= start:
            raise ValueError(f"{text!r} has nobody in it: give the lower end first, for example 0-1%")
        return cls(start.normalize(), until.normalize())

    @property
    def is_whole(self) -> bool:
        """Whether everybody is in it."""
        return self == WHOLE

    def is_within(self, other: "Sample") -> bool:
        """Tell whether another sample has all of its users."""
        return other.start <= self.start and self.until <= other.until

    def selector(self) -> Selector | None:
        """Return what decides for each message; None when everybody is in it."""
        if self.is_whole:
            return None
        low, high = (ceil(Fraction(end) * _POINTS / 100) for end in self)

        def select(message: Message) -> str | None:
            return None if low <= point_of(person_of(message)) < high else NOT_SAMPLED

        return select

    def __str__(self) -> str:
        return f"{self.start:f}-{self.until:f}%"


WHOLE = Sample()


def point_of(person: str) -> int:
    """Return where a user falls, from 0 to below 2^64."""
    # An archive's text never has a lone surrogate, but no message may raise here.
    digest = blake2b(person.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")
