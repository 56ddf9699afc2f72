"""What `run` and `resume` do once their options are read."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from secrets import randbits
from typing import Any, NoReturn

import click

from replay_cli.archive import canonical, open_source
from replay_cli.cli.destination import Destination, api_key, choose
from replay_cli.cli.elsewhere import require_elsewhere
from replay_cli.cli.executing import execute
from replay_cli.cli.home import Where, name_of, working_file
from replay_cli.cli.hours import NOT_COUNTED, begin_hours
from replay_cli.cli.listing import Listing, listing_from, read_again
from replay_cli.cli.opening import checkpoint_path
from replay_cli.cli.planning import describe
from replay_cli.cli.preparing import preparation
from replay_cli.cli.remote_checkpoint import open_checkpoint, state_from, state_s3
from replay_cli.cli.reporting import report_run, require_report
from replay_cli.cli.selecting import s3_options, selection_from
from replay_cli.cli.session import Plan, Session
from replay_cli.cli.shaping import explain, shape
from replay_cli.cli.telling import Telling
from replay_cli.delivery.allowance import Allowance
from replay_cli.delivery.transport import tls_context
from replay_cli.dry_run import DryRun
from replay_cli.errors import FatalError, UsageError
from replay_cli.job import Job
from replay_cli.ledger.changes import Changed
from replay_cli.pacemaker import ALWAYS, Hours
from replay_cli.policy import BulkRefused, DeadLetterLimit, InDoubt, OnExhausted, Policy
from replay_cli.report.logs import events_of, tell_of_people
from replay_cli.report.summary import Summary, exit_code
from replay_cli.report.terminal import error_console, print_json, print_summary
from replay_cli.segment.duplicates import Window
from replay_cli.telling.discretion import discreet_summary

_PACE = (
    *("rps", "concurrency", "timeout", "retry_for", "max_attempts", "in_doubt", "on_exhausted"),
    *("bulk_refused", "users_per_minute", "events_per_minute", "window", "rps_schedule", "time_zone"),
    "keep_dead_letters",
)
_ACCESS = ("aws_profile", "s3_endpoint_url", "s3_region", "s3_requester_pays", "s3_addressing")
"""How to reach the archives: stored with the pace, and as free to change."""
_STATE = ("state_endpoint_url", "state_profile", "push_every", "lease")
"""How a checkpoint on S3 is reached and kept: stored and free to change as well."""
_NOWHERE = "workspace"


def run_job(values: dict[str, Any], telling: Telling) -> NoReturn:
    """Run the job that the options of `replay run` describe, print its summary, and exit with its code."""
    destination = choose(values["region"], values["endpoint"], values["sandbox"], values["workspace_id"])
    listing = listing_from(values)
    job = Job(_sources(values), destination.endpoint, destination.workspace_id, _settings(values) | listing.settings())
    where = checkpoint_path(job, values["checkpoint"], values["name"])
    require_report(values["report"], job.sources, working_file(where))
    telling.about(name_of(where), working_file(where), job.sources)
    summary = execute(job, where, make_session(values, destination, listing, telling), error_console())
    finish(summary, exit_code(summary), values, working_file(where), telling)


def resume_job(where: Where, values: dict[str, Any], given: set[str], telling: Telling) -> NoReturn:
    """Go on with the job of a checkpoint, with its stored sources, destination, settings and pace.

    Args:
        where: the checkpoint.
        values: the options of `replay resume`.
        given: the names of those that were given, rather than left at their defaults.
        telling: tells others about it.
    """
    job, values, listing = stored_job(where, values, given)
    require_report(values["report"], job.sources, working_file(where))
    telling.about(name_of(where), working_file(where), job.sources)
    session = make_session(values, Destination(job.endpoint, job.workspace_id), listing, telling)
    summary = execute(job, where, session, error_console())
    finish(summary, exit_code(summary), values, working_file(where), telling)


def stored_job(where: Where, values: dict[str, Any], given: set[str]) -> tuple[Job, dict[str, Any], Listing]:
    """Return a checkpoint's job, the options with the stored pace where nothing else is given, and the job's lists."""
    with open_checkpoint(where, state_s3(values)) as seen:
        job, pace = Job.from_stored(seen.store.stored_job()), seen.store.pace()
    listing = read_again(job.settings, pace, values["suppress"] if "suppress" in given else ())
    values |= {name: value for name, value in pace.items() if name not in given}
    values = {"changed": Changed.REFUSE} | values | {"restart": False, "must_resume": True, "amend": None}
    return job, values, listing


def dry_run(values: dict[str, Any]) -> NoReturn:
    """Prepare everything and send nothing: no connection, no checkpoint."""
    given = values["region"] or values["endpoint"] or values["sandbox"]
    workspace_id = values["workspace_id"] or _NOWHERE
    destination = (
        choose(values["region"], values["endpoint"], values["sandbox"], workspace_id)
        if given
        else Destination("", workspace_id)
    )
    listing = listing_from(values)
    job = Job(_sources(values), destination.endpoint, destination.workspace_id, _settings(values) | listing.settings())
    console = error_console()
    require_elsewhere("--output", values["output"], job.sources)
    for line in (*job.selection.explain(), *explain(job.settings), *listing.explain()):
        tell_of_people(console, "selection", line)
    source = open_source(job.sources, job.selection, s3_options(values))
    endpoint = "" if destination.is_sandbox else destination.endpoint
    window = None if values["dedupe"] is None else Window(values["dedupe"], randbits(64))
    run = DryRun(source, preparation(job, listing.lists, _allowance(values)), endpoint, values["limit"], window)
    summary = run.go(values["output"], console)
    finish(summary, exit_code(summary), values)


def _sources(values: dict[str, Any]) -> tuple[str, ...]:
    return tuple(sorted({canonical(source) for source in values["sources"]}))


def _settings(values: dict[str, Any]) -> dict[str, Any]:
    return shape(values) | selection_from(values).settings()


def make_session(
    values: dict[str, Any], destination: Destination, listing: Listing, telling: Telling | None = None
) -> Session:
    """Return what an invocation needs beyond its job, from its options."""
    destination.require_rate(values["rps"])
    tls_context(values["ca_file"])  # to refuse a wrong file before anything begins
    hours = begin_hours(values, destination)
    return Session(
        destination=destination,
        key=lambda: api_key(destination, values["api_key_file"]),
        rps=values["rps"],
        policy=Policy(
            concurrency=values["concurrency"],
            retry_for=values["retry_for"],
            max_attempts=values["max_attempts"] or 0,
            in_doubt=InDoubt(values["in_doubt"]),
            on_exhausted=OnExhausted(values["on_exhausted"]),
            max_dead_letters=values["max_dead_letters"] or DeadLetterLimit(),
            limit=values["limit"],
            bulk_refused=BulkRefused(values["bulk_refused"]),
            max_duration=values["max_duration"],
        ),
        timeout=values["timeout"],
        ca_file=values["ca_file"],
        asks=not destination.is_local and not values["yes"],
        confirm=partial(_ask, hours),
        pace={name: values[name] for name in (*_PACE, *_ACCESS, *_STATE) if name in values} | listing.pace(),
        listing=listing,
        restart=values["restart"],
        must_resume=values["must_resume"],
        changed=Changed(values["changed"]),
        s3=s3_options(values),
        state=state_from(values),
        allowance=_allowance(values),
        amend=values["amend"],
        keep_dead_letters=values["keep_dead_letters"],
        hours=hours,
        again=values.get("again", False),
        telling=telling,
    )


def _allowance(values: dict[str, Any]) -> Allowance:
    return Allowance(values["users_per_minute"], values["events_per_minute"])


def _ask(hours: Hours, plan: Plan) -> None:
    """Say what a run will do to a real workspace, and ask."""
    about = describe(plan) if hours == ALWAYS else f"{describe(plan)} {NOT_COUNTED}"
    error_console().print(about, highlight=False, markup=False)
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to ask: give --yes to send this without asking")
    if not click.confirm("Send this?", err=True):
        raise FatalError("you said no: nothing was sent")


def finish(
    summary: Summary,
    code: int,
    values: Mapping[str, Any],
    checkpoint: Path | None = None,
    telling: Telling | None = None,
) -> NoReturn:
    """Print a summary, write the report that was asked for, and exit.

    Args:
        summary: the job's.
        code: the exit code, unless the report fails.
        values: the command's options.
        checkpoint: where the job's memory is; None: it has none, and no report.
        telling: tells others how it ended; None: nobody.
    """
    console = error_console()
    events = events_of(console)
    if events is None:
        print_summary(console, summary)
    elif telling is None:
        events.emit("dry_run_ended", summary=discreet_summary(summary))
    if telling is not None:
        telling.note_summary(summary)
    if values["as_json"]:
        print_json(summary)
    raise click.exceptions.Exit(code if checkpoint is None else report_run(values["report"], checkpoint, summary, code))
