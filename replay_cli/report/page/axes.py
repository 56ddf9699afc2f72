"""Which values an axis names: few, round, and in words that fit (pure)."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import ceil, floor, log10
from typing import NamedTuple

from replay_cli.report.page.numbers import compact

_DAY = 86400
_STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10800, 21600, 43200),
    *(_DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY, 91 * _DAY, 364 * _DAY),
)
"""Seconds between two times that people find round."""


class Tick(NamedTuple):
    """A labelled place of an axis, in the axis's own unit."""

    at: float
    label: str


def number_ticks(top: float, most: int) -> list[Tick]:
    """Return round numbers from 0 to at least `top`, about `most` of them."""
    step = _round_step(max(top, 0.0) / most)
    steps = max(ceil(round(top / step, 6)), 1)
    return [Tick(number * step, compact(number * step)) for number in range(steps + 1)]


def _round_step(least: float) -> float:
    if least <= 0:
        return 1.0
    unit = 10.0 ** floor(log10(least))
    return next(unit * round_ for round_ in (1, 2, 2.5, 5, 10) if unit * round_ >= least * 0.999)


def clock_ticks(stretches: Sequence[tuple[float, float, float]], most: int) -> list[Tick]:
    """Return round times (UTC) within stretches of time, at most `most` of them.

    Args:
        stretches: POSIX seconds of their beginning and their end, and where on the axis the beginning is; in order.
        most: 2 at least.
    """
    begin, end, offset = stretches[-1]
    least = (offset + end - begin) / (most + 1.5)
    many_days = floor(stretches[0][0] / _DAY) != floor(stretches[-1][1] / _DAY)
    for step in _STEPS:
        if sum(max((end - begin) / step, 1.0) for begin, end, _ in stretches) > 2 * most + len(stretches):
            continue  # far too many to look at each
        found = [(at, x) for begin, end, offset in stretches for at, x in _round_times(begin, end, offset, step)]
        if 2 <= len(found) <= most:
            return _apart([Tick(x, _clock(at, step, many_days=many_days)) for at, x in found], least)
    step = 60 if many_days else 1
    ticks = _apart([Tick(offset, _clock(begin, step, many_days=many_days)) for begin, _, offset in stretches], least)
    return ticks[:: ceil(len(ticks) / most)]


def _apart(ticks: Sequence[Tick], least: float) -> list[Tick]:
    """Leave out what would run into the label before it."""
    kept = [ticks[0]]
    for tick in ticks[1:]:
        if tick.at - kept[-1].at >= least:
            kept.append(tick)
    return kept


def _round_times(begin: float, end: float, offset: float, step: int) -> Iterator[tuple[float, float]]:
    at = ceil(begin / step) * step
    while at <= end:
        yield at, offset + at - begin
        at += step


def _clock(at: float, step: int, *, many_days: bool) -> str:
    when = datetime.fromtimestamp(at, UTC)
    if step >= 28 * _DAY:
        return f"{when:%b %Y}"
    if step >= _DAY:
        return f"{when.day} {when:%b}"
    clock = f"{when:%H:%M}" if step >= 60 else f"{when:%H:%M:%S}"
    return f"{when.day} {when:%b} {clock}" if many_days else clock
