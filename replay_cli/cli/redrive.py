"""`replay redrive`: send dead letters again."""

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from replay_cli.cli.options import (
    CHECKPOINT,
    OUTPUT,
    GroupedCommand,
    credential_options,
    delivery_options,
    job_options,
    limit_option,
    ok_exit_option,
    option,
    output_options,
    s3_options,
    state_options,
    suppress_option,
)
from replay_cli.cli.options.telling import telling_options

if TYPE_CHECKING:
    from replay_cli.cli.home import Where

WHICH = "Which"
EXAMPLES = (
    "replay redrive .replay/segment-logs-3f2a9c81.ckpt --dry-run",
    "replay redrive .replay/segment-logs-3f2a9c81.ckpt --reason http_400 --limit 100 --api-key-file key",
    "replay redrive --job nightly.toml",
)


@click.command("redrive", cls=GroupedCommand, examples=EXAMPLES)
@click.argument("checkpoint", type=CHECKPOINT)
@job_options
@option(
    WHICH,
    "--reason",
    "reasons",
    multiple=True,
    help="Only dead letters of this reason, its refinements included; a pattern with * is one, too. Several add up.",
)
@option(
    WHICH,
    "--status",
    "statuses",
    multiple=True,
    type=click.IntRange(100, 599),
    help="Only those whose last reply had this HTTP status. Several add up.",
)
@suppress_option
@s3_options
@credential_options
@delivery_options
@limit_option("Send at most so many dead letters again.")
@state_options
@option(OUTPUT, "--dry-run", is_flag=True, help="Send nothing: show how many there are, by reason.")
@output_options
@telling_options
@ok_exit_option
@click.pass_context
def command(context: click.Context, /, checkpoint: "Where", **values: Any) -> None:
    """Send the dead letters of a job again.

    Each becomes a request anew, with the job's settings; of a record with several requests,
    only those that did not arrive are sent. Sources are not read, and rejected records stay
    where they are. What fails again is a dead letter again.
    """
    from replay_cli.cli.redriving import redrive_job
    from replay_cli.cli.telling import telling_from

    if values["report"] is not None and values["dry_run"]:
        raise click.UsageError("--report is of what was sent, and a dry run sends nothing: give one of both")
    given = {name for name in values if context.get_parameter_source(name) is not ParameterSource.DEFAULT}
    if values["dry_run"]:
        redrive_job(checkpoint, values, given)
    with telling_from(values) as telling:
        redrive_job(checkpoint, values, given, telling)
