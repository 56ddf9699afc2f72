"""`replay resume`: go on with a job from its checkpoint."""

from pathlib import Path
from typing import Any

import click

from replay_cli.cli.options import PATH, GroupedCommand, credential_options, delivery_options, output_options


@click.command(
    "resume",
    cls=GroupedCommand,
    examples=("replay resume .replay/segment-logs-3f2a9c81.ckpt --api-key-file key",),
)
@click.argument("checkpoint", type=PATH)
@credential_options
@delivery_options
@output_options
def command(checkpoint: Path, **values: Any) -> None:
    """Go on with a job from its checkpoint.

    Sources, destination and settings are those stored in it; only the credentials and the
    pace are given anew.
    """
    from replay_cli.cli.running import resume_job

    resume_job(checkpoint, values)
