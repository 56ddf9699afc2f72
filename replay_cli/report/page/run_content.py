"""What a job sends, by day and by event (pure)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from replay_cli.report.page.blocks import Block, Cell, Figure, Key, Section, Table
from replay_cli.report.page.days import Histogram, by_day
from replay_cli.report.page.parts import OTHERS, histogram, ranked, section

_SERIES = ("s1", "s2", "s3", "s4", "s5")
_REST = "other events"
_ROWS = 300


def content(found: Mapping[str, Any]) -> Section | None:
    """Show what a job sends: by the day on which it happened, and by event."""
    blocks: list[Block | None] = [
        _days(found),
        ranked("By event", found["by_event"], about="Names as they are sent."),
    ]
    about = (
        "Records that became requests, counted when they were read: by the day on which they happened, and by event."
    )
    return section("content", "What it sends", blocks, about)


def _days(found: Mapping[str, Any]) -> Figure | None:
    series = _series(found)
    drawn = by_day(series)
    if drawn is None:
        return None
    tones = dict(zip(series, (*_SERIES, "mute") if _REST in series and len(series) > 1 else _SERIES, strict=False))
    if _REST in series:
        tones[_REST] = "mute"
    legend = [Key(name, tone) for name, tone in tones.items()]
    about = f"Records by {drawn.unit}, UTC."
    return histogram("By day", about, drawn, tones, legend if len(legend) > 1 else (), _numbers(drawn, found["by_day"]))


def _series(found: Mapping[str, Any]) -> dict[str, Counter[str]]:
    """Return days with their counts for each of the most frequent events, and for the others together."""
    top = [name for name in found["by_event"] if name != OTHERS]
    top = sorted(top, key=lambda name: -found["by_event"][name])[: len(_SERIES)]
    series: dict[str, Counter[str]] = {name: Counter() for name in top}
    rest: Counter[str] = Counter(found["by_day"])
    for event, day, n in found["by_event_and_day"]:
        if event in series and n <= rest[day]:
            series[event][day] += n
            rest[day] -= n
    kept = {name: days for name, days in series.items() if days}
    return kept | ({_REST: rest} if any(rest.values()) else {})


def _numbers(drawn: Histogram, days: Mapping[str, int]) -> Table:
    rows: Sequence[Sequence[Cell]] = [(day or "(no time)", n) for day, n in days.items()]
    if len(rows) > _ROWS:
        rows = [(label, n) for label, n in zip(drawn.labels, drawn.totals(), strict=True)]
    return Table("The numbers", (drawn.unit.capitalize() if len(days) > _ROWS else "Day", "Records"), rows)
