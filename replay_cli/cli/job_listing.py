"""What `replay jobs` finds in a folder, and how it shows that."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from replay_cli.cli.job_file import JobFile, load_job
from replay_cli.cli.job_keys import SOURCES
from replay_cli.cli.job_routes import Route
from replay_cli.cli.remote_checkpoint import Seen, open_checkpoint, state_s3
from replay_cli.cli.toml_file import read_toml
from replay_cli.errors import ReplayError, UsageError
from replay_cli.report.summary import OUTCOMES, run_state
from replay_cli.report.terminal import count, printable

_IS_JOB = {SOURCES, "extends"}
"""Keys by which a job file is known from mappings and other TOML files."""
NEW, BASE, BROKEN, UNKNOWN = "new", "base", "broken", "unknown"
"""States where no checkpoint can be read: never run, only built on, not understood, out of reach."""
_STYLES = {"complete": "green", "running": "cyan", "paused": "yellow", NEW: "", BASE: "dim"}
_SHOWN = ("read", "delivered", "dead_lettered", "pending")
_REMOTE = "s3://"


class Row(NamedTuple):
    """A job, or one of its routes.

    `state` is that of its summary, or one of those above; `at` says when its last run was last seen (POSIX seconds),
    and `records` is its book: both None where there is none.
    """

    file: Path
    name: str
    route: str | None
    checkpoint: str | None
    state: str
    reason: str
    at: float | None = None
    records: Mapping[str, int] | None = None

    def document(self) -> dict[str, Any]:
        """Return it for machines."""
        return self._asdict() | {"file": str(self.file)}


def list_jobs(folder: Path, commands: Mapping[str, click.Command]) -> list[Row]:
    """Return the jobs of a folder's job files, by the names of the files.

    Args:
        folder: where the files are; those in folders below are not looked at.
        commands: the program's, by name.

    Raises:
        UsageError: it is no folder, or cannot be read.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == ".toml" and not path.name.startswith("."))
    except OSError as error:
        raise UsageError(f"{folder} cannot be listed: {error.strerror}: name a folder of job files") from None
    return [row for file in files for row in _rows(file, commands)]


def _rows(file: Path, commands: Mapping[str, click.Command]) -> Iterator[Row]:
    try:
        if not _IS_JOB & read_toml(file).top.keys():
            return
        job = load_job(file, commands)
    except UsageError as error:
        yield Row(file, file.stem, None, None, BROKEN, str(error))
        return
    if SOURCES not in job.values:
        yield Row(file, job.name, None, None, BASE, "it names no sources: other files build on it")
        return
    for route in job.routes or (None,):
        yield _row(job, route)


def _row(job: JobFile, route: Route | None) -> Row:
    place = job.checkpoint(route)
    row = Row(job.path, job.name, None if route is None else route.name, place, NEW, "never run")
    try:
        if not place.startswith(_REMOTE) and not Path(place).exists():
            return row
        reach = state_s3({key.replace("-", "_"): value for key, value in job.values.items()})
        with open_checkpoint(place, reach) as seen:
            return _looked_at(row, seen)
    except ReplayError as error:
        return row._replace(state=UNKNOWN, reason=str(error))
    except OSError as error:  # its folder is another user's, or its name is too long
        return row._replace(state=UNKNOWN, reason=f"{place} cannot be looked at: {error.strerror}")


def _looked_at(row: Row, seen: Seen) -> Row:
    store = seen.store
    with store.unchanging():
        runs, book, totals = store.runs(), store.tallies(), store.totals()
    state, reason = run_state(runs, running=seen.running)
    records = {name: sum(book.get(name, {}).values()) for name in OUTCOMES}
    records = {"read": totals["read"]} | records | {"pending": totals["pending"]}
    return row._replace(state=state, reason=reason, at=runs[-1]["seen"] if runs else None, records=records)


def print_jobs(console: Console, folder: Path, rows: list[Row]) -> None:
    """Print a folder's jobs: a line each, and what there is to say of them."""
    if not rows:
        console.print(Text(printable(f"{folder} has no job files (*.toml)")), soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("job", "state", "last seen (UTC)"):
        table.add_column(heading, no_wrap=True)
    for name in _SHOWN:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*_cells(row))
    console.print(table)
    for row in rows:
        if row.reason and row.state != NEW:
            console.print(Text(printable(f"{_title(row)}: {row.reason}")), soft_wrap=True)
    console.print(count(len(rows), "job"), highlight=False)


def _cells(row: Row) -> Iterator[Text]:
    yield Text(printable(_title(row)))
    yield Text(row.state, style=_STYLES.get(row.state, "red"))
    yield Text("" if row.at is None else f"{datetime.fromtimestamp(row.at, UTC):%Y-%m-%d %H:%M}")
    for name in _SHOWN:
        yield Text("" if row.records is None else f"{row.records[name]:,}")


def _title(row: Row) -> str:
    return row.name if row.route is None else f"{row.name}.{row.route}"
