"""What a validation is about: the job that a run of the same options would be, and how it is looked at."""

import getpass
import platform
from collections.abc import Mapping
from typing import Any, NamedTuple

from replay_cli import __version__
from replay_cli.archive import S3Options, canonical
from replay_cli.cli.destination import Destination, choose
from replay_cli.cli.elsewhere import require_elsewhere, require_writable
from replay_cli.cli.listing import Listing, listing_from
from replay_cli.cli.selecting import s3_options, selection_from
from replay_cli.cli.shaping import explain, shape
from replay_cli.delivery.allowance import Allowance
from replay_cli.errors import UsageError
from replay_cli.job import Job
from replay_cli.segment.ids import portable

_APART = (
    ("plan", ("show", "counts", "dedupe", "limit", "workers", "engine"), "it reads the beginnings of a few objects"),
    ("show", ("counts", "report", "limit", "workers", "engine"), "it reads a few records and ends"),
    ("engine", ("dedupe", "limit"), "what these leave out depends on the order of the records"),
    ("scheduler", ("workers",), "the cluster has workers of its own"),
)
"""Option → the options that mean nothing beside it, and why."""
LOCAL = "local"
_NOWHERE = "workspace"
"""Goes into the paths of requests where no workspace is named."""


class Inquiry(NamedTuple):
    """A job to look at, and the moment that it is looked at: POSIX seconds, for all that has an age."""

    job: Job
    listing: Listing
    s3: S3Options
    allowance: Allowance
    now: float

    @property
    def base_url(self) -> str:
        """What stands before the paths of requests; empty where nothing tells."""
        return "" if Destination(self.job.endpoint, "").is_sandbox else self.job.endpoint

    def explain(self) -> list[str]:
        """Say what was understood, in lines for people."""
        return [*self.job.selection.explain(), *explain(self.job.settings), *self.listing.explain()]

    def document(self) -> dict[str, Any]:
        """Return what a document says of who asked what."""
        return {
            "at": round(self.now, 3),
            "version": __version__,
            "host": platform.node(),
            "user": _user(),
            "job": self.job.stored() | ({"workspace_id": ""} if self.job.workspace_id == _NOWHERE else {}),
        }


def inquiry_from(values: Mapping[str, Any], now: float) -> Inquiry:
    """Make it of the options of `replay validate`; the files that they name are read.

    Raises:
        UsageError: an option or a file cannot be understood, options exclude each other, or what is to be written
            could not be.
    """
    _require_together(values)
    destination = _destination(values)
    destination.require_rate(values["rps"])
    listing = listing_from(values, number=portable)  # other processes read too
    sources = tuple(sorted({canonical(source) for source in values["sources"]}))
    settings = shape(values) | selection_from(values).settings() | listing.settings()
    for name in ("counts", "report"):
        require_elsewhere(f"--{name}", values[name], sources)
        require_writable(f"--{name}", values[name])
    return Inquiry(
        Job(sources, *destination, settings),
        listing,
        s3_options(values),
        Allowance(values["users_per_minute"], values["events_per_minute"]),
        now,
    )


def _require_together(values: Mapping[str, Any]) -> None:
    given = {name: value for name, value in values.items() if value and (name, value) != ("engine", LOCAL)}
    for name, others, why in _APART:
        found = [other for other in others if name in given and other in given]
        if found:
            raise UsageError(f"give {_named(name)} or {_named(found[0])}, not both: {why}")
    if "scheduler" in given and "engine" not in given:
        raise UsageError("--scheduler goes with --engine dask")
    if "engine" in given and "scheduler" not in given:
        raise UsageError("--engine dask needs --scheduler, for example tcp://127.0.0.1:8786")
    counts, report = values["counts"], values["report"]
    if counts is not None and report is not None and counts.resolve() == report.resolve():
        raise UsageError("--counts and --report name the same file: give each its own")


def _destination(values: Mapping[str, Any]) -> Destination:
    workspace_id = values["workspace_id"] or _NOWHERE
    if values["region"] or values["endpoint"] or values["sandbox"]:
        return choose(values["region"], values["endpoint"], values["sandbox"], workspace_id)
    return Destination("", workspace_id)


def _named(option: str) -> str:
    return "--engine dask" if option == "engine" else f"--{option}"


def _user() -> str:
    """Return who asks, as the system knows them; empty where it does not."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
