"""Estimates: held against delivery's own parts and against whole runs, on a clock of their own."""

import asyncio
import random
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.delivery.allowance import Allowance
from replay_cli.delivery.budget import Budget
from replay_cli.delivery.cap import Cap
from replay_cli.delivery.fair_use import FairUse
from replay_cli.delivery.transport import Gate
from replay_cli.model import Request
from replay_cli.moengage.replies import Reply
from replay_cli.pacing import make_pace
from replay_cli.policy import Policy
from replay_cli.profiling.estimate import START_SECONDS, InBulk, Pace, Workload, duration, estimate
from tests.delivery.clock import run
from tests.support.simulation import CHECK, Destination, Simulation, small_house

NOW = 1_750_000_000.0
NEAR = 0.05
"""An estimate is that near to what a run takes."""
ALLOWANCE = Allowance()


def pace(rps: float = 500, concurrency: int = 512, latency: float = 0.2, allowance: Allowance = ALLOWANCE) -> Pace:
    return make_pace(rps, concurrency, latency, allowance)


def seconds(main: Coroutine[Any, Any, None]) -> float:
    """How long something takes on a clock that jumps."""

    async def timed() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await main
        return loop.time() - began

    return run(timed())


# -- against the parts of delivery --------------------------------------------------------------------------------


@pytest.mark.parametrize("rps", [3.0, 50.0, 500.0])
def test_the_cap_lets_the_last_request_leave_when_the_estimate_says(rps: float) -> None:
    async def take_all() -> None:
        cap = Cap(rps)
        for _ in range(int(20 * rps)):
            await cap.take()

    assert pace(rps).cap.seconds(int(20 * rps)) == pytest.approx(seconds(take_all()), rel=0.02)


@pytest.mark.parametrize("wanted", [(100, 0), (0, 300), (90, 40), (5, 300)])
def test_a_budget_is_spent_when_the_estimate_says(wanted: tuple[int, int]) -> None:
    users, events = wanted

    async def take_all() -> None:
        budget = Budget(ALLOWANCE)
        for _ in range(200):
            await budget.take(users, events)

    workload = Workload(requests=200, records=1, read=1, users=200 * users, events=200 * events)
    expected, bound_by = duration(workload, pace(latency=0.0))
    assert bound_by == ("users_per_minute" if users > events / 3 else "events_per_minute")
    assert expected - START_SECONDS == pytest.approx(seconds(take_all()), rel=NEAR)


@pytest.mark.parametrize("n", [20, 1_000, 30_000, 60_000])
def test_fair_use_lets_a_users_last_request_leave_when_the_estimate_says(n: int) -> None:
    fair_use, now = FairUse(), 1000.0
    for _ in range(n):
        now += fair_use.wait(("u",), now)
        fair_use.mark(("u",), now)
    alone = Workload(requests=n, records=n, read=n, longest_user=("u", n), people=1)
    told = estimate(alone, pace(rps=100_000, latency=0.0)._replace(commit_every=0.0), NOW)
    assert told["longest_user"]["seconds"] == pytest.approx(max(now - 1000.0, 0.003 * n), abs=0.2, rel=0.01)


# -- against whole runs -------------------------------------------------------------------------------------------


class Steady(Destination):
    """Takes everything, each time after the same while."""

    def __init__(self, latency: float) -> None:
        super().__init__({}, random.Random(1))
        self._latency = latency

    async def attempt(self, request: Request, gate: Gate) -> Reply:
        await gate()
        if request is not CHECK:
            await asyncio.sleep(self._latency)
        return Reply(200)


def simulated(folder: Path, users: Iterable[str], *, rps: float, concurrency: int, latency: float) -> float:
    """How long a run takes that sends a request for each of these users, one after the other in the archive."""
    records = [{"n": n, "user": user, "anonymous": "", "parts": 1} for n, user in enumerate(users)]
    with small_house():
        simulation = Simulation(folder, {"a": records}, Steady(latency), random.Random(1))
        ending = simulation.run(Policy(concurrency=concurrency), rps=rps)
    assert ending.state == "complete"
    return simulation.elapsed


