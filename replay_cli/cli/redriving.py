"""What `replay redrive` does once its options are read."""

from pathlib import Path
from typing import Any, NoReturn

import click
import orjson
from rich.table import Table

from replay_cli.cli.destination import Destination
from replay_cli.cli.executing import redrive
from replay_cli.cli.preparing import preparation
from replay_cli.cli.reporting import require_report
from replay_cli.cli.running import finish, make_session, stored_job
from replay_cli.delivery.budget import Allowance
from replay_cli.ledger.redrive import IN_DOUBT, Which
from replay_cli.ledger.store import Store
from replay_cli.redriving import take_dead_letters
from replay_cli.report.summary import EXIT_INCOMPLETE, EXIT_OK, Summary, exit_code
from replay_cli.report.terminal import count, error_console


def redrive_job(path: Path, values: dict[str, Any], given: set[str]) -> NoReturn:
    """Send a job's dead letters again, print its summary, and exit: 0 when all of them arrived.

    Args:
        path: the checkpoint.
        values: the options of `replay redrive`.
        given: the names of those that were given, rather than left at their defaults.
    """
    which = Which(values["reasons"], values["statuses"])
    if values["dry_run"]:
        _show(path, which, values, given)
    limit = values["limit"]
    job, values, listing = stored_job(path, values, given)
    require_report(values["report"], job.sources, path)
    session = make_session(values | {"limit": None}, Destination(job.endpoint, job.workspace_id), listing)
    summary = redrive(path, which, limit, session, error_console())
    finish(summary, _code(summary), values, path)


def _code(summary: Summary) -> int:
    """Return the exit code of a redrive: what else there is of the job is not its business."""
    if summary["state"] != "complete":
        return exit_code(summary)
    run = summary["run"]["records"]
    return EXIT_INCOMPLETE if run["dead_lettered"] or run["left"] else EXIT_OK


def _show(path: Path, which: Which, values: dict[str, Any], given: set[str]) -> NoReturn:
    """Show what would be sent again."""
    job, _, listing = stored_job(path, dict(values), given)
    store = Store.open(path, read_only=True)
    try:
        reasons = store.redrivable(which)
        prepare = preparation(job, listing.lists, Allowance())
        taken = take_dead_letters(store, which, values["limit"], prepare, dry=True)
        tallies, pending = store.tallies(), store.parked_records(redriven=True)
    finally:
        store.close()
    rejected = sum(tallies.get("rejected", {}).values())
    doubtful = 0 if which.reasons else tallies.get("dead_lettered", {}).get(IN_DOUBT, 0)
    if values["as_json"]:
        numbers: dict[str, Any] = {"records": taken.records, "requests": taken.requests, "left": taken.left}
        numbers |= {"reasons": reasons, "in_doubt": doubtful, "pending": pending}
        click.echo(orjson.dumps(numbers | {"rejected": rejected}, option=orjson.OPT_INDENT_2).decode())
        raise click.exceptions.Exit(EXIT_OK)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(min_width=22)
    table.add_column(justify="right")
    for reason, n in sorted(reasons.items(), key=lambda item: -item[1]):
        table.add_row(reason, f"{n:,}")
    console = error_console()
    console.print(table)
    console.print(f"would be sent again: {count(taken.records, 'record')} in {count(taken.requests, 'request')}")
    if taken.left:
        console.print(f"give no request any more: {count(taken.left, 'record')}")
    if pending:
        console.print(f"go first, left over from an earlier redrive: {count(pending, 'record')}")
    if doubtful:
        console.print(f"may have arrived, sent again by --reason {IN_DOUBT} only: {count(doubtful, 'record')}")
    if rejected:
        console.print(f"rejected before sending, never redriven: {count(rejected, 'record')}")
    raise click.exceptions.Exit(EXIT_OK)
