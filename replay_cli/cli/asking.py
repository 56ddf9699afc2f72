"""What `replay status` does once its options are read."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click
import orjson

from replay_cli.cli.home import Where, working_file
from replay_cli.cli.remote_checkpoint import Seen, open_checkpoint, state_s3
from replay_cli.cli.reporting import require_report
from replay_cli.cli.summarizing import chronicle_of, summarize
from replay_cli.errors import UsageError
from replay_cli.job import Job
from replay_cli.model import Unit
from replay_cli.report.glance import MOST_ERRORS, Glance, make_glance
from replay_cli.report.glance_lines import print_glance
from replay_cli.report.page import write_page
from replay_cli.report.summary import Summary, run_state
from replay_cli.report.terminal import output_console, print_job, print_json, print_summary

_ROWS = ".parquet"


class Moment(NamedTuple):
    """A job as it is now (`at`, POSIX seconds)."""

    at: float
    summary: Summary
    glance: Glance


def the_checkpoint(where: Where) -> Where:
    """Return the checkpoint that is meant: the one in a folder, where a folder is named.

    Raises:
        UsageError: there is none in it, or there are several.
    """
    if not isinstance(where, Path) or not where.is_dir():
        return where
    found = sorted(path for path in where.glob("*.ckpt") if path.is_file())
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"{where}: there is no checkpoint (*.ckpt) in this folder")
    raise UsageError(f"{where}: there are several checkpoints in this folder: name {', '.join(map(str, found))}")


def show_doubts(where: Where, values: Mapping[str, Any]) -> None:
    """List the attempts in doubt, one JSON object a line."""
    with open_checkpoint(the_checkpoint(where), state_s3(values)) as seen:
        for uri, ordinal, part, attempt, at, cause in seen.store.in_doubt(running=seen.running):
            place = {"uri": uri, "ordinal": ordinal, _unit(uri): ordinal + 1}
            row = place | {"part": part, "attempt": attempt, "at": at, "cause": cause}
            click.echo(orjson.dumps(row).decode())


def _unit(uri: str) -> str:
    """Return what an ordinal counts, as the object's name tells it: the checkpoint does not say."""
    return Unit.ROW.value if uri.lower().endswith(_ROWS) else Unit.LINE.value


def show_state(where: Where, values: Mapping[str, Any]) -> None:
    """Show a job at one glance, and write its page where one is asked for.

    Raises:
        UsageError: there is no such checkpoint, or the page must not be written there.
        FatalError: the page cannot be written, or the checkpoint cannot be reached.
    """
    where = the_checkpoint(where)
    report: Path | None = values["report"]
    with open_checkpoint(where, state_s3(values)) as seen:
        require_report(report, Job.from_stored(seen.store.stored_job()).sources, working_file(where))
        with seen.store.unchanging():
            moment = moment_of(seen, where)
            document = None if report is None else chronicle_of(seen.store, moment.summary)
    if values["as_json"]:
        print_json(moment.summary | moment.glance)
    else:
        print_job(output_console(), moment.summary)
        print_summary(output_console(), moment.summary)
        print_glance(output_console(), moment.glance, moment.at)
    if report is not None and document is not None:
        write_page(report, document)


def moment_of(seen: Seen, where: Where) -> Moment:
    """Return a job as it is now; all of it is of one moment if the store is `unchanging`."""
    store, now, runs = seen.store, time.time(), seen.store.runs()
    state, reason = run_state(runs, running=seen.running)
    path = where if isinstance(where, Path) else working_file(where)
    summary = summarize(store, path, state, reason, {}) | {"checkpoint": seen.shown}
    glance = make_glance(
        now=now,
        running=seen.running,
        records=summary["records"],
        runs=runs,
        timeline=[interval.document() for interval in store.timeline()],
        latest=[interval.document() for interval in store.timeline(runs[-1]["id"])] if runs else [],
        letters=store.last_letters(MOST_ERRORS),
        unread=None if summary["objects"]["listing"] else store.headway().unread,
        rps=float(store.pace().get("rps", 0)),
        lost=[{"uri": lost.uri, "first": lost.first, "next": lost.next} for lost in store.lost()],
        owner=seen.owner,
        pushed=seen.pushed,
    )
    return Moment(now, summary, glance)
