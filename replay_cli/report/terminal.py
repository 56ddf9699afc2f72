"""The summary for people: one table that shows how the book closes, and what to look at next."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from replay_cli.errors import FatalError
from replay_cli.report.consoles import error_console, let_go, output_console
from replay_cli.report.summary import Summary

__all__ = [
    "Trimmed",
    "count",
    "duration",
    "error_console",
    "let_go",
    "output_console",
    "print_job",
    "print_json",
    "print_summary",
    "printable",
    "size",
]

_STYLES = {"complete": "bold green", "running": "bold cyan", "paused": "bold yellow"}
_WITH_REASONS = ("skipped", "rejected", "dead_lettered")


def print_summary(console: Console, summary: Summary) -> None:
    """Print a job's summary."""
    console.print(_headline(summary), soft_wrap=True)
    console.print(Trimmed(_book(summary)))
    for line in _remarks(summary):
        console.print(line, soft_wrap=True, highlight=False)


class Trimmed:
    """A table without the blanks that fill its lines up to the longest one."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in console.render_lines(self._table, options, pad=False):
            text = Text.assemble(*((segment.text, segment.style or "") for segment in line), no_wrap=True)
            text.rstrip()
            yield text


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
            f"{count(summary['in_doubt'], 'attempt')} ended in doubt (perhaps sent, no answer seen): "
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


def print_json(summary: Summary) -> None:
    """Print a summary for machines, on stdout: UTF-8, whatever the locale.

    Raises:
        FatalError: stdout does not take it.
    """
    try:
        sys.stdout.flush()
        rest = memoryview(orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        while rest:  # where Python's output is unbuffered, a full disk takes a part and says nothing
            rest = rest[sys.stdout.buffer.write(rest) :]
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError) as error:
        if sys.stdout is not None:
            let_go(sys.stdout)
        raise FatalError(f"the summary could not be printed: {error}") from None
