"""`replay resume`: go on with a job from its checkpoint."""

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from replay_cli.cli.options import (
    CHECKPOINT,
    GroupedCommand,
    again_option,
    changed_option,
    credential_options,
    delivery_options,
    limit_option,
    ok_exit_option,
    output_options,
    s3_options,
    state_options,
    suppress_option,
)
from replay_cli.cli.options.telling import telling_options

if TYPE_CHECKING:
    from replay_cli.cli.home import Where

EXAMPLES = (
    "replay resume .replay/segment-logs-3f2a9c81.ckpt --api-key-file key",
    "replay resume s3://bucket/state/nightly.ckpt --api-key-file key --yes",
)


@click.command("resume", cls=GroupedCommand, examples=EXAMPLES)
@click.argument("checkpoint", type=CHECKPOINT)
@suppress_option
@s3_options
@credential_options
@delivery_options
@limit_option("Pause the run after so many requests: a canary. The same command goes on.")
@changed_option
@again_option
@state_options
@output_options
@telling_options
@ok_exit_option
@click.pass_context
def command(context: click.Context, /, checkpoint: "Where", **values: Any) -> None:
    """Go on with a job from its checkpoint.

    Sources, destination and settings are those stored in it, and so is the pace of the last
    run, unless it is given anew. Only the API key is not stored.
    """
    from replay_cli.cli.running import resume_job
    from replay_cli.cli.telling import telling_from

    given = {name for name in values if context.get_parameter_source(name) is not ParameterSource.DEFAULT}
    with telling_from(values) as telling:
        resume_job(checkpoint, values, given, telling)
