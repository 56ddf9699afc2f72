"""Which attempts a rule strikes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.sandbox.faults import Programme, Subject
from replay_cli.sandbox.programme import parse_programme


def event(**document: Any) -> Subject:
    return Subject(False, repr(document).encode(), document)


AUTH_CHECK = Subject(True, b"", None)


def strikes(rule: dict[str, Any], subjects: list[Subject], elapsed: float = 0.0) -> list[bool]:
    programme = Programme(parse_programme([{"status": 500} | rule]))
    return [programme.decide(subject, elapsed) is not None for subject in subjects]


def test_every_strikes_each_nth_attempt() -> None:
    assert strikes({"every": 3}, [event()] * 7) == [False, False, True, False, False, True, False]


def test_first_strikes_the_first_attempts_only() -> None:
    assert strikes({"first": 2}, [event()] * 4) == [True, True, False, False]


def test_times_bounds_how_often_it_strikes() -> None:
    assert strikes({"every": 2, "times": 1}, [event()] * 5) == [False, True, False, False, False]


def test_once_per_message_spares_the_retry() -> None:
    a, b = event(n=1), event(n=2)
    assert strikes({"once_per_message": True}, [a, b, a, a, b]) == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("match", "struck"),
    [
        ({"event": "Poison"}, True),
        ({"properties.n": 7}, True),
        ({"properties.n": 7.0}, True),
        ({"properties.flag": True}, True),
        ({"properties.flag": 1}, False),
        ({"properties.none": None}, True),
        ({"event": "Poison", "properties.n": 8}, False),
        ({"missing": None}, False),
        ({"event.deeper": 1}, False),
    ],
)
def test_match_looks_at_the_body(match: dict[str, Any], struck: bool) -> None:
    subject = event(event="Poison", properties={"n": 7, "flag": True, "none": None})
    assert strikes({"match": match}, [subject]) == [struck]


@pytest.mark.parametrize(
    ("match", "struck"),
    [
        ({"elements.1.customer_id": "u-2"}, True),
        ({"elements.0.customer_id": "u-2"}, False),
        ({"elements.2.customer_id": "u-2"}, False),
        ({"elements.-1.customer_id": "u-2"}, False),
        ({f"elements.{'9' * 5000}.customer_id": "u-2"}, False),
        ({"elements.*.customer_id": "u-2"}, True),
        ({"elements.*.customer_id": "u-3"}, False),
        ({"elements.*.actions.*.action": "B"}, True),
        ({"elements.*.actions.0.action": "B"}, False),
        ({"elements.*.actions.*": "B"}, False),
        ({"elements.*": 7}, True),
        ({"elements.*": True}, False),
        ({"*.0": 7}, False),
        ({"*": "a key"}, True),
        ({"elements.*.customer_id": "u-1", "elements.*.type": "event"}, True),
    ],
)
def test_match_finds_elements_of_lists_by_index_or_any(match: dict[str, Any], struck: bool) -> None:
    customer = {"type": "customer", "customer_id": "u-1"}
    action = {"type": "event", "customer_id": "u-2", "actions": [{"action": "A"}, {"action": "B"}]}
    document = {"elements": [customer, action, 7], "*": "a key"}
    assert strikes({"match": match}, [event(**document)]) == [struck]


def test_refused_users_are_named_by_their_elements_and_nothing_else_is_struck() -> None:
    elements = [{"type": "customer", "customer_id": user} for user in ("u-1", "u-2", "u-3", "u-2")]
    programme = Programme(parse_programme([{"refuse_users": ["u-2", "u-9"]}]))
    fault = programme.decide(event(elements=[*elements, 7, {}]), 0.0)
    assert fault is not None
    assert fault.effect.status == 400
    assert fault.effect.document["error"]["attribute"] == "elements[1].customer_id"
    assert "elements[3].customer_id" in fault.effect.document["error"]["message"]
    assert programme.decide(event(elements=[elements[0]]), 0.0) is None
    assert programme.decide(event(elements="u-2"), 0.0) is None


@pytest.mark.parametrize("document", [None, [], "text", 7])
def test_match_strikes_no_body_that_is_no_object(document: Any) -> None:
    assert strikes({"match": {"event": "Poison"}}, [Subject(False, b"", document)]) == [False]


@pytest.mark.parametrize(("elapsed", "struck"), [(9.9, False), (10, True), (29.9, True), (30, False)])
def test_between_is_half_open(elapsed: float, struck: bool) -> None:
    assert strikes({"between": [10, 30]}, [event()], elapsed) == [struck]


def test_between_may_last_for_good() -> None:
    assert strikes({"between": [10, None]}, [event()], 1e9) == [True]


def test_counts_are_of_the_attempts_that_meet_the_other_conditions() -> None:
    poison, good = event(event="Poison"), event(event="Good")
    rule = {"match": {"event": "Poison"}, "first": 1}
    assert strikes(rule, [good, good, poison, poison]) == [False, False, True, False]


@pytest.mark.parametrize(("on", "struck"), [(None, [True, False]), ("auth", [False, True]), ("all", [True, True])])
def test_auth_checks_are_struck_only_when_asked_for(on: str | None, struck: list[bool]) -> None:
    assert strikes({} if on is None else {"on": on}, [event(), AUTH_CHECK]) == struck


def test_the_first_rule_that_strikes_wins() -> None:
    programme = Programme(parse_programme([{"every": 2, "status": 500}, {"status": 503}]))
    faults = [programme.decide(event(), 0) for _ in range(3)]
    assert [fault and fault.name for fault in faults] == ["status-503", "status-500", "status-503"]


@given(st.floats(0, 1), st.integers(0, 2**32))
def test_a_rate_is_repeatable_and_near_its_share(rate: float, seed: int) -> None:
    rule = {"rate": rate, "seed": seed}
    first, second = (strikes(rule, [event()] * 2000) for _ in range(2))
    assert first == second
    assert abs(sum(first) / 2000 - rate) < 0.1


def test_rates_at_their_ends_strike_never_and_always() -> None:
    assert not any(strikes({"rate": 0}, [event()] * 100))
    assert all(strikes({"rate": 1}, [event()] * 100))


def test_latency_is_drawn_from_its_range() -> None:
    programme = Programme(parse_programme([{"latency": [1, 2]}]))
    faults = [programme.decide(event(), 0) for _ in range(50)]
    drawn = {fault.latency for fault in faults if fault}
    assert len(drawn) > 1
    assert all(1 <= seconds <= 2 for seconds in drawn)
