"""What `replay validate` does once its options are read: it looks, tells, and exits with what it found."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from secrets import randbits
from typing import Any, NoReturn

import click
from rich.console import Console

from replay_cli.archive import Source, open_source, read
from replay_cli.cli.inquiry import Inquiry, inquiry_from
from replay_cli.cli.interruption import interruptible, stopping
from replay_cli.cli.preparing import preparation
from replay_cli.errors import DamagedObjectError
from replay_cli.job import Job
from replay_cli.moengage.apis import BULK
from replay_cli.pacing import make_pace
from replay_cli.preparation import Preparation, Prepared
from replay_cli.profiling.estimate import Pace
from replay_cli.recognition import leave_out_duplicates
from replay_cli.report.logs import events_of, tell_of_people
from replay_cli.report.summary import EXIT_INCOMPLETE, EXIT_OK, EXIT_SIGNALS
from replay_cli.report.terminal import count, error_console, output_console, print_json, printable
from replay_cli.segment.duplicates import Window
from replay_cli.telling.discretion import discreet_summary

Values = Mapping[str, Any]
"""The options of `replay validate`."""
_THREADS = "OPENBLAS_NUM_THREADS"
"""Of the environment: how many threads numpy starts, here and in each worker; what is done with it needs none."""


def validate(values: Values) -> NoReturn:
    """Look at what the options name, tell about it, and exit 0 if all of it can be sent, else 3."""
    os.environ.setdefault(_THREADS, "1")
    with interruptible():
        inquiry = inquiry_from(values, time.time())
        console = error_console()
        if (events := events_of(console)) is not None:
            events.is_verbose = values["verbose"]
        for line in (*inquiry.explain(), *_notes(values)):
            tell_of_people(console, "selection", line)
        look = _show if values["show"] else _plan if values["plan"] else _read_all
        code = look(inquiry, values, console)
    raise click.exceptions.Exit(code)


def _tell(console: Console, document: dict[str, Any], show: Callable[[Console, dict[str, Any]], None]) -> None:
    """Show what was found to people, or tell of it in a log of events."""
    events = events_of(console)
    if events is None:
        show(console, document)
    else:
        told = document if events.is_verbose else discreet_summary(document)
        events.emit("validation_ended", sendable=document.get("sendable"), summary=told)


def _code(*, is_sendable: bool) -> int:
    return EXIT_OK if is_sendable else EXIT_INCOMPLETE


def _read_all(inquiry: Inquiry, values: Values, console: Console) -> int:
    """Read everything; return the exit code."""
    from replay_cli.cli.counts import write_counts  # here: what plans and previews do without
    from replay_cli.cli.findings import validation_document
    from replay_cli.report.validation import print_validation
    from replay_cli.validation.conductor import Validation
    from replay_cli.validation.work import Setup

    setup = Setup(inquiry.job, inquiry.listing.lists, inquiry.allowance, inquiry.s3, inquiry.now)
    workers, scheduler, window = values["workers"] or cores(), values["scheduler"], _window(values)
    validation = Validation(setup, workers=workers, scheduler=scheduler, limit=values["limit"], window=window)
    with stopping(validation.stop):
        findings = validation.go(console)
    document = validation_document(inquiry, findings, _pace(inquiry, values), values["limit"])
    _tell(console, document, print_validation)
    profile = findings.profile
    counts = partial(write_counts, values["counts"], profile.deliveries, profile.other_deliveries)
    _hand_out(document, values, counts if values["counts"] is not None else None)
    return EXIT_SIGNALS[findings.interrupted] if findings.interrupted else _code(is_sendable=document["sendable"])


def _plan(inquiry: Inquiry, values: Values, console: Console) -> int:
    """List everything and read the beginnings of a few objects; tell whether all that was met can be sent."""
    from replay_cli.outlook import outlook
    from replay_cli.report.validation import print_plan

    began, job = time.monotonic(), inquiry.job
    in_bulk = None if job.settings["api"] == BULK else job._replace(settings={**job.settings, "api": BULK})
    plan = outlook(
        _source(inquiry),
        _preparation(inquiry, job),
        _pace(inquiry, values),
        now=inquiry.now,
        selection=job.selection,
        in_bulk=None if in_bulk is None else _preparation(inquiry, in_bulk),
    )
    document = plan | inquiry.document() | {"elapsed_seconds": round(time.monotonic() - began, 3)}
    _tell(console, document, print_plan)
    _hand_out(document, values)
    return _code(is_sendable=not (document["rejected"] or document["sampled"]["damage"]))


def _show(inquiry: Inquiry, values: Values, console: Console) -> int:
    """Show some records and their requests; tell whether none of them would be rejected."""
    from replay_cli.cli.showing import REJECTED, Showcase
    from replay_cli.cli.side_by_side import print_shown

    showcase, damage = Showcase(values["show"]), dict[str, str]()
    for prepared in _prepared(inquiry, _window(values), damage):
        showcase.take(prepared)
        if showcase.is_complete:
            break
    shown = showcase.shown()
    document = inquiry.document() | {
        "kind": "preview",
        "looked_at": showcase.looked_at,
        "damage": damage,
        "shown": [each.document(inquiry.base_url) for each in shown],
    }
    if not values["as_json"]:
        print_shown(output_console(), shown, inquiry.base_url)
    console.print(f"{count(len(shown), 'record')} shown, of the first {showcase.looked_at:,}", highlight=False)
    for uri, cause in damage.items():
        console.print(printable(f"not whole: {uri}: {cause}"), style="red", markup=False, soft_wrap=True)
    _hand_out(document, values)
    return _code(is_sendable=not damage and all(each.outcome != REJECTED for each in shown))


def _prepared(inquiry: Inquiry, window: Window | None, damage: dict[str, str]) -> Iterator[Prepared]:
    """Give batch after batch as it would be sent, and note what cannot be read to its end."""
    source, prepare = _source(inquiry), _preparation(inquiry, inquiry.job)
    for page in source.pages():
        for obj in page:
            try:
                for batch in read(source, obj):
                    prepared = prepare(batch)
                    yield leave_out_duplicates(prepared, window) if window is not None else prepared
            except DamagedObjectError as error:
                damage[error.uri] = error.cause


def cores() -> int:
    """Return how many cores of this machine this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _source(inquiry: Inquiry) -> Source:
    return open_source(inquiry.job.sources, inquiry.job.selection, inquiry.s3)


