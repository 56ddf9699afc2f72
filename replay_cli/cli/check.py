"""`replay check`: try the credentials and the sources, and send nothing."""

from typing import Any

import click

from replay_cli.cli.options import (
    GroupedCommand,
    destination_options,
    job_options,
    s3_options,
    selection_options,
)
from replay_cli.cli.options.completing import offer_files

EXAMPLES = (
    "replay check s3://bucket/segment-logs/ --region DC_01 --workspace-id APP --api-key-file key",
    "replay check s3://bucket/segment-logs/ --aws-profile archives --sandbox",
    "replay check --job nightly.toml",
)


@click.command("check", cls=GroupedCommand, examples=EXAMPLES)
@click.argument("sources", nargs=-1, metavar="[SOURCE...]", shell_complete=offer_files)
@job_options
@selection_options
@s3_options
@destination_options
def command(sources: tuple[str, ...], **values: Any) -> None:
    """Try the credentials and the sources without sending anything.

    Asks MoEngage's credentials check, lists every SOURCE and reads the beginning of its first
    object; on S3, a range of it too. Exit code 0 when all of it works, 1 when not.
    """
    from replay_cli.cli.checking import check

    check(sources, values)
