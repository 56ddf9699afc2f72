"""What `replay redrive` does once its options are read."""

from typing import Any, NoReturn

import click
import orjson
from rich.table import Table

from replay_cli.cli.destination import Destination
from replay_cli.cli.executing import redrive
from replay_cli.cli.home import Where, name_of, working_file
from replay_cli.cli.preparing import preparation
from replay_cli.cli.remote_checkpoint import open_checkpoint, state_s3
from replay_cli.cli.reporting import require_report
from replay_cli.cli.running import finish, make_session, stored_job
from replay_cli.cli.telling import Telling
from replay_cli.delivery.allowance import Allowance
from replay_cli.ledger.redrive import IN_DOUBT, Which
from replay_cli.redriving import take_dead_letters
from replay_cli.report.summary import EXIT_INCOMPLETE, EXIT_OK, Summary, exit_code
from replay_cli.report.terminal import count, error_console


def redrive_job(where: Where, values: dict[str, Any], given: set[str], telling: Telling | None = None) -> NoReturn:
    """Send a job's dead letters again, print its summary, and exit: 0 when all of them arrived.

    Args:
        where: the checkpoint.
        values: the options of `replay redrive`.
        given: the names of those that were given, rather than left at their defaults.
        telling: tells others about it; None: nobody.
    """
    which = Which(values["reasons"], values["statuses"])
    if values["dry_run"]:
        _show(where, which, values, given)
    limit = values["limit"]
    job, values, listing = stored_job(where, values, given)
    require_report(values["report"], job.sources, working_file(where))
    if telling is not None:
        telling.about(name_of(where), working_file(where), job.sources)
    session = make_session(values | {"limit": None}, Destination(job.endpoint, job.workspace_id), listing, telling)
    summary = redrive(job, where, which, limit, session, error_console())
    finish(summary, _code(summary), values, working_file(where), telling)


def _code(summary: Summary) -> int:
    """Return the exit code of a redrive: what else there is of the job is not its business."""
    if summary["state"] != "complete":
        return exit_code(summary)
    run = summary["run"]["records"]
    return EXIT_INCOMPLETE if run["dead_lettered"] or run["left"] else EXIT_OK


def _show(where: Where, which: Which, values: dict[str, Any], given: set[str]) -> NoReturn:
    """Show what would be sent again."""
    job, _, listing = stored_job(where, dict(values), given)
    with open_checkpoint(where, state_s3(values)) as seen:
        store = seen.store
        reasons = store.redrivable(which)
        prepare = preparation(job, listing.lists, Allowance())
        taken = take_dead_letters(store, which, values["limit"], prepare, dry=True)
        tallies, pending = store.tallies(), store.parked_records(redriven=True)
        gone = store.gone_letters()
    rejected = sum(tallies.get("rejected", {}).values())
    doubtful = 0 if which.reasons else tallies.get("dead_lettered", {}).get(IN_DOUBT, 0)
    if values["as_json"]:
        numbers: dict[str, Any] = {"records": taken.records, "requests": taken.requests, "left": taken.left}
        numbers |= {"reasons": reasons, "in_doubt": doubtful, "pending": pending}
        click.echo(orjson.dumps(numbers | {"rejected": rejected, "gone": gone}, option=orjson.OPT_INDENT_2).decode())
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
    for why, n in gone.items():
        console.print(f"{why}, never redriven: {count(n, 'record')}")
    if rejected:
        console.print(f"rejected before sending, never redriven: {count(rejected, 'record')}")
    raise click.exceptions.Exit(EXIT_OK)
