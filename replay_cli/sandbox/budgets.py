"""The Data API's budgets: users and events in any rolling minute."""

from typing import NamedTuple

from replay_cli.errors import UsageError
from replay_cli.sandbox.elements import Elements
from replay_cli.sandbox.meter import MINUTE, RollingPeak


class Limits(NamedTuple):
    """How many users and events may arrive in any rolling minute (documented; newer documents say 60,000 each)."""

    users: int = 10_000
    events: int = 30_000


DOCUMENTED = Limits()


class Overrun(NamedTuple):
    """A budget that an attempt exceeds: of what, how many it has, and the seconds until the attempt would fit."""

    what: str
    most: int
    wait: float


class Budgets:
    """Meters what arrives, accepted and refused alike, against the limits.

    A device weighs as a user (inferred: bulk documents no budget of devices, the device endpoint the users').

    Raises:
        UsageError: a limit is not positive.
    """

    def __init__(self, limits: Limits) -> None:
        for what, most in limits._asdict().items():
            if most < 1:
                raise UsageError(f"the sandbox's budget of {what} is at least 1 a minute, not {most}")
        self._limits = limits
        self.users = RollingPeak(MINUTE)
        self.events = RollingPeak(MINUTE)

    def receive(self, elements: Elements, now: int) -> Overrun | None:
        """Meter what an attempt holds; give the budget that it exceeds (of both, the one to wait for longer).

        Args:
            elements: what it holds.
            now: a monotonic instant in nanoseconds, never earlier than the one before.
        """
        weights = (
            ("users", self.users, elements.users + elements.devices, self._limits.users),
            ("events", self.events, elements.events, self._limits.events),
        )
        overruns = [
            Overrun(what, most, meter.opens_in(now, weight, most))
            for what, meter, weight, most in weights
            if weight and meter.arrive(now, weight) > most
        ]
        return max(overruns, key=lambda overrun: overrun.wait, default=None)
