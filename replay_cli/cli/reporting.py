"""The option `--report`: refused before a run where it cannot be written, written after it however that ended."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click

from replay_cli.cli.elsewhere import require_elsewhere, require_writable
from replay_cli.cli.summarizing import chronicle_of
from replay_cli.errors import FatalError, UsageError
from replay_cli.job import dead_letter_path
from replay_cli.ledger.store import Store
from replay_cli.report.page import write_page
from replay_cli.report.summary import EXIT_FAILED, EXIT_OK, Summary
from replay_cli.report.terminal import printable

_BESIDE = ("", "-wal", "-shm", ".lock", ".new")
"""What a checkpoint's own files are called behind its name."""


def require_report(report: Path | None, sources: Sequence[str], checkpoint: Path) -> None:
    """Refuse a report that could not be written at the end, or would destroy what is read or remembered.

    Args:
        report: the page's file; None: there is to be none.
        sources: the job's, canonical.
        checkpoint: where its memory is.

    Raises:
        UsageError: it must not, or cannot, be written.
    """
    if report is None:
        return
    require_elsewhere("--report", report, sources)
    own = {checkpoint.with_name(checkpoint.name + end).resolve() for end in _BESIDE}
    if report.resolve() in own | {dead_letter_path(checkpoint).resolve()}:
        raise UsageError(f"--report {report} is a file of the job's own: name another one")
    require_writable("--report", report)


def report_run(report: Path | None, checkpoint: Path, summary: Summary, code: int) -> int:
    """Write the page of a run that has ended, if there is to be one, and return the command's exit code.

    That is the run's own: a report that fails changes nothing of what happened. Only 0 becomes 1, because then nothing
    else would tell a script that something is missing.

    Args:
        report: the page's file; None: there is to be none.
        checkpoint: where the job's memory is.
        summary: the job's.
        code: the exit code of the run.
    """
    if report is None:
        return code
    try:
        with closing(Store.open(checkpoint, read_only=True)) as store:
            document = chronicle_of(store, summary)
        write_page(report, document)
    except (FatalError, UsageError) as error:
        click.echo(
            f"Error: {printable(str(error))}; the run itself is over as said above. "
            f"To write its report: replay status {summary['checkpoint']} --report FILE",
            err=True,
        )
        return EXIT_FAILED if code == EXIT_OK else code
    click.echo(f"report: {printable(str(report))}", err=True)
    return code
