"""Selections that are said to be apart have no message in common, however they are drawn."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.segment.apart import are_apart
from replay_cli.segment.selection import Selection

DAY = int(datetime(2025, 3, 1, tzinfo=UTC).timestamp() * 1000)
INSTANTS = st.sampled_from([f"2025-03-01T{hour:02}:00:00+00:00" for hour in (6, 12, 18)])
NAMES = st.lists(st.sampled_from(["app", "web", "server"]), min_size=1, max_size=2, unique=True)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "received_from": INSTANTS,
        "received_until": INSTANTS,
        "from": INSTANTS,
        "until": INSTANTS,
        "source_id": NAMES,
        "type": st.lists(st.sampled_from(["track", "identify", "page"]), min_size=1, max_size=2, unique=True),
        "identify": st.just("none"),
        "user_id": NAMES,
        "sample": st.sampled_from(["0-1%", "0-50%", "50-100%", "1-100%"]),
    },
)
HOURS = st.integers(5, 19).map(lambda hour: f"2025-03-01T{hour:02}:00:00.000Z")
MESSAGES = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["track", "identify", "page"]),
        "userId": st.sampled_from(["app", "web", "server", "someone", "somebody else"]),
        "receivedAt": HOURS,
        "timestamp": HOURS,
        "event": st.just("Tested"),
    }
)


def means(selection: Selection, source: str, message: dict[str, Any]) -> bool:
    uri = f"segment-logs/{source}/{DAY}/a.gz"
    select = selection.for_object(uri) if selection.wants_object(uri) else None
    return selection.wants_object(uri) and (select is None or select(message) is None)


@settings(max_examples=300)
@given(SETTINGS, SETTINGS, st.lists(st.tuples(st.sampled_from(["app", "web", "server"]), MESSAGES), max_size=12))
def test_selections_that_are_apart_mean_no_message_in_common(
    one: dict[str, Any], other: dict[str, Any], messages: list[tuple[str, dict[str, Any]]]
) -> None:
    both = Selection.from_settings(one), Selection.from_settings(other)
    apart = are_apart(*both)
    assert apart == are_apart(*reversed(both))
    if apart:
        assert not [message for source, message in messages if all(means(each, source, message) for each in both)]


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ({}, {}, False),
        ({"received_until": "2025-03-01T12:00:00Z"}, {"received_from": "2025-03-01T12:00:00Z"}, True),
        ({"received_until": "2025-03-01T12:00:00Z"}, {"received_from": "2025-03-01T11:59:59Z"}, False),
        ({"until": "2025-03-01T12:00:00Z"}, {"from": "2025-03-01T12:00:00Z"}, True),
        ({"source_id": ["app"]}, {"source_id": ["web"]}, True),
        ({"source_id": ["app"]}, {}, False),
        ({"type": ["track"]}, {"type": ["identify", "page"]}, True),
        ({"identify": "none"}, {"type": ["identify"]}, True),
        ({"identify": "none"}, {"type": ["identify", "page"]}, False),
        ({"user_id": ["a"]}, {"user_id": ["b"]}, True),
        ({"sample": "0-1%"}, {"sample": "1-100%"}, True),
        ({"sample": "0-2%"}, {"sample": "1-100%"}, False),
        ({"where": "type = 'a'"}, {"where": "type = 'b'"}, False),
    ],
)
def test_it_is_told_by_bounds_names_and_samples(one: dict[str, Any], other: dict[str, Any], apart: bool) -> None:
    assert are_apart(Selection.from_settings(one), Selection.from_settings(other)) is apart
