"""The cap: never more than `rps` in any rolling second, whenever and however the demand comes (DESIGN, rule 4)."""

import asyncio
import math
import random
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.delivery.cap import SPACED_BELOW, Cap, RateMeter
from tests.delivery.clock import run

RATES = st.one_of(st.integers(1, 5000).map(float), st.sampled_from([0.5, 1.0, 9.0, 10.0, 99.0, 250.0, 500.0, 5000.0]))
SLOW = st.floats(0.5, SPACED_BELOW, exclude_max=True)
MAX_GRANTS = 2000


async def grants(rps: float, bursts: Sequence[tuple[float, int]]) -> list[float]:
    """When attempts left: (seconds of idling, how many come at once) after (…)."""
    cap, left = Cap(rps), list[float]()
    loop = asyncio.get_running_loop()

    async def take() -> None:
        await cap.take()
        left.append(loop.time())

    async with asyncio.TaskGroup() as group:
        for idle, count in bursts:
            await asyncio.sleep(idle)
            for _ in range(count):
                group.create_task(take())
    return left


def most_in_a_second(times: Sequence[float]) -> int:
    """The naive count: every half-open second that begins with a grant."""
    return max((bisect_left(times, start + 1.0) - n for n, start in enumerate(times)), default=0)


def arrivals(rps: float) -> st.SearchStrategy[list[tuple[float, int]]]:
    most = int(min(3 * rps + 3, MAX_GRANTS / 4))
    idle = st.one_of(st.just(0.0), st.floats(0, 0.05), st.floats(0.9, 1.1), st.floats(0, 30))
    return st.lists(st.tuples(idle, st.integers(0, most)), max_size=6)


@settings(max_examples=60)
@given(st.data(), RATES | SLOW)
def test_no_rolling_second_lets_more_through_than_the_cap(data: st.DataObject, rps: float) -> None:
    """Of a rate that is no whole number, the second may see the next one: 2.5/s is one each 0.4 s."""
    bursts = data.draw(arrivals(rps))
    times = run(grants(rps, bursts))
    assert len(times) == sum(count for _, count in bursts)
    assert most_in_a_second(times) <= math.ceil(rps)


@settings(max_examples=40)
@given(st.data(), RATES, st.integers(0, 2**32))
def test_timers_that_fire_late_do_not_let_attempts_bunch(data: st.DataObject, rps: float, seed: int) -> None:
    generator = random.Random(seed)
    times = run(grants(rps, data.draw(arrivals(rps))), lambda: generator.choice([0.0, 0.001, 0.05, 1.5]))
    assert most_in_a_second(times) <= rps + (rps < 1)


@settings(max_examples=25)
@given(RATES.filter(lambda rps: rps >= 1))
def test_a_little_jitter_on_the_way_does_not_break_the_cap_at_the_server(rps: float) -> None:
    """One attempt more than `rps` takes 1.01 s at least: 10 ms are left for the network."""
    times = run(grants(rps, [(0.0, int(2 * rps) + 2)]))
    longer = int(rps)
    assert all(times[n + longer] - times[n] >= 1.01 - 1e-4 for n in range(len(times) - longer))


@settings(max_examples=20)
@given(st.sampled_from([10, 11, 20, 50, 99, 100, 101, 150, 250, 499, 500, 1000, 5000]), st.integers(0, 2**32))
def test_steady_demand_gets_97_percent_of_the_cap_though_timers_are_a_millisecond_late(rps: int, seed: int) -> None:
    generator = random.Random(seed)
    count = max(4 * rps, 200)
    times = run(grants(rps, [(0.0, count)]), lambda: generator.uniform(0.0, 0.001))
    assert count / (times[-1] - times[0]) >= 0.97 * rps


@settings(max_examples=30)
@given(SLOW, st.floats(0, 60))
def test_below_ten_a_second_attempts_are_spaced_evenly(rps: float, idle: float) -> None:
    times = run(grants(rps, [(idle, 12), (idle, 12)]))
    assert all(later - earlier >= 1 / rps for earlier, later in pairwise(times))


