"""The budgets of users and events: never more than they allow in any rolling minute, however requests come."""

import asyncio
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.delivery.allowance import Allowance
from replay_cli.delivery.budget import Budget
from tests.delivery.clock import run

ALLOWANCES = st.builds(Allowance, st.integers(10, 3000), st.integers(10, 3000))


async def spend(allowance: Allowance, wants: Sequence[tuple[float, int, int]]) -> list[tuple[float, int, int]]:
    """When requests left, with their users and events: (seconds of idling, users, events) after (…)."""
    budget, left = Budget(allowance), list[tuple[float, int, int]]()
    loop = asyncio.get_running_loop()

    async def take(users: int, events: int) -> None:
        await budget.take(users, events)
        left.append((loop.time(), users, events))

    async with asyncio.TaskGroup() as group:
        for idle, users, events in wants:
            await asyncio.sleep(idle)
            group.create_task(take(users, events))
    return left


def most_in_a_minute(spent: Sequence[tuple[float, int]]) -> int:
    """The naive count: every half-open minute that begins with a request."""
    return max((sum(n for at, n in spent if begin <= at < begin + 60) for begin, _ in spent), default=0)


@settings(max_examples=60)
@given(st.data(), ALLOWANCES)
def test_no_rolling_minute_lets_more_through_than_is_allowed(data: st.DataObject, allowance: Allowance) -> None:
    users, events = st.integers(0, allowance.most_users), st.integers(0, allowance.most_events)
    idle = st.sampled_from([0.0, 0.0, 0.3, 5.0, 61.0, 200.0])
    wants = data.draw(st.lists(st.tuples(idle, users, events), max_size=60))
    left = run(spend(allowance, wants))
    assert sorted(each[1:] for each in left) == sorted(each[1:] for each in wants)
    assert most_in_a_minute([(at, users) for at, users, _ in left]) <= allowance.users
    assert most_in_a_minute([(at, events) for at, _, events in left]) <= allowance.events


def test_a_long_job_comes_close_to_what_is_allowed() -> None:
    allowance = Allowance(1000, 3000)
    left = run(spend(allowance, [(0.0, 0, 100)] * 300))
    minutes = (left[-1][0] - left[0][0]) / 60
    assert 30_000 / minutes > 0.85 * allowance.events


def test_requests_leave_in_the_order_in_which_they_ask() -> None:
    wants = [(0.0, 0, 300 if n % 2 else 1) for n in range(40)]
    left = run(spend(Allowance(0, 3000), wants))
    assert [events for _, _, events in left] == [events for _, _, events in wants]


def test_without_bounds_nothing_waits() -> None:
    left = run(spend(Allowance(0, 0), [(0.0, 10**6, 10**6)] * 10))
    assert left[-1][0] - left[0][0] < 0.001


def test_a_request_beyond_the_bucket_waits_for_a_full_one_and_not_for_ever() -> None:
    left = run(spend(Allowance(10, 10), [(0.0, 5, 0), (0.0, 5, 0)]))
    assert len(left) == 2


def test_what_a_request_may_carry_follows_from_what_is_allowed() -> None:
    assert (Allowance().most_users, Allowance().most_events) == (1000, 3000)
    assert (Allowance(0, 5).most_users, Allowance(0, 5).most_events) == (0, 1)


def test_nothing_is_saved_up_at_the_start() -> None:
    """An earlier run may have spent it in the same minute."""
    left = run(spend(Allowance(1000, 3000), [(0.0, 0, 300)]))
    ((at, _, _),) = left
    assert at - 1000.0 >= 300 / 3000 * 60
