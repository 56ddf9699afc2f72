"""The cap's ceilings: a schedule, or a share of the quota, lowers and raises the rate while attempts leave."""

import asyncio
import math
import random
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from replay_cli.delivery.cap import Cap, RestingError
from tests.delivery.clock import run

SPAN = 12.0
"""Seconds in which a scenario lets attempts leave."""
MOST = 4000
LIMITS = st.sampled_from([0.0, 0.5, 1.0, 2.0, 7.5, 9.0, 9.9, 10.0, 10.5, 40.0, 99.0, 100.0, 250.0, math.inf])
EVENTS = st.lists(
    st.tuples(
        st.one_of(st.just(0.0), st.floats(0, 0.2), st.floats(0.4, 1.1), st.floats(0, 4)),
        st.one_of(st.tuples(st.sampled_from(["schedule", "share"]), LIMITS), st.floats(0, 2)),
    ),
    max_size=14,
)
Event = tuple[float, tuple[str, float] | float]


class Course(NamedTuple):
    """When attempts left, and which ceiling held from when on."""

    left: list[float]
    ceilings: list[tuple[float, float]]


async def course(rps: float, events: Sequence[Event]) -> Course:
    """Let as much leave as may, while a ceiling is set or a 429 comes after so many seconds each."""
    cap, left, loop = Cap(rps), list[float](), asyncio.get_running_loop()
    ceilings, until = [(loop.time(), rps)], loop.time() + SPAN

    async def demand() -> None:
        while loop.time() < until and len(left) < MOST:
            try:
                await cap.take()
            except RestingError:
                await asyncio.sleep(0.05)
            else:
                left.append(loop.time())

    async def change() -> None:
        for idle, event in events:
            await asyncio.sleep(idle)
            if isinstance(event, tuple):
                cap.limit(*event)
                ceilings.append((loop.time(), cap.ceiling))
            else:
                cap.slow_down(event)

    tasks = [asyncio.create_task(demand()) for _ in range(3)]
    await change()
    await asyncio.sleep(max(0.0, until - loop.time()))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return Course(left, ceilings)


def highest(ceilings: Sequence[tuple[float, float]], start: float) -> float:
    """The highest ceiling that held at some time of the second from `start` on."""
    begun = max(n for n, (at, _) in enumerate(ceilings) if at < start or not n)
    return max(rps for at, rps in ceilings[begun:] if at < start + 1.0)


def require_held(told: Course) -> None:
    for n, start in enumerate(told.left):
        within = bisect_left(told.left, start + 1.0) - n
        assert within <= math.ceil(highest(told.ceilings, start)), (start, told.ceilings)


@settings(max_examples=120)
@example(rps=100.0, events=[(0.0, ("share", 0.0)), (2.0, ("share", 100.0)), (0.5, ("share", 10.0))], seed=0)
@example(rps=10.0, events=[(1.0, ("schedule", 9.9)), (0.3, ("schedule", 10.0)), (0.3, ("schedule", 9.0))], seed=0)
@given(st.sampled_from([1.0, 5.0, 9.5, 10.0, 50.0, 250.0]), EVENTS, st.integers(0, 2**32))
def test_no_rolling_second_has_more_departures_than_the_highest_ceiling_in_force_within_it(
    rps: float, events: list[Event], seed: int
) -> None:
    """Whatever ceilings come and go, whatever 429s, and though timers fire late."""
    generator = random.Random(seed)
    lateness: Callable[[], float] = lambda: generator.choice([0.0, 0.0, 0.001, 0.05, 0.7])  # noqa: E731 # a draw, no rule
    require_held(run(course(rps, events), lateness))


def by_second(told: Course) -> list[int]:
    began = told.ceilings[0][0]
    return [sum(second <= at - began < second + 1 for at in told.left) for second in range(int(SPAN))]


def test_the_rate_follows_the_lowest_ceiling_at_once() -> None:
    """It does not wait for a turn at the old rate: that may be minutes away."""
    events: list[Event] = [(0.0, ("share", 0.01)), (3.0, ("share", 100.0)), (3.0, ("schedule", 20.0))]
    seconds = by_second(run(course(200.0, [*events, (3.0, ("schedule", math.inf))])))
    assert seconds[:3] == [0, 0, 0]
    assert min(seconds[3:6]) >= 97
    assert max(seconds[6:9]) <= 21
    assert min(seconds[6:9]) >= 19
    assert min(seconds[9:]) >= 97


def test_no_ceiling_lifts_the_rate_above_rps() -> None:
    told = run(course(20.0, [(0.0, ("schedule", 400.0)), (3.0, ("share", math.inf))]))
    assert max(by_second(told)) <= 20


def test_setting_a_ceiling_to_what_it_is_costs_no_turn() -> None:
    """A share is renewed every few seconds: at a slow rate nothing would ever leave."""
    told = run(course(100.0, [(0.25, ("share", 1.0))] * 40))
    assert len(told.left) >= SPAN - 2


def test_who_waits_while_nothing_may_leave_is_told_so() -> None:
    async def scenario() -> list[str]:
        cap, said = Cap(1.0), list[str]()

        async def take() -> None:
            try:
                await cap.take()
            except RestingError:
                said.append(cap.resting_by)

        tasks = [asyncio.create_task(take()) for _ in range(3)]
        await asyncio.sleep(0.1)
        cap.limit("share", 0.0)
        await asyncio.gather(*tasks)
        cap.limit("share", 1.0)
        await cap.take()
        assert not cap.resting_by
        return said

    assert run(scenario()) == ["share", "share", "share"]


@pytest.mark.parametrize("pause", [0.0, 1.0])
def test_a_429_below_a_ceiling_halves_the_rate_which_grows_back_to_the_ceiling(pause: float) -> None:
    seconds = by_second(run(course(500.0, [(0.0, ("share", 100.0)), (0.0, pause)])))
    assert 45 <= seconds[0] <= 52
    assert seconds[4] < 90
    assert 97 <= seconds[11] <= 100


def test_whoever_follows_hears_of_each_ceiling_once() -> None:
    cap, heard = Cap(100.0), list[float]()
    cap.follow(lambda: heard.append(cap.ceiling))
    for rps in (50.0, 50.0, 0.0, math.inf):
        cap.limit("schedule", rps)
    assert heard == [100.0, 50.0, 0.0, 100.0]
