from hypothesis import given
from hypothesis import strategies as st

from replay_cli.sandbox.meter import SECOND, RollingPeak

gaps = st.one_of(
    st.integers(0, 3 * SECOND),
    st.sampled_from([0, 1, SECOND // 2, SECOND - 1, SECOND, SECOND + 1]),
)
instants = st.lists(gaps, max_size=60).map(lambda steps: [sum(steps[: i + 1]) for i in range(len(steps))])


@given(instants)
def test_the_peak_is_the_fullest_half_open_second(arrivals: list[int]) -> None:
    meter = RollingPeak()
    for arrival in arrivals:
        meter.arrive(arrival)
    naive = [sum(start <= other < start + SECOND for other in arrivals) for start in arrivals]
    assert meter.peak == max(naive, default=0)


@given(instants)
def test_each_arrival_is_told_how_many_came_in_the_second_that_it_ends(arrivals: list[int]) -> None:
    meter = RollingPeak()
    for index, arrival in enumerate(arrivals):
        expected = sum(arrival - other < SECOND for other in arrivals[: index + 1])
        assert meter.arrive(arrival) == expected


def test_arrivals_exactly_a_second_apart_share_no_second() -> None:
    meter = RollingPeak()
    assert [meter.arrive(0), meter.arrive(SECOND)] == [1, 1]


def test_the_window_opens_when_its_oldest_arrival_leaves() -> None:
    meter = RollingPeak()
    assert meter.opens_in(0) == 0.0
    meter.arrive(0)
    assert meter.opens_in(SECOND // 4) == 0.75
