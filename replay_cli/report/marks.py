"""Numbers drawn with letters: bars and sparklines, in blocks or in plain ASCII, and names cut to fit beside them."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console

_SPARSEST = 4
"""Characters for a column that a text may have and be measured at all: marks above letters take none."""


class Marks(NamedTuple):
    """What is drawn with.

    `full` fills a bar, `parts` end it (the smallest part first), `levels` are the heights of a sparkline (the lowest
    first) and `none` its empty places, `ellipsis` stands for what is cut out of a name.
    """

    full: str
    parts: str
    levels: str
    none: str
    ellipsis: str

    def bar(self, share: float, width: int) -> str:
        """Return a bar for 0 to 1 of so many columns: what is not nothing is seen, what is not all is not full."""
        finest = len(self.parts) + 1
        length = round(max(0.0, min(share, 1.0)) * width * finest)
        if 0 < share < 1:
            length = max(1, min(length, width * finest - 1))
        whole, part = divmod(length, finest)
        return self.full * whole + (self.parts[part - 1] if part else "")

    def sparkline(self, values: Sequence[int]) -> str:
        """Return a mark for each value, as high as it is beside the highest; 0 is seen as nothing."""
        highest = max(values, default=0)
        return "".join(
            self.levels[(value * len(self.levels) - 1) // highest] if value > 0 else self.none for value in values
        )

    def cut(self, text: str, width: int) -> str:
        """Return a text of at most so many columns: what is too long loses its middle."""
        if len(text) <= _SPARSEST * width and cell_len(text) <= width:
            return text
        room = max(0, width - cell_len(self.ellipsis))
        tail = room // 2
        beginning, end = text[: room - tail], text[len(text) - tail :]
        while cell_len(beginning) > room - tail:
            beginning = beginning[:-1]
        while cell_len(end) > tail:
            end = end[1:]
        return f"{beginning}{self.ellipsis}{end}"


BLOCKS = Marks(full="█", parts="▏▎▍▌▋▊▉", levels="▁▂▃▄▅▆▇█", none=" ", ellipsis="…")
PLAIN = Marks(full="#", parts="", levels="._-~=+*#", none=" ", ellipsis="~")


def marks_for(console: Console) -> Marks:
    """Return the marks that a console can show: ASCII where its encoding has no more, or its terminal is a dumb one."""
    dumb = os.environ.get("TERM") == "dumb"
    return PLAIN if dumb or console.options.ascii_only else BLOCKS
