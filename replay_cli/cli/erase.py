"""`replay erase`: people out of a checkpoint, and the list of what was sent of theirs."""

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from replay_cli.cli.options import (
    CHECKPOINT,
    OUTPUT,
    PATH,
    GroupedCommand,
    job_options,
    option,
    s3_options,
    state_options,
)

if TYPE_CHECKING:
    from replay_cli.cli.home import Where

WHO = "Who"
EXAMPLES = (
    "replay erase .replay/segment-logs-3f2a9c81.ckpt --ids people.txt --dry-run",
    "replay erase .replay/segment-logs-3f2a9c81.ckpt --ids people.csv --output sent.jsonl",
)


@click.command("erase", cls=GroupedCommand, examples=EXAMPLES)
@click.argument("checkpoint", type=CHECKPOINT)
@job_options
@option(
    WHO,
    "--ids",
    multiple=True,
    required=True,
    type=PATH,
    metavar="FILE",
    help="User ids, e-mail addresses and anonymous ids, as for --suppress: one a line or a CSV with columns user_id, "
    "email, anonymous_id; .gz too. Can be given several times.",
)
@option(
    WHO,
    "--no-scan",
    is_flag=True,
    help="Do not read the job's archives again: only what the checkpoint itself tells is listed.",
)
@s3_options
@state_options
@option(OUTPUT, "--dry-run", is_flag=True, help="Erase nothing: show what would be.")
@option(
    OUTPUT,
    "--output",
    type=PATH,
    metavar="FILE.jsonl",
    help="Write the list of what is, or may be, with MoEngage there; else it goes to stdout.",
)
@option(OUTPUT, "--json", "as_json", is_flag=True, help="Print what was done as JSON on stdout.")
@click.pass_context
def command(context: click.Context, /, checkpoint: "Where", **values: Any) -> None:
    """Erase people from the checkpoint of a job, and list what was sent of theirs.

    Dead letters of theirs lose their texts, in the file beside it too, and what waits to be
    sent is skipped; the book still closes. What was sent is found in the archives: one JSON
    object a record, with its place, so that it can be deleted at MoEngage.
    """
    from replay_cli.cli.erasing import erase_people

    given = {name for name in values if context.get_parameter_source(name) is not ParameterSource.DEFAULT}
    erase_people(checkpoint, values, given)
