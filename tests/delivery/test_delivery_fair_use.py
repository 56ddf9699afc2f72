"""Fair use: who obeys never comes near MoEngage's limits per user, and is not held up more than that takes."""

from bisect import bisect_left
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.delivery.fair_use import LIMITS, FairUse, Limit

DAY = 86_400.0
DOCUMENTED = {60.0: 5_000, 300.0: 10_000, 3_600.0: 50_000, DAY: 100_000}
"""Seconds → events of one user that MoEngage takes in them."""
KEPT_FREE = 0.75
"""The rest is for live traffic."""


def greedy(until: float, users: Sequence[str] = ("u",), start: float = 1000.0) -> list[float]:
    """When a user's attempts leave who always has another one."""
    fair_use, now, left = FairUse(), start, list[float]()
    while now < start + until:
        wait = fair_use.wait(users, now)
        if wait > 1e-9:
            now += wait
            continue
        fair_use.mark(users, now)
        left.append(now)
    return left


def most_in(times: Sequence[float], seconds: float) -> int:
    """The naive count: every window that begins with an attempt."""
    return max(bisect_left(times, start + seconds) - n for n, start in enumerate(times))


@pytest.fixture(scope="module")
def two_days() -> list[float]:
    return greedy(2 * DAY)


@pytest.mark.parametrize(("seconds", "most"), DOCUMENTED.items())
def test_a_user_without_end_stays_below_each_limit_in_any_window(
    two_days: list[float], seconds: float, most: int
) -> None:
    assert most_in(two_days, seconds) <= KEPT_FREE * most


@pytest.mark.parametrize(("seconds", "most"), DOCUMENTED.items())
def test_the_buckets_hold_what_is_documented(seconds: float, most: int) -> None:
    assert min(limit.most_in(seconds) for limit in LIMITS) <= KEPT_FREE * most


def test_a_hot_user_gets_nearly_25_a_second(two_days: list[float]) -> None:
    """For the first five minutes; then the longer limits close in."""
    first_minutes = [at for at in two_days if at < two_days[0] + 240]
    assert len(first_minutes) / 240 == pytest.approx(25, rel=0.02)


def test_a_day_lets_through_nearly_all_that_it_may(two_days: list[float]) -> None:
    assert most_in(two_days, DAY) >= 0.98 * KEPT_FREE * DOCUMENTED[DAY]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.01, 1.0, 60.0, 299.0, 3_599.0]), st.integers(1, 400)),
        min_size=1,
        max_size=12,
    )
)
def test_pauses_are_no_way_around_the_limits(bursts: list[tuple[float, int]]) -> None:
    """What was saved up in a pause is a full bucket, never more."""
    fair_use, now, left = FairUse(), 1000.0, list[float]()
    for idle, count in bursts:
        now += idle
        for _ in range(count):
            now += fair_use.wait(("u",), now)
            fair_use.mark(("u",), now)
            left.append(now)
    for limit in LIMITS:
        for first in range(0, len(left), 7):
            for last in range(first, len(left), 11):
                assert last - first + 1 <= limit.most_in(left[last] - left[first]) + 1e-6


def test_who_waits_as_told_waits_once() -> None:
    """The wait is exact: not a second one after it, and no attempt sooner."""
    fair_use = FairUse()
    for _ in range(25):
        assert fair_use.wait(("u",), 5.0) == 0
        fair_use.mark(("u",), 5.0)
    wait = fair_use.wait(("u",), 5.0)
    assert wait == pytest.approx(1 / LIMITS[0].leak, rel=0.01)
    assert fair_use.wait(("u",), 5.0 + wait) == pytest.approx(0, abs=1e-9)
    assert fair_use.wait(("u",), 5.0 + wait / 2) == pytest.approx(wait / 2)


def test_an_attempt_counts_for_each_id_it_names_and_waits_for_the_fuller_one() -> None:
    fair_use = FairUse()
    for _ in range(25):
        fair_use.mark(("u", "a"), 5.0)
    assert fair_use.wait(("a",), 5.0) == fair_use.wait(("u",), 5.0) == fair_use.wait(("b", "a"), 5.0) > 0
    assert fair_use.wait(("b",), 5.0) == 0


def test_memory_follows_the_rate_and_not_the_number_of_users() -> None:
    """500 new users a second for ten minutes: each is forgotten once its buckets are empty."""
    fair_use, rate, peak = FairUse(), 500, 0
    for n in range(600 * rate):
        fair_use.mark((str(n),), 1000.0 + n / rate)
        if n % rate == 0:
            peak = max(peak, len(fair_use))
    longest = 1 / min(limit.leak for limit in LIMITS)
    assert peak <= rate * (longest + 3)


def test_a_user_who_is_still_bound_is_remembered() -> None:
    fair_use = FairUse()
    for n in range(1000):
        fair_use.mark(("hot",), 1000.0 + n / 25)
        fair_use.mark((str(n),), 1000.0 + n / 25)
    before = fair_use.wait(("hot",), 1040.0)
    fair_use.mark(("other",), 1041.5)
    assert fair_use.wait(("hot",), 1040.0) == before
    assert "hot" in fair_use._buckets


def test_a_limit_says_what_passes() -> None:
    assert Limit(25, 24.9).most_in(60) == pytest.approx(1_519)
