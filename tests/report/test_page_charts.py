"""What is drawn: axes with few round values, time lines and histograms that lose nothing."""

import re
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.report.page import days, timeline
from replay_cli.report.page.axes import clock_ticks, number_ticks
from replay_cli.report.page.charts import Line, Plot, draw
from replay_cli.report.page.numbers import compact, moment, percent

T0 = 1741000000.0


def entry(at: float, seconds: float = 10.0, attempts: int = 5, **more: Any) -> dict[str, Any]:
    replies = {"by_status": {"200": attempts}, "delivered": attempts, "latency_ms": {"p50": 1, "p90": 2, "p99": 3}}
    return {"at": at, "seconds": seconds, "attempts": attempts, "retries": 1, "paused_seconds": 0.5, **replies} | {
        "peak_per_second": attempts,
        **more,
    }


gaps = st.floats(0, 1e6) | st.just(0.0)
entries = st.lists(st.tuples(gaps, st.floats(0, 36_000), st.integers(0, 10_000)), min_size=1, max_size=400)


@settings(max_examples=60)
@given(entries)
def test_a_time_line_keeps_every_attempt_however_few_points_it_is_drawn_with(
    drawn: list[tuple[float, float, int]],
) -> None:
    at, given_ = T0, []
    for gap, seconds, attempts in drawn:
        at += gap
        given_.append(entry(at, seconds, attempts))
        at += seconds
    line = timeline.read_timeline(given_)
    assert line is not None
    assert len(line.intervals) <= timeline.MOST
    assert sum(each.attempts for each in line.intervals) == sum(each["attempts"] for each in given_)
    assert sum(each.by_status["200"] for each in line.intervals) == sum(each["attempts"] for each in given_)
    assert sum(each.retries for each in line.intervals) == len(given_)
    places = [x for each in line.intervals for x in (each.x, each.x_end)]
    assert all(after >= before - 1e-3 for before, after in pairwise(places))
    assert places[0] >= 0
    assert places[-1] <= line.width + 1e-3


def test_a_long_time_without_a_run_is_cut_from_the_axis() -> None:
    line = timeline.read_timeline([entry(T0), entry(T0 + 10), entry(T0 + 86_400), entry(T0 + 86_410)])
    assert line is not None
    assert len(line.stretches) == 2
    assert 40 < line.width < 50


def test_nothing_is_drawn_where_no_run_was() -> None:
    line = timeline.read_timeline([entry(T0), entry(T0 + 86_400)])
    assert line is not None
    second, end = line.intervals[1].x, line.intervals[1].x_end
    assert line.area([7, 7]) == [(0, 7), (10, 7), (10, 0.0), (second, 0.0), (second, 7), (end, 7)]
    assert [y for _, y in line.line([7, 7])] == [7, 7, None, None, 7, 7]


def test_a_clock_that_was_set_back_does_not_turn_the_axis_around() -> None:
    line = timeline.read_timeline([entry(T0), entry(T0 - 500), entry(T0 - 490)])
    assert line is not None
    assert [each.x for each in line.intervals] == [0, 10, 20]


@given(st.floats(0, 1e12), st.integers(3, 8))
def test_an_axis_of_numbers_has_few_round_values_up_to_the_highest(top: float, most: int) -> None:
    ticks = number_ticks(top, most)
    assert ticks[0].at == 0
    assert ticks[-1].at >= top * 0.999
    assert 2 <= len(ticks) <= most + 2
    assert all(re.fullmatch(r"\d+(\.\d+)?[kMG]?", tick.label) for tick in ticks if tick.at == 0 or tick.at >= 0.01)


@given(st.lists(st.tuples(st.floats(1, 1e6), st.floats(1, 1e6)), min_size=1, max_size=60), st.integers(2, 8))
def test_an_axis_of_times_has_few_values_within_its_stretches(parts: list[tuple[float, float]], most: int) -> None:
    stretches, at, offset = [], T0, 0.0
    for lasting, pause in parts:
        stretches.append((at, at + lasting, offset))
        at, offset = at + lasting + pause, offset + lasting + 1
    ticks = clock_ticks(stretches, most)
    assert 1 <= len(ticks) <= most
    places = [tick.at for tick in ticks]
    assert places == sorted(places)
    assert all(any(x <= place <= x + end - begin for begin, end, x in stretches) for place in places)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (30, ["11:06:40", "11:06:50", "11:07:00", "11:07:10"]),
        (3 * 3600, ["12:00", "13:00", "14:00"]),
        (20 * 86_400, ["6 Mar", "13 Mar", "20 Mar"]),
    ],
)
def test_times_are_named_by_what_tells_them_apart(seconds: float, expected: list[str]) -> None:
    assert [tick.label for tick in clock_ticks([(T0, T0 + seconds, 0.0)], 5)] == expected


