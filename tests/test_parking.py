"""Which lanes have parked requests, against a plain list of them."""

from collections import Counter
from collections.abc import Sequence
from math import inf
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from replay_cli.parking import Parking

LANES = st.lists(st.sampled_from("abcd"), min_size=1, max_size=3)


class ParkingAgainstAList(RuleBasedStateMachine):
    """The naive model: the parked requests, each with its lanes."""

    def __init__(self) -> None:
        super().__init__()
        self.parked: list[Sequence[str]] = [("a", "b"), ("b",)]
        self.parking = Parking({"a": 1, "b": 2}, 2)
        self.due: list[float] = []

    @rule(lanes=LANES, due=st.none() | st.floats(0, 1e9))
    def add(self, lanes: list[str], due: float | None) -> None:
        self.parking.add(lanes, due)
        self.parked.append(lanes)
        if due is not None:
            self.due.append(due)

    @precondition(lambda self: self.parked)
    @rule(data=st.data())
    def remove(self, data: Any) -> None:
        self.parking.remove(self.parked.pop(data.draw(st.integers(0, len(self.parked) - 1))))

    @rule(lane=st.sampled_from("abcd"), in_memory=st.integers(0, 40))
    def want(self, lane: str, in_memory: int) -> None:
        wanted = any(lane in lanes for lanes in self.parked) and in_memory <= 16
        self.parking.bell.clear()
        self.parking.want(lane, in_memory)
        assert self.parking.bell.is_set() == wanted
        assert self.parking.has_wanted or not wanted

    @invariant()
    def it_counts_requests(self) -> None:
        assert self.parking.count == len(self.parked)

    @invariant()
    def a_request_is_held_back_by_those_who_share_a_lane(self) -> None:
        lanes = Counter(lane for parked in self.parked for lane in parked)
        for lane in "abcd":
            assert self.parking.holds_back([lane]) == (lanes[lane] > 0)
        assert not self.parking.holds_back(["somebody else"])
        assert self.parking.holds_back(["somebody else", *lanes]) == bool(lanes)

    @invariant()
    def it_knows_when_the_first_is_due(self) -> None:
        assert self.parking.next_due == min(self.due, default=inf)


TestParkingAgainstAList = ParkingAgainstAList.TestCase


def test_wanted_lanes_are_given_once_and_can_be_wanted_again() -> None:
    parking = Parking({"a": 3, "b": 1}, 3)
    for lane in ("b", "a", "b"):
        parking.want(lane, 0)
    assert parking.begin_fetch() == ["b", "a"]
    assert (parking.begin_fetch(), parking.has_wanted) == ([], False)
    parking.want_again(["a"])
    assert parking.has_wanted
    assert parking.begin_fetch() == ["a"]


def test_users_who_went_back_during_a_fetch_are_known_until_the_next_one() -> None:
    parking = Parking({}, 0)
    parking.note_gone_back(["a", "b"])
    assert parking.is_overtaken(["c", "b"])
    assert not parking.is_overtaken(["c"])
    parking.begin_fetch()
    assert not parking.is_overtaken(["a", "b"])


def test_parked_requests_hold_reading_up_only_once_they_may_return(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replay_cli.parking.MOST_PARKED", 1)
    parking = Parking({"a": 1}, 1)
    assert not parking.holds_reading_up
    parking.may_return.set()
    assert parking.holds_reading_up


def test_it_is_full_when_too_many_are_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replay_cli.parking.MOST_PARKED", 2)
    parking = Parking({}, 0)
    parking.add(["a"])
    assert not parking.is_full
    parking.add(["a"])
    assert parking.is_full
    parking.remove(["a"])
    assert not parking.is_full