def test_a_waiter_that_gives_up_costs_the_others_nothing() -> None:
    async def scenario() -> tuple[int, int]:
        cap, taken = Cap(100.0), list[int]()

        async def take(n: int) -> None:
            await cap.take()
            taken.append(n)

        tasks = [asyncio.create_task(take(n)) for n in range(200)]
        await asyncio.sleep(0.5)
        before = len(taken)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return before, len(taken)

    before, total = run(scenario())
    assert 45 <= before <= 55
    assert total == before + sum(1 for n in range(before, 200) if n % 2)


# -- the meter ------------------------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.just(0.0), st.just(1.0), st.just(0.5), st.floats(0, 2)), max_size=80))
def test_the_meter_agrees_with_counting_all_pairs(steps: list[float]) -> None:
    now, times, peak = 0.0, list[float](), 0
    meter = RateMeter(lambda: now)
    for step in steps:
        now += step
        meter.mark()
        times.append(now)
        within = sum(1 for time in times if time > now - 1.0)
        peak = max(peak, within)
        assert meter.per_second() == within
        assert (meter.peak, meter.total) == (peak, len(times))


@pytest.mark.parametrize("later", [1.0, 1.5, 100.0])
def test_the_meter_forgets_what_left_a_second_ago(later: float) -> None:
    now = 0.0
    meter = RateMeter(lambda: now)
    meter.mark()
    now = later
    assert (meter.per_second(), meter.peak) == (0, 1)


def test_a_429_halves_the_rate_which_grows_back_in_ten_seconds() -> None:
    """Halved at once, then a twentieth of the rate more each second; what comes in one burst counts once."""

    async def scenario() -> list[float]:
        cap, left = Cap(100.0), list[float]()
        loop = asyncio.get_running_loop()
        for _ in range(30):
            cap.slow_down(0.0)
        began = loop.time()
        while loop.time() < began + 14:
            await cap.take()
            left.append(loop.time() - began)
        return left

    left = run(scenario())
    by_second = [sum(second <= time < second + 1 for time in left) for second in range(14)]
    assert 45 <= by_second[0] <= 52
    assert all(earlier <= later + 1 for earlier, later in pairwise(by_second))
    assert by_second[5] <= 80
    assert min(by_second[11:]) >= 97
    assert most_in_a_second(left) <= 100


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 3)), max_size=6), st.sampled_from([5.0, 50.0, 500.0]))
def test_slowing_down_and_growing_back_never_breaks_the_cap(slowings: list[tuple[float, float]], rps: float) -> None:
    async def scenario() -> list[float]:
        cap, left = Cap(rps), list[float]()
        loop = asyncio.get_running_loop()

        async def demand() -> None:
            for _ in range(int(6 * rps)):
                await cap.take()
                left.append(loop.time())

        async with asyncio.TaskGroup() as group:
            group.create_task(demand())
            for idle, pause in slowings:
                await asyncio.sleep(idle)
                cap.slow_down(pause)
        return left

    assert most_in_a_second(run(scenario())) <= rps


def test_the_rate_never_falls_below_one_a_second() -> None:
    async def scenario() -> float:
        cap = Cap(4.0)
        for _ in range(10):
            cap.slow_down(0.0)
            await asyncio.sleep(1.1)
        return cap.rate

    assert run(scenario()) == 1.0


@settings(max_examples=40)
@given(st.data(), st.sampled_from([1.0, 2.0, 5.0, 9.0, 10.0, 50.0, 250.0]))
def test_a_run_that_follows_another_at_once_does_not_break_the_cap(data: st.DataObject, rps: float) -> None:
    """However soon after its last attempt the other one was killed."""
    counts = data.draw(st.lists(st.integers(1, int(2 * rps) + 2), min_size=2, max_size=5))

    async def scenario() -> list[float]:
        left, loop = list[float](), asyncio.get_running_loop()
        for count in counts:
            cap = Cap(rps)
            for _ in range(count):
                await cap.take()
                left.append(loop.time())
        return left

    assert most_in_a_second(run(scenario())) <= rps
