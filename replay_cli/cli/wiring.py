"""Puts a run together: checkpoint, locks, sandbox, ledger, conductor, signals, progress, summary."""

import asyncio
import gc
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from secrets import randbits
from typing import Any

from rich.console import Console

from replay_cli.archive import Source, open_source
from replay_cli.cli.destination import SANDBOX
from replay_cli.cli.listing import no_longer_suppressed
from replay_cli.cli.opening import (
    begin_job,
    changes_of,
    find_work,
    first_page,
    permission,
    record_changes,
    tell_of_restart,
)
from replay_cli.cli.preparing import preparation, suppressed_records
from replay_cli.cli.session import Plan, Session, ToDo
from replay_cli.cli.shaping import explain
from replay_cli.delivery.budget import Budget
from replay_cli.delivery.cap import Cap
from replay_cli.delivery.transport import Transport
from replay_cli.errors import BookError, UsageError
from replay_cli.job import Difference, Job, dead_letter_path
from replay_cli.ledger.dead_letters import DeadLetterFile
from replay_cli.ledger.ledger import Ledger
from replay_cli.ledger.lock import checkpoint_lock, workspace_lock
from replay_cli.ledger.redrive import IN_DOUBT, Which
from replay_cli.ledger.store import Store
from replay_cli.model import Request
from replay_cli.moengage.actions import segment_path
from replay_cli.moengage.apis import BULK
from replay_cli.moengage.packing import without
from replay_cli.preparation import Preparation
from replay_cli.redriving import take_dead_letters
from replay_cli.replay import Ending, Replay, Standing
from replay_cli.report.progress import State, make_reporter
from replay_cli.report.summary import Summary, make_summary, run_numbers
from replay_cli.report.terminal import count
from replay_cli.segment.duplicates import Window
from replay_cli.segment.lists import NO_LISTS
from replay_cli.workshop import Workshop

RUN, REDRIVE = "run", "redrive"
"""What an invocation does to its job."""
NOTHING_MEANT = "nothing under the sources lies within the selection, as the paths tell it"
ALL_SKIPPED = "nothing was sent: all that was read is skipped, for the reasons below"
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_MANY = 500_000
"""Messages whose ids take more than a moment to read."""
_SWITCH_INTERVAL = 0.0005
"""Seconds after which the reader's and the ledger's threads let the event loop go on."""
_COLLECT_AFTER = 5_000
"""Objects; what is alive at the start (modules, classes) is not looked through again."""


def execute(job: Job, path: Path, session: Session, console: Console) -> Summary:
    """Run a job from where it stands, and return its summary.

    Raises:
        UsageError: the checkpoint is another job's or has other settings, or must exist and does not.
        FatalError: another run uses the checkpoint or the workspace, or something outside must be fixed.
    """
    for line in (*job.selection.explain(), *explain(job.settings), *session.listing.explain()):
        console.print(line, highlight=False, markup=False)
    source = open_source(job.sources, job.selection, session.s3)
    prepare = preparation(job, session.listing.lists, session.allowance)
    plan = Plan(job, source, (), session.rps, prepare, session.allowance)
    goes_on = path.exists() and not session.restart
    pages = first_page(source.pages(), console, goes_on=goes_on)
    with ExitStack() as stack:
        stack.enter_context(checkpoint_lock(path))
        if not goes_on:
            if path.exists():
                tell_of_restart(path, console)
            pages, key = permission(pages, plan, session, console)
            store = begin_job(job, path, session)
            stack.callback(store.close)
            store.begin_listing(job.settings)
            to_do, amended = ToDo([], pages), list[Difference]()
        else:
            store = Store.open(path)
            stack.callback(store.close)
            amended = changes_of(job, store, session)
            if (warning := no_longer_suppressed(store.pace(), store.tallies(), session.listing)) is not None:
                console.print(warning, highlight=False, markup=False)
            _suppress(store, session, plan.prepare)
            to_do = find_work(store, source, pages, session, job.settings)
            if not (to_do.work or store.waiting(1) or store.parked_records()) and store.runs():
                store.end_listing(source.ignored)
                record_changes(store, job, amended, session, console)
                return _repeat(store, path, session)
            if session.asks:
                left = [*(work.object for work in to_do.work), *(state.object for state in store.waiting())]
                session.confirm(replace(plan, objects=left))
            key = session.key()
        if not session.destination.is_sandbox:
            stack.enter_context(workspace_lock(job.endpoint, job.workspace_id))
        record_changes(store, job, amended, session, console)
        return _run(store, path, job, source, to_do, session, key, console)


