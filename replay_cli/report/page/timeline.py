"""A job's time line: its intervals, few enough to be drawn, on an axis from which long pauses are cut (pure)."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from replay_cli.report.page.axes import Tick, clock_ticks
from replay_cli.report.page.charts import Point

MOST = 120
"""Intervals of one chart: each is two points."""
_CUT = 0.03
"""A time without a run that is longer than this share of the whole is cut from the axis."""
_CUTS = 0.2
"""The share of the axis that all the cuts have together, at most."""


class Interval(NamedTuple):
    """What happened from `begin` to `end` (POSIX seconds), on the axis from `x` on; it was run for `seconds` of it."""

    begin: float
    end: float
    x: float
    seconds: float
    attempts: int
    by_status: Mapping[str, int]
    delivered: int
    retries: int
    paused: float
    peak: int
    latency: Mapping[str, float] | None

    @property
    def x_end(self) -> float:
        """Where on the axis it ends."""
        return self.x + self.end - self.begin


class Timeline(NamedTuple):
    """Intervals in order, and the axis they lie on, in seconds from 0 to `width`.

    `stretches` are the times between the cuts: POSIX seconds of beginning and end, and where on the axis it begins.
    """

    intervals: Sequence[Interval]
    stretches: Sequence[tuple[float, float, float]]
    width: float
    merged: bool

    def ticks(self, most: int) -> Sequence[Tick]:
        """Return at most so many labels of the axis."""
        return clock_ticks(self.stretches, most)

    def area(self, heights: Sequence[float]) -> list[Point]:
        """Return the outline of steps of the intervals' heights, at 0 where no run was."""
        return list(_steps(self.intervals, heights, 0.0))

    def line(self, heights: Sequence[float | None]) -> list[Point]:
        """Return the steps of the intervals' heights as a line, interrupted where no run was."""
        return list(_steps(self.intervals, heights, None))


def read_timeline(entries: Sequence[Mapping[str, Any]]) -> Timeline | None:
    """Put a chronicle's `timeline` on an axis; None where it is empty."""
    intervals = _in_order(entries)
    if not intervals:
        return None
    stretches = _stretches(intervals)
    width = stretches[-1][2] + stretches[-1][1] - stretches[-1][0]
    placed = _placed(intervals, stretches)
    drawn = _merged(placed, width)
    return Timeline(drawn, stretches, width, len(drawn) < len(placed))


def _in_order(entries: Sequence[Mapping[str, Any]]) -> list[Interval]:
    """Read the entries; where the clock was set back, one begins when the one before it ended."""
    found: list[Interval] = []
    end = 0.0
    for entry in entries:
        begin = max(float(entry["at"]), end)
        seconds = float(entry["seconds"])
        end = begin + max(seconds, 1.0)
        found.append(_interval(entry, begin, end, seconds))
    return found


def _interval(entry: Mapping[str, Any], begin: float, end: float, seconds: float) -> Interval:
    return Interval(
        begin=begin,
        end=end,
        x=0.0,
        seconds=seconds,
        attempts=entry["attempts"],
        by_status=entry["by_status"],
        delivered=entry["delivered"],
        retries=entry["retries"],
        paused=entry["paused_seconds"],
        peak=entry["peak_per_second"],
        latency=entry["latency_ms"],
    )


def _stretches(intervals: Sequence[Interval]) -> list[tuple[float, float, float]]:
    running = sum(each.end - each.begin for each in intervals)
    bounds = [[intervals[0].begin, intervals[0].end]]
    for each in intervals[1:]:
        if each.begin - bounds[-1][1] > _CUT * running:
            bounds.append([each.begin, each.end])
        else:
            bounds[-1][1] = each.end
    cut = min(_CUT, _CUTS / len(bounds)) * running
    found, offset = [], 0.0
    for begin, end in bounds:
        found.append((begin, end, offset))
        offset += end - begin + cut
    return found


def _placed(intervals: Sequence[Interval], stretches: Sequence[tuple[float, float, float]]) -> list[Interval]:
    placed, number = [], 0
    for each in intervals:
        while each.begin > stretches[number][1]:
            number += 1
        begin, _, offset = stretches[number]
        placed.append(each._replace(x=offset + each.begin - begin))
    return placed


def _merged(intervals: Sequence[Interval], width: float) -> list[Interval]:
    """Add up neighbours that begin in the same part of the axis, where there are more than can be drawn."""
    if len(intervals) <= MOST:
        return list(intervals)
    slots: dict[int, list[Interval]] = {}
    for each in intervals:
        slots.setdefault(int(each.x / width * MOST), []).append(each)
    return [_sum(group) for group in slots.values()]


def _sum(group: Sequence[Interval]) -> Interval:
    statuses: Counter[str] = Counter()
    for each in group:
        statuses.update(each.by_status)
    return Interval(
        begin=group[0].begin,
        end=group[0].begin + group[-1].x_end - group[0].x,
        x=group[0].x,
        seconds=sum(each.seconds for each in group),
        attempts=sum(each.attempts for each in group),
        by_status=statuses,
        delivered=sum(each.delivered for each in group),
        retries=sum(each.retries for each in group),
        paused=sum(each.paused for each in group),
        peak=max(each.peak for each in group),
        latency=_highest([each.latency for each in group if each.latency is not None]),
    )


def _highest(latencies: Sequence[Mapping[str, float]]) -> dict[str, float] | None:
    """Percentiles cannot be added up: of several intervals the highest is taken."""
    if not latencies:
        return None
    return {name: max(each[name] for each in latencies) for name in latencies[0]}


def _steps(intervals: Sequence[Interval], heights: Sequence[float | None], between: float | None) -> Iterator[Point]:
    last: float | None = None
    for each, height in zip(intervals, heights, strict=True):
        if last is not None and each.x > last + 0.5:
            yield last, between
            yield each.x, between
        yield each.x, height
        yield each.x_end, height
        last = each.x_end
