"""How jobs on several machines divide the quota of one workspace (pure).

Each of N jobs may send its own rate divided by N. Together they never have more than the highest rate of any; and
that must hold, too, when some of them leave, the one with the highest rate perhaps. So those whose rate is at most R
never have more than R together, whichever R: who joins takes no more than what is left below each such R.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from replay_cli.errors import UsageError
from replay_cli.remote.manifest import LONGEST_LEASE

FORMAT = 1
LARGEST_BYTES = 4 << 20
_TEXT = 2048
_STEPS = 1000
"""Rates are whole thousandths, so that sums of them show no rounding."""
_FASTEST = 1e9
_NAMES = ("owner", "job", "host")


class Entry(NamedTuple):
    """One job's part: attempts a second that it would send alone (`rps`), and that it may send now (`rate`).

    `renewed` is in POSIX seconds of the store's clock; for `ttl` seconds after that the entry counts.
    """

    owner: str
    job: str
    host: str
    pid: int
    rps: float
    rate: float
    renewed: float
    ttl: float


class Quota(NamedTuple):
    """All that share a workspace's quota; `serial` counts the puts, so that no two are the same bytes."""

    entries: Sequence[Entry] = ()
    serial: int = 0

    def to_bytes(self) -> bytes:
        fields = {"format": FORMAT, "serial": self.serial, "entries": [entry._asdict() for entry in self.entries]}
        return json.dumps(fields, allow_nan=False, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes, uri: str) -> "Quota":
        """Read what is stored.

        Raises:
            UsageError: it is something else.
        """
        try:
            fields = json.loads(data.decode(), parse_constant=_no_number)
            if fields["format"] != FORMAT:
                raise ValueError(FORMAT)
            return cls([_entry(each) for each in fields["entries"]], int(_number(fields["serial"], 1 << 62)))
        # A RecursionError is what nesting a thousand levels deep raises.
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            raise UsageError(
                f"{uri} is not what replay keeps there, the shares of a workspace's quota: "
                "remove it while no run uses it"
            ) from None

    def replaced(self, entries: Sequence[Entry]) -> "Quota":
        return Quota(entries, self.serial + 1)


def share_of(rps: float, others: Sequence[Entry]) -> float:
    """Return the rate that a job comes to in the end, among others, in whole thousandths."""
    return _whole(rps / (1 + len(others)))


def rate_for(rps: float, others: Sequence[Entry]) -> float:
    """Return the rate that a job may have now: its share, as far as the others have left it.

    Args:
        rps: attempts a second that it would send alone.
        others: the entries of those that count.
    """
    left = min(_left_below(rate, others) for rate in {rps, *(entry.rps for entry in others)} if rate >= rps)
    return max(0.0, min(share_of(rps, others), _whole(left)))


def _left_below(rps: float, others: Sequence[Entry]) -> float:
    return rps - math.fsum(entry.rate for entry in others if entry.rps <= rps)


def _whole(rate: float) -> float:
    return math.floor(rate * _STEPS) / _STEPS


def _entry(fields: Mapping[str, Any]) -> Entry:
    if not all(isinstance(fields[name], str) and len(fields[name]) <= _TEXT for name in _NAMES):
        raise TypeError
    return Entry(
        **{name: fields[name] for name in _NAMES},
        pid=int(_number(fields["pid"], 1 << 62)),
        rps=_number(fields["rps"], _FASTEST),
        rate=_number(fields["rate"], _FASTEST),
        renewed=_number(fields["renewed"], 1e12),
        ttl=_number(fields["ttl"], LONGEST_LEASE),
    )


def _number(value: Any, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError
    return float(value)


def _no_number(name: str) -> float:
    raise ValueError(name)
