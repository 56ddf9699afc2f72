"""What may be spent of users and events a minute, and what of it at once (pure)."""

from typing import NamedTuple

MINUTE = 60.6
"""A rolling minute is taken to be this many seconds: the rest is for the jitter of timers and network."""
_BUCKET_SHARE = 0.1


class Allowance(NamedTuple):
    """What may be spent in any rolling minute; 0: as much as there is.

    MoEngage documents 10,000 users and 30,000 events a minute, newer pages more.
    """

    users: int = 10_000
    events: int = 30_000

    @property
    def most_users(self) -> int:
        """How many users one request may carry; 0: any number."""
        return int(bucket(self.users))

    @property
    def most_events(self) -> int:
        """How many events one request may carry; 0: any number."""
        return int(bucket(self.events))


def bucket(per_minute: int) -> float:
    """Size a leaky bucket: what may be spent at once, a tenth of the minute's; 0 where there is no bound.

    A bucket of `b` that leaks `r` a second passes at most `b + r * t` in `t` seconds.
    """
    return float(max(1, int(per_minute * _BUCKET_SHARE))) if per_minute else 0.0


def refill(per_minute: int) -> float:
    """Return what the bucket gets back a second: with a full one, no rolling minute has more than its share."""
    return max(per_minute - bucket(per_minute), 1.0) / MINUTE