def _preparation(inquiry: Inquiry, job: Job) -> Preparation:
    return preparation(job, inquiry.listing.lists, inquiry.allowance)


def _pace(inquiry: Inquiry, values: Values) -> Pace:
    return make_pace(values["rps"], values["concurrency"], values["latency"], inquiry.allowance)


def _window(values: Values) -> Window | None:
    return None if values["dedupe"] is None else Window(values["dedupe"], randbits(64))


def _notes(values: Values) -> Iterator[str]:
    """Say what the options mean that nobody may expect."""
    if values["show"]:
        return
    for name in ("dedupe", "limit"):
        if values[name] is not None:
            yield f"note: what --{name} leaves out depends on the order of the records, so one process reads them"


def _hand_out(document: dict[str, Any], values: Values, deliveries: Callable[[], None] | None = None) -> None:
    """Give out what was found where it is asked for: each, even where another one cannot be written.

    Args:
        document: what was found.
        values: the options.
        deliveries: writes the counts, where these are asked for.
    """
    with ExitStack() as stack:
        if values["as_json"]:
            stack.callback(print_json, document)
        if values["report"] is not None:
            from replay_cli.report.page import write_page  # charts take time to import

            stack.callback(_write, "report", values["report"], partial(write_page, values["report"], document))
        if deliveries is not None:
            stack.callback(_write, "counts", values["counts"], deliveries)


def _write(what: str, path: Path, write: Callable[[], None]) -> None:
    """Write a file, and say so."""
    write()
    error_console().print(f"{what}: {path}", highlight=False, markup=False)
