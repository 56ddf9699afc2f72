"""What `run` and `resume` do once their options are read."""

import sys
from collections.abc import Mapping
from pathlib import Path
from secrets import randbits
from typing import Any, NoReturn

import click

from replay_cli.archive import canonical, open_source
from replay_cli.cli.destination import Destination, api_key, choose
from replay_cli.cli.elsewhere import require_elsewhere
from replay_cli.cli.executing import execute
from replay_cli.cli.listing import Listing, listing_from, read_again
from replay_cli.cli.opening import checkpoint_path
from replay_cli.cli.planning import describe
from replay_cli.cli.preparing import preparation
from replay_cli.cli.reporting import report_run, require_report
from replay_cli.cli.selecting import s3_options, selection_from
from replay_cli.cli.session import Plan, Session
from replay_cli.cli.shaping import explain, shape
from replay_cli.delivery.budget import Allowance
from replay_cli.delivery.transport import tls_context
from replay_cli.dry_run import DryRun
from replay_cli.errors import FatalError, UsageError
from replay_cli.job import Job
from replay_cli.ledger.changes import Changed
from replay_cli.ledger.store import Store
from replay_cli.policy import BulkRefused, DeadLetterLimit, InDoubt, OnExhausted, Policy
from replay_cli.report.summary import Summary, exit_code
from replay_cli.report.terminal import error_console, print_json, print_summary
from replay_cli.segment.duplicates import Window

_PACE = (
    *("rps", "concurrency", "timeout", "retry_for", "max_attempts", "in_doubt", "on_exhausted"),
    *("bulk_refused", "users_per_minute", "events_per_minute"),
)
_ACCESS = ("aws_profile", "s3_endpoint_url", "s3_region", "s3_requester_pays", "s3_addressing")
"""How to reach the archives: stored with the pace, and as free to change."""
_NOWHERE = "workspace"


def run_job(values: dict[str, Any]) -> NoReturn:
    """Run the job that the options of `replay run` describe, print its summary, and exit with its code."""
    destination = choose(values["region"], values["endpoint"], values["sandbox"], values["workspace_id"])
    listing = listing_from(values)
    job = Job(_sources(values), destination.endpoint, destination.workspace_id, _settings(values) | listing.settings())
    path = checkpoint_path(job, values["checkpoint"], values["name"])
    require_report(values["report"], job.sources, path)
    summary = execute(job, path, make_session(values, destination, listing), error_console())
    finish(summary, exit_code(summary), values, path)


def resume_job(path: Path, values: dict[str, Any], given: set[str]) -> NoReturn:
    """Go on with the job of a checkpoint, with its stored sources, destination, settings and pace.

    Args:
        path: the checkpoint.
        values: the options of `replay resume`.
        given: the names of those that were given, rather than left at their defaults.
    """
    job, values, listing = stored_job(path, values, given)
    require_report(values["report"], job.sources, path)
    session = make_session(values, Destination(job.endpoint, job.workspace_id), listing)
    summary = execute(job, path, session, error_console())
    finish(summary, exit_code(summary), values, path)


def stored_job(path: Path, values: dict[str, Any], given: set[str]) -> tuple[Job, dict[str, Any], Listing]:
    """Return a checkpoint's job, the options with the stored pace where nothing else is given, and the job's lists."""
    store = Store.open(path, read_only=True)
    job, pace = Job.from_stored(store.stored_job()), store.pace()
    store.close()
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
        console.print(line, highlight=False, markup=False)
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


def make_session(values: dict[str, Any], destination: Destination, listing: Listing) -> Session:
    """Return what an invocation needs beyond its job, from its options."""
    destination.require_rate(values["rps"])
    tls_context(values["ca_file"])  # to refuse a wrong file before anything begins
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
        confirm=_ask,
        pace={name: values[name] for name in (*_PACE, *_ACCESS) if name in values} | listing.pace(),
        listing=listing,
        restart=values["restart"],
        must_resume=values["must_resume"],
        changed=Changed(values["changed"]),
        s3=s3_options(values),
        allowance=_allowance(values),
        amend=values["amend"],
    )


def _allowance(values: dict[str, Any]) -> Allowance:
    return Allowance(values["users_per_minute"], values["events_per_minute"])


def _ask(plan: Plan) -> None:
    """Say what a run will do to a real workspace, and ask."""
    error_console().print(describe(plan), highlight=False, markup=False)
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to ask: give --yes to send this without asking")
    if not click.confirm("Send this?", err=True):
        raise FatalError("nothing was sent")


def finish(summary: Summary, code: int, values: Mapping[str, Any], checkpoint: Path | None = None) -> NoReturn:
    """Print a summary, write the report that was asked for, and exit.

    Args:
        summary: the job's.
        code: the exit code, unless the report fails.
        values: the command's options.
        checkpoint: where the job's memory is; None: it has none, and no report.
    """
    print_summary(error_console(), summary)
    if values["as_json"]:
        print_json(summary)
    raise click.exceptions.Exit(code if checkpoint is None else report_run(values["report"], checkpoint, summary, code))
