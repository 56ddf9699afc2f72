"""What the records are: tables of types, events, sources and libraries, with bars."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from replay_cli.report.validation.sheet import BROAD, Sheet, percent

_MOST = 8
"""Rows with names; the rest is summed."""
_OTHERS = "(others)"
"""The name under which a document sums what it does not name."""
_UNKNOWN = {"(none)", "(unknown)"}
"""What a document calls those without a type or a library, and those whose source nothing tells."""
_WIDEST_BAR, _NARROWEST_BAR = 24, 8
_PERCENT = 8
_NAME = 44
_TABLES = (("types", "by_type"), ("sources", "by_source"), ("events", "by_event"), ("libraries", "by_library"))


def print_composition(sheet: Sheet, document: Mapping[str, Any]) -> None:
    """Print the tables, two side by side where there is room."""
    blocks = [table(sheet, title, document[key].items()) for title, key in _TABLES if document[key].keys() - _UNKNOWN]
    print_tables(sheet, blocks)


def print_tables(sheet: Sheet, blocks: list[list[Text]]) -> None:
    """Print tables of `table`, two side by side where there is room."""
    each = 2 if sheet.width >= BROAD else 1
    for start in range(0, len(blocks), each):
        left, right = [*blocks[start : start + each], []][:2]
        sheet.gap()
        sheet.beside(left, right)


def table(
    sheet: Sheet, title: str, counts: Iterable[tuple[str, int]], say: Callable[[int], str] = "{:,}".format
) -> list[Text]:
    """Return the lines of a table: name, number, share and bar, the largest first, the rest summed.

    Args:
        sheet: what it is for; it takes half of its width where two stand side by side.
        title: what is counted.
        counts: name → number.
        say: how a number is written.
    """
    width = sheet.width // 2 - 2 if sheet.width >= BROAD else sheet.width
    rows = _largest(counts)
    whole, largest = sum(n for _, n in rows), max(n for _, n in rows)
    numbers = [say(n) for _, n in rows]
    number = max(map(len, numbers))
    room = min(_NAME, width - number - _PERCENT - _NARROWEST_BAR - 8)
    names = [sheet.name(name, room) or "(none)" for name, _ in rows]
    longest = max(12, *map(cell_len, names))
    bar = min(_WIDEST_BAR, width - longest - number - _PERCENT - 8)
    lines = [Text(title, style="bold")]
    for name, written, (_, n) in zip(names, numbers, rows, strict=True):
        line = Text(
            f"  {name}{' ' * (longest - cell_len(name))}  {written:>{number}} {percent(n, whole):>{_PERCENT}}  "
        )
        line.append(sheet.marks.bar(n / largest if largest else 0.0, bar), style="cyan")
        lines.append(line)
    return lines


def _largest(counts: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    ordered = sorted(counts, key=lambda item: (item[0] == _OTHERS, -item[1], item[0]))
    if len(ordered) <= _MOST + 1:
        return ordered
    rest = ordered[_MOST:]
    name = _OTHERS if rest[-1][0] == _OTHERS else f"({len(rest):,} others)"
    return [*ordered[:_MOST], (name, sum(n for _, n in rest))]
