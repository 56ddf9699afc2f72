"""The options that commands share, in the groups in which `--help` shows them."""

from replay_cli.cli.options.delivery import (
    again_option,
    changed_option,
    delivery_options,
    limit_option,
    output_options,
    report_option,
)
from replay_cli.cli.options.grouped import (
    AS_WHAT,
    CREDENTIALS,
    DELIVERY,
    FROM_S3,
    MEMORY,
    OUTPUT,
    PATH,
    SHOW,
    WHAT,
    WHERE,
    GroupedCommand,
    GroupedOption,
    option,
)
from replay_cli.cli.options.job import job_options, ok_exit_option
from replay_cli.cli.options.state import CHECKPOINT, reach_options, state_options
from replay_cli.cli.options.types import Duration, Instant
from replay_cli.cli.options.what import list_options, s3_options, selection_options, shape_options, suppress_option
from replay_cli.cli.options.where import credential_options, destination_options, mapping_options

__all__ = [
    "AS_WHAT",
    "CHECKPOINT",
    "CREDENTIALS",
    "DELIVERY",
    "FROM_S3",
    "MEMORY",
    "OUTPUT",
    "PATH",
    "SHOW",
    "WHAT",
    "WHERE",
    "Duration",
    "GroupedCommand",
    "GroupedOption",
    "Instant",
    "again_option",
    "changed_option",
    "credential_options",
    "delivery_options",
    "destination_options",
    "job_options",
    "limit_option",
    "list_options",
    "mapping_options",
    "ok_exit_option",
    "option",
    "output_options",
    "reach_options",
    "report_option",
    "s3_options",
    "selection_options",
    "shape_options",
    "state_options",
    "suppress_option",
]
