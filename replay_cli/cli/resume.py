"""`replay resume`: go on with a job from its checkpoint."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from replay_cli.cli.options import (
    PATH,
    GroupedCommand,
    changed_option,
    credential_options,
    delivery_options,
    limit_option,
    output_options,
    s3_options,
    suppress_option,
)


@click.command(
    "resume",
    cls=GroupedCommand,
    examples=("replay resume .replay/segment-logs-3f2a9c81.ckpt --api-key-file key",),
)
@click.argument("checkpoint", type=PATH)
@suppress_option
@s3_options
@credential_options
@delivery_options
@limit_option("Pause the run after so many requests: a canary. The same command goes on.")
@changed_option
@output_options
@click.pass_context
def command(context: click.Context, /, checkpoint: Path, **values: Any) -> None:
    """Go on with a job from its checkpoint.

    Sources, destination and settings are those stored in it, and so is the pace of the last
    run, unless it is given anew. Only the API key is not stored.
    """
    from replay_cli.cli.running import resume_job

    given = {name for name in values if context.get_parameter_source(name) is not ParameterSource.DEFAULT}
    resume_job(checkpoint, values, given)
