"""What a page is made of: sections of blocks. Values only; the template knows how each looks.

Tones are names of colours, which the style sheet gives for light and for dark: `accent` (delivered, as it should be),
`wait` (again, later), `bad` (refused), `odd` (the other side failed), `mute` (left out, or nothing known), and `s1` to
`s5` for what has no meaning of its own.
"""

from collections.abc import Sequence
from typing import NamedTuple

from replay_cli.report.page.charts import Drawing

Cell = str | int | float
"""A number is set to the right, with its thousands parted."""


class Fact(NamedTuple):
    """One number that matters, large: what it is, and a word on it."""

    label: str
    value: Cell
    note: str = ""
    tone: str = ""


class Facts(NamedTuple):
    """Numbers that matter, side by side."""

    facts: Sequence[Fact]
    block: str = "facts"


class Bar(NamedTuple):
    """A name and how many of it; `share` of the longest bar, 0.0 to 1.0."""

    label: str
    n: int
    share: float
    note: str = ""
    tone: str = "accent"


class Bars(NamedTuple):
    """Names with how many there are of each, and in a table those that have no bar."""

    title: str
    bars: Sequence[Bar]
    more: "Table | None" = None
    about: str = ""
    block: str = "bars"


class Part(NamedTuple):
    """A part of a whole: `share`, 0.0 to 1.0."""

    label: str
    n: int
    share: float
    percent: str
    tone: str
    about: str = ""


class Stack(NamedTuple):
    """A whole and all its parts, in one bar; they add up."""

    whole: str
    n: int
    parts: Sequence[Part]
    block: str = "stack"


class Key(NamedTuple):
    """One entry of a chart's legend."""

    label: str
    tone: str
    look: str = "area"


class Figure(NamedTuple):
    """A chart for wide and for narrow pages, and its numbers."""

    title: str
    about: str
    wide: Drawing
    narrow: Drawing
    legend: Sequence[Key]
    numbers: "Table"
    block: str = "figure"


class Table(NamedTuple):
    """Rows under a head; `folded` under a caption where they are many."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    about: str = ""
    block: str = "table"


class Example(NamedTuple):
    """A record that something is said of: where it is, what of it, and its beginning."""

    place: str
    detail: str
    excerpt: str


class Reason(NamedTuple):
    """Why records were not sent as they were meant: how many, with examples."""

    label: str
    n: int
    percent: str
    examples: Sequence[Example]
    about: str = ""
    tone: str = "bad"


class Reasons(NamedTuple):
    """Reasons of one kind, most first."""

    title: str
    reasons: Sequence[Reason]
    block: str = "reasons"


class Meter(NamedTuple):
    """How much of a limit is used."""

    label: str
    n: int
    limit: int
    share: float
    tone: str
    note: str = ""


class Meters(NamedTuple):
    """Limits, and how much of each is used."""

    meters: Sequence[Meter]
    block: str = "meters"


class Pairs(NamedTuple):
    """Names and what they are."""

    pairs: Sequence[tuple[str, str]]
    block: str = "pairs"


class Note(NamedTuple):
    """A sentence."""

    text: str
    tone: str = ""
    block: str = "note"


Block = Facts | Bars | Stack | Figure | Table | Reasons | Meters | Pairs | Note


class Section(NamedTuple):
    """A part of the page with a title of its own."""

    name: str
    title: str
    blocks: Sequence[Block]
    about: str = ""


class Headline(NamedTuple):
    """What a reader must know first: the state in a word, the reason in a sentence, what to do next."""

    kind: str
    state: str
    tone: str
    reason: str
    steps: Sequence[tuple[str, str]]
    """What to do, and the command for it, or an empty one"""
    under: Sequence[str]
    """When, where, by which version"""


class Page(NamedTuple):
    """A whole page."""

    title: str
    headline: Headline
    sections: Sequence[Section]
    made: str
