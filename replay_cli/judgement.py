"""The judgement: what becomes of a request after an attempt, and whose fault it is when it fails; no tasks of its own.

A request that keeps failing while others pass is at fault itself: it is parked, and given up once its budget is used
up. Before that, others have to pass, or the destination has to say that it is there.
"""

import random
import time
from collections.abc import Callable, Coroutine
from typing import NamedTuple

from replay_cli.bundling import after_refusal
from replay_cli.delivery.backoff import backoff
from replay_cli.errors import FatalError, ReplayError
from replay_cli.ledger.group import PartOutcome
from replay_cli.ledger.ledger import Ledger
from replay_cli.moengage.replies import Failure, Outcome, Reply, Verdict, classify
from replay_cli.policy import InDoubt, OnExhausted, Policy
from replay_cli.sending import Attempt
from replay_cli.settlement import Pending, Settlement
from replay_cli.standstill import Standstill
from replay_cli.traffic import Traffic

_PARKED_AFTER = 4
"""A request that has failed so often while others pass waits in the checkpoint, and its user's others behind it."""


class _Suspect(NamedTuple):
    """A request whose budget is used up, until it is known whether others pass meanwhile; and its dead letter."""

    pending: Pending
    reason: str
    detail: str
    status: int


class Judgement:
    """Does what a reply means; `trouble` is why the last attempt failed, if it did.

    Args:
        ledger: is told how attempts ended.
        settlement: closes accounts.
        traffic: where requests go on, or wait.
        standstill: is told what passes and what fails.
        policy: how hard to try.
        delivered_before: earlier runs of the job have delivered something.
        go: lets a request go, in so many seconds.
        start: starts a helper task.
        is_stopping: tells whether the run takes no new work.
        pause_run: ends the run, saying why.
        fail: stops the run because of an error.
    """

    def __init__(
        self,
        ledger: Ledger,
        settlement: Settlement,
        traffic: Traffic,
        standstill: Standstill,
        policy: Policy,
        *,
        delivered_before: bool,
        go: Callable[[Pending, float], None],
        start: Callable[[Coroutine[None, None, None]], None],
        is_stopping: Callable[[], bool],
        pause_run: Callable[[str], None],
        fail: Callable[[ReplayError], None],
    ) -> None:
        self.trouble = ""
        self._ledger = ledger
        self._settlement = settlement
        self._traffic = traffic
        self._standstill = standstill
        self._policy = policy
        self._delivered_before = delivered_before
        self._go = go
        self._start = start
        self._is_stopping = is_stopping
        self._pause_run = pause_run
        self._fail = fail
        self._random = random.Random()
        self._suspects: list[_Suspect] = []
        self._asking = False

    # -- what a reply means -----------------------------------------------------------------------------------

    def act(self, pending: Pending, attempt: Attempt) -> None:
        """Do what the reply to an attempt means."""
        outcome = classify(attempt.reply, time.time())
        doubtful = outcome.verdict is Verdict.IN_DOUBT
        self._ledger.conclude(attempt.keys, attempt.reply.label, outcome.reason if doubtful else None)
        self.trouble = "" if outcome.verdict is Verdict.DELIVERED else outcome.detail
        pending.doubted |= doubtful
        match outcome.verdict:
            case Verdict.DELIVERED:
                self._settlement.deliver(pending)
                self._note_pass()
                self._traffic.finish(pending)
            case Verdict.REFUSED:
                self._note_pass()
                self._refuse(pending, outcome, attempt.reply)
            case Verdict.STOP:
                self._go(pending, 0)
                self._fail(FatalError(f"no other request would pass either: {outcome.detail}"))
            case _ if outcome.pause:
                self._standstill.note_limit(outcome.pause)
                self._go(pending, 0)
            case _:
                self._note_failure(pending, outcome, attempt.reply)

    def _refuse(self, pending: Pending, outcome: Outcome, reply: Reply) -> None:
        """Give up what a refusal is about, and go on with the rest of the request, if there is one."""
        given_up, to_send = after_refusal(pending.request, reply, self._policy.bulk_refused)
        if not to_send:
            self._give_up(pending, outcome.reason, outcome.detail, reply.status)
            return
        failed = PartOutcome(outcome.reason, outcome.detail, reply.status)
        self._settlement.take_apart(pending, given_up, to_send, failed)
        self._go(pending, 0)
        self._watch_dead_letters()

    def _give_up(self, pending: Pending, reason: str, detail: str, status: int) -> None:
        self._settlement.give_up(pending, reason, detail, status)
        self._traffic.finish(pending)
        self._watch_dead_letters()

    def _watch_dead_letters(self) -> None:
        """Stop the run when too many records become dead letters."""
        book, limit = self._ledger.book, self._policy.max_dead_letters
        dead = book.outcome("dead_lettered")
        if limit.is_exceeded(dead, book.outcome("delivered"), delivered_before=self._delivered_before):
            reason = f"{dead} records became dead letters in this run, more than {limit}: see the reasons"
            self._fail(FatalError(reason))

    # -- what fails -------------------------------------------------------------------------------------------

    def _note_pass(self) -> None:
        """Note that the destination is there, so that who still fails is at fault."""
        self._standstill.note_pass()
        self._condemn_suspects()

    def _note_failure(self, pending: Pending, outcome: Outcome, reply: Reply) -> None:
        standstill = self._standstill
        doubtful, connected = outcome.verdict is Verdict.IN_DOUBT, reply.failure is not Failure.NOT_SENT
        if pending.failing_since is None:
            pending.failing_since, pending.passes_before = standstill.now(), standstill.passes
        at_fault = standstill.passes > pending.passes_before
        standstill.note_failure(
            pending, at_fault=at_fault, connected=connected, doubtful=doubtful, detail=outcome.detail
        )
        if doubtful and self._policy.in_doubt is InDoubt.DEAD_LETTER:
            pending.doubted = False  # what it was taken apart into besides is not in doubt
            self._give_up(pending, "in_doubt", f"{outcome.reason}: {outcome.detail}", reply.status)
        elif standstill.is_outage:
            self._go(pending, 0)
        else:
            pending.failures += connected
            spent = pending.spent + standstill.now() - pending.failing_since
            self._try_again(pending, outcome, reply.status, spent, at_fault=at_fault)
        if not self._is_stopping() and standstill.must_begin(self._traffic.moving):
            self._begin_outage()

    def _begin_outage(self) -> None:
        self._standstill.begin()
        for suspect in self._suspects:
            self._traffic.moving += 1
            self._go(suspect.pending, 0)
        self._suspects.clear()

    def _try_again(self, pending: Pending, outcome: Outcome, status: int, spent: float, *, at_fault: bool) -> None:
        """Try a request again while its budget lasts: from memory, or parked if it is at fault itself."""
        if self._policy.is_exhausted(pending.failures, spent):
            detail = f"{pending.failures} attempts failed over {spent:.0f} s, the last: {outcome.detail}"
            self._suspects.append(_Suspect(pending, f"exhausted:{outcome.reason}", detail, status))
            self._traffic.moving -= 1
            self.judge_suspects()
            return
        delay = min(backoff(max(1, pending.failures), self._random), self._policy.retry_for - spent)
        if at_fault and pending.failures >= _PARKED_AFTER:
            pending.spent = spent + delay
            self._traffic.park(pending, delay)
        else:
            self._go(pending, max(delay, self._traffic.fair_wait(pending)))

    # -- suspects ---------------------------------------------------------------------------------------------

    def judge_suspects(self) -> None:
        """When nothing else goes that could pass or fail, ask the destination whether it is there."""
        if not self._suspects or self._traffic.moving or self._asking:
            return
        if not (self._standstill.is_outage or self._is_stopping()):
            self._asking = True
            self._start(self._ask_about_suspects())

    async def _ask_about_suspects(self) -> None:
        is_there = await self._standstill.ask()
        self._asking = False
        if not self._suspects or self._traffic.moving or self._standstill.is_outage:
            return
        if not is_there:
            self._begin_outage()
        elif self._standstill.passes or self._delivered_before:
            self._condemn_suspects()
        else:
            self._pause_run(f"nothing has passed yet that would tell whose fault it is: {self._suspects[0].detail}")

    def _condemn_suspects(self) -> None:
        """Give up those whose budget was used up while the destination was there."""
        suspects, self._suspects = self._suspects, []
        for pending, reason, detail, status in suspects:
            self._traffic.moving += 1
            if self._policy.on_exhausted is OnExhausted.PAUSE:
                self._traffic.park(pending, 0, held=True)
            else:
                self._give_up(pending, reason, detail, status)