dates = st.dates().map(date.isoformat)


@settings(max_examples=100)
@given(st.dictionaries(dates | st.text(max_size=12), st.integers(1, 1000), max_size=30))
def test_a_histogram_of_days_keeps_every_count(counts: dict[str, int]) -> None:
    drawn = days.by_day({"": counts})
    dated = sum(n for text, n in counts.items() if days._day(text) is not None)
    if drawn is None:
        assert dated == 0
        return
    assert sum(drawn.totals()) + drawn.early + drawn.late == dated
    assert len(drawn.labels) <= days.MOST
    assert all(0 <= tick.at <= len(drawn.labels) for tick in drawn.ticks(8))
    assert len(drawn.ticks(8)) <= 8


@pytest.mark.parametrize(
    ("number", "unit"), [(1, "day"), (120, "day"), (121, "week"), (900, "month"), (4000, "year"), (200_000, "century")]
)
def test_a_longer_time_has_wider_bars(number: int, unit: str) -> None:
    step = max(number // 3000, 1)
    counts = {(date(1400, 1, 1) + timedelta(days=at)).isoformat(): 1 for at in range(0, number, step)}
    drawn = days.by_day({"": counts})
    assert drawn is not None
    assert drawn.unit == unit


def test_a_few_days_far_out_do_not_hide_the_others() -> None:
    counts = {f"2025-03-{day:02}": 1000 for day in range(1, 31)} | {"1970-01-01": 3, "2031-05-05": 9}
    drawn = days.by_day({"": counts})
    assert drawn is not None
    assert (drawn.unit, len(drawn.labels), drawn.early, drawn.late) == ("day", 30, 3, 9)


def test_hours_are_drawn_with_those_between_them() -> None:
    drawn = days.by_hour({"2025-03-01T10": 4, "2025-03-01T13": 2, "no hour": 7})
    assert drawn is not None
    assert drawn.totals() == [4, 0, 0, 2]
    assert drawn.labels[0] == "1 Mar 10:00"


def test_a_drawing_says_in_words_what_it_shows_and_holds_only_the_drawing() -> None:
    plot = Plot(
        "Speed", "How fast.", [Line([(0, 1), (5, 3)], "accent", "area")], 5, 3, lambda most: number_ticks(5, most)
    )
    for drawing in draw(plot):
        assert "<title>Speed</title><desc>How fast.</desc>" in drawing.svg
        assert 'aria-label="Speed. How fast."' in drawing.svg
        assert 'class="series area accent"' in drawing.svg
        assert not re.search(r"<script|<style|<!--|http://(?!www\.w3\.org)|\bid=", drawing.svg)


@pytest.mark.parametrize("number", [1, 2, 9])
def test_an_area_is_closed_at_its_foot_on_both_sides(number: int) -> None:
    """However few its points are: fewer than the axis has labels, too."""
    plot = Plot("", "", [Line([(0, 9), (number, 9)], "accent", "area")], 9, 9, lambda most: number_ticks(9, most))
    for drawing in draw(plot):
        path = re.findall(r'd="M([^"]*)" class="line reactive"', drawing.svg)[0]
        corners = [float(each) for each in path.replace("L", "").split()]
        assert corners[1] == corners[-1] > corners[3] == corners[-3]


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [
        (0, 5, "0 %"),
        (5, 5, "100 %"),
        (1, 10**6, "< 0.1 %"),
        (10**6 - 1, 10**6, "> 99.9 %"),
        (1, 8, "12.5 %"),
        (1, 0, "0 %"),
    ],
)
def test_a_share_is_nothing_or_all_only_when_it_is(part: int, whole: int, words: str) -> None:
    assert percent(part, whole).replace("\u00a0", " ") == words


def test_numbers_of_an_axis_are_short() -> None:
    assert [compact(value) for value in (0, 2.5, 250, 1200, 3e6, 1.25e9)] == ["0", "2.5", "250", "1.2k", "3M", "1.25G"]


@pytest.mark.parametrize("seconds", [None, float("inf"), float("nan"), -1.0, 1e18])
def test_a_time_that_no_calendar_knows_is_no_error(seconds: float | None) -> None:
    assert moment(seconds) == "–"
