"""`replay status --watch`: a job looked at again and again, until its run ends."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from replay_cli.cli.asking import Moment, moment_of, the_checkpoint
from replay_cli.cli.home import Where
from replay_cli.cli.remote_checkpoint import open_checkpoint, state_s3
from replay_cli.report.glance_lines import one_line, print_glance
from replay_cli.report.terminal import output_console, print_job, print_summary

_FETCHED_EVERY = 10.0
"""Seconds between two looks at a checkpoint on S3, at least: each fetches all of it."""


def watch(where: Where, values: Mapping[str, Any], pause: Callable[[float], None] = time.sleep) -> None:
    """Show a job until its run ends, or Ctrl-C: drawn anew on a terminal, a line for each change elsewhere.

    Args:
        where: the checkpoint.
        values: the options of `replay status`; `watch` are the seconds between two looks.
        pause: waits for so many seconds.

    Raises:
        UsageError: there is no such checkpoint.
        FatalError: it cannot be reached.
    """
    where, console = the_checkpoint(where), output_console()
    every = values["watch"] if isinstance(where, Path) else max(values["watch"], _FETCHED_EVERY)
    moments = _moments(where, values, lambda: pause(every))
    with suppress(KeyboardInterrupt):
        if console.is_terminal:
            _draw(console, moments)
        else:
            _say(console, moments)


def _moments(where: Where, values: Mapping[str, Any], pause: Callable[[], None]) -> Iterator[Moment]:
    """Give the job as it is now, and again, until no run holds it."""
    while True:
        with open_checkpoint(where, state_s3(values)) as seen, seen.store.unchanging():
            moment = moment_of(seen, where)
        yield moment
        if moment.summary["state"] != "running":
            return
        pause()


def _draw(console: Console, moments: Iterator[Moment]) -> None:
    from rich.live import Live  # what a single look does without

    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        for moment in moments:
            live.update(_picture(moment), refresh=True)


def _picture(moment: Moment) -> Text:
    """Return what a single look would print."""
    console = output_console()
    with console.capture() as captured:
        print_job(console, moment.summary)
        print_summary(console, moment.summary)
        print_glance(console, moment.glance, moment.at)
    return Text.from_ansi(captured.get().rstrip("\n"))


def _say(console: Console, moments: Iterator[Moment]) -> None:
    said = ""
    for moment in moments:
        line = one_line(moment.summary, moment.glance)
        if line != said:
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment.at))
            console.print(f"{at} {line}", soft_wrap=True, highlight=False, markup=False)
            said = line