def redrive(path: Path, which: Which, limit: int | None, session: Session, console: Console) -> Summary:
    """Send dead letters of a job again, at most `limit` records, and return its summary.

    Its `run` is the book of the redrive: `read` counts the records taken, those that an earlier one left included.

    Raises:
        UsageError: there is no such checkpoint.
        FatalError: another run uses the checkpoint or the workspace, or something outside must be fixed.
    """
    with ExitStack() as stack:
        stack.enter_context(checkpoint_lock(path))
        store = Store.open(path)
        stack.callback(store.close)
        job = Job.from_stored(store.stored_job())
        store.settle_intents()
        source, prepare = open_source(job.sources), preparation(job, session.listing.lists, session.allowance)
        _suppress(store, session, prepare)
        letters = sum(store.redrivable(which).values())
        waiting = letters if limit is None else min(letters, limit)
        if not waiting + store.parked_records(redriven=True):
            return _nothing_to_redrive(store, path, which)
        if session.asks:
            session.confirm(Plan(job, source, [], session.rps, prepare, session.allowance, waiting))
        key = session.key()
        if not session.destination.is_sandbox:
            stack.enter_context(workspace_lock(job.endpoint, job.workspace_id))
        left = take_dead_letters(store, which, limit, prepare).left
        taken = store.parked_records(redriven=True)
        summary = _run(store, path, job, source, ToDo([], None), session, key, console)
        book = summary["run"]["records"]
        book |= {"read": taken, "pending": store.parked_records(redriven=True), "left": left}
        if summary["state"] == "complete":
            summary["reason"] = f"{book['delivered']:,} of {count(taken, 'dead letter')} delivered"
        if taken != book["delivered"] + book["dead_lettered"] + book["pending"]:
            raise BookError(f"the book of the redrive does not close: {book}. Please report it with {path}")
        return summary


def _suppress(store: Store, session: Session, prepare: Preparation) -> None:
    """Take the people who are suppressed by now out of what waits in the checkpoint."""
    people = session.listing.lists.suppressed
    if people is not None:
        store.suppress_parked(suppressed_records(people, prepare.api.map), without)


def _nothing_to_redrive(store: Store, path: Path, which: Which) -> Summary:
    store.verify_book()
    there = ", ".join(f"{reason} {n:,}" for reason, n in store.tallies().get("dead_lettered", {}).items())
    if there and which != Which():
        raise UsageError(f"no dead letters are meant by --reason and --status; there are: {there}")
    run = run_numbers(0, Counter(), {}, 0, 0, 0.0)
    run["records"] |= {"pending": 0, "left": 0}
    doubtful = store.tallies().get("dead_lettered", {}).get(IN_DOUBT, 0)
    left = f"; {doubtful:,} may have arrived, and are sent again by --reason {IN_DOUBT} only" if doubtful else ""
    return summarize(store, path, "complete", f"no such dead letters: nothing was sent{left}", run)


