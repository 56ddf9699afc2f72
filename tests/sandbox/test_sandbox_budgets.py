"""What the Data API's requests hold, and what may come in a minute."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.errors import UsageError
from replay_cli.sandbox.budgets import DOCUMENTED, Budgets, Limits
from replay_cli.sandbox.elements import Elements, count_elements
from replay_cli.sandbox.meter import MINUTE, SECOND

USER = {"type": "customer"}
DEVICE = {"type": "device"}
THREE = {"type": "event", "actions": [{}, {}, {}]}


@pytest.mark.parametrize(
    ("kind", "document", "held"),
    [
        ("customer", USER, (1, 0, 0)),
        ("device", DEVICE, (0, 1, 0)),
        ("event", THREE, (0, 0, 3)),
        ("event", {}, (0, 0, 0)),
        ("event", {"actions": 3}, (0, 0, 0)),
        ("customer", None, (0, 0, 0)),
        ("transition", {"elements": [USER, THREE, DEVICE, THREE]}, (1, 1, 6)),
        ("transition", {"elements": [USER, 7, None, {}, {"type": ["event"]}, {"type": "transition"}]}, (1, 0, 0)),
        ("transition", {"elements": []}, (0, 0, 0)),
        ("transition", {"elements": USER}, (0, 0, 0)),
        ("transition", [USER], (0, 0, 0)),
    ],
)
def test_each_customer_device_and_action_counts(kind: str, document: Any, held: tuple[int, int, int]) -> None:
    assert count_elements(kind, document) == held


def test_the_documented_limits_are_the_older_lower_ones() -> None:
    assert DOCUMENTED == (10_000, 30_000)


@pytest.mark.parametrize(("limits", "name"), [(Limits(users=0), "users"), (Limits(events=-1), "events")])
def test_a_budget_of_nothing_is_a_usage_error(limits: Limits, name: str) -> None:
    with pytest.raises(UsageError, match=f"budget of {name} is at least 1 a minute"):
        Budgets(limits)


def test_users_and_events_have_budgets_of_their_own() -> None:
    budgets = Budgets(Limits(users=2, events=3))
    assert budgets.receive(Elements(users=1, devices=1, events=3), 0) is None
    assert budgets.receive(Elements(events=1), 0) == ("events", 3, 60.0)
    assert budgets.receive(Elements(users=1), 0) == ("users", 2, 60.0)
    assert (budgets.users.peak, budgets.events.peak) == (3, 4)


def test_a_device_weighs_as_a_user() -> None:
    budgets = Budgets(Limits(users=1, events=1))
    assert budgets.receive(Elements(users=1), 0) is None
    assert budgets.receive(Elements(devices=1), 0) == ("users", 1, 60.0)


def test_what_holds_nothing_is_never_over_a_budget() -> None:
    budgets = Budgets(Limits(users=1, events=1))
    budgets.receive(Elements(users=9, events=9), 0)
    assert budgets.receive(Elements(), 0) is None


def test_the_budget_named_is_the_one_to_wait_for_longer() -> None:
    for first, second in (("users", "events"), ("events", "users")):
        budgets = Budgets(Limits(users=3, events=3))
        budgets.receive(Elements(**{first: 3}), 0)
        budgets.receive(Elements(**{second: 3}), 30 * SECOND)
        assert budgets.receive(Elements(users=1, events=1), 40 * SECOND) == (second, 3, 50.0)


moments = st.lists(
    st.tuples(st.integers(0, MINUTE), st.builds(Elements, *[st.integers(0, 5)] * 3)),
    max_size=40,
)


@given(moments, st.integers(1, 12), st.integers(1, 12))
def test_no_minute_lets_more_through_than_its_budgets(
    steps: list[tuple[int, Elements]], users: int, events: int
) -> None:
    budgets = Budgets(Limits(users, events))
    now, taken = 0, []
    for gap, elements in steps:
        now += gap
        if budgets.receive(elements, now) is None:
            taken.append((now, elements))
    for start, _ in taken:
        minute = [elements for at, elements in taken if start <= at < start + MINUTE]
        assert sum(elements.users + elements.devices for elements in minute) <= users
        assert sum(elements.events for elements in minute) <= events
