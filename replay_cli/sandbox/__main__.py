"""`python -m replay_cli.sandbox`: the sandbox in a process of its own, as the tests use it.

Its API key comes from the environment (`SANDBOX_API_KEY`), as secrets do; `sandbox` without one.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import click

from replay_cli.errors import UsageError
from replay_cli.sandbox.server import serve


@click.command()
@click.option("--port", default=0, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--workspace-id", default="sandbox", show_default=True, help="The workspace that it knows.")
@click.option("--rps", default=500, show_default=True, help="Attempts allowed in any rolling second.")
@click.option("--latency", default=0.0, show_default=True, help="Seconds before each reply.")
@click.option("--faults", type=click.File("rb"), help="File with a fault programme (JSON).")
@click.option("--spool", type=click.Path(path_type=Path), help="Directory for what it receives.")
def main(
    port: int,
    workspace_id: str,
    rps: int,
    latency: float,
    faults: BinaryIO | None,
    spool: Path | None,
) -> None:
    """Run a local MoEngage until SIGINT or SIGTERM."""
    try:
        serving = serve(
            on_listening=lambda url: click.echo(f"sandbox listening on {url}"),
            workspace_id=workspace_id,
            api_key=os.environ.get("SANDBOX_API_KEY", "sandbox"),
            port=port,
            rps=rps,
            latency=latency,
            faults=b"[]" if faults is None else faults.read(),
            spool=spool,
        )
        asyncio.run(_run_until_signal(serving))
    except UsageError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)


async def _run_until_signal(serving: Coroutine[None, None, None]) -> None:
    task = asyncio.ensure_future(serving)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


if __name__ == "__main__":
    main()
