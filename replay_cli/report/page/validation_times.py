"""When the messages of an archive happened, when they were received, how late and how old they are (pure)."""

from collections.abc import Mapping
from typing import Any

from replay_cli.report.page.blocks import Block, Cell, Fact, Facts, Figure, Section, Table
from replay_cli.report.page.days import Histogram, by_day, by_hour
from replay_cli.report.page.numbers import percent
from replay_cli.report.page.parts import OTHERS, histogram, in_order, section

_LATENESS = {
    "early": "before they happened: a wrong clock",
    "under_1_minute": "within a minute",
    "under_1_hour": "within an hour",
    "under_1_day": "within a day",
    "under_7_days": "within 7 days",
    "later": "later",
}
_ODD = (
    ("future", "in the future", "MoEngage does not accept them"),
    ("missing", "without a time", "MoEngage would take the time of receipt"),
    ("unreadable", "with an unreadable time", "no date can be read from it"),
    ("out_of_order", "out of order", "earlier than the message before; each user's are put in order"),
)
_ROWS = 300


def times(found: Mapping[str, Any], received: Mapping[str, int], sendable: int) -> Section | None:
    """Show the part `times` of a validation's document, and its messages by received day."""
    blocks: list[Block | None] = [
        Facts(_facts(found, sendable)),
        _histogram("When they happened", "by their timestamp", found["by_day"], by_hour(found["by_hour"])),
        _histogram("When Segment received them", "by the day of receipt", received, None),
        _lateness(found["lateness"]),
    ]
    about = f"From {_said(found['first'])} to {_said(found['last'])}." if found["first"] else ""
    return section("times", "Times", blocks, about)


def _said(moment: Any) -> str:
    """Say a time of the document, an ISO text, as other times are said."""
    return str(moment).replace("T", " ").replace(".000Z", "Z").replace("Z", " UTC")


def _facts(found: Mapping[str, Any], sendable: int) -> list[Fact]:
    facts = [Fact(label, found[name], about, "wait") for name, label, about in _ODD if found[name]]
    return [
        Fact("older than 60 days", found["older_than_60_days"], _of(found["older_than_60_days"], sendable)),
        Fact("older than 365 days", found["older_than_365_days"], _of(found["older_than_365_days"], sendable)),
        *facts,
    ]


def _of(part: int, sendable: int) -> str:
    return f"{percent(part, sendable)} of what would be sent"


def _histogram(title: str, about: str, days: Mapping[str, int], hours: Histogram | None) -> Figure | None:
    drawn = hours or by_day({"": days})
    if drawn is None:
        return None
    words = f"Messages by {drawn.unit}, {about}; UTC."
    if days.get(OTHERS):
        words += f" {days[OTHERS]:,} are of other days."
    return histogram(title, words, drawn, {"": "accent"}, (), _numbers(drawn, days))


def _numbers(drawn: Histogram, days: Mapping[str, int]) -> Table:
    rows: list[tuple[Cell, ...]] = [(day or "(none)", n) for day, n in days.items()]
    if drawn.unit == "hour" or len(rows) > _ROWS:
        rows = [(label, n) for label, n in zip(drawn.labels, drawn.totals(), strict=True)]
        return Table("The numbers", (drawn.unit.capitalize(), "Messages"), rows)
    return Table("The numbers", ("Day", "Messages"), rows)


def _lateness(found: Mapping[str, int]) -> Block | None:
    if not any(found.values()):
        return None
    about = "From their timestamp until Segment received them: late ones lie in the folders of later days."
    return in_order("How late they were received", found, _LATENESS, about)
