import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.sandbox.meter import MINUTE, SECOND, RollingPeak

lengths = st.sampled_from([SECOND, MINUTE])


@st.composite
def arrivals(draw: st.DrawFn, length: int) -> list[tuple[int, int]]:
    """Instants in their order, and how many arrive at each."""
    edges = st.sampled_from([0, 1, length // 2, length - 1, length, length + 1])
    gaps = draw(st.lists(st.one_of(st.integers(0, 3 * length), edges), max_size=60))
    instants = [sum(gaps[: i + 1]) for i in range(len(gaps))]
    return [(instant, draw(st.integers(1, 9))) for instant in instants]


meters = lengths.flatmap(lambda length: st.tuples(st.just(length), arrivals(length)))


@given(meters)
def test_the_peak_is_the_fullest_half_open_window(case: tuple[int, list[tuple[int, int]]]) -> None:
    length, arrived = case
    meter = RollingPeak(length)
    for instant, count in arrived:
        meter.arrive(instant, count)
    naive = [sum(n for other, n in arrived if start <= other < start + length) for start, _ in arrived]
    assert meter.peak == max(naive, default=0)


@given(meters)
def test_each_arrival_is_told_how_many_came_in_the_window_that_it_ends(
    case: tuple[int, list[tuple[int, int]]],
) -> None:
    length, arrived = case
    meter = RollingPeak(length)
    for index, (instant, count) in enumerate(arrived):
        expected = sum(n for other, n in arrived[: index + 1] if instant - other < length)
        assert meter.arrive(instant, count) == expected


@given(meters, st.integers(1, 30), st.data())
def test_what_waits_until_the_window_opens_fits_and_not_a_nanosecond_before(
    case: tuple[int, list[tuple[int, int]]], most: int, data: st.DataObject
) -> None:
    length, arrived = case
    count = data.draw(st.integers(1, most))
    opens = round(filled(length, arrived).opens_in(last(arrived), count, most) * SECOND)
    assert filled(length, arrived).arrive(last(arrived) + opens, count) <= most
    assert opens == 0 or filled(length, arrived).arrive(last(arrived) + opens - 1, count) > most


def filled(length: int, arrived: list[tuple[int, int]]) -> RollingPeak:
    meter = RollingPeak(length)
    for instant, count in arrived:
        meter.arrive(instant, count)
    return meter


def last(arrived: list[tuple[int, int]]) -> int:
    return arrived[-1][0] if arrived else 0


def test_arrivals_exactly_a_second_apart_share_no_second() -> None:
    meter = RollingPeak()
    assert [meter.arrive(0), meter.arrive(SECOND)] == [1, 1]


@pytest.mark.parametrize(("count", "seconds"), [(1, 0.0), (2, 0.75), (3, 1.0)])
def test_the_window_opens_when_so_much_has_left_it(count: int, seconds: float) -> None:
    meter = RollingPeak()
    assert meter.opens_in(0, 2, 2) == 0.0
    meter.arrive(0)
    assert meter.opens_in(SECOND // 4, count, 2) == seconds
