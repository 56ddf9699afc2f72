"""Opens a job: finds its checkpoint or makes one, and what is left to do of it."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from rich.console import Console

from replay_cli.archive import Source, warm_up
from replay_cli.cli.home import Home, Where
from replay_cli.cli.session import Pages, Plan, Session, ToDo
from replay_cli.errors import FatalError, PausedError, UsageError
from replay_cli.job import CHECKPOINTS, Difference, Job, dead_letter_path, plain_dead_letter_path, refuse
from replay_cli.ledger.changes import Changed
from replay_cli.ledger.objects import FINISHED, ObjectState
from replay_cli.ledger.store import Store
from replay_cli.reading import listed
from replay_cli.report.terminal import count
from replay_cli.segment.lists import IN_EXCEPT_IDS, NOT_IN_ONLY_IDS
from replay_cli.segment.selection import LEFT_OUT
from replay_cli.settlement import Work

_LEAVES_OUT = {
    "only_ids": (NOT_IN_ONLY_IDS,),
    "except_ids": (IN_EXCEPT_IDS,),
    "filters": ("filtered", "filter_sampled"),
}
"""Setting → the reasons for which it leaves records out."""
_MAKES_REQUESTS = ("api", "mapping", "filters")
"""Settings on which it depends how many requests a record becomes."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


def checkpoint_path(job: Job, checkpoint: Where | None, name: str | None) -> Where:
    """Return where a job's checkpoint is: as given, or `.replay/{name}.ckpt`."""
    if checkpoint is not None and name is not None:
        raise UsageError("give --checkpoint or --name, not both")
    if name is not None and not _NAME.fullmatch(name):
        raise UsageError(f"--name {name!r}: use 1 to 100 letters, digits, dots, hyphens and underscores")
    if isinstance(checkpoint, Path) and checkpoint.is_dir():
        raise UsageError(f"--checkpoint {checkpoint} is a directory: name a file in it")
    return checkpoint or CHECKPOINTS / f"{name or job.name}.ckpt"


def permission(pages: Pages, plan: Plan, session: Session, console: Console) -> tuple[Pages, str]:
    """Ask whether to begin a job, where that must be asked, and return its listing and the API key.

    Before anything changes: who says no keeps the old checkpoint, and has no new one.
    """
    if session.asks:
        with console.status("listing everything before you are asked"):
            listing = list(pages)
        session.confirm(replace(plan, objects=[obj for page in listing for obj in page]))
        pages = iter(listing)
    return pages, session.key()


def find_work(store: Store, source: Source, pages: Pages, session: Session, settings: Mapping[str, Any]) -> ToDo:
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


def first_page(pages: Pages, console: Console, *, goes_on: bool) -> Pages:
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


def changes_of(job: Job, store: Store, shown: str, session: Session) -> list[Difference]:
    """Return the settings that this run changes.

    Args:
        job: as it is meant now.
        store: its checkpoint.
        shown: what people call that.
        session: whether there is a reason to change something.

    Raises:
        UsageError: the checkpoint is another job's, or it has other settings and nobody said why; or more is meant now
            than was, after some of it was left out.
    """
    stored = Job.from_stored(store.stored_job())
    job.require_same(stored, shown)
    differences = job.differences(stored)
    if differences and session.amend is None:
        refuse(differences)
    skipped = store.tallies().get("skipped", {})
    for difference in differences:
        _require_nothing_left_out(difference, skipped, store)
        if difference.setting in _MAKES_REQUESTS:
            _require_whole_records(difference, store)
    left_out = sum(skipped.get(reason, 0) for reason in LEFT_OUT)
    if left_out and not job.selection.is_within(stored.selection):
        raise UsageError(
            f"{count(left_out, 'record')} that this job has read were left out by its selection, and would stay so if "
            f"it meant more now: {_way_on(store)}"
        )
    return differences


def _require_whole_records(difference: Difference, store: Store) -> None:
    """Refuse to change what requests a record becomes while some of a record's have arrived, and others not."""
    if parts := store.records_in_part():
        raise UsageError(
            f"{count(parts, 'record')} of this job became several requests, of which some arrived and some did not: "
            f"with another {difference.option} nobody could tell which. Finish the job with the one that it has, or "
            "begin another one, with --name"
        )


def _way_on(store: Store) -> str:
    """Say what to do where a job cannot mean more than it did."""
    if not store.tallies().get("delivered"):
        return "nothing was delivered yet, so begin anew with --restart"
    return "keep the selection, and send the rest as a job of its own, with --name and the complement of the selection"


def _require_nothing_left_out(difference: Difference, skipped: Mapping[str, int], store: Store) -> None:
    """Refuse to change a list or filters that left records out: whether less is meant now cannot be told."""
    reasons = _LEAVES_OUT.get(difference.setting, ())
    left_out = sum(n for reason, n in skipped.items() if reason.split(":")[0] in reasons)
    if left_out:
        raise UsageError(
            f"{count(left_out, 'record')} that this job has read were left out by {difference.option}, and would stay "
            f"so: {_way_on(store)}"
        )


def record_changes(store: Store, job: Job, amended: Sequence[Difference], session: Session, console: Console) -> None:
    """Record what this run changes, or say that it changes nothing."""
    if session.amend is None:
        return
    if amended:
        store.amend(job.stored(), session.amend, time.time(), amended)
    else:
        console.print("--amend: the settings are those of the job, so there is nothing to amend", highlight=False)


def tell_of_restart(path: Path, console: Console) -> None:
    """Say what a job has delivered that is going to be moved aside: it is sent again."""
    store = Store.open(path, read_only=True)
    delivered = store.tallies().get("delivered", {}).get("", 0)
    store.close()
    if delivered:
        verb = "is" if delivered == 1 else "are"
        console.print(f"--restart: {count(delivered, 'record')} that the old job has delivered {verb} sent again")


def begin_job(job: Job, home: Home, session: Session) -> Store:
    path = home.path
    if session.must_resume:
        raise UsageError(f"{home.shown}: there is no such checkpoint, and --must-resume forbids to begin a new job")
    home.keep_old()
    if path.exists():
        # Opened and closed once, so that SQLite folds its write-ahead log into the file that is moved.
        Store.open(path).close()
    # With the dead letters of a job whose checkpoint somebody removed, and a log that is being read.
    _move_aside(path, path.with_name(path.name + "-wal"), dead_letter_path(path), plain_dead_letter_path(path))
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
