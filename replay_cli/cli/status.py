"""`replay status`: what a job did, does and has left."""

from pathlib import Path

import click

from replay_cli.cli.options import PATH, GroupedCommand, option

SHOW = "What to show"


@click.command("status", cls=GroupedCommand, examples=("replay status .replay/segment-logs-3f2a9c81.ckpt --json",))
@click.argument("checkpoint", type=PATH)
@option(SHOW, "--json", "as_json", is_flag=True, help="Print the summary as JSON on stdout.")
@option(SHOW, "--in-doubt", is_flag=True, help="List the attempts in doubt, one JSON object a line.")
def command(checkpoint: Path, as_json: bool, in_doubt: bool) -> None:
    """Show what a job did, does and has left, also while it runs.

    The exit code is 0 whatever the state; `--json` shows it.
    """
    import orjson

    from replay_cli.cli.wiring import summarize
    from replay_cli.ledger.lock import is_locked
    from replay_cli.ledger.store import Store
    from replay_cli.report.summary import run_state
    from replay_cli.report.terminal import output_console, print_job, print_json, print_summary

    store = Store.open(checkpoint, read_only=True)
    try:
        if in_doubt:
            for uri, ordinal, part, attempt, at, cause in store.in_doubt(running=is_locked(checkpoint)):
                row = {
                    "uri": uri,
                    "ordinal": ordinal,
                    "part": part,
                    "attempt": attempt,
                    "at": at,
                    "cause": cause,
                }
                click.echo(orjson.dumps(row).decode())
            return
        state, reason = run_state(store.runs(), running=is_locked(checkpoint))
        summary = summarize(store, checkpoint, state, reason, {})
    finally:
        store.close()
    if as_json:
        print_json(summary)
    else:
        print_job(output_console(), summary)
        print_summary(output_console(), summary)
