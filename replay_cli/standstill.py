"""When nobody may go: after a 429, while everything fails, and while a ceiling of the cap is 0.

None of it costs any message its budget.

No tasks of its own: the conductor starts those that it asks for.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine

from replay_cli.delivery.cap import Cap
from replay_cli.delivery.outage import BudgetClock, OutageWatch, Probe, Prober
from replay_cli.model import Request
from replay_cli.preparation import iso_instant
from replay_cli.sending import Sending
from replay_cli.settlement import Pending

AFTER_A_429 = "after a 429"
PROBE_EVERY = 1.2
"""Seconds between attempts while everything fails: one in a second, however long a commit or a timer takes."""


class Standstill:
    """Holds everybody back, and lets them go again.

    Args:
        sending: the gate to close.
        cap: is slowed down after a 429, and followed where it leaves nothing for a while.
        retry_for: seconds after which the run is paused instead.
        check: asks the destination whether it is there and takes our credentials.
        start: starts a helper task.
        probe: starts an attempt at a request although everybody is held back.
        go: lets a request go that was held back.
        is_last: tells whether the job has delivered something and nothing is left to read, so that no request that
            comes could tell an outage from requests that fail by themselves.
        pause_run: ends the run, saying why.
    """

    def __init__(
        self,
        sending: Sending,
        cap: Cap,
        retry_for: float,
        check: Request,
        *,
        start: Callable[[Coroutine[None, None, None]], None],
        probe: Callable[[Pending], None],
        go: Callable[[Pending], None],
        is_last: Callable[[], bool],
        pause_run: Callable[[str], None],
    ) -> None:
        self.is_outage = False
        self.passes = 0
        self._sending = sending
        self._cap = cap
        self._retry_for = retry_for
        self._check = check
        self._start = start
        self._probe = probe
        self._go = go
        self._is_last = is_last
        self._pause_run = pause_run
        self._loop = asyncio.get_running_loop()
        self._clock = BudgetClock()
        self._watch: OutageWatch[Pending] = OutageWatch()
        self._prober = Prober()
        self._held: deque[Pending] = deque()
        self._paused_until = 0.0
        self._answered_at = self._loop.time()
        self._down_since = 0.0
        self._last_failure = ""
        self._rests = False
        cap.follow(self._follow_cap)

    @property
    def reason(self) -> str:
        """Why nobody may go; empty when they may."""
        if self._rests:
            return f"the {self._cap.resting_by} leaves nothing now"
        if self.is_outage:
            return "everything fails"
        return AFTER_A_429 if self._paused_until else ""

    def now(self) -> float:
        """Return the time on the clock of the messages' budgets, in seconds."""
        return self._clock.now(self._loop.time())

    def hold(self, pending: Pending) -> None:
        """Keep a request that came to a closed gate."""
        self._held.append(pending)

    # -- what happened ----------------------------------------------------------------------------------------

    def note_pass(self) -> None:
        """Note that an attempt passed: was delivered or refused, so that the destination is there."""
        self.passes += 1
        self._answered_at = self._loop.time()
        self._watch.note_pass()
        self._end_outage()

    def note_failure(self, pending: Pending, *, at_fault: bool, connected: bool, doubtful: bool, detail: str) -> None:
        """Note that an attempt failed.

        Args:
            pending: whose it was.
            at_fault: others have passed since it began to fail.
            connected: there was a connection.
            doubtful: perhaps it arrived.
            detail: how it failed, for a person.
        """
        now = self._loop.time()
        self._answered_at = now
        self._last_failure = detail
        self._watch.note_failure(pending, now, at_fault=at_fault, connected=connected)
        self._prober.note_failure(doubtful=doubtful)

    def note_limit(self, pause: float) -> None:
        """Note a 429 that asks everybody to wait: the quota is the workspace's, not the message's."""
        now = self._loop.time()
        self._watch.note_pass()
        self._end_outage()
        if now + pause <= self._paused_until:
            return
        if now - self._answered_at > self._retry_for:
            self._pause_run("nothing but 429 for --retry-for: live traffic leaves nothing of the quota")
        elif pause > self._retry_for:
            back = iso_instant(time.time() + pause)[:19].replace("T", " ") + "Z"
            self._pause_run(f"MoEngage asks to wait {pause:.0f} s, longer than --retry-for: run again after {back}")
        else:
            self._cap.slow_down(pause)
            self._paused_until = now + pause
            self._close(now)
            self._loop.call_later(pause, self._end_pause, self._paused_until)

    # -- outages ----------------------------------------------------------------------------------------------

    def must_begin(self, moving: int) -> bool:
        """Tell whether everything fails, of the requests that could pass now, and nobody knows it yet."""
        return not (self.is_outage or self._rests) and self._watch.is_outage(moving)

    def begin(self) -> None:
        """Hold everybody back because everything fails, and give back what that has cost them."""
        self.is_outage = True
        self._down_since = self._watch.since
        self._prober.begin(self._down_since)
        self._close(self._down_since)
        for pending, failures in self._watch.failures().items():
            pending.failures = max(0, pending.failures - failures)
        self._start(self._probe_until_back())

    async def ask(self) -> bool:
        """Ask the destination whether it is there; whether it takes our credentials, a request will tell."""
        status = (await self._sending.ask(self._check)).status
        return 0 < status < 500 and status != 429

    async def _probe_until_back(self) -> None:
        since = self._down_since
        while self.is_outage and self._down_since == since:
            if self._loop.time() - since > self._retry_for:
                longest = f"{self._retry_for:.0f} s (--retry-for)"
                self._pause_run(f"nothing has passed for {longest}, the last attempt: {self._last_failure}")
                return
            self._send_probe()
            await asyncio.sleep(PROBE_EVERY)

    def _send_probe(self) -> None:
        now = self._loop.time()
        if self._held and self._is_last() and all(pending.failing_since is not None for pending in self._held):
            self._start(self._blame_if_there())
            return
        probe = self._prober.choose(now)
        if probe is Probe.CHECK:
            self._start(self._probe_by_check())
        elif probe is Probe.REQUEST and self._held:
            self._prober.note_sent(now)
            self._probe(self._choose())

    async def _blame_if_there(self) -> None:
        """When only requests are left that fail, and the destination is there, they are at fault: end the outage."""
        if await self.ask() and self.is_outage:
            for pending in self._held:
                pending.passes_before = -1
            self._watch.note_pass()
            self._end_outage()

    def _choose(self) -> Pending:
        """Take any request that was not tried yet, or else any: those that fail by themselves may stand in front."""
        untried = [pending for pending in self._held if pending.failing_since is None]
        chosen = random.choice(untried or self._held)
        self._held.remove(chosen)
        return chosen

    def note_probe_end(self) -> None:
        """Note that a request that was probed with has its answer, or none for good."""
        self._prober.note_end()

    async def _probe_by_check(self) -> None:
        self._prober.note_check(await self.ask())

    def _end_outage(self) -> None:
        if self.is_outage:
            self.is_outage = False
            self._open()

    def _end_pause(self, until: float) -> None:
        # Not by the clock: a timer may fire a little before its time.
        if until == self._paused_until:
            self._paused_until = 0.0
            self._open()

    # -- rests ------------------------------------------------------------------------------------------------

    def _follow_cap(self) -> None:
        """Hold everybody back while the cap lets nothing leave; whether there is an outage then is seen anew."""
        now, rests = self._loop.time(), bool(self._cap.resting_by)
        if rests and not self._rests:
            self._rests, self.is_outage = True, False
            self._watch.note_pass()
            self._close(now)
        elif self._rests and not rests:
            self._rests = False
            self._answered_at = now
            self._open()

    # -- the gate ---------------------------------------------------------------------------------------------

    def _close(self, since: float) -> None:
        self._clock.freeze(since)
        self._sending.hold()

    def _open(self) -> None:
        """Let everybody go when nothing holds them back any more."""
        if self.is_outage or self._paused_until or self._rests:
            return
        self._clock.go_on(self._loop.time())
        self._sending.release()
        while self._held:
            self._go(self._held.popleft())
