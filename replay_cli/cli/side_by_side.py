"""Prints records beside the requests that they become: in two columns where there is room, else below one another."""

from collections.abc import Iterator, Sequence

import orjson
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from replay_cli.cli.showing import REJECTED, REQUEST, Shown
from replay_cli.report.terminal import count, printable

_WIDE = 110
"""Columns of a terminal from which on two texts fit beside one another."""
_MOST_LINES = 100
_LONGEST_LINE = 400
_STYLES = {REQUEST: "green", REJECTED: "red"}


def print_shown(console: Console, shown: Sequence[Shown], endpoint: str) -> None:
    """Print records and their requests.

    Args:
        console: where to; what is no terminal gets one text below the other.
        shown: in the order of the archive.
        endpoint: base URL of the requests; may be empty.
    """
    beside = console.is_terminal and console.width >= _WIDE
    for each in shown:
        console.print(_headline(each), soft_wrap=True)
        requests = list(_requests(each, endpoint))
        if beside and requests:
            table = Table.grid(padding=(0, 2), expand=True)
            table.add_column(ratio=1)
            table.add_column(ratio=1)
            table.add_row(_pretty(each.record), Group(*requests))
            console.print(table)
        else:
            for text in (_pretty(each.record), *requests):
                console.print(text, soft_wrap=True)
        console.print()


def _headline(shown: Shown) -> Text:
    text = Text(f"{printable(shown.place)}: ", style="bold")
    if shown.outcome == REQUEST:
        return text.append(count(len(shown.requests), "request"), style=_STYLES[REQUEST])
    text.append(f"{shown.outcome}: {printable(shown.reason)}", style=_STYLES.get(shown.outcome, "yellow"))
    return text.append(printable(f" ({shown.detail})"), style="not bold") if shown.detail else text


def _requests(shown: Shown, endpoint: str) -> Iterator[RenderableType]:
    for request in shown.requests:
        yield Text(printable(f"{request.method} {endpoint}{request.path}"), style="cyan")
        yield _pretty(request.body)


def _pretty(text: bytes) -> Text:
    """Lay out JSON, one value a line; what is none stays as it is. Long ones are cut, and say so."""
    try:
        written = orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2).decode()
    except (orjson.JSONDecodeError, TypeError):  # no JSON, or too deep to be written again
        written = text.decode(errors="replace")
    lines = written.split("\n")
    cut = [line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…" for line in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        cut.append(f"… {count(len(lines) - _MOST_LINES, 'more line')}")
    return Text(printable("\n".join(cut)))
