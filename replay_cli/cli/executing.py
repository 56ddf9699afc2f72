"""Lets a job run from where it stands, or its dead letters go again: checkpoint, locks, what is left, permission."""

import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from replay_cli.archive import open_source
from replay_cli.cli.home import Home, Where, home_of
from replay_cli.cli.keeping import expire_dead_letters, no_more_text
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
from replay_cli.cli.overlap import look_again, look_out
from replay_cli.cli.preparing import preparation, suppressed_records
from replay_cli.cli.session import Plan, Session, ToDo
from replay_cli.cli.shaping import explain
from replay_cli.cli.summarizing import about_completion, summarize
from replay_cli.cli.wiring import REDRIVE, RUN, run_once
from replay_cli.errors import BookError, PausedError, ReplayError, UsageError
from replay_cli.job import Difference, Job, dead_letter_path
from replay_cli.ledger.dead_letters import DeadLetterFile
from replay_cli.ledger.lock import workspace_lock
from replay_cli.ledger.redrive import IN_DOUBT, Which
from replay_cli.ledger.store import Store
from replay_cli.moengage.packing import without
from replay_cli.preparation import Preparation
from replay_cli.redriving import take_dead_letters
from replay_cli.report.logs import tell, tell_of_people
from replay_cli.report.summary import Summary, run_numbers
from replay_cli.report.terminal import count


def execute(job: Job, where: Where, session: Session, console: Console) -> Summary:
    """Run a job from where it stands, and return its summary.

    Raises:
        UsageError: the checkpoint is another job's or has other settings, or must exist and does not.
        FatalError: another run uses the checkpoint or the workspace, or something outside must be fixed.
    """
    for line in (*job.selection.explain(), *explain(job.settings), *session.listing.explain()):
        tell_of_people(console, "selection", line)
    source = open_source(job.sources, job.selection, session.s3)
    prepare = preparation(job, session.listing.lists, session.allowance)
    plan = Plan(job, source, (), session.rps, prepare, session.allowance)
    with ExitStack() as stack:
        home = stack.enter_context(home_of(where, job, session, console))
        goes_on = home.path.exists() and not session.restart
        pages = first_page(source.pages(), console, goes_on=goes_on)
        stack.enter_context(home.lock())
        if not goes_on:
            if home.path.exists():
                tell_of_restart(home.path, console)
            lookout = stack.enter_context(look_out(where, job, None, session, console))
            pages = lookout.look_ahead(pages)
            pages, key = permission(pages, replace(plan, overlap=lookout.warning), session, console)
            store = begin_job(job, home, session)
            stack.callback(store.close)
            home.opened(store)
            store.begin_listing(job.settings)
            to_do, amended = ToDo([], pages), list[Difference]()
        else:
            store = Store.open(home.path)
            stack.callback(store.close)
            home.opened(store)
            amended = changes_of(job, store, home.shown, session)
            expire_dead_letters(store, home.path, session.keep_dead_letters)  # now that it is known to be this job's
            if (warning := no_longer_suppressed(store.pace(), store.tallies(), session.listing)) is not None:
                tell(console, "no_longer_suppressed", warning, "warning")
            _suppress(store, session, plan.prepare)
            lookout = stack.enter_context(look_out(where, job, store, session, console))
            to_do = find_work(store, source, lookout.look_ahead(pages), session, job.settings)
            if not (to_do.work or store.waiting(1) or store.parked_records()) and store.runs():
                store.end_listing(source.ignored)
                record_changes(store, job, amended, session, console)
                return home.leave(store, _repeat(store, home.path, session))
            if session.asks:
                left = [*(work.object for work in to_do.work), *(state.object for state in store.waiting())]
                session.confirm(replace(plan, objects=left, overlap=lookout.warning))
            key = session.key()
        if not session.destination.is_sandbox:
            stack.enter_context(workspace_lock(job.endpoint, job.workspace_id))
        look_again(lookout, where, job, store if goes_on else None, session, console)
        record_changes(store, job, amended, session, console)
        lookout.remember(store)
        _begin(store, home, job, session, RUN)
        return home.leave(store, run_once(store, home, job, source, to_do, session, key, console))


def redrive(job: Job, where: Where, which: Which, limit: int | None, session: Session, console: Console) -> Summary:
    """Send dead letters of a job again, at most `limit` records, and return its summary.

    Its `run` is the book of the redrive: `read` counts the records taken, those that an earlier one left included.

    Raises:
        UsageError: there is no such checkpoint.
        FatalError: another run uses the checkpoint or the workspace, or something outside must be fixed.
    """
    with ExitStack() as stack:
        home = stack.enter_context(home_of(where, job, session, console))
        stack.enter_context(home.lock())
        store = Store.open(home.path)
        stack.callback(store.close)
        home.opened(store)
        job = Job.from_stored(store.stored_job())
        store.settle_intents()
        expire_dead_letters(store, home.path, session.keep_dead_letters)
        source, prepare = open_source(job.sources), preparation(job, session.listing.lists, session.allowance)
        _suppress(store, session, prepare)
        letters = sum(store.redrivable(which).values())
        waiting = letters if limit is None else min(letters, limit)
        if not waiting + store.parked_records(redriven=True):
            return home.leave(store, _nothing_to_redrive(store, home.path, which))
        if session.asks:
            session.confirm(Plan(job, source, [], session.rps, prepare, session.allowance, waiting))
        key = session.key()
        if not session.destination.is_sandbox:
            stack.enter_context(workspace_lock(job.endpoint, job.workspace_id))
        left = take_dead_letters(store, which, limit, prepare).left
        taken = store.parked_records(redriven=True)
        _begin(store, home, job, session, REDRIVE)
        summary = run_once(store, home, job, source, ToDo([], None), session, key, console)
        book = summary["run"]["records"]
        book |= {"read": taken, "pending": store.parked_records(redriven=True), "left": left}
        if summary["state"] == "complete":
            delivered = f"{book['delivered']:,} of {count(taken, 'dead letter')} delivered"
            summary["reason"] = f"{delivered}{no_more_text(store)}"
        if taken != book["delivered"] + book["dead_lettered"] + book["pending"]:
            raise BookError(f"the book of the redrive does not close: {book}. Please report it with {home.path}")
        return home.leave(store, summary)


def _begin(store: Store, home: Home, job: Job, session: Session, kind: str) -> None:
    """Note that a run begins, and make its checkpoint safe: whoever finds it then knows of the run, if that dies.

    Raises:
        ReplayError: it cannot be made safe.
    """
    store.start_run(time.time(), session.pace, kind)
    try:
        home.ready(job, session)
    except ReplayError as error:
        store.end_run(time.time(), "paused" if isinstance(error, PausedError) else "failed", str(error))
        raise


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
    return summarize(store, path, "complete", f"no such dead letters: nothing was sent{left}{no_more_text(store)}", run)


def _repeat(store: Store, path: Path, session: Session) -> Summary:
    """Return the summary of a job that has nothing left to do, its book checked and its files made whole."""
    now = time.time()
    DeadLetterFile(dead_letter_path(path)).recover(store)
    store.verify_book(complete=True)
    reason = about_completion(store, "already complete: nothing new under the sources, nothing sent")
    store.start_run(now, session.pace)
    store.end_run(now, "complete", reason)
    return summarize(store, path, "complete", reason, run_numbers(0, Counter(), {}, 0, 0, 0.0))
