"""Puts a run together that may begin: sandbox, ledger, conductor, signals, progress, summary."""

import asyncio
import gc
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from secrets import randbits

from rich.console import Console

from replay_cli.archive import Source
from replay_cli.cli.destination import SANDBOX
from replay_cli.cli.home import Home
from replay_cli.cli.interruption import is_to_be_ignored
from replay_cli.cli.keeping import expire_dead_letters
from replay_cli.cli.onlooking import progress, watched
from replay_cli.cli.preparing import preparation
from replay_cli.cli.session import Session, ToDo
from replay_cli.cli.summarizing import about_completion, summarize
from replay_cli.cli.watching import Watch
from replay_cli.delivery.budget import Budget
from replay_cli.delivery.cap import Cap
from replay_cli.delivery.transport import Transport
from replay_cli.errors import BookError
from replay_cli.job import Job, dead_letter_path
from replay_cli.ledger.dead_letters import DeadLetterFile
from replay_cli.ledger.ledger import Ledger
from replay_cli.ledger.store import Store
from replay_cli.model import Request
from replay_cli.moengage.actions import segment_path
from replay_cli.moengage.apis import BULK
from replay_cli.pacemaker import Pacemaker
from replay_cli.replay import Ending, Replay, Standing
from replay_cli.report.logs import tell
from replay_cli.report.summary import Summary, run_numbers
from replay_cli.segment.duplicates import Window
from replay_cli.segment.lists import NO_LISTS
from replay_cli.workshop import Workshop

RUN, REDRIVE = "run", "redrive"
"""What an invocation does to its job."""
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_MANY = 500_000
"""Messages whose ids take more than a moment to read."""
_SWITCH_INTERVAL = 0.0005
"""Seconds after which the reader's and the ledger's threads let the event loop go on."""
_COLLECT_AFTER = 5_000
"""Objects; what is alive at the start (modules, classes) is not looked through again."""


def run_once(
    store: Store,
    home: Home,
    job: Job,
    source: Source,
    to_do: ToDo,
    session: Session,
    key: str,
    console: Console,
) -> Summary:
    """Let a job run (or, where nothing is to be read, a redrive), and return its summary.

    Args:
        store: its checkpoint, locked; what is to be redriven is parked in there.
        home: where that is.
        job: the job.
        source: where its objects are.
        to_do: what is left of it.
        session: what this invocation needs besides.
        key: the API key.
        console: where progress is shown.
    """
    kind = REDRIVE if to_do.pages is None else RUN
    letters = DeadLetterFile(dead_letter_path(home.path))
    letters.recover(store)
    _keep_the_loop_on_time()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        ending, run = runner.run(_conduct(store, letters, home, job, source, to_do, session, key, console))
    try:
        store.verify_book(complete=ending.state == "complete" and kind == RUN)
    except BookError as error:
        ending = Ending("failed", str(error), error)
    if ending.state == "complete" and kind == RUN:
        ending = Ending("complete", about_completion(store))
    store.end_run(time.time(), ending.state, ending.reason)
    expire_dead_letters(store, home.path, session.keep_dead_letters)
    return summarize(store, home.path, ending.state, ending.reason, run)


