"""Programmes are read, or refused by name."""

import json
from typing import Any

import pytest

from replay_cli.errors import UsageError
from replay_cli.sandbox.faults import Action
from replay_cli.sandbox.programme import parse_latency, parse_programme


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ("text", "fault rule 2 is not an object"),
        ({"stauts": 500}, "fault rule 2: unknown key 'stauts'; valid are name, on, rate"),
        ({"name": "x", "rate": 0.5}, r"fault rule 2 \(x\) needs one effect of status, reset"),
        ({"status": 500, "hang": True}, "needs one effect"),
        ({"status": 99}, "status is a status from 200 to 599, not 99"),
        ({"status": "500"}, "status is a status"),
        ({"status": True}, "status is a status"),
        ({"status": 500, "rate": 1.5}, "rate is a share from 0 to 1, not 1.5"),
        ({"status": 500, "every": 0}, "every is a count from 1"),
        ({"status": 500, "first": 2.5}, "first is a count from 1"),
        ({"status": 500, "times": -1}, "times is a count from 1"),
        ({"status": 500, "match": ["a"]}, "match is an object"),
        ({"status": 500, "between": [3, 3]}, "between is a .start, end."),
        ({"status": 500, "between": 3}, "between is a .start, end."),
        ({"status": 500, "once_per_message": 1}, "once_per_message is true or false"),
        ({"status": 500, "headers": {"A": "b\r\nC: d"}}, "headers is an object of header names and texts"),
        ({"reset": "during"}, 'reset is "before" or "after", not "during"'),
        ({"latency": -1}, "latency is seconds"),
        ({"latency": [2, 1]}, "latency is seconds"),
        ({"hang": False}, "hang is true"),
        ({"hang": True, "retry_after": 3}, "retry_after goes with status only"),
        ({"reset": "after", "record": True}, "record goes with status or hang or html only"),
        ({"status": 500, "on": "everything"}, 'on is "events", "auth" or "all"'),
    ],
)
def test_an_invalid_rule_is_refused_by_name(rule: Any, complaint: str) -> None:
    programme: list[Any] = [{"status": 500}, rule]
    with pytest.raises(UsageError, match=complaint):
        parse_programme(programme)


@pytest.mark.parametrize("programme", ["{", "7", '{"status": 500}', b"\xff"])
def test_what_is_no_list_of_rules_is_refused(programme: str | bytes) -> None:
    with pytest.raises(UsageError, match="the fault programme is not"):
        parse_programme(programme)


def test_a_programme_reads_the_same_as_text_and_as_a_list() -> None:
    rules: list[dict[str, Any]] = [
        {"name": "outage", "between": [1, 2], "status": 503, "retry_after": 4},
        {"rate": 0.1, "hang": True},
    ]
    assert parse_programme(rules) == parse_programme(json.dumps(rules)) == parse_programme(json.dumps(rules).encode())


@pytest.mark.parametrize(
    ("rule", "action", "records"),
    [
        ({"latency": 1}, Action.PASS, True),
        ({"status": 500}, Action.REPLY, False),
        ({"status": 502, "record": True}, Action.REPLY, True),
        ({"reset": "before"}, Action.RESET, False),
        ({"reset": "after"}, Action.RESET, True),
        ({"hang": True}, Action.HANG, False),
        ({"hang": True, "record": True}, Action.HANG, True),
        ({"truncate": True}, Action.TRUNCATE, True),
        ({"html": True}, Action.REPLY, False),
        ({"fail_body": True}, Action.REPLY, False),
        ({"redirect": True}, Action.REPLY, False),
    ],
)
def test_what_is_recorded_depends_on_the_effect(rule: dict[str, Any], action: Action, records: bool) -> None:
    (parsed,) = parse_programme([rule])
    assert (parsed.effect.action, parsed.effect.records) == (action, records)


@pytest.mark.parametrize(("value", "expected"), [(0, (0.0, 0.0)), (0.2, (0.2, 0.2)), ([1, 2], (1.0, 2.0))])
def test_a_latency_is_seconds_or_a_range(value: Any, expected: tuple[float, float]) -> None:
    assert parse_latency(value) == expected


@pytest.mark.parametrize("value", ["1", -1, [1], [2, 1], None, True, float("nan")])
def test_another_latency_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match="latency is seconds"):
        parse_latency(value)
