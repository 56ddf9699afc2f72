"""`replay jobs`: the jobs of a folder, each with its state and its last result."""

from pathlib import Path

import click

from replay_cli.cli.options import OUTPUT, PATH, GroupedCommand, option

EXAMPLES = ("replay jobs /etc/replay/", "replay jobs /etc/replay/ --json")


@click.command("jobs", cls=GroupedCommand, examples=EXAMPLES)
@click.argument("folder", type=PATH, metavar="DIR")
@option(OUTPUT, "--json", "as_json", is_flag=True, help="Print the list as JSON on stdout.")
@click.pass_context
def command(context: click.Context, folder: Path, as_json: bool) -> None:
    """List the job files (*.toml) of a folder, with the state and the last result of each job.

    A file that cannot be understood is listed with what is wrong with it. The exit code is 0
    whatever the states.
    """
    from replay_cli.cli.job_file import commands_of
    from replay_cli.cli.job_listing import list_jobs, print_jobs
    from replay_cli.report.terminal import output_console, print_json

    rows = list_jobs(folder, commands_of(context))
    if as_json:
        print_json({"jobs": [row.document() for row in rows]})
    else:
        print_jobs(output_console(), folder, rows)
