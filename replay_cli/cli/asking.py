"""What `replay status` does once its options are read."""

from contextlib import closing
from pathlib import Path

import click
import orjson

from replay_cli.cli.reporting import require_report
from replay_cli.cli.summarizing import chronicle_of, summarize
from replay_cli.job import Job
from replay_cli.ledger.lock import is_locked
from replay_cli.ledger.store import Store
from replay_cli.model import Unit
from replay_cli.report.page import write_page
from replay_cli.report.summary import run_state
from replay_cli.report.terminal import output_console, print_job, print_json, print_summary

_ROWS = ".parquet"


def show_doubts(checkpoint: Path) -> None:
    """List the attempts in doubt, one JSON object a line."""
    with closing(Store.open(checkpoint, read_only=True)) as store:
        for uri, ordinal, part, attempt, at, cause in store.in_doubt(running=is_locked(checkpoint)):
            place = {"uri": uri, "ordinal": ordinal, _unit(uri): ordinal + 1}
            row = place | {"part": part, "attempt": attempt, "at": at, "cause": cause}
            click.echo(orjson.dumps(row).decode())


def _unit(uri: str) -> str:
    """Return what an ordinal counts, as the object's name tells it: the checkpoint does not say."""
    return Unit.ROW.value if uri.lower().endswith(_ROWS) else Unit.LINE.value


def show_state(checkpoint: Path, report: Path | None, *, as_json: bool) -> None:
    """Show the summary of a job, and write its page where one is asked for.

    Raises:
        UsageError: there is no such checkpoint, or the page must not be written there.
        FatalError: the page cannot be written.
    """
    with closing(Store.open(checkpoint, read_only=True)) as store:
        require_report(report, Job.from_stored(store.stored_job()).sources, checkpoint)
        with store.unchanging():
            state, reason = run_state(store.runs(), running=is_locked(checkpoint))
            summary = summarize(store, checkpoint, state, reason, {})
            document = None if report is None else chronicle_of(store, summary)
    if as_json:
        print_json(summary)
    else:
        print_job(output_console(), summary)
        print_summary(output_console(), summary)
    if report is not None and document is not None:
        write_page(report, document)
