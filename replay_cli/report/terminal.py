"""The summary for people: one table that shows how the book closes, and what to look at next."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO, cast

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from replay_cli.errors import FatalError
from replay_cli.report.summary import Summary

_STYLES = {"complete": "bold green", "running": "bold cyan", "paused": "bold yellow"}
_UNWRAPPED = 400
"""Columns of what is no terminal: a log's lines are searched, and must not be cut."""
_WITH_REASONS = ("skipped", "rejected", "dead_lettered")


def print_summary(console: Console, summary: Summary) -> None:
    """Print a job's summary."""
    console.print(_headline(summary), soft_wrap=True)
    console.print(_book(summary))
    for line in _remarks(summary):
        console.print(line, soft_wrap=True, highlight=False)


def print_job(console: Console, summary: Summary) -> None:
    """Print what a job sends, and where."""
    job = summary["job"]
    settings = ", ".join(
        f"{name.replace('_', ' ')} {_plain(name, value)}" for name, value in job["settings"].items() if value
    )
    for line in (*job["sources"], f"to workspace {job['workspace_id']} at {job['endpoint']}", settings):
        console.print(Text(printable(line), style="dim"), soft_wrap=True)


def _plain(name: str, value: Any) -> str:
    """Say what a setting is; of what came from a file, how much there is of it."""
    match name:
        case "mapping":
            return count(len(value["subscriptions"]), "subscription")
        case "filters" | "windows":
            return f"{len(value):,}"
        case "stamp":
            return ", ".join(f"{key}={text}" for key, text in value.items())
        case "only_ids" | "except_ids":
            return "of a file"
    return ", ".join(map(str, value)) if isinstance(value, list) else "on" if value is True else str(value)


def _headline(summary: Summary) -> Text:
    state = summary["state"]
    text = Text(state, style=_STYLES.get(state, "bold red"))
    if summary["reason"]:
        text.append(f": {printable(summary['reason'])}", style="default not bold")
    return text


def _book(summary: Summary) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(min_width=22)
    table.add_column(justify="right")
    table.add_column(style="dim")
    records = summary["records"]
    table.add_row("records read", f"{records['read']:,}", "")
    for outcome in ("delivered", "skipped", "rejected", "dead_lettered", "pending"):
        style = "red" if outcome in ("rejected", "dead_lettered") and records[outcome] else ""
        reasons = summary[outcome] if outcome in _WITH_REASONS else {}
        note = _by_reason(reasons)
        if outcome == "pending" and summary["parked"]:
            note = Text(f"{summary['parked']:,} parked: their user waits for a message that fails, or for its turn")
        table.add_row(f"  {outcome.replace('_', ' ')}", f"{records[outcome]:,}", note, style=style)
    if summary["warnings"]:
        table.add_row("warnings", f"{sum(summary['warnings'].values()):,}", _by_reason(summary["warnings"]))
    requests = summary["requests"]
    table.add_row("attempts", f"{requests['attempts']:,}", _by_reason(requests["by_status"]))
    table.add_row("peak in any second", f"{requests['peak_per_second']:,}", "")
    objects = summary["objects"]
    notes = ["more may be there, not all is listed"] if objects["listing"] else []
    notes += [f"{count(len(objects['damage']), 'object')} not whole"] if objects["damage"] else []
    notes += [f"{count(objects['ignored'], 'name')} ignored"] if objects["ignored"] else []
    table.add_row("objects finished", f"{objects['complete']:,} of {objects['total']:,}", ", ".join(notes))
    table.add_row("time", duration(summary["elapsed_seconds"]), "")
    return table


def _by_reason(reasons: dict[str, int]) -> Text:
    ordered = sorted(reasons.items(), key=lambda item: -item[1])
    # A text, not a string: reasons come from MoEngage and must not be taken for markup.
    return Text(printable(", ".join(f"{reason} {n:,}" for reason, n in ordered)))


def _remarks(summary: Summary) -> Iterator[Text]:
    for uri, cause in summary["objects"]["damage"].items():
        yield Text(printable(f"not whole: {uri}: {cause}"), style="red")
    for uri in summary["objects"]["continued"]:
        yield Text(printable(f"changed in mid-job, gone on with: {uri}"))
    for uri in summary["objects"]["changed"]:
        yield Text(printable(f"changed after it was finished, not sent again: {uri}"), style="yellow")
    for amendment in summary["amendments"]:
        option = f"--{amendment['setting'].replace('_', '-')}"
        at = f"{datetime.fromtimestamp(amendment['at'], UTC):%Y-%m-%dT%H:%M:%SZ}"
        yield Text(
            f"amended at {at}: {option} was {amendment['before']}, is {amendment['after']}: {amendment['reason']}"
        )
    for rule, examples in summary["warning_examples"].items():
        example = examples[0]
        place = f"line {example['line']}" if "line" in example else f"row {example['row']}"
        yield Text(printable(f"{rule}, for example {example['uri']} {place}: {example['detail']}"), style="dim")
    if summary["in_doubt"]:
        yield Text(
            f"{summary['in_doubt']:,} attempts ended in doubt (perhaps sent, no answer seen): "
            f"replay status --in-doubt {summary['checkpoint']}",
            style="yellow",
        )
    if summary["dead_letters"]:
        again = f" (send them again: replay redrive {summary['checkpoint']})" if summary["dead_lettered"] else ""
        yield Text(f"undelivered records: {summary['dead_letters']}{again}")
    if summary["checkpoint"] and summary["state"] in ("paused", "interrupted"):
        yield Text(f"go on with the same command, or: replay resume {summary['checkpoint']}")
    if summary["checkpoint"]:
        yield Text(f"checkpoint: {summary['checkpoint']}", style="dim")


def printable(text: str) -> str:
    """Return a text with control characters shown and not obeyed: names of objects and reasons are other people's."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)


def duration(seconds: float) -> str:
    """Return seconds as people say them: `8.2 s`, `3 min 20 s`, `5 h 12 min`, `2 d 4 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def count(number: int, thing: str) -> str:
    """Return `1 object`, `2 objects`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def size(bytes_: float) -> str:
    """Return bytes as people say them, in powers of 1,000."""
    for unit in ("B", "kB", "MB", "GB"):
        if bytes_ < 1000:
            return f"{bytes_:.0f} {unit}" if unit == "B" else f"{bytes_:.1f} {unit}"
        bytes_ /= 1000
    return f"{bytes_:.1f} TB"


class _Forgiving:
    """A stream whose reader may go away: what is shown must never stop what is done."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            let_go(self._stream)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            let_go(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def let_go(stream: TextIO) -> None:
    """Write nothing more to a stream that cannot be written: what it still holds would fail again at the exit."""
    with suppress(OSError, ValueError), Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def error_console() -> Console:
    """Return the console for progress, logs and tables: stderr, even when nobody reads it any more."""
    width = None if sys.stderr is not None and sys.stderr.isatty() else _UNWRAPPED
    return Console(file=cast("TextIO", _Forgiving(sys.stderr)), highlight=False, width=width)


def output_console() -> Console:
    """Return the console for what was asked for: stdout."""
    return Console(highlight=False, width=None if sys.stdout is not None and sys.stdout.isatty() else _UNWRAPPED)


def print_json(summary: Summary) -> None:
    """Print a summary for machines, on stdout.

    Raises:
        FatalError: stdout does not take it.
    """
    try:
        sys.stdout.write(orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError) as error:
        if sys.stdout is not None:
            let_go(sys.stdout)
        raise FatalError(f"the summary could not be printed: {error}") from None
