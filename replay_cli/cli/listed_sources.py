"""Which Segment sources an archive has, by its folders, and whether each has a route."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from replay_cli.archive import open_source
from replay_cli.cli.interruption import interruptible
from replay_cli.cli.job_file import JobFile
from replay_cli.cli.selecting import s3_options, selection_from
from replay_cli.cli.shaping import shape
from replay_cli.errors import UsageError
from replay_cli.report.terminal import count, error_console
from replay_cli.segment.layout import folder_of, source_of

_SHOWN = 10
"""Sources that are named, at most."""


def require_all_taken(job: JobFile, values: Mapping[str, Any]) -> None:
    """Refuse a job whose routes leave out a source that is there, before anything is sent.

    Args:
        job: the job's file.
        values: the options of `run`, `validate` or `check`, without those of a route.

    Raises:
        UsageError: some have no route, or of an object nobody can tell the source; the text names them.
        FatalError: the sources cannot be listed.
    """
    taken = {source for route in job.routes for source in route.sources}
    with interruptible(), error_console().status("looking for the sources that are there"):
        left = list(islice(_left(taken, values), _SHOWN + 1))
    if left:
        named = ", ".join(left[:_SHOWN]) + (", and more" if len(left) > _SHOWN else "")
        raise UsageError(
            f"{job.path}: no route takes {count(min(len(left), _SHOWN), 'source')} of those that are there: {named}: "
            "give each a [[route]], or name sources without it"
        )


def _left(taken: set[str], values: Mapping[str, Any]) -> Iterator[str]:
    """Give each source that is there and not taken once."""
    known = set[str](taken)
    selection = selection_from({**values, "source_id": ()})
    for page in open_source(values["sources"], selection, s3_options(values)).pages():
        for folder in {folder_of(obj.uri) for obj in page}:
            source = source_of(folder)
            if source is None:
                raise UsageError(
                    f"{folder} is no folder of a source, so no route can take what lies there: routes are for archives "
                    "in Segment's own folders"
                )
            if source not in known:
                known.add(source)
                yield source


def require_readable(values: Mapping[str, Any]) -> None:
    """Refuse a route whose files cannot be read or understood, before another one sends anything.

    Raises:
        UsageError: as `shape`.
    """
    if "mapping" in values:
        shape(values)
