"""When it happened and when it was received: sparklines, lateness, ages."""

from collections.abc import Callable, Mapping
from typing import Any

from rich.text import Text

from replay_cli.report.terminal import count
from replay_cli.report.validation.series import series
from replay_cli.report.validation.sheet import LABEL, Sheet, percent

_LONGEST_LINE = 92
"""Marks of a sparkline at most."""
_TIME = 40
"""Columns of a time at most."""
_ONE = {"day": "a day", "hour": "an hour"}
_LATENESS = {
    "under_1_minute": "under a minute",
    "under_1_hour": "under an hour",
    "under_1_day": "under a day",
    "under_7_days": "under 7 days",
    "later": "later",
}
_FAULTS = {
    "future": "in the future",
    "missing": "without a time",
    "unreadable": "with a time that cannot be read",
    "out_of_order": "out of order",
}


def print_times(sheet: Sheet, document: Mapping[str, Any]) -> None:
    """Print when the records are of."""
    times = document["times"]
    unit, counts = ("hour", times["by_hour"]) if times["by_hour"] else ("day", times["by_day"])
    sheet.gap()
    sheet.fact("happened", _period(sheet, times), *sparkline(sheet, counts, unit))
    sheet.fact("", ", ".join(f"{times[key]:,} {words}" for key, words in _FAULTS.items() if times[key]))
    sheet.fact("received", *sparkline(sheet, document["by_received_day"], "day"))
    sheet.fact("lateness", _lateness(times["lateness"]))
    sheet.fact("age", _age(times, document["records"]["sendable"]))


def _period(sheet: Sheet, times: Mapping[str, Any]) -> str:
    if not times["first"]:
        return ""
    first, last = (sheet.name(times[key], _TIME) for key in ("first", "last"))
    return first if first == last else f"{first} to {last}"


def sparkline(
    sheet: Sheet, counts: Mapping[str, int], unit: str, say: Callable[[int], str] = "{:,}".format
) -> list[Text | str]:
    """Return a sparkline and what it shows; nothing for a single day or hour, and for none.

    Args:
        sheet: what it is for.
        counts: day or hour → number.
        unit: `day` or `hour`.
        say: how a number is written.
    """
    drawn = series(counts, min(sheet.width - LABEL, _LONGEST_LINE))
    if drawn is None:
        return []
    if len(drawn.values) == 1 and not drawn.before + drawn.after:
        return [f"all on {drawn.first}"] if unit == "day" else []
    each = f"{_ONE[unit]} each" if drawn.step == 1 else f"{count(drawn.step, unit)} each"
    outside = "".join(
        f", {say(n)} {where}" for n, where in ((drawn.before, "before it"), (drawn.after, "after it")) if n
    )
    words = f"{drawn.first} to {drawn.last}, {each}; most on {drawn.most}: {say(drawn.peak)}{outside}"
    return [Text(sheet.marks.sparkline(drawn.values), style="cyan"), words]


def _lateness(lateness: Mapping[str, int]) -> str:
    whole = sum(lateness.values())
    parts = [f"{words} {percent(lateness[key], whole)}" for key, words in _LATENESS.items() if lateness[key]]
    said = f"received after it happened: {', '.join(parts)}" if parts else ""
    early = f"received before it happened: {count(lateness['early'], 'record')}" if lateness["early"] else ""
    return "; ".join(filter(None, (said, early)))


def _age(times: Mapping[str, Any], sendable: int) -> str:
    older, oldest = times["older_than_60_days"], times["older_than_365_days"]
    if not older:
        return ""
    days = "365 days" if oldest == older else "60 days"
    more = f", {percent(oldest, sendable)} than 365" if 0 < oldest < older else ""
    return f"{percent(older, sendable)} older than {days}{more}: MoEngage's segments look back 60 days by default"
