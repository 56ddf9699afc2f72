"""`replay status`: what a job did, does and has left."""

from pathlib import Path

import click

from replay_cli.cli.options import PATH, GroupedCommand, option, report_option

SHOW = "What to show"
EXAMPLES = (
    "replay status .replay/segment-logs-3f2a9c81.ckpt --json",
    "replay status .replay/segment-logs-3f2a9c81.ckpt --report job.html",
)


@click.command("status", cls=GroupedCommand, examples=EXAMPLES)
@click.argument("checkpoint", type=PATH)
@option(SHOW, "--json", "as_json", is_flag=True, help="Print the summary as JSON on stdout.")
@option(SHOW, "--in-doubt", is_flag=True, help="List the attempts in doubt, one JSON object a line.")
@report_option
def command(checkpoint: Path, as_json: bool, in_doubt: bool, report: Path | None) -> None:
    """Show what a job did, does and has left, also while it runs.

    The exit code is 0 whatever the state; `--json` shows it.
    """
    from replay_cli.cli.asking import show_doubts, show_state

    if in_doubt and report is not None:
        raise click.UsageError("give --in-doubt or --report, not both")
    if in_doubt:
        show_doubts(checkpoint)
    else:
        show_state(checkpoint, report, as_json=as_json)
