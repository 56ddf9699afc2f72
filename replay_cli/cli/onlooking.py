"""What is seen of a run while it is on: its progress on stderr, and what the outside is told of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console

from replay_cli.cli.watching import SEE_EVERY, Seen, Watch
from replay_cli.delivery.cap import Cap
from replay_cli.ledger.ledger import Ledger
from replay_cli.replay import Replay
from replay_cli.report.progress import State, make_reporter
from replay_cli.standstill import AFTER_A_429


@asynccontextmanager
async def progress(replay: Replay, ledger: Ledger, cap: Cap, console: Console) -> AsyncIterator[None]:
    """Show progress while the run goes on."""
    with make_reporter(console) as reporter:

        async def show() -> None:
            while True:
                await asyncio.sleep(reporter.every)
                reporter.show(_state(replay, ledger, cap))

        task = asyncio.create_task(show())
        try:
            yield
        finally:
            task.cancel()


@asynccontextmanager
async def watched(replay: Replay, ledger: Ledger, cap: Cap, watch: Watch, *, is_reading: bool) -> AsyncIterator[None]:
    """Let somebody see what the run does, a few times a second, and how it stands at its end.

    Args:
        replay: the run.
        ledger: its book.
        cap: its rate.
        watch: sees it.
        is_reading: there is anything to read.
    """

    def see() -> None:
        state = _state(replay, ledger, cap)
        waits_for = state.held_by if cap.resting_by or state.held_by == AFTER_A_429 else ""
        watch.see(Seen(state, cap.rate, waits_for, is_reading))

    async def go_on() -> None:
        while True:
            see()
            await asyncio.sleep(SEE_EVERY)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        see()


def _state(replay: Replay, ledger: Ledger, cap: Cap) -> State:
    now, book = replay.snapshot(), ledger.book
    return State(
        read=book.read,
        delivered=book.outcome("delivered"),
        undelivered=book.outcome("rejected") + book.outcome("dead_lettered"),
        waiting=now.waiting,
        parked=now.parked,
        consumed=min(now.consumed, now.total),
        total=now.total,
        listing=now.listing,
        per_second=now.per_second,
        rps=cap.ceiling,
        in_flight=now.in_flight,
        limited=book.replies["429"],
        held_by=now.held_by,
        trouble=now.trouble,
    )
