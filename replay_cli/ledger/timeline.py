"""What happened when: counts for each ten seconds of the clock, gathered while a run goes (pure).

Counting must cost next to nothing: what is told gathers without a look at the clock, and falls into the interval in
which it is taken for a commit, some milliseconds later.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from replay_cli.ledger.latencies import Latencies, bucket, percentiles

WIDTH = 10
"""Seconds of an interval."""


@dataclass(slots=True)
class Interval:
    """What happened in some seconds from `at` (POSIX seconds) on.

    `attempts` left, or failed before they could; `replies` counts how they ended, by status or failure, `delivered`
    the records that arrived, `retries` those attempts that were not a request's first, `paused` the seconds in which
    all were held back, `peak` the most attempts in a rolling second. `slowest` (seconds) and `latencies` are of whole
    replies, from the first byte out to the last byte in.
    """

    at: int
    seconds: int = WIDTH
    attempts: int = 0
    delivered: int = 0
    retries: int = 0
    paused: float = 0.0
    peak: int = 0
    slowest: float = 0.0
    replies: Counter[str] = field(default_factory=Counter)
    latencies: Latencies = field(default_factory=Counter)

    def add(self, other: "Interval") -> None:
        """Add what happened in another interval."""
        self.attempts += other.attempts
        self.delivered += other.delivered
        self.retries += other.retries
        self.paused += other.paused
        self.peak = max(self.peak, other.peak)
        self.slowest = max(self.slowest, other.slowest)
        self.replies.update(other.replies)
        self.latencies.update(other.latencies)

    def __bool__(self) -> bool:
        told = self.attempts or self.delivered or self.retries or self.paused or self.replies or self.latencies
        return bool(told)

    def document(self) -> dict[str, Any]:
        """Return it for a report; latencies in milliseconds."""
        return {
            "at": self.at,
            "seconds": self.seconds,
            "attempts": self.attempts,
            "by_status": dict(sorted(self.replies.items())),
            "delivered": self.delivered,
            "retries": self.retries,
            "paused_seconds": round(min(self.paused, self.seconds), 3),
            "peak_per_second": self.peak,
            "latency_ms": latency_document(self.latencies, self.slowest),
        }


def latency_document(latencies: Latencies, slowest: float) -> dict[str, float] | None:
    """Return p50, p90 and p99 in milliseconds; None without replies."""
    found = percentiles(latencies, slowest)
    return None if found is None else found._asdict()


def start_of(at: float, width: int = WIDTH) -> int:
    """Return when the interval began in which a moment lies (POSIX seconds)."""
    return int(at // width) * width


class Timeline:
    """Gathers what happens in a run, interval by interval."""

    def __init__(self) -> None:
        self._told = Interval(0)
        self._interval = Interval(0)
        self._paused_since: float | None = None

    def note_departure(self, per_second: int) -> None:
        """Count an attempt that leaves, as one of so many within a second."""
        told = self._told
        told.attempts += 1
        if per_second > told.peak:
            told.peak = per_second

    def note_unsent(self) -> None:
        """Count an attempt that failed before anything of it could leave."""
        self._told.attempts += 1

    def note_retry(self) -> None:
        """Count an attempt that was not its request's first."""
        self._told.retries += 1

    def note_reply(self, label: str) -> None:
        """Count how an attempt ended, by its status or failure."""
        self._told.replies[label] += 1

    def note_latency(self, seconds: float) -> None:
        """Count how long a whole reply took."""
        told = self._told
        told.latencies[bucket(seconds)] += 1
        if seconds > told.slowest:
            told.slowest = seconds

    def note_delivered(self, records: int) -> None:
        """Count records that arrived."""
        self._told.delivered += records

    def begin_pause(self, now: float) -> None:
        """Note that all are held back from now on (POSIX seconds)."""
        if self._paused_since is None:
            self._paused_since = now

    def end_pause(self, now: float) -> None:
        """Note that they may go again."""
        self._pass_time(now)
        self._paused_since = None

    @property
    def has_news(self) -> bool:
        """Whether anything was told since the last `take`."""
        return bool(self._told)

    def take(self, now: float) -> list[Interval]:
        """Return the intervals that are new or changed, as of now (POSIX seconds).

        Each is whole, and must be kept before the next `take`, which may change it. A clock that is set back does not
        bring an old interval back: the last one goes on.
        """
        changed = []
        at = max(self._interval.at, start_of(now))
        if at > self._interval.at:
            if self._close_pause(self._interval.at + WIDTH):
                changed.append(self._interval)
            self._interval = Interval(at)
        self._pass_time(now)
        if self._told:
            self._interval.add(self._told)
            self._told = Interval(0)
            changed.append(self._interval)
        return changed

    def _close_pause(self, edge: int) -> bool:
        """Count a pause into an interval that is over, as far as it lies in there."""
        since = self._paused_since
        if since is None or since >= edge:
            return False
        self._interval.paused += edge - since
        self._paused_since = float(edge)
        return True

    def _pass_time(self, now: float) -> None:
        if self._paused_since is not None:
            self._told.paused += max(0.0, min(now - self._paused_since, WIDTH))
            self._paused_since = now