def _run(
    store: Store,
    path: Path,
    job: Job,
    source: Source,
    to_do: ToDo,
    session: Session,
    key: str,
    console: Console,
) -> Summary:
    kind = REDRIVE if to_do.pages is None else RUN
    began = time.time()
    letters = DeadLetterFile(dead_letter_path(path))
    letters.recover(store)
    store.start_run(began, session.pace, kind)
    _keep_the_loop_on_time()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        ending, run = runner.run(_conduct(store, letters, job, source, to_do, session, key, console))
    try:
        store.verify_book(complete=ending.state == "complete" and kind == RUN)
    except BookError as error:
        ending = Ending("failed", str(error), error)
    if ending.state == "complete" and kind == RUN:
        ending = Ending("complete", _why_nothing(store))
    store.end_run(time.time(), ending.state, ending.reason)
    return summarize(store, path, ending.state, ending.reason, run)


def _why_nothing(store: Store) -> str:
    """Say why a job that is complete has sent nothing; empty when it has."""
    if not store.totals()["objects"]:
        return NOTHING_MEANT
    outcomes = store.tallies()
    return ALL_SKIPPED if outcomes.get("skipped") and not outcomes.keys() - {"skipped", "warning"} else ""


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
        transport = await stack.enter_async_context(
            Transport(
                endpoint,
                job.workspace_id,
                key,
                concurrency=session.policy.concurrency,
                timeout=session.timeout,
                ca_file=session.ca_file,
                headers={"MOE-APPKEY": job.workspace_id} if in_bulk else {},
            )
        )
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
        )
        await stack.enter_async_context(_signals(replay, console))
        await stack.enter_async_context(_progress(replay, ledger, cap, console))
        ending = await replay.run()
    book = ledger.book
    elapsed = time.monotonic() - began
    return ending, run_numbers(book.read, book.records, book.replies, cap.meter.peak, book.in_doubt, elapsed)


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
            console.print(f"{name}: letting requests in flight finish; once more stops now", highlight=False)
            replay.stop(Ending("interrupted", name))
        received.append(name)

    for number in _STOPPING:
        loop.add_signal_handler(number, stop, number.name)
    try:
        yield
    finally:
        for number in _STOPPING:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _progress(replay: Replay, ledger: Ledger, cap: Cap, console: Console) -> AsyncIterator[None]:
    def state() -> State:
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
            rps=cap.rps,
            in_flight=now.in_flight,
            limited=book.replies["429"],
            held_by=now.held_by,
            trouble=now.trouble,
        )

    with make_reporter(console) as reporter:

        async def show() -> None:
            while True:
                await asyncio.sleep(reporter.every)
                reporter.show(state())

        task = asyncio.create_task(show())
        try:
            yield
        finally:
            task.cancel()


def _repeat(store: Store, path: Path, session: Session) -> Summary:
    """Return the summary of a job that has nothing left to do, its book checked and its files made whole."""
    now = time.time()
    DeadLetterFile(dead_letter_path(path)).recover(store)
    store.verify_book(complete=True)
    reason = "already complete: nothing new under the sources, nothing sent"
    store.start_run(now, session.pace)
    store.end_run(now, "complete", reason)
    return summarize(store, path, "complete", reason, run_numbers(0, Counter(), {}, 0, 0, 0.0))


def summarize(store: Store, path: Path, state: str, reason: str, run: dict[str, Any]) -> Summary:
    """Make the summary of a job from its checkpoint."""
    letters, totals, replies = dead_letter_path(path), store.totals(), store.replies()
    if state == "running":
        totals["in_doubt"] -= totals["intended"]  # on their way
    elif totals["intended"]:
        replies["interrupted"] = replies.get("interrupted", 0) + totals["intended"]
    return make_summary(
        state=state,
        reason=reason,
        book=store.tallies(),
        totals=totals,
        replies=replies,
        damage=dict(store.damaged()),
        changed=store.changed(),
        amendments=store.amendments(),
        continued=store.continued(),
        examples=store.examples(),
        job=store.stored_job(),
        run=run,
        elapsed=sum(entry["seen"] - entry["started"] for entry in store.runs()),
        checkpoint=path,
        dead_letters=letters if letters.exists() and letters.stat().st_size else None,
    )
