"""What the sandbox counts about the attempts it saw."""

from collections import Counter
from typing import Any

from replay_cli.sandbox.elements import NOTHING, Elements
from replay_cli.sandbox.meter import RollingPeak


class Tally:
    """Counts since the start, or since the last reset.

    An attempt is any request except questions to the sandbox itself and auth checks. Auth checks are counted
    by themselves, but share the meter, as they would share the workspace's quota.
    """

    def __init__(self) -> None:
        self.meter = RollingPeak()
        self.attempts = 0
        self.incomplete = 0
        self.auth_checks = 0
        self.recorded = 0
        self._elements: Counter[str] = Counter(Elements()._asdict())
        self._by_status: Counter[str] = Counter()
        self._by_fault: Counter[str] = Counter()
        self._first_at: float | None = None
        self._last_at: float | None = None

    def arrive(self, at: float) -> None:
        """Count an attempt when it begins to arrive, at `at` (unix seconds)."""
        self.attempts += 1
        if self._first_at is None:
            self._first_at = at
        self._last_at = at

    def decide(self, status: int | None, recorded: bool, fault: str | None, elements: Elements = NOTHING) -> None:
        """Count what became of an attempt that holds `elements`: `status` None is no reply at all."""
        self._by_status["none" if status is None else str(status)] += 1
        self.recorded += recorded
        if recorded:
            self._elements.update(elements._asdict())
        if fault is not None:
            self._by_fault[fault] += 1

    def report(self) -> dict[str, Any]:
        """Give the counts, as `GET /_sandbox/stats` answers them.

        `attempts` = the sum of `by_status` + `incomplete` (given up by the client before its body was there)
        + those arriving now. `by_status` has the reply's status, or `none` for attempts left without a reply.
        `elements` is what was recorded through the Data API: `users` (customers), `devices` and `events` (each
        action of an event is one).
        `peak_per_second` is the highest number of arrivals in any rolling second, auth checks included. Times
        are unix seconds, null before the first attempt.
        """
        return {
            "attempts": self.attempts,
            "incomplete": self.incomplete,
            "auth_checks": self.auth_checks,
            "recorded": self.recorded,
            "elements": dict(self._elements),
            "by_status": dict(sorted(self._by_status.items())),
            "by_fault": dict(sorted(self._by_fault.items())),
            "peak_per_second": self.meter.peak,
            "first_at": self._first_at,
            "last_at": self._last_at,
        }