@pytest.mark.parametrize(
    ("many", "hot", "rps", "concurrency", "latency", "bound_by"),
    [
        (1500, 0, 100, 64, 0.2, "rps"),
        (400, 0, 500, 4, 0.3, "concurrency"),
        (20, 60, 500, 64, 0.5, "longest_user"),
        (900, 100, 60, 64, 0.5, "longest_user"),
        (400, 400, 200, 64, 0.0, "longest_user"),  # by fair use
    ],
)
def test_a_run_takes_as_long_as_was_estimated(
    tmp_path: Path, many: int, hot: int, rps: float, concurrency: int, latency: float, bound_by: str
) -> None:
    """Requests of as many users, and among them those of one."""
    n = many + hot
    users = ["hot" if hot and index * hot // n != (index + 1) * hot // n else f"{index}" for index in range(n)]
    longest = ("hot", users.count("hot")) if hot else ("0", 1)
    workload = Workload(requests=n, records=n, read=n, longest_user=longest, people=many + bool(hot))
    expected, named = duration(workload, pace(rps, concurrency, latency))
    took = simulated(tmp_path, users, rps=rps, concurrency=concurrency, latency=latency)
    assert named == bound_by
    assert expected - START_SECONDS == pytest.approx(took, rel=NEAR)


# -- rules ----------------------------------------------------------------------------------------------------------


NUMBERS = st.integers(0, 10**9)
WORKLOADS = st.builds(
    lambda requests, skipped, share, users, events, people: Workload(
        requests, requests, requests + skipped, ("u", int(requests * share)), users, events, people
    ),
    *(NUMBERS, NUMBERS, st.floats(0, 1), NUMBERS, NUMBERS, NUMBERS),
)
PACES = st.builds(
    make_pace,
    st.floats(0.1, 10_000),
    st.integers(1, 10_000),
    st.floats(0, 60),
    st.builds(Allowance, st.sampled_from([0, 2, 10_000]), st.sampled_from([0, 2, 30_000])),
)


@settings(max_examples=150)
@given(WORKLOADS, PACES)
def test_no_run_is_faster_than_its_cap_and_its_longest_user(workload: Workload, any_pace: Pace) -> None:
    took, _ = duration(workload, any_pace)
    told = estimate(workload, any_pace, NOW)
    assert took >= (workload.requests - any_pace.cap.most) / any_pace.cap.leak
    assert told["seconds"] >= told["longest_user"]["seconds"] - 0.1
    assert told["finishes_at"] == pytest.approx(NOW + told["seconds"], abs=0.2)


@settings(max_examples=150)
@given(WORKLOADS, PACES)
def test_twice_the_work_takes_longer(workload: Workload, any_pace: Pace) -> None:
    requests, records, read, longest, users, events, people = workload
    assert longest is not None
    twice = Workload(2 * requests, 2 * records, 2 * read, (longest[0], 2 * longest[1]), 2 * users, 2 * events, people)
    assert duration(twice, any_pace)[0] >= duration(workload, any_pace)[0]


@given(WORKLOADS, WORKLOADS, PACES)
def test_what_bulk_saves_is_a_share(workload: Workload, packed: Workload, any_pace: Pace) -> None:
    told = estimate(workload, any_pace, NOW, InBulk(packed, 3))["bulk"]
    assert 0 <= told["saves"] <= 1
    assert (told["requests"], told["left_out"]) == (packed.requests, 3)


def test_bulk_saves_the_time_that_it_takes_less() -> None:
    workload = Workload(49_010 + 6, 1, 1)
    told = estimate(workload, pace(latency=0.0), NOW, InBulk(Workload(100, 1, 1, events=22_277), 0))
    assert told["seconds"] == pytest.approx(100.2, abs=0.2)
    assert told["bulk"]["seconds"] == pytest.approx(50.2, abs=0.2)
    assert told["bulk"]["saves"] == pytest.approx(0.5, abs=0.01)


def test_a_selection_that_skips_nearly_everything_is_bound_by_reading() -> None:
    told = estimate(Workload(requests=10, records=10, read=100_000_000), pace(), NOW)
    assert told["bound_by"] == "reading"
    assert told["seconds"] > 1_000


def test_batches_of_bulk_wait_for_one_another_where_no_budget_does() -> None:
    workload = Workload(requests=180, records=30_000, read=30_000, users=1, events=30_000)
    unbound = pace(allowance=Allowance(0, 0))
    assert duration(workload, unbound)[1] == "order"
    assert duration(workload, unbound._replace(latency=0.0))[1] == "reading"


def test_nothing_to_send_takes_no_time() -> None:
    told = estimate(Workload(0, 0, 0), pace(), NOW)
    assert told["seconds"] == START_SECONDS
    assert (told["longest_user"], told["bulk"]) == (None, None)