def _keep_the_loop_on_time() -> None:
    """Keep pauses short: a loop that is late by more than the cap's bucket loses attempts for good."""
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 10, 10)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # where it does not install
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _conduct(
    store: Store,
    letters: DeadLetterFile,
    home: Home,
    job: Job,
    source: Source,
    to_do: ToDo,
    session: Session,
    key: str,
    console: Console,
) -> tuple[Ending, dict[str, object]]:
    began = time.monotonic()
    parked = store.begin_parking(redriven=to_do.pages is None)
    standing = Standing(to_do.work, to_do.pages, parked, bool(store.tallies().get("delivered")), to_do.total)
    # What was parked before a job was amended goes out as it was made.
    in_bulk = job.settings.get("api") == BULK or parked.requests > 0
    window = None if to_do.pages is None else _window(store, job, console)
    async with AsyncExitStack() as stack:
        endpoint = job.endpoint
        if endpoint == SANDBOX:
            from replay_cli.sandbox import Sandbox

            sandbox = await stack.enter_async_context(Sandbox(workspace_id=job.workspace_id, api_key=key))
            endpoint = sandbox.url
        transport = await stack.enter_async_context(_transport(endpoint, job, session, key, in_bulk=in_bulk))
        workshop = stack.enter_context(make) if (make := _workshop(job, session, to_do)) is not None else None
        cap = Cap(session.rps)
        ledger = Ledger(store, letters, lambda error: replay.fail(error))
        stack.callback(ledger.close)
        check = Request((), 0, "GET", segment_path(job.workspace_id, "/auth"), b"", (), ())
        prepare = preparation(job, session.listing.lists, session.allowance)
        pack = prepare.api.pack
        replay = Replay(
            source,
            standing,
            prepare,
            ledger,
            transport,
            cap,
            session.policy,
            check,
            pack=pack,
            budget=Budget(session.allowance) if in_bulk and any(session.allowance) else None,
            window=window,
            prepare_all=workshop.prepare_all if workshop is not None else None,
            custody=home.custody,
        )
        await stack.enter_async_context(home.watch(replay, cap))
        await stack.enter_async_context(_signals(replay, console))
        stack.enter_context(Pacemaker(session.hours, cap, lambda reason: replay.stop(Ending("paused", reason))))
        if session.telling is not None:
            watch = stack.enter_context(Watch(session.telling, home.path, console))
            is_reading = to_do.pages is not None
            await stack.enter_async_context(watched(replay, ledger, cap, watch, is_reading=is_reading))
        await stack.enter_async_context(progress(replay, ledger, cap, console))
        ending = await replay.run()
    book = ledger.book
    elapsed = time.monotonic() - began
    return ending, run_numbers(book.read, book.records, book.replies, cap.meter.peak, book.in_doubt, elapsed)


def _transport(endpoint: str, job: Job, session: Session, key: str, *, in_bulk: bool) -> Transport:
    return Transport(
        endpoint,
        job.workspace_id,
        key,
        concurrency=session.policy.concurrency,
        timeout=session.timeout,
        ca_file=session.ca_file,
        headers={"MOE-APPKEY": job.workspace_id} if in_bulk else {},
    )


def _workshop(job: Job, session: Session, to_do: ToDo) -> Workshop | None:
    """Return a process to prepare in, for bulk jobs that neither budgets nor lists hold up."""
    unbound = job.settings.get("api") == BULK and not any(session.allowance) and session.listing.lists == NO_LISTS
    if not unbound or to_do.pages is None:
        return None
    return Workshop(partial(preparation, job, NO_LISTS, session.allowance))


def _window(store: Store, job: Job, console: Console) -> Window | None:
    """Return the last messages that earlier runs have seen, where duplicates are left out."""
    size = job.settings.get("dedupe")
    if size is None:
        return None
    window = Window(size, randbits(64))
    if min(size, store.totals()["read"]) > _MANY:
        console.print("reading the ids of the last messages, to tell duplicates by", highlight=False)
    for numbers in store.begin_window(size):
        window.fill(numbers)
    return window


@asynccontextmanager
async def _signals(replay: Replay, console: Console) -> AsyncIterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP stop the run in good order, and a second one at once."""
    loop = asyncio.get_running_loop()
    received: list[str] = []

    def stop(name: str) -> None:
        if received:
            replay.abort()
        else:
            tell(console, "stopping", f"{name}: letting requests in flight finish; once more stops now")
            replay.stop(Ending("interrupted", name))
        received.append(name)

    heard = [number for number in _STOPPING if not is_to_be_ignored(number)]
    for number in heard:
        loop.add_signal_handler(number, stop, number.name)
    try:
        yield
    finally:
        for number in heard:
            loop.remove_signal_handler(number)
