"""Puts a run together: checkpoint, locks, sandbox, ledger, conductor, signals, progress, summary."""

import asyncio
import gc
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from replay_cli.archive import S3Options, Source, open_source, warm_up
from replay_cli.cli.destination import SANDBOX, Destination
from replay_cli.delivery.cap import Cap
from replay_cli.delivery.transport import Transport
from replay_cli.errors import BookError, FatalError, PausedError, UsageError
from replay_cli.job import CHECKPOINTS, Difference, Job, dead_letter_path
from replay_cli.ledger.changes import Changed
from replay_cli.ledger.dead_letters import DeadLetterFile
from replay_cli.ledger.ledger import Ledger
from replay_cli.ledger.lock import checkpoint_lock, workspace_lock
from replay_cli.ledger.objects import FINISHED, ObjectState
from replay_cli.ledger.redrive import Which
from replay_cli.ledger.store import Store
from replay_cli.model import ArchiveObject, Request
from replay_cli.moengage.actions import actions_mapping, segment_path
from replay_cli.policy import Policy
from replay_cli.preparation import Preparation
from replay_cli.reading import listed
from replay_cli.redriving import take_dead_letters
from replay_cli.replay import Ending, Replay, Standing
from replay_cli.report.progress import State, make_reporter
from replay_cli.report.summary import Summary, make_summary, run_numbers
from replay_cli.report.terminal import count
from replay_cli.segment.selection import LEFT_OUT
from replay_cli.settlement import Work

Pages = Iterator[Sequence[ArchiveObject]]
RUN, REDRIVE = "run", "redrive"
"""What an invocation does to its job."""
NOTHING_MEANT = "nothing under the sources lies within the selection, as the paths tell it"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SWITCH_INTERVAL = 0.0005
"""Seconds after which the reader's and the ledger's threads let the event loop go on."""
_COLLECT_AFTER = 5_000
"""Objects; what is alive at the start (modules, classes) is not looked through again."""


@dataclass(frozen=True, slots=True)
class Session:
    """What one invocation needs beyond the job itself.

    `key` gives the API key when it is time to send; `confirm` is called before, where somebody is to be asked (`asks`).
    """

    destination: Destination
    key: Callable[[], str]
    rps: float
    policy: Policy
    timeout: float
    ca_file: Path | None
    confirm: Callable[["Plan"], None]
    asks: bool
    pace: Mapping[str, Any]
    restart: bool = False
    must_resume: bool = False
    changed: Changed = Changed.REFUSE
    s3: S3Options | None = None
    amend: str | None = None
    """Why the job goes on with other settings; None: it does not"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is about to do, for a person."""

    job: Job
    source: Source
    objects: Sequence[ArchiveObject]
    rps: float
    prepare: Preparation
    redriven: int = 0
    """Dead letters to send again; then no object is read"""


class ToDo(NamedTuple):
    """What a run is going to read: what was begun, then what is listed; `size` bytes of that are known already.

    A redrive reads nothing: it has no pages.
    """

    work: Sequence[Work]
    pages: Pages | None
    size: int = 0

    @property
    def total(self) -> int:
        """The stored bytes known so far."""
        return self.size + sum(work.object.size for work in self.work)


def preparation(job: Job) -> Preparation:
    """Make the pure middle of a run from a job's settings."""
    settings = job.settings
    mapping = actions_mapping(
        job.workspace_id,
        settings.get("project_name", ""),
        update_existing_only=settings.get("update_existing_only", False),
    )
    return Preparation(mapping, strict=settings.get("strict", False), clock=time.time, selection=job.selection)


def checkpoint_path(job: Job, checkpoint: Path | None, name: str | None) -> Path:
    """Return where a job's checkpoint is: as given, or `.replay/{name}.ckpt`."""
    if checkpoint is not None and name is not None:
        raise UsageError("give --checkpoint or --name, not both")
    if name is not None and not _NAME.fullmatch(name):
        raise UsageError(f"--name {name!r}: use 1 to 100 letters, digits, dots, hyphens and underscores")
    if checkpoint is not None and checkpoint.is_dir():
        raise UsageError(f"--checkpoint {checkpoint} is a directory: name a file in it")
    return checkpoint or CHECKPOINTS / f"{name or job.name}.ckpt"


