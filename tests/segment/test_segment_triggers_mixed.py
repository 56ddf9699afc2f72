"""Triggers that mix `and` and `or` in one level: the last one rules, and people are told how it is read."""

from typing import Any

import pytest

from replay_cli.cli.shaping import explain
from replay_cli.segment.pointed import PointedError
from replay_cli.segment.triggers import compile_trigger, mixed_levels
from tests.segment.kit_cases import read_cases

CASES = [case for name in ("fql_cases.jsonl", "fql_more_cases.jsonl") for case in read_cases(name)]


def readings(text: str) -> list[str]:
    return list(map(str, mixed_levels(text)))


def is_mixed(text: str) -> bool:
    try:
        return bool(mixed_levels(text))
    except PointedError:
        return False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('type = "track" and event = "A" or event = "B"', ['type = "track" or event = "A" or event = "B"']),
        ('type = "track" or event = "A" and event = "B" ', ['type = "track" and event = "A" and event = "B"']),
        (
            '(event = "A" or event = "B" and userId = "u") and type = "track" or !contains(event, "x y")',
            [
                'event = "A" and event = "B" and userId = "u"',
                '(event = "A" or event = "B" and userId = "u") or type = "track" or !contains(event, "x y")',
            ],
        ),
        ('type = "track" or messageId = "x" and name = "and"', ['type = "track" and name = "and"']),
        (
            '(event = "A" or event = "B" and contains(name, "x"))',
            ['event = "A" and event = "B" and contains(name, "x"'],
        ),
    ],
)
def test_a_mixed_level_is_written_as_it_is_evaluated(text: str, expected: list[str]) -> None:
    assert readings(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        'type = "track"',
        'type = "track" and event = "A" and event = "B"',
        'type = "track" and (event = "A" or event = "B")',
        'type = "track" and event = "x or y"',
        'messageId = "x" or type = "track" and messageId = "y"',
    ],
)
def test_what_means_what_it_looks_like_is_not_remarked(text: str) -> None:
    assert readings(text) == []


MIXED = [text for text in dict.fromkeys(case["fql"] for case in CASES) if "(" not in text and is_mixed(text)]
"""The triggers of Segment's cases that mix operators, and have no group."""


def test_there_are_mixed_triggers_among_the_cases() -> None:
    assert len(MIXED) > 10


@pytest.mark.parametrize("text", MIXED)
def test_the_reading_takes_what_the_trigger_takes(text: str) -> None:
    (reading,) = readings(text)
    assert readings(reading) == []
    as_written, as_read = compile_trigger(text), compile_trigger(reading)
    assert [as_written(case["event"]) for case in CASES] == [as_read(case["event"]) for case in CASES]


def subscription(trigger: str) -> dict[str, Any]:
    return {"actionSlug": "trackEvent", "trigger": trigger, "settings": {}}


def test_a_run_says_at_its_start_how_a_mixed_trigger_is_read() -> None:
    plain, mixed = subscription('type = "track"'), subscription('type = "track" and event = "A" or event = "B"')
    lines = explain({"api": "actions", "mapping": {"subscriptions": [plain, mixed]}})
    assert lines[1:] == [
        "note: in the trigger of enabled subscription 2 (trackEvent) the last operator, or, holds for all of its terms "
        '(Segment\'s rule): type = "track" or event = "A" or event = "B"'
    ]


def test_a_very_long_reading_is_cut() -> None:
    trigger = 'type = "track" and ' + 'event = "A" or ' * 1000 + 'event = "B"'
    (line,) = explain({"api": "actions", "mapping": {"subscriptions": [subscription(trigger)]}})[1:]
    assert len(line) < 500
    assert line.endswith("…")
