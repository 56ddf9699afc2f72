"""`replay run`: re-send an archive, or go on where the same command stopped."""

from typing import Any

import click

from replay_cli.cli.options import (
    CHECKPOINT,
    MEMORY,
    OUTPUT,
    PATH,
    GroupedCommand,
    again_option,
    changed_option,
    delivery_options,
    destination_options,
    job_options,
    limit_option,
    list_options,
    mapping_options,
    ok_exit_option,
    option,
    output_options,
    s3_options,
    selection_options,
    shape_options,
    state_options,
)
from replay_cli.cli.options.completing import offer_files
from replay_cli.cli.options.telling import telling_options

EXAMPLES = (
    "replay run segment-logs/ --dry-run",
    "replay run segment-logs/ --sandbox",
    "replay run s3://bucket/segment-logs/ --received-from 2025-03-01 --received-until 2025-04-01 --sandbox",
    "replay run segment-logs/ --region DC_01 --workspace-id APP --api-key-file key --rps 200",
    "replay run --job nightly.toml",
)


@click.command("run", cls=GroupedCommand, examples=EXAMPLES)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", shell_complete=offer_files)
@job_options
@selection_options
@list_options
@shape_options
@s3_options
@destination_options
@mapping_options
@delivery_options
@limit_option("Pause the run after so many requests: a canary. The same command goes on.")
@option(MEMORY, "--name", help="The job's name; else made of its sources and workspace.")
@option(
    MEMORY,
    "--checkpoint",
    type=CHECKPOINT,
    help="The job's memory: a file, or s3://bucket/key.  [default: .replay/{job}.ckpt]",
)
@option(MEMORY, "--must-resume", is_flag=True, help="Refuse to begin a new job.")
@option(
    MEMORY,
    "--restart",
    is_flag=True,
    allow_from_autoenv=False,
    help="Begin anew: the old checkpoint and dead letters are moved aside.",
)
@option(
    MEMORY,
    "--amend",
    metavar="REASON",
    allow_from_autoenv=False,
    help="Go on with other settings than before, and record why.",
)
@changed_option
@again_option
@state_options
@option(OUTPUT, "--dry-run", is_flag=True, help="Send nothing and remember nothing: show what would be sent.")
@option(OUTPUT, "--output", type=PATH, help="With --dry-run: write every record's requests here, as JSON lines.")
@output_options
@telling_options
@ok_exit_option
def command(**values: Any) -> None:
    """Re-send an archive to MoEngage, or go on where the same command stopped.

    SOURCE is a file, a directory or a glob, on disk or on S3 (s3://bucket/prefix): JSON
    lines (Segment's raw logs), plain or compressed with gzip or zstd, or Parquet.
    """
    from replay_cli.cli.running import dry_run, run_job
    from replay_cli.cli.telling import telling_from

    if values["output"] is not None and not values["dry_run"]:
        raise click.UsageError("--output goes with --dry-run")
    if values["report"] is not None and values["dry_run"]:
        raise click.UsageError("--report is of what was sent: for what would be, use `replay validate SOURCE --report`")
    if values["amend"] is not None:
        values["amend"] = " ".join(values["amend"].split())
        if not values["amend"]:
            raise click.UsageError("--amend needs a reason: it is kept in the checkpoint")
        if values["restart"]:
            raise click.UsageError("give --amend or --restart, not both")
    if values["dry_run"]:
        dry_run(values)
    with telling_from(values) as telling:
        run_job(values, telling)
