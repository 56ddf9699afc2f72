"""What the lines of a validation are written on: labels at the left, what they say beside them, long names cut."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from replay_cli.report.marks import marks_for
from replay_cli.report.terminal import count, printable

LABEL = 14
"""Columns of the labels at the left."""
BROAD = 116
"""Columns from which on two tables stand side by side."""
_WIDEST, _IN_A_LOG = 140, 100
"""Columns of tables at most, in a terminal and elsewhere."""
_LONGEST_DETAIL = 300
_NEVER = 253_402_300_800
"""POSIX seconds: the year 10000."""


class Sheet:
    """Writes lines to a console.

    In a terminal a long line goes on beneath where it began; elsewhere it stays whole, since logs are searched.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.marks = marks_for(console)
        self.width = min(console.width, _WIDEST if console.is_terminal else _IN_A_LOG)
        self._gap = False
        self._written = 0

    @property
    def is_scrolled(self) -> bool:
        """Whether what was written first is out of sight by now."""
        return self._console.is_terminal and self._written >= self._console.height

    def gap(self) -> None:
        """Leave a line empty before what comes next, if anything does."""
        self._gap = True

    def line(self, text: Text, indent: int = 0) -> None:
        """Write a text, so many columns from the left."""
        self._write(Text(" " * indent), [text])

    def fact(self, label: str, *texts: Text | str) -> None:
        """Write what is to be said under a label, one text beneath the other; nothing when there is none."""
        said = [text if isinstance(text, Text) else Text(text) for text in texts if text]
        if said:
            self._write(Text(f"{label:{LABEL}}", style="dim"), said)

    def beneath(self, head: Text, texts: list[Text]) -> None:
        """Write texts beside a head, one beneath the other."""
        self._write(head, texts)

    def beside(self, left: list[Text], right: list[Text]) -> None:
        """Write two blocks of lines side by side, where each is at most half as wide as the sheet."""
        column = self.width // 2
        for index in range(max(len(left), len(right))):
            line = left[index].copy() if index < len(left) else Text()
            if index < len(right):
                line.append(" " * (column - cell_len(line.plain)))
                line.append_text(right[index])
            self.line(line)

    def name(self, text: str, width: int) -> str:
        """Return somebody else's name in so many columns at most."""
        if len(text) > 4 * width:  # more than can be seen of it
            text = text[: 2 * width] + text[-2 * width :]
        shown = one_line(text)
        if self._console.options.ascii_only:
            shown = shown.encode("ascii", "backslashreplace").decode()
        return self.marks.cut(shown, width)

    def example(self, example: Mapping[str, Any]) -> str:
        """Return where a record is, and what of it."""
        place = f"line {example['line']:,}" if "line" in example else f"row {example['row']:,}"
        detail = self.name(example.get("detail") or "", _LONGEST_DETAIL)
        return f"{one_line(example['uri'])} {place}" + (f": {detail}" if detail else "")

    def _write(self, head: Text, texts: list[Text]) -> None:
        if self._gap:
            self._console.print()
            self._gap = False
        indent = cell_len(head.plain)
        for text in texts:
            for piece in self._pieces(text, indent):
                line = Text.assemble(head, piece)
                line.rstrip()
                self._written += 1
                self._console.print(line, soft_wrap=True, highlight=False)
                head = Text(" " * indent)

    def _pieces(self, text: Text, indent: int) -> list[Text]:
        if not self._console.is_terminal:
            return [text]
        return list(text.wrap(self._console, max(20, self._console.width - indent)))


def one_line(text: str) -> str:
    """Return a text with its control characters shown, line breaks too."""
    return printable(text).replace("\n", "\\n")


def percent(part: float, whole: float) -> str:
    """Return a share: what is not nothing is never 0, what is not all is never 100 %."""
    if not whole:
        return "–"
    share = 100 * part / whole
    if 0 < share < 0.1:
        return "<0.1 %"
    return f"{min(share, 99.9) if part < whole else share:.1f} %"


def about(number: int, error: float, thing: str) -> str:
    """Return `2 records`, and with a standard error `about 2,000 ± 30 records`."""
    return f"about {number:,} ± {error:,.0f} {thing}s" if error else count(number, thing)


def in_utc(posix: float) -> str:
    """Return a time as people read it; the slowest of runs may end when no calendar here goes on."""
    if posix >= _NEVER:
        return "after the year 9999"
    return f"{datetime.fromtimestamp(posix, UTC):%Y-%m-%d %H:%M:%S} UTC"