def execute(job: Job, path: Path, session: Session, console: Console) -> Summary:
    """Run a job from where it stands, and return its summary.

    Raises:
        UsageError: the checkpoint is another job's or has other settings, or must exist and does not.
        FatalError: another run uses the checkpoint or the workspace, or something outside must be fixed.
    """
    for line in job.selection.explain():
        console.print(line, highlight=False, markup=False)
    source = open_source(job.sources, job.selection, session.s3)
    plan = Plan(job, source, (), session.rps, preparation(job))
    goes_on = path.exists() and not session.restart
    pages = _begun(source.pages(), console, goes_on=goes_on)
    with ExitStack() as stack:
        stack.enter_context(checkpoint_lock(path))
        if not goes_on:
            pages, key = _permission(pages, plan, session, console)
            store = _begin(job, path, session)
            stack.callback(store.close)
            store.begin_listing(job.settings)
            to_do, amended = ToDo([], pages), list[Difference]()
        else:
            store = Store.open(path)
            stack.callback(store.close)
            amended = _amended(job, store, session)
            to_do = _find_work(store, source, pages, session, job.settings)
            if not (to_do.work or store.waiting(1) or store.parked_records()) and store.runs():
                store.end_listing(source.ignored)
                _amend(store, job, amended, session, console)
                return _repeat(store, path, session)
            if session.asks:
                left = [*(work.object for work in to_do.work), *(state.object for state in store.waiting())]
                session.confirm(replace(plan, objects=left))
            key = session.key()
        if not session.destination.is_sandbox:
            stack.enter_context(workspace_lock(job.endpoint, job.workspace_id))
        _amend(store, job, amended, session, console)
        return _run(store, path, job, source, to_do, session, key, console)


def _permission(pages: Pages, plan: Plan, session: Session, console: Console) -> tuple[Pages, str]:
    """Ask whether to begin a job, where that must be asked, and return its listing and the API key.

    Before anything changes: who says no keeps the old checkpoint, and has no new one.
    """
    if session.asks:
        with console.status("listing everything before you are asked"):
            listing = list(pages)
        session.confirm(replace(plan, objects=[obj for page in listing for obj in page]))
        pages = iter(listing)
    return pages, session.key()


def _find_work(store: Store, source: Source, pages: Pages, session: Session, settings: Mapping[str, Any]) -> ToDo:
    """Return what is left of a job: what was begun, as it is now, and the listing.

    Of that, so much is taken into the job that it is known whether there is anything to do; or all, to be asked about.
    """
    store.settle_intents()
    store.begin_listing(settings)
    work = find_begun(store, source, session.changed)
    size = 0
    while session.asks or not (work or store.waiting(1)):
        try:
            page = next(pages, None)
        except UsageError:  # the archive is gone: no matter, if all of it was read
            if work or store.has_unlisted:
                raise
            pages, page = iter(()), None
        if page is None:
            break
        size += store.register(listed(page))
    return ToDo(work, pages, size)


def _begun(pages: Pages, console: Console, *, goes_on: bool) -> Pages:
    """Fetch the first page of a listing, so that a wrong source is refused before anything else happens."""
    try:
        with console.status("looking for archives"):
            first = next(pages, None)
    except PausedError as error:
        if goes_on:
            raise
        raise FatalError(str(error)) from error  # nothing was begun that could go on
    except UsageError as error:
        if not goes_on:
            raise
        return _refused(error)  # by a job that has nothing else to do
    warm_up(first or ())
    return chain(() if first is None else (first,), pages)


def _refused(error: UsageError) -> Pages:
    raise error
    yield ()


def _amended(job: Job, store: Store, session: Session) -> list[Difference]:
    """Return the settings that this run changes.

    Raises:
        UsageError: the checkpoint is another job's, or it has other settings and nobody said why; or more is meant now
            than was, after some of it was left out.
    """
    stored = Job.from_stored(store.stored_job())
    job.require_same(stored, store.path)
    differences = job.differences(stored)
    if differences and session.amend is None:
        differences[0].refuse()
    skipped = store.tallies().get("skipped", {})
    left_out = sum(skipped.get(reason, 0) for reason in LEFT_OUT)
    if left_out and not job.selection.is_within(stored.selection):
        raise UsageError(
            f"{count(left_out, 'record')} that this job has read were left out by its selection, and would stay so if "
            "it meant more now: keep the selection, and send the rest as a job of its own, with --name and the "
            "complement of the times or sources"
        )
    return differences


