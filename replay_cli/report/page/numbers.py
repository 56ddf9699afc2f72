"""Numbers, shares, times and places as people say them. All times are UTC."""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from replay_cli.report.terminal import count, duration, size

__all__ = [
    "compact",
    "count",
    "duration",
    "figures",
    "lasting",
    "moment",
    "per_second",
    "percent",
    "place",
    "share",
    "size",
]

_NEVER = 253_402_300_800
"""POSIX seconds: the year 10000, which no calendar here knows."""


def moment(seconds: float | None) -> str:
    """Return POSIX seconds as `2025-03-01 10:00:05 UTC`."""
    if seconds is None or not isfinite(seconds) or not 0 <= seconds < _NEVER:
        return "–"
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def lasting(seconds: float) -> str:
    """Return how long something takes; one that never ends is said to be so."""
    return duration(seconds) if isfinite(seconds) else "without end"


def share(part: float, whole: float) -> float:
    """Return which share of a whole a part is, 0.0 to 1.0; of nothing, none."""
    return min(max(part / whole, 0.0), 1.0) if whole else 0.0


def percent(part: float, whole: float) -> str:
    """Return a part of a whole in percent; a little is never said to be nothing, nor nearly all to be all."""
    if not whole or not part:
        return "0\u00a0%"
    rate = 100 * part / whole
    if rate < 0.1:
        return "<\u00a00.1\u00a0%"
    if 99.9 < rate < 100:
        return ">\u00a099.9\u00a0%"
    return f"{rate:.0f}\u00a0%" if rate == 100 else f"{rate:.1f}\u00a0%"


def figures(value: float) -> str:
    """Return a number with its thousands parted, and with decimals only where it has some."""
    return f"{int(value):,}" if isfinite(value) and value == int(value) else f"{value:,.1f}"


def compact(value: float) -> str:
    """Return a number for an axis: `250`, `1.2k`, `3M`."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:.2f}".rstrip("0").rstrip(".") + name
    return f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"


def per_second(number: float, seconds: float) -> float:
    """Return how many a second; what took no time counts as a second."""
    return number / (seconds or 1.0)


def place(example: Mapping[str, Any]) -> str:
    """Return where a record is: the object, and its line or row from 1 on."""
    for unit in ("line", "row"):
        if example.get(unit) is not None:
            return f"{example['uri']} {unit} {example[unit]:,}"
    return str(example["uri"])
