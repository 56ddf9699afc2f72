"""`replay validate`: what is in an archive, what of it can be sent, and how long that would take."""

from typing import Any

import click

from replay_cli.cli.options import (
    OUTPUT,
    PATH,
    Duration,
    GroupedCommand,
    job_options,
    list_options,
    mapping_options,
    ok_exit_option,
    option,
    s3_options,
    selection_options,
    shape_options,
)
from replay_cli.cli.options.completing import offer_files
from replay_cli.cli.options.delivery import budget_options, rate_options
from replay_cli.cli.options.grouped import together
from replay_cli.cli.options.telling import log_options
from replay_cli.cli.options.where import REGIONS

WHERE = "Where it would go (nothing is sent)"
ESTIMATE = "Estimate"
WORK = "How it is read"

EXAMPLES = (
    "replay validate segment-logs/ --report validation.html",
    "replay validate s3://bucket/segment-logs/ --plan",
    "replay validate segment-logs/ --event 'Order *' --show 3",
    "replay validate --job nightly.toml --plan",
    "replay validate s3://bucket/segment-logs/ --received-from 2025-03-01 --api bulk --rps 200 --counts expected.csv",
)


_LONGEST_LATENCY = 60.0
"""Seconds: who gives more has left out the unit."""


class Latency(Duration):
    """A duration that may be short: `200ms` too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        number, unit = (str(value).strip()[:-2], str(value).strip()[-2:].lower())
        try:
            seconds = super().convert(f"{float(number) / 1000}s" if unit == "ms" else value, param, ctx)
        except (ValueError, click.BadParameter):
            seconds = 0.0
        if not 0 < seconds <= _LONGEST_LATENCY:
            self.fail(
                f"{value!r} is no time that a reply takes, up to a minute: use for example 200ms or 1s", param, ctx
            )
        return seconds


where_options = together(
    [
        option(WHERE, "--region", type=click.Choice(REGIONS), help="MoEngage's data centre of your workspace."),
        option(WHERE, "--endpoint", metavar="URL", help="Another base URL. No connection is opened to either."),
        option(WHERE, "--sandbox", is_flag=True, help="A local MoEngage, as `replay run --sandbox` has it."),
        option(
            WHERE,
            "--workspace-id",
            envvar="MOENGAGE_WORKSPACE_ID",
            show_envvar=True,
            help="The workspace (app) id: it is a part of every request.",
        ),
    ]
)

estimate_options = together(
    [
        *rate_options(ESTIMATE),
        option(
            ESTIMATE,
            "--latency",
            type=Latency(),
            default="200ms",
            show_default=True,
            help="How long MoEngage is taken to need for a reply.",
        ),
        *budget_options(ESTIMATE),
    ]
)

work_options = together(
    [
        option(WORK, "--workers", type=click.IntRange(1, 1024), help="Processes that read.  [default: one for a core]"),
        option(
            WORK,
            "--engine",
            type=click.Choice(["local", "dask"]),
            default="local",
            show_default=True,
            help="Processes of this machine, or an existing Dask cluster.",
        ),
        option(WORK, "--scheduler", metavar="tcp://HOST:PORT", help="With --engine dask: the cluster's scheduler."),
        option(
            WORK,
            "--limit",
            type=click.IntRange(1, 1_000_000_000),
            metavar="N",
            help="Only the first so many requests. That depends on order, so one process reads.",
        ),
    ]
)


@click.command("validate", cls=GroupedCommand, examples=EXAMPLES)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", shell_complete=offer_files)
@job_options
@selection_options
@list_options
@shape_options
@s3_options
@where_options
@mapping_options
@estimate_options
@work_options
@option(OUTPUT, "--plan", is_flag=True, help="List everything, read the beginnings of a few objects: an estimate.")
@option(
    OUTPUT,
    "--show",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Show N records beside the requests they become, of as many kinds as are found early on, and end.",
)
@option(
    OUTPUT,
    "--counts",
    type=PATH,
    metavar="FILE.csv",
    help="Write the deliveries to expect by event and day (UTC) here, to compare with MoEngage afterwards.",
)
@option(OUTPUT, "--report", type=PATH, metavar="FILE.html", help="Write all of it here, as one page.")
@option(OUTPUT, "--json", "as_json", is_flag=True, help="Print all of it as JSON on stdout.")
@log_options
@ok_exit_option
def command(**values: Any) -> None:
    """Read an archive as `replay run` would, and say what of it can be sent; send nothing.

    SOURCE is what it is for `replay run`, and so are the options that say what is sent, and as
    what. No connection to MoEngage is opened, and no credentials are needed.

    The exit code is 0 when everything can be sent or is skipped, 3 when records would be rejected
    or a file is damaged; with --show, that of what is shown.
    """
    from replay_cli.cli.validating import validate

    validate(values)