def _amend(store: Store, job: Job, amended: Sequence[Difference], session: Session, console: Console) -> None:
    """Record what this run changes, or say that it changes nothing."""
    if session.amend is None:
        return
    if amended:
        store.amend(job.stored(), session.amend, time.time(), amended)
    else:
        console.print("--amend: the settings are those of the job, so there is nothing to amend", highlight=False)


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
        letters = sum(store.redrivable(which).values())
        waiting = letters if limit is None else min(letters, limit)
        if not waiting + store.parked_records(redriven=True):
            return _nothing_to_redrive(store, path, which)
        source, prepare = open_source(job.sources), preparation(job)
        if session.asks:
            session.confirm(Plan(job, source, [], session.rps, prepare, waiting))
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


def _nothing_to_redrive(store: Store, path: Path, which: Which) -> Summary:
    store.verify_book()
    there = ", ".join(f"{reason} {n:,}" for reason, n in store.tallies().get("dead_lettered", {}).items())
    if there and which != Which():
        raise UsageError(f"no dead letters are meant by --reason and --status; there are: {there}")
    run = run_numbers(0, Counter(), {}, 0, 0, 0.0)
    run["records"] |= {"pending": 0, "left": 0}
    return summarize(store, path, "complete", "no such dead letters: nothing was sent", run)


def _begin(job: Job, path: Path, session: Session) -> Store:
    if session.must_resume:
        raise UsageError(f"{path}: there is no such checkpoint, and --must-resume forbids to begin a new job")
    if path.exists():
        # Opened and closed once, so that SQLite folds its write-ahead log into the file that is moved.
        Store.open(path).close()
    # With the dead letters of a job whose checkpoint somebody removed, and a log that is being read.
    _move_aside(path, path.with_name(path.name + "-wal"), dead_letter_path(path))
    return Store.create(path, job.stored())


def _move_aside(*paths: Path) -> None:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for old in paths:
        if old.exists():
            try:
                old.rename(_free_name(old, stamp))
            except OSError as error:
                raise FatalError(f"cannot move {old} aside: {error.strerror}") from None


def _free_name(old: Path, stamp: str) -> Path:
    names = (old.with_name(f"{old.name}.{stamp}{suffix}") for suffix in ("", *(f"-{n}" for n in range(2, 1000))))
    return next(name for name in names if not name.exists())


def find_begun(store: Store, source: Source, changed: Changed) -> list[Work]:
    """Return what is left to read of the objects that were begun, as they are now; no intents may be left."""
    states = [store.take_found(state, source.find(state.object.uri), changed) for state in store.begun(changed)]
    return [_work(store, state) for state in states if state.state not in FINISHED]


def _work(store: Store, state: ObjectState) -> Work:
    if state.state == "waiting":
        return Work.new(state)
    return Work(
        state.id,
        state.object,
        state.watermark,
        store.open_batches(state.id),
        store.settled_parts(state.id),
        store.doubts(state.id, state.watermark),
        state.place,
        state.earlier,
    )


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
    if ending.state == "complete" and kind == RUN and not store.totals()["objects"]:
        ending = Ending("complete", NOTHING_MEANT)
    store.end_run(time.time(), ending.state, ending.reason)
    return summarize(store, path, ending.state, ending.reason, run)


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
            )
        )
        cap = Cap(session.rps)
        ledger = Ledger(store, letters, lambda error: replay.fail(error))
        stack.callback(ledger.close)
        check = Request((), 0, "GET", segment_path(job.workspace_id, "/auth"), b"", (), ())
        replay = Replay(source, standing, preparation(job), ledger, transport, cap, session.policy, check)
        await stack.enter_async_context(_signals(replay, console))
        await stack.enter_async_context(_progress(replay, ledger, cap, console))
        ending = await replay.run()
    book = ledger.book
    elapsed = time.monotonic() - began
    return ending, run_numbers(book.read, book.records, book.replies, cap.meter.peak, book.in_doubt, elapsed)


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
        job=store.stored_job(),
        run=run,
        elapsed=sum(entry["seen"] - entry["started"] for entry in store.runs()),
        checkpoint=path,
        dead_letters=letters if letters.exists() and letters.stat().st_size else None,
    )
