"""`replay sandbox`: a local MoEngage in a process of its own."""

import asyncio
import gc
import os
import signal
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import click

from replay_cli.cli.options import PATH, GroupedCommand, option

SERVER = "Server"
BEHAVIOUR = "Behaviour"

EXAMPLES = (
    "replay sandbox --port 8080",
    "MOENGAGE_API_KEY=sandbox replay run logs/ --endpoint http://127.0.0.1:8080 --workspace-id sandbox",
    "curl http://127.0.0.1:8080/_sandbox/stats",
)


@click.command("sandbox", cls=GroupedCommand, examples=EXAMPLES)
@option(
    SERVER,
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port to listen on.  [default: a free one]",
)
@option(SERVER, "--workspace-id", default="sandbox", show_default=True, help="The workspace that it knows.")
@option(SERVER, "--spool", type=PATH, help="Directory that keeps what it receives.  [default: until it ends]")
@option(
    BEHAVIOUR,
    "--rps",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="Attempts in any rolling second; more are answered 429.",
)
@option(
    BEHAVIOUR,
    "--users-per-minute",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="Users and devices that the Data API takes in any rolling minute.",
)
@option(
    BEHAVIOUR,
    "--events-per-minute",
    type=click.IntRange(min=1),
    default=30_000,
    show_default=True,
    help="Events that the Data API takes in any rolling minute.",
)
@option(BEHAVIOUR, "--latency", type=click.FloatRange(min=0), default=0.0, help="Seconds before each reply.")
@option(BEHAVIOUR, "--faults", type=click.File("rb"), help="JSON file of faults to inject; see the README.")
def command(faults: BinaryIO | None, spool: Path | None, **values: Any) -> None:
    """Run a local MoEngage: the Segment endpoint and the Data API with their checks, limits and errors.

    Its API key is SANDBOX_API_KEY, or `sandbox`. It listens on this machine only, keeps what it
    receives on disk, and answers questions at /_sandbox/received and /_sandbox/stats.
    """
    from replay_cli.sandbox import Sandbox, serve

    sandbox = Sandbox(
        api_key=os.environ.get("SANDBOX_API_KEY", "sandbox"),
        faults=b"[]" if faults is None else faults.read(),
        spool=spool,
        **values,
    )
    asyncio.run(_run_until_signal(serve(sandbox, _on_listening)))


def _on_listening(url: str) -> None:
    # What is imported by now stays. Looked through by the garbage collector it stops the server for 25 to 40 ms, and
    # what arrives meanwhile would be counted as if it had come at once.
    gc.collect()
    gc.freeze()
    click.echo(f"sandbox listening on {url}")


async def _run_until_signal(serving: Coroutine[None, None, None]) -> None:
    task = asyncio.ensure_future(serving)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task
