"""What becomes of each attempt: metered, judged, struck by faults, kept. No HTTP here."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from replay_cli.errors import UsageError
from replay_cli.sandbox.budgets import DOCUMENTED, Budgets, Limits, Overrun
from replay_cli.sandbox.elements import NOTHING, Elements
from replay_cli.sandbox.endpoints import Account, Attempt, judge
from replay_cli.sandbox.faults import Action, Effect, Fault, Programme, Subject
from replay_cli.sandbox.meter import SECOND
from replay_cli.sandbox.programme import RawProgramme, parse_programme
from replay_cli.sandbox.spool import Spool
from replay_cli.sandbox.tally import Tally
from replay_cli.sandbox.verdicts import Verdict, failure

_USUAL = Effect(Action.PASS, records=True)


class Arrival(NamedTuple):
    """When an attempt came: monotonic nanoseconds, unix seconds, and how many in the second that it ends."""

    now: int
    at: float
    crowd: int


class Ruling(NamedTuple):
    """MoEngage's verdict on an attempt that holds `elements`, and the fault that overrides it."""

    verdict: Verdict
    fault: Fault | None
    headers: Mapping[str, str] = {}
    elements: Elements = NOTHING

    @property
    def effect(self) -> Effect:
        """What happens to the attempt."""
        return _USUAL if self.fault is None else self.fault.effect

    @property
    def recorded(self) -> bool:
        """Whether what was sent is kept, whatever its sender is told."""
        return self.verdict.recorded and self.effect.records

    @property
    def status(self) -> int | None:
        """The status of the reply; None is no reply."""
        match self.effect.action:
            case Action.REPLY:
                return self.effect.status
            case Action.RESET | Action.HANG:
                return None
            case _:
                return self.verdict.status


class Reception:
    """Decides about attempts and remembers them.

    Args:
        account: the workspace that it knows.
        rps: attempts allowed in any rolling second; all that arrive count, refused ones too.
        clock: monotonic nanoseconds.
        wall: unix seconds.
        limits: users and events allowed in any rolling minute through the Data API, counted likewise.

    Raises:
        UsageError: `rps` or a limit is not positive.
    """

    def __init__(
        self,
        account: Account,
        rps: int,
        clock: Callable[[], int] = time.monotonic_ns,
        wall: Callable[[], float] = time.time,
        limits: Limits = DOCUMENTED,
    ) -> None:
        if rps < 1:
            raise UsageError(f"the sandbox's rate is at least 1 a second, not {rps}")
        self._account = account
        self._rps = rps
        self._clock = clock
        self._wall = wall
        self._limits = limits
        self.reset()
        self.set_faults(())

    def set_faults(self, programme: RawProgramme) -> int:
        """Replace the fault programme; the number of its rules.

        Raises:
            UsageError: a rule is invalid; the old programme stays.
        """
        rules = parse_programme(programme)
        self._programme = Programme(rules)
        self.restart_programme_clock()
        return len(rules)

    def restart_programme_clock(self) -> None:
        """Let the programme's seconds count from now."""
        self._programme_start = self._clock()

    def reset(self) -> None:
        """Forget the counts."""
        self.tally = Tally()
        self._budgets = Budgets(self._limits)

    def admit(self) -> Arrival:
        """Meter an attempt, or an auth check, the moment it begins to arrive."""
        now = self._clock()
        return Arrival(now, self._wall(), self.tally.meter.arrive(now))

    def decide(self, attempt: Attempt, arrival: Arrival) -> Ruling:
        """Decide what is answered; one over the rate or a budget is refused before any fault can strike it."""
        elements = attempt.elements
        # Bodies do not end in the order in which their attempts began.
        overrun = self._budgets.receive(elements, self._clock())
        if arrival.crowd > self._rps:
            return self._refuse_over_rate()
        if overrun is not None:
            return self._refuse_over_budget(overrun)
        subject = Subject(attempt.is_auth_check, attempt.body.raw, attempt.body.document)
        fault = self._programme.decide(subject, (arrival.now - self._programme_start) / SECOND)
        return Ruling(judge(attempt, self._account, arrival.at), fault, elements=elements)

    def keep(self, attempt: Attempt, arrival: Arrival, ruling: Ruling, spool: Spool) -> str:
        """Count and spool an attempt (of an auth check, only count it); give its request id."""
        if attempt.is_auth_check:
            self.tally.auth_checks += 1
            return f"auth-{self.tally.auth_checks}"
        name = None if ruling.fault is None else ruling.fault.name
        self.tally.decide(ruling.status, ruling.recorded, name, ruling.elements)
        return f"sandbox-{spool.append(arrival.at, ruling.status, ruling.recorded, name, attempt.body)}"

    def report(self) -> dict[str, Any]:
        """Give the counts (see `Tally.report`), and the peaks of what arrived through the Data API.

        `users_peak_per_minute` and `events_peak_per_minute` are the highest counts in any rolling minute, of what
        was accepted and refused alike, once its body was there and could be read. A device counts as a user.
        """
        return self.tally.report() | {
            "users_peak_per_minute": self._budgets.users.peak,
            "events_peak_per_minute": self._budgets.events.peak,
        }

    def _refuse_over_rate(self) -> Ruling:
        wait = self.tally.meter.opens_in(self._clock(), 1, self._rps)
        return _refuse(f"{self._rps} requests a second", self._rps, wait)

    def _refuse_over_budget(self, overrun: Overrun) -> Ruling:
        return _refuse(f"{overrun.most} {overrun.what} a minute", overrun.most, overrun.wait)


def _refuse(allowed: str, most: int, seconds: float) -> Ruling:
    wait = str(math.ceil(seconds))
    # `reset` is documented both as seconds left and as an epoch; the sandbox says seconds.
    headers = {
        "Retry-After": wait,
        "x-ratelimit-limit": str(most),
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": wait,
    }
    return Ruling(failure(429, f"more than {allowed}"), None, headers)
