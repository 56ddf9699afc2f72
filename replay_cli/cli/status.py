"""`replay status`: what a job did, does and has left."""

from typing import TYPE_CHECKING, Any

import click

from replay_cli.cli.options import (
    CHECKPOINT,
    SHOW,
    Duration,
    GroupedCommand,
    job_options,
    option,
    report_option,
    s3_options,
)
from replay_cli.cli.options.state import reach_options

if TYPE_CHECKING:
    from replay_cli.cli.home import Where

EVERY = 2.0
"""Seconds between two looks, where `--watch` does not say it."""
EXAMPLES = (
    "replay status .replay/segment-logs-3f2a9c81.ckpt --watch",
    "replay status --job nightly.toml --json",
    "replay status .replay --report job.html",
)


@click.command("status", cls=GroupedCommand, examples=EXAMPLES)
@click.argument("checkpoint", type=CHECKPOINT)
@job_options
@option(SHOW, "--json", "as_json", is_flag=True, help="Print the summary as JSON on stdout.")
@option(SHOW, "--in-doubt", is_flag=True, help="List the attempts in doubt, one JSON object a line.")
@option(
    SHOW,
    "--watch",
    type=Duration(),
    is_flag=False,
    flag_value=EVERY,
    metavar="[SECONDS]",
    help=f"Look again every so often, {EVERY:g}s unless given, until the run ends or Ctrl-C. To be written last.",
)
@report_option
@s3_options
@reach_options
def command(checkpoint: "Where", **values: Any) -> None:
    """Show a job at one glance, also while it runs: nothing is changed or held up by that.

    CHECKPOINT is a file, a folder with one in it, or an object on S3; with --job it is the
    job's. The exit code is 0 whatever the state; `--json` shows it.
    """
    from replay_cli.cli.asking import show_doubts, show_state

    shapes = [f"--{name.replace('_', '-')}" for name in ("in_doubt", "report", "watch") if values[name]]
    if len(shapes) > 1:
        raise click.UsageError(f"give {' or '.join(shapes)}, not both")
    if values["watch"] and values["as_json"]:
        raise click.UsageError("--watch is for people: give --json without it, as often as you like")
    if values["in_doubt"]:
        show_doubts(checkpoint, values)
    elif values["watch"]:
        from replay_cli.cli.glancing import watch

        watch(checkpoint, values)
    else:
        show_state(checkpoint, values)
